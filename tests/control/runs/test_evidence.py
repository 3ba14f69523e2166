"""What is read of runs from the tables and logs of the local cloud, as the runtime writes them."""

import json

import pytest
from builders import graph_of, record_of

from caribou.collectors.logs import InMemoryLogReader, LogEvent
from caribou.collectors.records import DynamoRecordTable
from caribou.control.runs.archive import RecordArchive
from caribou.control.runs.evidence import RunFacts, Wanted, recent_runs
from caribou.control.runs.run_table import run_uses
from caribou.model.run.envelope import Run, StoredPayload
from caribou.model.run.item import RunItem, RunState, SyncState
from caribou.model.run.record import RECORD_KEY
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore
from caribou.runtime.sync_items import DynamoClaims, DynamoSyncStore

pytestmark = pytest.mark.local_cloud
HOME, WEST = "us-east-1", "us-west-2"
GRAPH = graph_of({"a": "b s", "b": "s"}, sync="s", name="w")


def run(run_id="r", started_at=100.0, regions=None):
    """A run as it began."""
    return Run(run_id, "0.0.1", GRAPH.digest, "p", regions or {}, started_at, started_at + 1000)


def record(node, run_id="r", region=HOME, **fields):
    """A run record."""
    return record_of(node, **({"run_id": run_id, "region": region, "workflow": "w", "started_at": 101.0} | fields))


def event(of, at_s=101.0):
    """A log event with a record."""
    return LogEvent(int(at_s * 1000), json.dumps({"message": "node", RECORD_KEY: of.to_json()}))


@pytest.fixture
def store(world, placed):
    """The run table of the world."""
    world.home(placed())
    return DynamoRunStore(Clients(), world.names.run_table, HOME)


def make_sync_table(world, region):
    """A region's sync table."""
    world.aws.dynamodb(region).create_table(
        TableName=world.names.sync_table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "part")],
    )


def facts(world, content=None):
    """What reads the facts of the world's runs."""
    return RunFacts(world.aws, GRAPH, world.names, HOME, InMemoryLogReader(content or {}))


def listed(world, *wanted, **options):
    """The ids of the runs that are listed, and whether that is all."""
    listing = recent_runs(world.aws.dynamodb(HOME), world.names.run_table, Wanted(*wanted), **options)
    return [item.run.run_id for item in listing.items], listing.is_complete


def test_runs_when_an_item_is_damaged_then_it_is_counted_and_the_others_are_listed(world, store):
    """Every function of a workflow may write its run table; retiring regions passes it over as well."""
    for run_id in ("r1", "r2"):
        store.begin(run(run_id, 100.0), frozenset({"s"}))
    world.aws.dynamodb(HOME).update_item(
        TableName=world.names.run_table,
        Key={"run_id": {"S": "r1"}},
        UpdateExpression="SET regions = :damage",
        ExpressionAttributeValues={":damage": {"S": "[]"}},
    )
    for state in (None, RunState.RUNNING):
        listing = recent_runs(world.aws.dynamodb(HOME), world.names.run_table, Wanted(state))
        assert ([item.run.run_id for item in listing.items], listing.broken) == (["r2"], 1)
    assert [use.run_id for use in run_uses(world.aws, world.names, HOME)] == ["r2"]


def test_runs_when_listed_then_they_are_the_newest_first_without_what_is_none(world, store):
    """By state, time and number."""
    for number in range(4):
        store.begin(run(f"r{number}", 100.0 + number), frozenset({"s"}))
    store.succeed("r1", 110.0)
    store.fail("r2", 110.0, "b", "ValueError")
    world.aws.dynamodb(HOME).put_item(TableName=world.names.run_table, Item={"run_id": {"S": "none"}})
    assert listed(world) == (["r3", "r2", "r1", "r0"], True)
    assert listed(world, None, 101.5) == (["r3", "r2"], True)
    assert listed(world, None, 0.0, 1) == (["r3"], True)
    assert listed(world, RunState.RUNNING) == (["r3", "r0"], True)
    assert listed(world, RunState.FAILED) == (["r2"], True)


def test_evidence_when_a_run_is_open_then_claims_and_reports_are_read_where_its_map_says(world, store):
    """Claims count as records do: three tries, then the first one of the message that was sent again."""
    item = store.begin(run(regions={"b": WEST, "s": WEST}), frozenset({"s"}))
    make_sync_table(world, WEST)
    claims, syncs = (
        DynamoClaims(Clients(), world.names.sync_table),
        DynamoSyncStore(Clients(), world.names.sync_table),
    )
    for _ in range(3):
        claims.claim(WEST, "r", "b", "first", 0)
    claims.claim(WEST, "r", "b", "second", 1)
    syncs.put_payload(WEST, "r", "s", "a#1", StoredPayload("1"))
    syncs.report(WEST, "r", "s", "a#1", taken=True)
    found = facts(world).evidence(item, (), 200.0)
    assert found.notes["b"].tries == 4
    assert found.notes["s"].tries == 0
    assert found.notes["s"].reports == SyncState(taken=frozenset({"a#1"}))
    assert found.notes["a"].tries == 0


def test_evidence_when_a_node_was_sent_home_then_its_claim_is_found_there(world, store):
    """Its region could not be reached, or is retired and has no table any more."""
    item = store.begin(run(regions={"b": WEST}), frozenset({"s"}))
    DynamoClaims(Clients(), world.names.sync_table).claim(HOME, "r", "b", "first", 0)
    assert facts(world).evidence(item, (), 200.0).notes["b"].tries == 1


def test_evidence_when_logs_have_records_then_those_of_the_run_are_taken_once(world):
    """In the regions of the run's map and at home, in its time; other runs', other logs' and broken lines are left."""
    group_a, group_b = world.names.log_group("a"), world.names.log_group("b")
    mine, other = record("a"), record("a", run_id="other")
    broken = LogEvent(101_000, f'{{"{RECORD_KEY}": {{"run_id": "r", "schema": "none"}}}}')
    content = {
        (HOME, group_a): [event(mine), event(mine), event(other), broken, event(record("a", attempt=9), at_s=5000.0)],
        (WEST, group_b): [event(record("b", region=WEST)), event(record("b")), event(record("a", region=WEST))],
        ("ca-central-1", group_b): [event(record("b", attempt=7))],
    }
    item = RunItem(run(regions={"b": WEST}), frozenset({"s"}), RunState.SUCCEEDED, ended_at=110.0)
    found = facts(world, content).evidence(item, (), 9000.0)
    assert [(one.node, one.region, one.attempt) for one in found.records] == [("a", HOME, 1), ("b", WEST, 1)]
    assert found.notes == {}


def test_evidence_when_a_region_was_retired_then_its_records_are_those_of_the_control_plane_s_table(world):
    """Of this run alone, and of no region that has logs; without a control plane there are none."""
    control = "ca-central-1"
    archive = RecordArchive("records", control)
    item = RunItem(run(regions={"b": WEST}), frozenset({"s"}), RunState.SUCCEEDED, ended_at=110.0)
    content = {(HOME, world.names.log_group("a")): [event(record("a"))]}
    reads = RunFacts(world.aws, GRAPH, world.names, HOME, InMemoryLogReader(content), archive)
    assert [one.node for one in reads.evidence(item, (), 9000.0).records] == ["a"]
    world.aws.dynamodb(control).create_table(
        TableName="records",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "workflow", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("workflow", "id")],
    )
    DynamoRecordTable("records", control).put_records(
        [
            record("b", region=WEST, error="ValueError: secret"),
            record("b", region=WEST, run_id="other"),
            record("a", attempt=7),
            record("b", region=WEST, started_at=5000.0),
        ],
        30,
    )
    found = reads.evidence(item, (), 9000.0)
    assert [(one.node, one.attempt, one.error) for one in found.records] == [("a", 1, None), ("b", 1, "ValueError")]
    assert found.unseen == ()
