"""Log collection before a region is retired."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from botocore.exceptions import ClientError
from builders import record_of

from caribou.collectors.logs import InMemoryLogReader, LogEvent
from caribou.collectors.records import InMemoryRecordTable
from caribou.collectors.registrations import Registration
from caribou.control.log_collection import RecordCollector, function_names
from caribou.control.stacks.deployed import DeployedStack
from caribou.control.workflows import MAX_TIMEOUT_S, KnownWorkflow, known_workflows
from caribou.model.names import WorkflowNames
from caribou.model.run.record import RECORD_KEY

HOME, WEST = "us-east-1", "us-west-2"
NAMES = WorkflowNames("example")
NOW_S = 1_800_000_000.0
REGISTRATION = Registration("example", "0.0.1", HOME, (HOME,), ("first",), 30)
STACK = DeployedStack("arn", "s", WEST, "example", "region", "CREATE_COMPLETE", datetime.now(UTC))


def logged():
    """A log event with a run record."""
    record = record_of("old:first_0_0:1", function="old", region=WEST, started_at=NOW_S - 10, duration_s=1.0)
    return LogEvent(int((NOW_S - 9) * 1000), json.dumps({RECORD_KEY: asdict(record)}))


def log_collection(table, broken=()):
    """Log collection over two log groups, one of them of a function and region that are no longer registered."""
    content = {(HOME, NAMES.log_group("first")): [], (WEST, NAMES.log_group("old")): [logged()]}
    reader = InMemoryLogReader(content, frozenset(broken))
    return RecordCollector(reader, table, "dev", lambda _: ("old",), clock=lambda: NOW_S)


def test_collection_when_a_region_is_no_longer_registered_but_has_a_stack_then_its_logs_are_read():
    """What a retired region logged is not lost with it."""
    table = InMemoryRecordTable()
    collection = log_collection(table)
    assert not collection.collect(KnownWorkflow("example", None, REGISTRATION), [STACK])
    assert [record.function for record in table.read("example").records] == ["old"]
    assert collection.read_to("example", WEST, [NAMES.log_group("old")]) == NOW_S


def test_collection_when_a_region_fails_then_it_is_reported_and_was_not_read():
    """The region then waits, since its cursor did not move."""
    collection = log_collection(InMemoryRecordTable(), broken=[WEST])
    [trouble] = collection.collect(KnownWorkflow("example", None, REGISTRATION), [STACK])
    assert WEST in trouble
    assert collection.read_to("example", WEST, [NAMES.log_group("old")]) is None


def test_collection_when_the_workflow_is_not_registered_then_it_says_so(workflow):
    """Without a registration nobody knows what to read."""
    [trouble] = log_collection(InMemoryRecordTable()).collect(KnownWorkflow("example", workflow, None), [STACK])
    assert "not registered" in trouble


def test_collection_when_there_is_no_record_table_then_it_is_trouble_and_not_an_error():
    """Without a control plane regions wait, and the migrator says why."""

    class Gone(InMemoryRecordTable):
        def cursor(self, *_):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetItem")

    collection = log_collection(Gone())
    [trouble] = collection.collect(KnownWorkflow("example", None, REGISTRATION), [STACK])
    assert "CaribouControlPlane" in trouble
    assert collection.read_to("example", WEST, [NAMES.log_group("old")]) is None


def test_function_names_when_log_groups_are_given_then_only_the_workflows_count():
    """The names are deterministic, so they can be read back."""
    groups = [NAMES.log_group("a"), "/aws/lambda/other"]
    assert function_names(NAMES, groups) == ("a",)


def test_known_workflows_when_a_workflow_is_only_registered_then_the_longest_timeout_counts(workflow):
    """Its manifest is not at hand, so the wait is as long as Lambda allows."""
    [mine, theirs] = known_workflows([workflow], [Registration("far", "1", WEST, (WEST,), ("f",), 30)])
    assert (mine.name, mine.home_region) == ("example", HOME)
    assert mine.longest_timeout_s == max(s.timeout_s for s in workflow.manifest.functions.values())
    assert (theirs.home_region, theirs.longest_timeout_s) == (WEST, MAX_TIMEOUT_S)
