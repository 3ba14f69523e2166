"""How a run starts: which regions it gets, and what a duplicate of its start does."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from caribou.model.errors import InvalidEnvelopeError
from caribou.model.run.envelope import Envelope, Run, Start
from caribou.model.run.payload import encode
from caribou.model.template_contract import PLACEMENT_FILE, PLACEMENT_PACKAGE
from caribou.runtime.event import Delivery
from caribou.runtime.placement import load_placement, new_run, share_of
from caribou.runtime.testing import InMemoryCloud, LocalRunner

HOME, AWAY, FAR = "us-east-1", "us-west-2", "ca-central-1"
NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def flow(graph_of):
    """The graph a -> b."""
    return graph_of({"a": "b"})


@pytest.fixture
def deployed(tmp_path, monkeypatch):
    """Put a text into the deployment's placement file."""

    def deploy(text):
        package = tmp_path / PLACEMENT_PACKAGE
        package.mkdir()
        (package / "__init__.py").touch()
        (package / PLACEMENT_FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.syspath_prepend(tmp_path)

    yield deploy
    sys.modules.pop(PLACEMENT_PACKAGE, None)


def _run_of(placement, settings, run_id="run", at=NOON):
    return new_run(run_id, at.timestamp(), placement, settings)


def test_share_when_asked_again_then_the_run_id_alone_decides():
    """A retry of a start falls on the same side, in any process and version."""
    assert [round(share_of(f"run-{i}"), 4) for i in range(3)] == [0.565, 0.3062, 0.7259]


def test_share_when_many_runs_start_then_about_a_tenth_stays_home(flow, placement_of, settings_of):
    """The share is as large as it says, and those runs are marked."""
    placement = placement_of(flow, {"b": AWAY})
    runs = [_run_of(placement, settings_of(flow, home_share=0.1), f"run-{i}") for i in range(3000)]
    home = [run for run in runs if run.stays_home]
    assert len(home) / len(runs) == pytest.approx(0.1, abs=0.02)
    assert {str(run.regions) for run in home} == {"{}"}
    assert {str(run.regions) for run in runs if not run.stays_home} == {str({"b": AWAY})}
    assert {run.placement for run in home}.isdisjoint({placement.digest})


@pytest.mark.parametrize(("hour", "regions"), [(11, {}), (12, {"b": AWAY}), (13, {"b": AWAY}), (14, {})])
def test_run_when_it_starts_then_it_keeps_the_plan_of_that_hour(flow, placement_of, settings_of, hour, regions):
    """The hour is that of the start, UTC."""
    placement = placement_of(flow, {"b": AWAY}, hours=(12, 13))
    run = _run_of(placement, settings_of(flow, home_share=0), at=NOON.replace(hour=hour, minute=59))
    assert run.regions == regions


def test_run_when_the_placement_has_expired_then_it_stays_home(flow, placement_of, settings_of):
    """A stale placement means home, from the second it expires."""
    placement = placement_of(flow, {"b": AWAY}, expires_at=NOON)
    settings = settings_of(flow, home_share=0)
    assert _run_of(placement, settings, at=NOON - timedelta(seconds=1)).regions == {"b": AWAY}
    assert _run_of(placement, settings, at=NOON).regions == {}
    assert not _run_of(placement, settings, at=NOON).stays_home


def test_run_when_it_starts_then_its_deadline_follows(flow, placement_of, settings_of):
    """A run has a start, an end at the latest, and the digests of what it follows."""
    placement = placement_of(flow, {"b": AWAY})
    run = _run_of(placement, settings_of(flow, home_share=0, run_deadline_s=60))
    assert (run.started_at, run.deadline) == (NOON.timestamp(), NOON.timestamp() + 60)
    assert (run.graph, run.placement, run.workflow_version) == (flow.digest, placement.digest, "0.0.1")


def test_placement_when_it_is_deployed_then_it_is_followed(flow, placement_of, settings_of, deployed):
    """The deployment's package data is the placement."""
    placement = placement_of(flow, {"b": AWAY})
    deployed(json.dumps(placement.to_json()))
    assert load_placement(settings_of(flow)).digest == placement.digest


def test_placement_when_none_is_deployed_then_runs_stay_home(flow, settings_of):
    """No placement means home, without a word."""
    assert load_placement(settings_of(flow)).regions == {HOME}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": "caribou.placement/2"}', b"\xff\xfe", "NaN"],
    ids=["empty", "cut", "list", "null", "schema", "binary", "nan"],
)
def test_placement_when_it_is_corrupt_then_runs_stay_home_and_the_log_says_so(
    flow, settings_of, deployed, caplog, text
):
    """A damaged placement is a warning, never an error."""
    deployed(text)
    assert load_placement(settings_of(flow)).regions == {HOME}
    assert "runs stay home" in caplog.text


def test_placement_when_it_is_for_another_graph_or_version_then_runs_stay_home(
    flow, graph_of, placement_of, settings_of, deployed
):
    """A placement that names other nodes is of no use."""
    deployed(json.dumps(placement_of(graph_of({"a": "b c"}), {"b": AWAY}).to_json()))
    assert load_placement(settings_of(flow)).regions == {HOME}
    assert load_placement(settings_of(replace(flow, version="0.0.2"))).regions == {HOME}


def test_start_when_it_comes_twice_then_the_second_follows_the_run_item_and_runs_nothing(flow, script_of):
    """A start that SNS delivers twice is one run."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions)
    for _ in range(2):
        runner.start("x", "run")
    runner.deliver_all()
    assert script.received == {"a": ["x"], "b": ["a#0"]}


def test_start_when_the_placement_changed_since_then_a_retry_follows_the_run_item(flow, script_of, placement_of):
    """A started run keeps its regions: the retry of a start that failed is not moved by a new deployment."""
    script = script_of(flow)
    cloud = InMemoryCloud()
    before = LocalRunner(flow, script.functions, placement=placement_of(flow, {"b": AWAY}), cloud=cloud)
    after = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": FAR, "b": FAR}), cloud=cloud)
    start = Delivery(json.loads(Start("run", '"x"').to_text()), id="m", request_id="r", from_topic=True)
    for runner in (before, after):
        runner.runner("a", HOME).handle(start, cold_start=False)
    assert {message.region for message in cloud.bus.take()} == {AWAY}
    assert cloud.runs.items["run"].run.regions == {"b": AWAY}


def test_start_when_the_entry_is_elsewhere_then_home_forwards_and_runs_no_user_code(flow, script_of, placement_of):
    """Every run enters at home; the hop is a record of its own."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": AWAY}))
    result = runner.run("x")
    hop, entry, _ = result.records
    assert (hop.node, hop.region, hop.redirect, hop.successors, hop.sent_at) == ("a", HOME, True, (), None)
    assert (entry.node, entry.region, entry.redirect, entry.edge) == ("a", AWAY, False, None)
    assert entry.sent_at is not None
    assert script.received["a"] == ["x"]
    assert result.state == "SUCCEEDED"


def test_start_when_the_forward_comes_twice_then_the_entry_runs_once(flow, script_of, placement_of):
    """A repeated start forwards again, and the receiver drops it."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": AWAY}))
    for _ in range(3):
        runner.start("x", "run")
    runner.deliver_all()
    assert script.received["a"] == ["x"]


def _published(run_id, payload, message_id):
    """A client's start, as it comes through the start topic."""
    start = Start(run_id, encode(payload), message_id=message_id)
    return Delivery(start.to_json(), id=message_id, request_id=f"request of {message_id}", from_topic=True)


@pytest.mark.parametrize("entry_region", [HOME, AWAY])
def test_start_when_a_run_has_its_name_already_then_nothing_of_that_run_changes(
    flow, script_of, placement_of, entry_region
):
    """Not even while the forwarded start is on its way: a publisher can't put his payload into another's run."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": entry_region}))
    entry = runner.runner("a", HOME)
    entry.handle(_published("order-17", "the client's", "m-1"), cold_start=False)
    item, sent = runner.cloud.runs.items["order-17"], runner.cloud.bus.take()
    answer = entry.handle(_published("order-17", "another's", "m-2"), cold_start=False)
    assert answer == {"run_id": "order-17", "state": "duplicate"}
    assert (runner.cloud.runs.items["order-17"], runner.cloud.bus.take()) == (item, ())
    for message in sent:
        runner.cloud.bus.publish(message.region, message.function, message.text)
    runner.deliver_all()
    assert script.received["a"] == ["the client's"]
    assert runner.result("order-17").state == "SUCCEEDED"


def test_start_when_its_own_delivery_comes_again_then_it_goes_on_with_its_run(flow, script_of, placement_of):
    """A retry, or SNS's second copy, is of the message that began the run."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": AWAY}))
    for _ in range(2):
        runner.runner("a", HOME).handle(_published("order-17", "x", "m-1"), cold_start=False)
    assert len(runner.cloud.bus.take()) == 2


def test_start_when_an_earlier_version_began_its_run_then_its_retry_goes_on_with_it(flow, script_of):
    """A client's content, first tried before an upgrade, which noted no message: its run must not stay open."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions)
    entry = runner.runner("a", HOME)
    run = _run_of(entry.placement, entry.settings, "m-1")
    runner.cloud.runs.begin(run, frozenset(flow.leaves))
    another = entry.handle(_published("m-1", "another's", "m-2"), cold_start=False)
    mine = entry.handle(Delivery("the client's", id="m-1", request_id="r", from_topic=True), cold_start=False)
    assert (another["state"], mine["state"], script.received["a"]) == ("duplicate", "ran", ["the client's"])


def _accepted(runner, event):
    """A direct invocation, or an event of any source, at the home entry; the answer, and the message that it became."""
    answer = runner.runner("a", HOME).handle(Delivery(event, "r-7", "r-7", from_topic=False), cold_start=True)
    assert answer["state"] == "accepted"
    (message,) = runner.cloud.bus.take()
    assert (message.region, message.function) == (HOME, "a")
    return answer["run_id"], message.text


@pytest.mark.parametrize("event", [{"detail": 1}, "text", None, [1, {"$bytes": "x"}]])
def test_start_when_it_comes_past_the_topic_then_the_topic_gets_it_and_its_request_names_the_run(
    flow, script_of, event
):
    """Lambda retries what came through the topic, and keeps it: a caller that waits would only hear of a failure."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions)
    run_id, text = _accepted(runner, event)
    assert (run_id, script.received["a"]) == ("r-7", [])
    runner.cloud.bus.publish(HOME, "a", text)
    runner.deliver_all()
    assert script.received["a"] == [{} if event is None else event]
    assert runner.result("r-7").state == "SUCCEEDED"


def _envelope():
    return Envelope(Run("mine", "0.0.1", "g", "p", {}, 1.0, 2.0), "b", "a#0", "i", 1, 1.5, "1")


@pytest.mark.parametrize("message", [Start("mine", '"x"'), _envelope()], ids=["start", "envelope"])
def test_content_when_it_comes_past_the_topic_and_looks_like_ours_then_it_is_a_payload(flow, script_of, message):
    """Whoever writes what a function is invoked with decides what a run works on, and not what a run is."""
    script, content = script_of(flow), json.loads(message.to_text())
    runner = LocalRunner(flow, script.functions)
    run_id, text = _accepted(runner, content)
    assert run_id == "r-7"
    runner.cloud.bus.publish(HOME, "a", text)
    runner.deliver_all()
    assert script.received["a"] == [content]
    assert set(runner.cloud.runs.items) == {"r-7"}


def test_start_when_it_is_too_large_for_the_topic_then_each_payload_rests_in_the_store(flow, script_of):
    """A second start of the same name with another payload must not spoil the first one's."""
    script = script_of(flow)
    runner = LocalRunner(flow, script.functions)
    texts = [_accepted(runner, letter * 300_000)[1] for letter in "xy"]
    runner.cloud.bus.publish(HOME, "a", texts[0])
    runner.deliver_all()
    assert script.received["a"] == ["x" * 300_000]
    assert len(runner.cloud.payloads.objects) == 2


@pytest.mark.parametrize("entry_region", [HOME, AWAY])
def test_start_when_its_payload_rests_in_the_store_then_the_entry_gets_it(flow, script_of, placement_of, entry_region):
    """A client may start a run with more than a message holds; it rests where the entry runs."""
    script, large = script_of(flow), "é" * 200_000
    runner = LocalRunner(flow, script.functions, placement=placement_of(flow, {"a": entry_region}))
    pointer = runner.cloud.payloads.put(HOME, "client/run", encode(large))
    runner.cloud.bus.publish(HOME, "a", Start("run", None, pointer).to_text())
    runner.deliver_all()
    assert script.received["a"] == [large]
    assert runner.result("run").record("a").bytes_in == 400_002
    assert {bucket for bucket, _ in runner.cloud.payloads.objects} == {f"payloads-{HOME}", f"payloads-{entry_region}"}


@pytest.mark.parametrize(("function", "region"), [("b", HOME), ("a", AWAY)])
def test_start_when_it_reaches_another_function_or_region_then_it_is_refused(flow, script_of, function, region):
    """Runs start at the home entry only."""
    runner = LocalRunner(flow, script_of(flow).functions)
    with pytest.raises(InvalidEnvelopeError, match="home entry"):
        runner.runner(function, region).handle(Delivery({}, id="r", request_id="r", from_topic=True), cold_start=False)
