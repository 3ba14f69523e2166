"""What roles allow: each call that the runtime makes, as a strict evaluator judges, and little that it does not."""

import json
import uuid
from dataclasses import dataclass, field
from functools import cache

import boto3
import pytest
from policies import ACCOUNT, is_allowed, request_of

from caribou.model.names import WorkflowNames
from caribou.model.placement import Placement
from caribou.model.project.workflow import read_workflow
from caribou.model.registration import ControlNames
from caribou.model.run.envelope import Start
from caribou.model.run.item import Parked, RunState
from caribou.model.run.order import CancelOrder, RedriveOrder
from caribou.model.run_settings import RunSettings
from caribou.model.template_contract import OPEN_INDEX
from caribou.runtime import CaribouWorkflow
from caribou.runtime.aws import aws_ports
from caribou.runtime.cancelling import Canceller
from caribou.runtime.clients import Clients
from caribou.runtime.event import Delivery
from caribou.runtime.node import NodeRunner
from caribou.runtime.redriving import Redriver
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper

HOME, WEST = "us-east-1", "us-west-2"
HOME_STACK = "Workflow-city_tour"
NAMES = WorkflowNames("city_tour")
SWEEPER, FUNCTIONS = "(sweeper)", ("start", "near", "far", "join")
CALLS = {"start": ("near", "far"), "near": ("join",), "far": ("join",), "join": ()}
LARGE = "x" * 400_000
JOIN = "join:sync:3"


def rights(assembly, function):
    """The statements of a function's role at home, or of the sweeper's."""
    begins = "SweeperRole" if function == SWEEPER else f"Function{function}Permissions"
    policies = assembly.resources(HOME_STACK, "AWS::IAM::Policy")
    found = [policy for key, policy in policies.items() if key.startswith(begins)]
    return [s for policy in found for s in policy["Properties"]["PolicyDocument"]["Statement"]]


def user_code(name, fails):
    """A function that calls what the graph says; `far` is skipped if its payload is false, and one that fails does."""
    workflow, functions = CaribouWorkflow("city_tour", "0.0.1"), {}

    def code(event):
        if name in fails:
            raise ValueError(name)
        if name == "join":
            return len(workflow.get_predecessor_data())
        for target in CALLS[name]:
            workflow.invoke_serverless_function(functions[target], event, target != "far" or bool(event))
        return None

    for function in FUNCTIONS:
        functions[function] = workflow.serverless_function(name=function)(
            code if function == name else lambda event: event
        )
    return functions[name]


@dataclass
class Player:
    """Plays runs of `city_tour` on the local cloud in this process, and remembers each call and whose it was."""

    graph: object
    account: str
    calls: list = field(default_factory=list)
    fails: set = field(default_factory=set)

    def ports(self, function):
        """The ports of a function at home, whose calls are remembered."""

        def note(params, model, **_):
            self.calls.append((function, model.service_model.service_name, model.name, dict(params)))

        session = boto3.Session()
        session.events.register("provide-client-params", note)
        return aws_ports(self.settings(function), partition="aws", account=self.account, clients=Clients(session))

    def settings(self, function):
        """A function's settings."""
        return Settings(self.graph, function, HOME, HOME, "dev", RunSettings())

    def deliver(self, function, message, request_id):
        """Hand a message to a function; the functions that were sent something, each with the message."""
        runner, begun = self._runner(function), len(self.calls)
        delivery = Delivery(json.loads(message), request_id, request_id, from_topic=True)
        if function in self.fails:
            with pytest.raises(ValueError, match=function):
                runner.handle(delivery, cold_start=False)
        else:
            runner.handle(delivery, cold_start=False)
        sent = [params for _, _, operation, params in self.calls[begun:] if operation == "Publish"]
        return [(params["TopicArn"].rpartition("-")[2], params["Message"]) for params in sent]

    def _runner(self, function):
        return NodeRunner(
            settings=self.settings(function),
            ports=self._ports(function),
            placement=Placement.at_home(self.graph, HOME),
            user_function=user_code(function, self.fails),
            memory_mb=128,
            emit=lambda _: None,
            exchanges=dict,
        )

    def __post_init__(self):
        self._ports = cache(self.ports)

    def play(self, payload, run_id, deliveries=1):
        """Start a run, and deliver each message that is sent so many times, as Lambda does in its retries."""
        waiting = [("start", Start(run_id, json.dumps(payload)).to_text())]
        while waiting:
            function, message = waiting.pop(0)
            for _ in range(deliveries):
                sent = self.deliver(function, message, f"{run_id}-{function}")
            waiting += sent

    def denied(self, assembly):
        """The calls that a role in the templates would not have been allowed, each with whose it was."""
        requests = [(function, self._request(*call)) for function, *call in self.calls]
        return [(function, one) for function, one in requests if not is_allowed(rights(assembly, function), one)]

    def _request(self, service, operation, params):
        text = json.dumps(params, default=str)
        return request_of(service, operation, HOME, json.loads(text.replace(self.account, ACCOUNT)))


@pytest.fixture
def player(local_cloud, led_to, project):
    """A player on an account of its own that has the workflow's tables, topics, queues and bucket at home."""
    account = f"{uuid.uuid4().int % 10**12:012}"
    led_to(local_cloud.as_account(account))
    dynamodb, sns, sqs, s3 = (boto3.client(name, region_name=HOME) for name in ("dynamodb", "sns", "sqs", "s3"))
    make_table(dynamodb, NAMES.run_table, {"run_id": "HASH"}, OPEN_INDEX)
    make_table(dynamodb, NAMES.sync_table, {"id": "HASH", "part": "RANGE"})
    for function in FUNCTIONS:
        sns.create_topic(Name=NAMES.topic(function))
        sqs.create_queue(QueueName=NAMES.failure_queue(function))
    s3.create_bucket(Bucket=NAMES.payload_bucket(account, HOME))
    return Player(read_workflow(project / "workflows" / "city_tour").graph, account)


def make_table(dynamodb, name, keys, index=None):
    """Make a table as stacks have it."""
    schema = [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()]
    indexed = {
        "IndexName": index,
        "KeySchema": [{"AttributeName": index, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=schema,
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in (*keys, index) if one],
        **({"GlobalSecondaryIndexes": [indexed]} if index else {}),
    )


@pytest.mark.local_cloud
def test_functions_when_they_run_then_their_roles_allow_every_call(moved, player):
    """Runs with and without a skipped branch, delivered once and twice, with large payloads; nodes that fail."""
    player.play("all", "r1")
    player.play("", "r2", deliveries=2)
    player.play(LARGE, "r3")
    [near, *_] = player.deliver("start", Start("r4", '"all"').to_text(), "r4")
    player.fails = {"start", "near"}
    for _ in range(3):
        player.deliver("near", near[1], "r4-near")
        player.deliver("start", Start("r5", '"all"').to_text(), "r5")

    runs = player.ports("start").runs
    states = [runs.get(f"r{number}").state for number in range(1, 6)]
    assert states == [RunState.SUCCEEDED] * 3 + [RunState.FAILED] * 2
    operations = {operation for _, _, operation, _ in player.calls}
    assert operations == {"Publish", "UpdateItem", "PutItem", "GetItem", "Query", "PutObject", "GetObject"}
    assert player.denied(moved) == []
    owners = {params.get("ExpectedBucketOwner") for _, service, _, params in player.calls if service == "s3"}
    assert owners == {player.account}


@pytest.mark.local_cloud
def test_sweeper_when_it_sweeps_then_its_role_allows_every_call(moved, player):
    """A start whose code never ran, what AWS failed, what nobody can read, a run that is over, one that goes on."""
    player.play("", "over")
    player.calls.clear()
    sqs = boto3.client("sqs", region_name=HOME)
    queue = sqs.get_queue_url(QueueName=NAMES.failure_queue("start"))["QueueUrl"]
    for body in (failure("dead", "ImportError"), failure("lost", None), failure("over", None), "nobody's"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    ports, settings = player.ports(SWEEPER), player.settings("start")

    swept = Sweeper(settings, ports).sweep()
    assert (swept.parked, swept.resent, swept.dropped, swept.left, swept.problems) == (1, 1, 1, 1, ())
    assert len(Redriver(Sweeper(settings, ports)).carry_out(RedriveOrder("dead")).sent) == 1
    ports.runs.fail("dead", 1.0, "n", "so")
    ports.parking.park(Parked("dead", "(start)", 3, Start("dead", "1").to_text(), "so"))
    ports.runs.reopen("dead", 4e9)
    assert Sweeper(settings, ports).sweep().resent == 1
    ports.runs.reopen("dead", 1.0)
    ports.runs.fail("dead", 1.0, "n", "so")
    ports.runs.reopen("dead", 1.0)
    assert Sweeper(settings, ports).sweep().expired == 1
    ports.runs.reopen("dead", 4e9, {settings.graph.nodes[-1].name: WEST})
    order = CancelOrder("dead")
    assert Canceller(settings, ports, lambda: True).carry_out(order).refusal is None

    assert player.denied(moved) == []


def failure(run_id, error_type):
    """Lambda's record of a start that it gave up."""
    message = {"TopicArn": f"arn:aws:sns:us-east-1:0:{NAMES.topic('start')}", "MessageId": run_id}
    sent = {**message, "Message": Start(run_id, '"x"').to_text()}
    record = {
        "requestContext": {"requestId": "r", "condition": "RetriesExhausted"},
        "requestPayload": {"Records": [{"Sns": sent}]},
    }
    failed = {"responsePayload": {"errorType": error_type, "errorMessage": "so"}} if error_type else {}
    return json.dumps(record | failed)


def run_update(**changes):
    """An update of a run's item."""
    update = {"UpdateExpression": "SET #name = :value", "ExpressionAttributeNames": {"#name": "error"}}
    return {"TableName": NAMES.run_table, "Key": {"run_id": {"S": "r"}}, **update, **changes}


def named(attribute):
    """An update of an attribute of a run's item."""
    return run_update(ExpressionAttributeNames={"#name": attribute})


def of_syncs(key, **parameters):
    """A call for an item of the sync table."""
    return {"TableName": NAMES.sync_table, "Key": {"id": {"S": key}, "part": {"S": "state"}}, **parameters}


def queried(key):
    """A query of the sync table."""
    values = {":id": {"S": key}}
    return {
        "TableName": NAMES.sync_table, "KeyConditionExpression": "id = :id", "ExpressionAttributeValues": values
    }  # fmt: skip


ITEM = {"run_id": {"S": "r"}, "state": {"S": "RUNNING"}}
FORBIDDEN = {
    "begin a run": ("PutItem", {"TableName": NAMES.run_table, "Item": ITEM}),
    "read a run": ("GetItem", {"TableName": NAMES.run_table, "Key": {"run_id": {"S": "r"}}}),
    "read a run by writing": ("UpdateItem", run_update(ReturnValues="ALL_NEW")),
    "read what a run was by writing": ("UpdateItem", run_update(ReturnValues="ALL_OLD")),
    "move a deadline": ("UpdateItem", named("deadline")),
    "move nodes": ("UpdateItem", named("regions")),
    "change the leaves": ("UpdateItem", named("leaves")),
    "change what a run is": ("UpdateItem", named("graph")),
    "write another leaf's result": ("UpdateItem", named(f"result:{JOIN}")),
    "list runs": ("Query", {**queried("1"), "TableName": NAMES.run_table, "IndexName": OPEN_INDEX}),
    "claim another function's node": ("UpdateItem", of_syncs("r#far:start_0_1:2")),
    "claim a key that ends as one of its own": ("UpdateItem", of_syncs("r#near:start_0_0:1#far:start_0_1:2")),
    "read a sync node's inputs": ("Query", queried(f"r#{JOIN}")),
    "read parked messages": ("Query", queried("r#")),
    "park a message": ("PutItem", {"TableName": NAMES.sync_table, "Item": {"id": {"S": "r#"}, "part": {"S": "n"}}}),
    "forget a message": ("DeleteItem", of_syncs("r#")),
    "take the lock": (
        "PutItem",
        {"TableName": ControlNames().lock_table, "Item": {"workflow": {"S": "city_tour"}}},
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_function_when_it_is_not_the_entry_then_its_role_does_not_allow_it_to(what, moved):
    """What only the entry, the sweeper, another node or an operator does."""
    operation, parameters = FORBIDDEN[what]
    request = request_of("dynamodb", operation, HOME, parameters)
    assert not is_allowed(rights(moved, "near"), request)


def test_function_when_its_calls_are_like_the_forbidden_ones_then_its_own_are_allowed(moved):
    """So that the refusals are the conditions' doing."""
    own = [
        ("near", "UpdateItem", run_update()),
        ("near", "UpdateItem", run_update(ReturnValues="UPDATED_NEW")),
        ("join", "UpdateItem", named(f"result:{JOIN}")),
        ("near", "UpdateItem", of_syncs("r#near:start_0_0:1")),
        ("near", "UpdateItem", of_syncs(f"r#{JOIN}")),
        ("join", "Query", queried(f"r#{JOIN}")),
        ("start", "PutItem", {"TableName": NAMES.run_table, "Item": ITEM}),
        (SWEEPER, "Query", queried("r#")),
        (SWEEPER, "UpdateItem", named("deadline")),
    ]
    refused = [
        (function, parameters)
        for function, operation, parameters in own
        if not is_allowed(rights(moved, function), request_of("dynamodb", operation, HOME, parameters))
    ]
    assert refused == []


def test_sweeper_when_its_role_is_read_then_it_writes_parked_messages_and_marks_claims_alone(moved):
    """Payloads and reports are the functions' to write; it looks at them before a redrive, and marks who is stopped."""
    for key in (f"r#{JOIN}", "r#near:start_0_0:1"):
        assert is_allowed(rights(moved, SWEEPER), request_of("dynamodb", "Query", HOME, queried(key)))
        assert is_allowed(rights(moved, SWEEPER), request_of("dynamodb", "GetItem", HOME, of_syncs(key)))
        assert is_allowed(rights(moved, SWEEPER), request_of("dynamodb", "UpdateItem", HOME, of_syncs(key)))
        for operation in ("DeleteItem", "PutItem"):
            assert not is_allowed(rights(moved, SWEEPER), request_of("dynamodb", operation, HOME, of_syncs(key)))
    assert not is_allowed(rights(moved, SWEEPER), request_of("dynamodb", "UpdateItem", HOME, of_syncs("r#")))


@pytest.mark.parametrize(
    ("entries", "region", "may"),
    [
        ([{"Source": "caribou"}], HOME, True),
        ([{"Source": "caribou"}] * 10, HOME, True),
        ([{"Source": "caribou"}, {"Source": "billing"}], HOME, False),
        ([{"Source": "caribou", "EventBusName": "other"}], HOME, False),
        ([{"Source": "caribou"}], WEST, False),
    ],
)
def test_sweeper_when_it_puts_events_then_they_are_caribous_and_at_home(moved, entries, region, may):
    """On the default bus, of no other's source; functions put none."""
    request = request_of("events", "PutEvents", region, {"Entries": entries})
    assert is_allowed(rights(moved, SWEEPER), request) is may
    assert not any(is_allowed(rights(moved, function), request) for function in FUNCTIONS)
