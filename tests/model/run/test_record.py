"""Run records of the first schema, and what each is refused for."""

import dataclasses

import pytest
from builders import record_of

from caribou.model.errors import InvalidRecordError
from caribou.model.run.record import FIRST_SCHEMA, RECORD_SCHEMA, UNKNOWN_SERVICE, EndpointRecord, RunRecord


def _first(**changes):
    """A record as the first version wrote it."""
    data = record_of("a").to_json()
    for name in ("external", "init_s", "import_s", "import_cpu_s"):
        del data[name]
    return {**data, "external_bytes": 2048, "schema": FIRST_SCHEMA, **changes}


def test_record_when_of_the_first_schema_then_its_external_bytes_are_with_an_unknown_endpoint():
    """It did not say where they went: nobody invents a place."""
    record = RunRecord.from_json(_first())
    assert record.external == (EndpointRecord(UNKNOWN_SERVICE, None, "", 0, 0, 0, 2048, 0.0, 0.0),)
    assert (record.external_bytes, record.init_s, record.schema) == (2048, None, RECORD_SCHEMA)
    assert RunRecord.from_json(record.to_json()) == record


def test_record_when_of_the_first_schema_and_nothing_was_exchanged_then_it_has_no_endpoint():
    """That much it did say."""
    assert RunRecord.from_json(_first(external_bytes=0)).external == ()


def test_record_when_written_then_it_can_be_read_back_whole():
    """With how its process began."""
    record = dataclasses.replace(record_of("a"), cold_start=True, init_s=0.5, import_s=0.25, import_cpu_s=0.2)
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"external": 3}, "has external that are no list"),
        ({"external": [{"service": "s3"}]}, "has an endpoint that can't be read"),
        ({"external": ["s3"]}, "has an endpoint that can't be read"),
        ({"schema": "caribou.record/3"}, "schema that this version does not read"),
    ],
)
def test_record_when_it_can_t_be_read_then_the_error_says_what_of_it(change, said):
    """A log is outside data."""
    with pytest.raises(InvalidRecordError, match=said):
        RunRecord.from_json({**record_of("a").to_json(), **change})
