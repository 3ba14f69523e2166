"""A map of a GenBank record: its features read from S3, drawn as arrows on lines, and written back as pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

CONTENT_TYPES: Mapping[str, str] = {"svg": "image/svg+xml", "png": "image/png"}
"""What can be drawn, and what S3 is told about it."""
DEFAULT_FORMATS = ("svg",)
DEFAULT_LINES = 4
MAX_LINES = 100
DEFAULT_DPI = 100
DPI = range(50, 601)
REGION_VARIABLE = "GENOMES_REGION"

workflow = CaribouWorkflow(name="dna_visualization", version="0.0.1")


@workflow.serverless_function(name="visualize", entry_point=True)
def visualize(event: object) -> dict[str, Any]:
    """Draws the order's record, and writes a picture for each format; says where they are and how large."""
    order = Order.of(event)

    from maps import Map, record_of  # noqa: PLC0415 - two seconds, which a home entry that only forwards saves

    s3 = boto3.client("s3", region_name=order.region)
    record = record_of(s3.get_object(Bucket=order.bucket, Key=order.key)["Body"].read())
    drawn = Map(record, order.lines, order.types)
    run_id = workflow.get_run_id()
    pictures = []
    for picture_format in order.formats:
        picture, key = drawn.encoded(picture_format, order.dpi), order.result_key(run_id, picture_format)
        s3.put_object(Bucket=order.bucket, Key=key, Body=picture, ContentType=CONTENT_TYPES[picture_format])
        pictures.append({"key": key, "bytes": len(picture)})
    written = {"bucket": order.bucket, "record": record.id, "arrows": drawn.arrows, "pictures": pictures}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a GenBank record in S3, and how to draw it.

    `region` is the bucket's: a function that runs in another region must address it there. `types` are the types of
    features to draw, none given for all but the source, which is the record itself.
    """

    bucket: str
    key: str
    region: str
    lines: int = DEFAULT_LINES
    types: tuple[str, ...] | None = None
    formats: tuple[str, ...] = DEFAULT_FORMATS
    dpi: int = DEFAULT_DPI

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not all(_is_text(event.get(name)) for name in ("bucket", "key")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "key": "input/…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        return cls(
            bucket=event["bucket"],
            key=_input_key(event["key"]),
            region=region,
            lines=_whole("lines", event.get("lines", DEFAULT_LINES), range(1, MAX_LINES + 1)),
            types=_types(event.get("types")),
            formats=_formats(event.get("formats", DEFAULT_FORMATS)),
            dpi=_whole("dpi", event.get("dpi", DEFAULT_DPI), DPI),
        )

    def result_key(self, run_id: str, picture_format: str) -> str:
        """Where a picture goes: the same run writes to the same place, so a retry does no harm."""
        return f"output/{run_id}/map.{picture_format}"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str) -> str:
    if not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where records may be read, not {value!r}")
    return value


def _whole(name: str, value: object, allowed: range) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise ValueError(f"{name} must be a whole number from {allowed[0]} to {allowed[-1]}, not {value!r}")
    return value


def _types(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not value or not all(_is_text(item) for item in value):
        raise ValueError(f'types must be a list such as ["CDS", "tRNA"], or left out, not {value!r}')
    return tuple(value)


def _formats(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(item in CONTENT_TYPES for item in value):
        raise ValueError(f"formats must be a list out of {', '.join(CONTENT_TYPES)}, not {value!r}")
    return tuple(dict.fromkeys(value))
