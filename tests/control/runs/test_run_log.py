"""The lines that a run's executions wrote, out of logs of many runs, on the local cloud."""

import json

import pytest
from builders import graph_of, record_of

from caribou.cli.trace_view import failure_lines
from caribou.collectors.logs import InMemoryLogReader
from caribou.control.runs.evidence import RunFacts
from caribou.control.runs.failure import FailureLog, failure_log
from caribou.control.runs.run_log import LogLine, RunLog
from caribou.model.run.envelope import Run
from caribou.model.run.item import RunItem, RunState
from caribou.model.run.record import RECORD_KEY
from caribou.runtime.clients import Clients
from caribou.runtime.sync_items import DynamoClaims

HOME, WEST = "us-east-1", "us-west-2"
BEGAN_S = 1_764_000_000.0
GRAPH = graph_of({"a": "b", "b": "c"}, name="w")


def item(regions=None, **fields):
    """A run that took a second."""
    run = Run("r", "0.0.1", GRAPH.digest, "p", regions or {}, BEGAN_S, BEGAN_S + 1000)
    return RunItem(run, frozenset("c"), RunState.SUCCEEDED, ended_at=BEGAN_S + 1, **fields)


def record(node, run_id="r"):
    """A record's line."""
    return json.dumps({RECORD_KEY: record_of(node, workflow="w", run_id=run_id, started_at=BEGAN_S).to_json()})


def invocation(request, *lines):
    """What Lambda and a function write, with Lambda's own lines around."""
    return [
        f"START RequestId: {request} Version: $LATEST",
        *lines,
        f"END RequestId: {request}",
        f"REPORT RequestId: {request}",
    ]


@pytest.fixture
def logged(world, placed):
    """`logged(region, function, lines, at_s)` writes a stream; `logged.read(item)` reads a run's lines."""

    class Logged:
        streams = 0

        def __call__(self, region, function, lines, at_s=0.5):
            client, group = world.aws.logs(region), world.names.log_group(function)
            self.streams += 1
            if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
                client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName=f"s{self.streams}")
            events = [{"timestamp": int((BEGAN_S + at_s) * 1000) + n, "message": line} for n, line in enumerate(lines)]
            client.put_log_events(logGroupName=group, logStreamName=f"s{self.streams}", logEvents=events)

        def read(self, run, *functions):
            facts = RunFacts(world.aws, GRAPH, world.names, HOME, InMemoryLogReader())
            return RunLog(world.aws, facts).read(run, BEGAN_S + 10, functions)

    world.home(placed())
    return Logged()


def texts(lines):
    """Node and text of each line that is not Lambda's or Caribou's own."""
    return [(line.node, line.text) for line in lines.lines if not line.is_own]


@pytest.mark.local_cloud
def test_lines_when_a_stream_has_invocations_of_many_runs_then_only_those_with_the_run_s_record_are_its(logged):
    """In the order of time, out of all regions of its map; what is named is what is read."""
    logged(HOME, "a", [*invocation("1", "of another", record("a", "r2")), *invocation("2", "mine", record("a"))], 0.1)
    logged(WEST, "b", invocation("3", "far", '{"_aws":{"CloudWatchMetrics":[]}}', record("b")), 0.2)
    logged(HOME, "a", invocation("4", "says r, and is not its", record("a", "r3")), 0.3)
    run = item({"b": WEST})
    found = logged.read(run)
    assert texts(found) == [("a", "mine"), ("b", "far")]
    assert [line.region for line in found.lines if not line.is_own] == [HOME, WEST]
    assert len(found.lines) == 5 + 6
    assert texts(logged.read(run, "b")) == [("b", "far")]
    assert (found.unseen, found.gone) == ((), ())


@pytest.mark.local_cloud
def test_lines_when_an_execution_left_no_record_then_it_is_known_by_its_claim(logged, world):
    """It goes on, or was killed; a region without any of the logs is named."""
    world.aws.dynamodb(HOME)
    DynamoClaims(Clients(), world.names.sync_table).claim(HOME, "r", "a", "aaaa-1", 0)
    logged(HOME, "a", [*invocation("aaaa-1", "working", "2026 aaaa-1 Task timed out after 3.00 seconds")])
    found = logged.read(item({"b": WEST}))
    assert [text for _, text in texts(found)] == ["working", "2026 aaaa-1 Task timed out after 3.00 seconds"]
    assert found.gone == (WEST,)


def line(text, node="b", stream="2026/11/29/[$LATEST]ab", at_ms=1):
    """A line of a log."""
    return LogLine(at_ms, WEST, "/aws/lambda/caribou-dev-w-b", stream, node, text, text)


TRACEBACK = (
    "[ERROR] ValueError: so\rTraceback (most recent call last):\r"
    '  File "/var/task/caribou/runtime/node.py", line 9, in _call\r    return user()\r'
    '  File "/var/task/app.py", line 12, in right\r    raise ValueError("so")'
)


def test_failure_when_its_log_has_a_traceback_then_the_line_of_user_code_is_named_and_the_console_leads_there():
    """As Lambda writes it, in one event; the last try counts."""
    found = failure_log("b", HOME, "g", [line("earlier"), line("of a", node="a"), line(TRACEBACK, at_ms=2)])
    assert found.at == "app.py, line 12, in right"
    assert found.traceback[-1] == '    raise ValueError("so")'
    assert found.traceback[1:] == ('  File "app.py", line 12, in right', '    raise ValueError("so")')
    assert found.console == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/"
        "$252Faws$252Flambda$252Fcaribou-dev-w-b/log-events/2026$252F11$252F29$252F$255B$2524LATEST$255Dab"
    )
    assert found.to_json()["console"] == found.console


def test_failure_when_its_lines_are_events_each_then_the_traceback_ends_with_the_error():
    """As the local cloud has it, and what prints a traceback itself."""
    lines = [line(text) for text in (*TRACEBACK.split("\r")[1:], "ValueError: so", "END RequestId: x")]
    assert failure_log("b", HOME, "g", lines).traceback[-1] == "ValueError: so"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_failure_when_nothing_is_in_its_log_then_the_group_is_named_in_its_partition_s_console(region, host):
    """The log is late, or the process never came to write."""
    found = failure_log("b", region, "/aws/lambda/g", [])
    assert (found.stream, found.traceback, found.at) == (None, (), None)
    assert found.console.startswith(f"https://{host}/")
    assert found.console.endswith("#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fg")


def test_failure_when_the_log_cannot_be_read_then_the_trace_says_why_and_is_there():
    """What became of the run does not depend on its log."""
    said = list(failure_lines(FailureLog("b", HOME, "g", trouble="Reading the log of run r failed: AccessDenied")))
    assert said[-2] == "  it can't be read now: Reading the log of run r failed: AccessDenied"
