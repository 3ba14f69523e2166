"""The stacks of one workflow: which there are, and what is in them."""

import itertools
import json
import random
import re
from datetime import timedelta

import pytest
from aws_cdk.assertions import Match, Template

from caribou.model.template_contract import SWEEPER_HANDLER, Output, placement_data

HOME_STACK, REGISTRATION = "Workflow-city_tour", "Workflow-city_tour-registration"
WEST_STACK, CANADA_STACK = "Workflow-city_tour-us-west-2", "Workflow-city_tour-ca-central-1"
CONTROL = "CaribouControlPlane"
PREFIX = "caribou-dev-city_tour"
DATA = {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}


def functions_of(assembly, stack):
    """Names of the Lambda functions of a stack that have one; the sweeper's is CloudFormation's."""
    return {p["FunctionName"].removeprefix(f"{PREFIX}-") for p in named_functions(assembly, stack)}


def named_functions(assembly, stack):
    """The properties of a stack's functions that have a name: the workflow's own."""
    return [p for p in assembly.properties(stack, "AWS::Lambda::Function") if "FunctionName" in p]


def checked(assembly, stack):
    """A stack's template, for CDK's assertions."""
    return Template.from_json(assembly.template(stack))


def statements(resources):
    """The statements of all IAM policies among some resources."""
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    policies = [r for r in resources.values() if r["Type"] in kinds]
    return [s for policy in policies for s in policy["Properties"]["PolicyDocument"]["Statement"]]


def test_stack_names_when_the_workflow_has_an_underscore_then_only_the_construct_id_keeps_it(moved):
    """`cdk deploy Workflow-city_tour` works, and CloudFormation sees hyphens only."""
    names = {key: stack["properties"].get("stackName", key) for key, stack in moved.stacks.items()}
    assert names == {
        CONTROL: CONTROL,
        HOME_STACK: "Workflow-city-tour",
        WEST_STACK: "Workflow-city-tour-us-west-2",
        CANADA_STACK: "Workflow-city-tour-ca-central-1",
        REGISTRATION: "Workflow-city-tour-registration",
    }


def test_stack_names_when_there_is_a_stage_then_it_stands_in_front_of_each(synthesised):
    """A stage stands in front of every stack's name and in every fixed name."""
    staged = synthesised(placement="moved.json", caribou__stage="beta")
    assert all(stack["properties"]["stackName"].startswith("beta-") for stack in staged.stacks.values())
    names = [p["FunctionName"] for p in named_functions(staged, HOME_STACK)]
    assert all(name.startswith("caribou-beta-city_tour-") for name in names)


def test_stages_when_there_are_two_then_no_template_names_anything_of_the_other(synthesised, moved):
    """Side by side in one account and region: names, policies, variables and tags have the stage, control's too."""
    staged = synthesised(placement="moved.json", caribou__stage="beta")
    assert set(staged.stacks) == set(moved.stacks)
    for stack, other, stage in ((s, a, n) for a, n in ((staged, "dev"), (moved, "beta")) for s in a.stacks):
        text = other.text(stack) + json.dumps(other.stacks[stack]["properties"])
        assert not re.findall(rf"caribou[-/]{stage}\b|\b{stage}-Workflow|\"{stage}[\"/]", text), stack


def test_environments_when_the_stage_has_an_account_then_each_stack_is_for_that_one(synthesise_with):
    """So `cdk deploy` refuses another one too; its id and stamp are in the outputs of the workflow's stacks."""
    stages = {"dev": {"account": "111122223333", "control_region": "eu-west-1"}}
    ours = {"caribou:stages": stages, "caribou:project": "toys-1"}
    assembly = synthesise_with(ours, placement="moved.json")
    environments = {key: stack["environment"] for key, stack in assembly.stacks.items()}
    assert environments["CaribouControlPlane"] == "aws://111122223333/eu-west-1"
    assert {environment.rpartition("/")[0] for environment in environments.values()} == {"aws://111122223333"}
    stamped = {key for key in assembly.stacks if "CaribouProject" in assembly.template(key)["Outputs"]}
    assert stamped == {key for key in assembly.stacks if key.startswith("Workflow-")}


def test_environments_when_placed_then_each_stack_names_its_region_and_no_account(moved):
    """Home, region and registration stacks know their region, never an account."""
    regions = {key: stack["environment"] for key, stack in moved.stacks.items()}
    assert regions == {
        CONTROL: "aws://unknown-account/us-west-2",
        HOME_STACK: "aws://unknown-account/us-east-1",
        WEST_STACK: "aws://unknown-account/us-west-2",
        CANADA_STACK: "aws://unknown-account/ca-central-1",
        REGISTRATION: "aws://unknown-account/us-west-2",
    }


def test_dependencies_when_placed_then_home_waits_for_its_regions_and_its_registration(moved):
    """Make before break: home is deployed last, and nothing else depends on a stack."""
    waits = {
        key: {other for other in stack["dependencies"] if other in moved.stacks} for key, stack in moved.stacks.items()
    }
    assert waits.pop(HOME_STACK) == {WEST_STACK, CANADA_STACK, REGISTRATION}
    assert not any(waits.values())


def test_functions_when_placed_then_home_and_each_region_have_all_that_may_run_there(synthesised):
    """Where a function is follows from the manifest, which keeps `near` out of eu-west-1, not from the placement."""
    everything = {"start", "near", "far", "join"}
    found = synthesised(placement="far.json")
    assert functions_of(found, HOME_STACK) == everything
    assert functions_of(found, WEST_STACK) == everything
    assert functions_of(found, f"{HOME_STACK}-eu-west-1") == everything - {"near"}


SEEDS = range(6)


def test_move_when_two_placements_use_a_region_then_each_template_has_what_the_other_runs_there(
    synthesised, project, solved
):
    """No move takes a function from under its runs: functions(P, region) are in template(Q, region).

    The region's template is the same under both, so that the move does not even update it.
    """
    apps = [synthesised(placement=random_placement(project, solved, seed)) for seed in SEEDS]
    for p, q in itertools.permutations(apps, 2):
        for stack, running in functions_run(p).items():
            if stack in q.stacks:
                assert running <= functions_of(q, stack)
                assert p.text(stack) == q.text(stack)


def random_placement(project, solved, seed):
    """The name of a file with a placement that puts functions at random where each may run, hour by hour."""
    chance, allowed = random.Random(seed), ["us-east-1", "us-west-2", "ca-central-1"]
    where = {name: [*allowed, "eu-west-1"] for name in ("start", "far", "join")} | {"near": allowed}
    moved = {name: chance.choices(chance.sample(regions, 2), k=24) for name, regions in where.items()}
    (project / f"random-{seed}.json").write_text(json.dumps(solved(project, moved)))
    return f"random-{seed}.json"


def functions_run(assembly):
    """Names of functions that the placement runs in a region, by that region's stack."""
    found = {}
    plans = placement_data(assembly.template(HOME_STACK))["plans"]
    for node, region in itertools.chain.from_iterable(plan["regions"].items() for plan in plans):
        found.setdefault(f"{HOME_STACK}-{region}", set()).add(node.partition(":")[0])
    found.pop(f"{HOME_STACK}-us-east-1", None)
    return found


def test_stacks_when_at_home_then_there_is_no_region_stack(home):
    """Home alone needs home's stack, the registration and the control plane."""
    assert set(home.stacks) == {CONTROL, HOME_STACK, REGISTRATION}


def test_templates_when_placed_then_no_account_is_in_them(moved):
    """The account is AWS::AccountId wherever it is needed."""
    for stack in moved.stacks:
        assert not re.findall(r"(?<![0-9a-f])[0-9]{12}(?![0-9a-f])", moved.text(stack))


def test_templates_when_placed_then_no_stack_refers_to_another(moved):
    """Nothing is exported or imported, so a region can always be retired."""
    for stack in moved.stacks:
        assert not re.search(r"Fn::ImportValue|\"Export\"|ExportsReader|ExportsWriter|Custom::", moved.text(stack))


def test_names_when_placed_then_roles_and_layers_have_none(moved):
    """IAM names are global to an account, and a fixed name hinders replacement."""
    fixed = {"AWS::IAM::Role": "RoleName", "AWS::Lambda::LayerVersion": "LayerName"}
    fixed |= {"AWS::IAM::Policy": "ManagedPolicyName"}
    for stack, (kind, key) in itertools.product(moved.stacks, fixed.items()):
        assert not any(key in properties for properties in moved.properties(stack, kind))


def test_lambda_when_placed_then_there_is_no_alias_and_no_version(moved):
    """An alias or a version could keep serving an old placement."""
    kinds = {r["Type"] for stack in moved.stacks for r in moved.template(stack)["Resources"].values()}
    assert not kinds & {"AWS::Lambda::Alias", "AWS::Lambda::Version"}
    assert kinds & {"AWS::Lambda::LayerVersion"}


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_functions_when_deployed_then_failures_are_retried_and_end_in_a_queue(moved, stack):
    """Each function has retries and a failure destination on $LATEST, and its subscription the same queue."""
    template, count = checked(moved, stack), len(functions_of(moved, stack))
    template.resource_count_is("AWS::SQS::Queue", count)
    template.resource_properties_count_is(
        "AWS::Lambda::EventInvokeConfig",
        {
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 6 * 3600,
            "Qualifier": "$LATEST",
            "DestinationConfig": {"OnFailure": {"Destination": Match.any_value()}},
        },
        count,
    )
    dead_letters = {"deadLetterTargetArn": Match.any_value()}
    template.all_resources_properties("AWS::SNS::Subscription", {"Protocol": "lambda", "RedrivePolicy": dead_letters})


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_subscriptions_when_deployed_then_they_come_after_all_that_a_failure_needs(moved, stack):
    """No event comes to a function whose failures would be lost; when a stack goes, the subscription goes first."""
    found = moved.resources(stack, "AWS::SNS::Subscription").values()
    functions = {subscription["Properties"]["Endpoint"]["Fn::GetAtt"][0] for subscription in found}
    retries = moved.resources(stack, "AWS::Lambda::EventInvokeConfig")
    needed = {
        *(name for name, one in retries.items() if one["Properties"]["FunctionName"]["Ref"] in functions),
        *moved.resources(stack, "AWS::SQS::QueuePolicy"),
    }
    assert {len(needed & set(subscription["DependsOn"])) for subscription in found} == {2}
    assert {one for subscription in found for one in subscription["DependsOn"]} >= needed


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_subscriptions_when_deployed_then_they_come_after_their_topic_s_policy(moved, stack):
    """Nothing is delivered that somebody has sent who may not; when a stack goes, the subscription goes first."""
    policies = {
        properties["Properties"]["Topics"][0]["Ref"]: name
        for name, properties in moved.resources(stack, "AWS::SNS::TopicPolicy").items()
    }
    for subscription in moved.resources(stack, "AWS::SNS::Subscription").values():
        assert policies[subscription["Properties"]["TopicArn"]["Ref"]] in subscription["DependsOn"]


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_subscriptions_when_deployed_then_topic_function_and_queue_are_in_one_region(moved, stack):
    """Across regions we only publish: a subscription into an opt-in region loses messages silently."""
    template = moved.template(stack)["Resources"]
    for subscription in moved.properties(stack, "AWS::SNS::Subscription"):
        assert "Region" not in subscription
        assert template[subscription["TopicArn"]["Ref"]]["Type"] == "AWS::SNS::Topic"
        assert template[subscription["Endpoint"]["Fn::GetAtt"][0]]["Type"] == "AWS::Lambda::Function"
        queue = subscription["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert template[queue]["Properties"]["MaximumMessageSize"] == 1024 * 1024


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_topics_when_deployed_then_each_has_an_explicit_policy(moved, stack):
    """A topic without one lets any role publish; ours leave it to IAM, over TLS."""
    topics = set(moved.resources(stack, "AWS::SNS::Topic"))
    policies = moved.properties(stack, "AWS::SNS::TopicPolicy")
    assert {topic["Ref"] for policy in policies for topic in policy["Topics"]} == topics
    for policy in policies:
        found = policy["PolicyDocument"]["Statement"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in found if s["Effect"] == "Deny"]
        (account,) = (s for s in found if s["Effect"] == "Allow" and "AWS" in s["Principal"])
        assert ":root" in json.dumps(account["Principal"])


OWN_TAGS = {"caribou:workflow": "city_tour", "caribou:stage": "dev"}


def may_publish(policy, tags):
    """What a topic's policy says to a role of the account with some tags, which its own policy allows to publish.

    As IAM judges it: a Deny wins, all operators and keys of a condition must hold, and one that is negated holds for a
    key that is not there. What this does not know is an error.
    """
    call = {f"aws:PrincipalTag/{key}": value for key, value in tags.items()} | {"aws:SecureTransport": "true"}
    operators = {
        "StringNotEquals": lambda found, value: found != value,
        "Bool": lambda found, value: found == value,
    }
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Action"] == "sns:Publish"
        assert set(statement["Principal"] if isinstance(statement["Principal"], dict) else {}) <= {"AWS", "Service"}
        if statement["Effect"] == "Allow":
            continue
        assert statement["Principal"] in ("*", {"AWS": "*"})
        conditions = [
            operators[operator](call.get(key), value)
            for operator, keys in statement["Condition"].items()
            for key, value in keys.items()
        ]
        if all(conditions):
            return False
    return True


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"caribou:workflow": "city_tour"},
        {"caribou:stage": "dev"},
        OWN_TAGS | {"caribou:workflow": "other"},
        OWN_TAGS | {"caribou:stage": "prod"},
    ],
    ids=["none", "no stage", "no workflow", "another workflow's", "another stage's"],
)
def test_internal_topics_when_a_role_is_not_the_workflow_s_then_it_may_not_publish(moved, stack, tags):
    """Whatever its own policy allows; every function's topic, the home entry's as well."""
    policies = policies_by_topic(moved, stack)
    internal = {f"{PREFIX}-{function}" for function in functions_of(moved, stack)}
    assert set(policies) - {PREFIX} == internal
    assert [name for name, policy in policies.items() if may_publish(policy, tags)] == [PREFIX] * (stack == HOME_STACK)


@pytest.mark.parametrize("stack", [HOME_STACK, WEST_STACK, CANADA_STACK])
def test_internal_topics_when_a_role_is_the_workflow_s_then_it_may_publish(moved, stack):
    """Every role of a function and the sweeper's has both tags in the template; the schedule's has no need of them."""
    assert all(may_publish(policy, OWN_TAGS) for policy in policies_by_topic(moved, stack).values())
    tagged = {name for name, role in moved.resources(stack, "AWS::IAM::Role").items() if tags_of(role) == OWN_TAGS}
    used = {p["Role"]["Fn::GetAtt"][0] for p in moved.properties(stack, "AWS::Lambda::Function")}
    assert tagged == used


def tags_of(resource):
    """A resource's tags in the template."""
    return {tag["Key"]: tag["Value"] for tag in resource["Properties"].get("Tags", ())}


def policies_by_topic(assembly, stack):
    """The properties of each topic's policy, by the topic's name."""
    topics = assembly.resources(stack, "AWS::SNS::Topic")
    found = assembly.properties(stack, "AWS::SNS::TopicPolicy")
    return {topics[policy["Topics"][0]["Ref"]]["Properties"]["TopicName"]: policy for policy in found}


def test_start_topic_when_deployed_then_it_is_home_s_alone_and_an_output_names_it(moved):
    """Clients find it by its name, or by the stack's output; only the home entry hears of it."""
    template = moved.template(HOME_STACK)
    topic = template["Outputs"]["StartTopic"]["Value"]["Ref"]
    assert template["Resources"][topic]["Properties"]["TopicName"] == PREFIX
    heard = [s["Endpoint"]["Fn::GetAtt"][0] for s in moved.properties(HOME_STACK, "AWS::SNS::Subscription")
             if s["TopicArn"]["Ref"] == topic]  # fmt: skip
    assert [template["Resources"][name]["Properties"]["FunctionName"] for name in heard] == [f"{PREFIX}-start"]
    for stack in (WEST_STACK, CANADA_STACK):
        assert PREFIX not in policies_by_topic(moved, stack)


def test_start_topic_when_a_service_publishes_then_only_for_the_account_s_own_rules_and_buckets(moved):
    """A service acts for whoever has configured it: without a condition, for every account."""
    found = policies_by_topic(moved, HOME_STACK)[PREFIX]["PolicyDocument"]["Statement"]
    services = {s["Principal"]["Service"]: s["Condition"] for s in found if "Service" in s["Principal"]}
    assert set(services) == {"events.amazonaws.com", "s3.amazonaws.com"}
    assert all("AWS::AccountId" in json.dumps(condition) for condition in services.values())
    assert {service: set(condition) for service, condition in services.items()} == {
        "events.amazonaws.com": {"ArnLikeIfExists"},  # EventBridge supports no conditions here: it may not say the rule
        "s3.amazonaws.com": {"StringEquals"},
    }


@pytest.mark.parametrize("stack", [CONTROL, HOME_STACK, WEST_STACK])
def test_logs_when_deployed_then_the_stack_makes_the_groups_and_functions_may_not(moved, stack):
    """Each function writes into a group of ours, with a retention, that its role may not create."""
    groups, functions = moved.resources(stack, "AWS::Logs::LogGroup"), moved.properties(stack, "AWS::Lambda::Function")
    assert {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions} == set(groups)
    assert all(group["Properties"]["RetentionInDays"] for group in groups.values())
    assert "CreateLogGroup" not in moved.text(stack)
    writes = [s for s in statements(moved.template(stack)["Resources"]) if "logs:PutLogEvents" in s["Action"]]
    assert {s["Resource"]["Fn::GetAtt"][1] for s in writes if "Fn::GetAtt" in s["Resource"]} == {"Arn"}
    assert len({json.dumps(s["Resource"]) for s in writes}) == len(groups)
    assert "AWSLambdaBasicExecutionRole" not in moved.text(stack)


def test_logs_when_the_manifest_asks_for_over_a_year_then_they_are_kept_so_long(home):
    """Every retention that the manifest accepts is one that the stack knows."""
    checked(home, HOME_STACK).all_resources_properties("AWS::Logs::LogGroup", {"RetentionInDays": 400})


def test_roles_when_the_placement_changes_then_they_do_not(home, moved):
    """What a function may do follows from the manifest alone, so that old runs finish."""
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        assert moved.resources(HOME_STACK, kind) == home.resources(HOME_STACK, kind)


def test_roles_when_in_another_region_then_a_function_may_do_the_same(moved):
    """`near` may do in us-west-2 what it may do at home."""
    assert as_text(rights(moved, WEST_STACK, "near")) == as_text(rights(moved, HOME_STACK, "near"))


def rights(assembly, stack, function):
    """The statements of one function's role."""
    found = assembly.resources(stack, "AWS::IAM::Policy")
    return statements({key: r for key, r in found.items() if key.startswith(f"Function{function}")})


def sweeper_rights(assembly):
    """The statements of the sweeper's role."""
    found = assembly.resources(HOME_STACK, "AWS::IAM::Policy")
    return statements({key: r for key, r in found.items() if key.startswith("SweeperRole")})


def test_sweeper_when_deployed_then_it_runs_each_minute_at_home_and_nowhere_else(moved):
    """What Lambda gave up in any region is come for from home, with what the bundle says and no user's variables."""
    schedule = checked(moved, HOME_STACK).find_resources("AWS::Scheduler::Schedule")
    (properties,) = (resource["Properties"] for resource in schedule.values())
    assert properties["ScheduleExpression"] == "rate(1 minute)"
    (sweeper,) = (p for p in moved.properties(HOME_STACK, "AWS::Lambda::Function") if "FunctionName" not in p)
    assert sweeper["Handler"] == "caribou.runtime.sweeper.handle"
    expiry = {"CARIBOU_PLACEMENT_EXPIRES_AT": "2026-01-08T00:00:00+00:00"}
    assert sweeper["Environment"]["Variables"] == {"CARIBOU_STAGE": "dev", **expiry}
    assert not moved.resources(WEST_STACK, "AWS::Scheduler::Schedule")


def test_sweeper_when_deployed_then_the_stack_names_it_for_those_who_order_redrives(moved):
    """Its name is CloudFormation's; and it may look at claims and sync state wherever runs go."""
    template = checked(moved, HOME_STACK)
    (sweeper,) = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": SWEEPER_HANDLER}})
    template.has_output(Output.SWEEPER, {"Value": {"Ref": sweeper}})
    assert {"dynamodb:Query", "dynamodb:GetItem"} <= set(actions_of(moved))


def test_sweeper_when_invoked_then_neither_schedule_nor_lambda_does_it_again(moved):
    """The next one comes in a minute: what is retried in an outage would pile up."""
    (schedule,) = moved.properties(HOME_STACK, "AWS::Scheduler::Schedule")
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    retries = {
        config["MaximumRetryAttempts"] for config in moved.properties(HOME_STACK, "AWS::Lambda::EventInvokeConfig")
    }
    assert retries == {0, 2}


def test_sweeper_when_its_role_is_read_then_it_may_empty_every_queue_and_start_every_function(moved):
    """Each function's topic and queue, in the allowed regions; home's tables; and no other workflow's."""
    text = json.dumps(sweeper_rights(moved))
    for function in ("start", "near", "far", "join"):
        assert text.count(f':{PREFIX}-{function}"') == 2, function
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sns:Publish"} <= set(actions_of(moved))
    assert set(re.findall(r"caribou-dev-[a-z]+_[a-z]+", text)) == {PREFIX}


def actions_of(assembly):
    """The actions of the sweeper's role."""
    found = [statement["Action"] for statement in sweeper_rights(assembly)]
    return [action for item in found for action in ([item] if isinstance(item, str) else item)]


def test_failure_queues_when_placed_then_each_is_called_like_its_function(moved):
    """The sweeper, at home, finds a region's queues by their names."""
    for stack in (HOME_STACK, WEST_STACK):
        queues = {p["QueueName"] for p in moved.properties(stack, "AWS::SQS::Queue")}
        assert queues == {p["FunctionName"] for p in named_functions(moved, stack)}


def as_text(found):
    """Statements with the function's region as it is anywhere."""
    return json.dumps(found, sort_keys=True)


def test_roles_when_they_name_any_region_then_a_condition_names_the_allowed_ones(moved):
    """Region `*` stands only beside aws:RequestedRegion, with the manifest's regions."""
    allowed = ["ca-central-1", "eu-west-1", "us-east-1", "us-west-2"]
    for stack in (HOME_STACK, WEST_STACK, CANADA_STACK):
        for statement in statements(moved.template(stack)["Resources"]):
            resources = json.dumps(statement["Resource"])
            actions = json.dumps(statement["Action"])
            if "logs:" in actions or "lambda:InvokeFunction" in actions or "*" not in resources:
                continue
            regions = statement["Condition"]["StringEquals"]["aws:RequestedRegion"]
            is_at_home = "/index/*" in resources or "/!start/*" in resources
            assert regions == (["us-east-1"] if is_at_home else allowed)


def test_roles_when_they_may_use_buckets_then_only_those_of_this_account(moved):
    """Whoever takes a name of ours first would get the payloads, or give others back."""
    found = [s for stack in moved.stacks for s in statements(moved.template(stack)["Resources"])]
    of_s3 = [s for s in found if "s3:" in json.dumps([s["Action"], s["Resource"]])]
    assert len(of_s3) >= len(functions_of(moved, HOME_STACK))
    for statement in of_s3:
        assert statement["Condition"]["StringEquals"]["aws:ResourceAccount"] == {"Ref": "AWS::AccountId"}


def test_roles_when_a_function_has_successors_then_their_topics_are_named_in_full(home):
    """`near` may start `join`; `start` its successors, the sync node behind them, and itself."""

    def started(function):
        return set(re.findall(rf"{PREFIX}-([a-z_]+)\"", json.dumps(rights(home, HOME_STACK, function))))

    assert started("near") == {"join"}
    assert started("start") == {"start", "near", "far", "join"}
    assert started("join") == set()


def test_migration_when_deployed_then_home_changes_in_layer_outputs_metadata_and_expiry_only(home, moved):
    """A migration replaces the layer of the entry; every other resource of home stays, but for the sweeper's expiry."""
    before, after = home.template(HOME_STACK), moved.template(HOME_STACK)
    assert {key for key in before if before[key] != after[key]} == {"Resources", "Outputs", "Metadata"}
    layers = {*home.resources(HOME_STACK, "AWS::Lambda::LayerVersion")} | {
        *moved.resources(HOME_STACK, "AWS::Lambda::LayerVersion")
    }
    entry = next(k for k, r in before["Resources"].items() if r["Properties"].get("FunctionName") == f"{PREFIX}-start")
    keys = {*before["Resources"], *after["Resources"]}
    changed = {key for key in keys if before["Resources"].get(key) != after["Resources"].get(key)}
    sweeper = next(k for k, r in before["Resources"].items() if r["Properties"].get("Handler") == SWEEPER_HANDLER)
    assert changed - layers <= {entry, sweeper}
    for name, differs in ((entry, {"Layers"}), (sweeper, {"Environment"})):
        old, new = (template["Resources"][name]["Properties"] for template in (before, after))
        assert {key for key in old if old[key] != new[key]} <= differs


def test_migration_when_it_does_not_touch_a_region_then_its_template_stays(moved, synthesised):
    """A placement that leaves a region's functions alone leaves its stack alone, byte by byte."""
    for other in ("west.json", "later.json"):
        assert synthesised(placement=other).text(WEST_STACK) == moved.text(WEST_STACK)


def test_migration_when_deployed_then_the_registration_stays(home, moved):
    """The control plane's knowledge of a workflow names no placement."""
    assert moved.text(REGISTRATION) == home.text(REGISTRATION)


def test_outputs_when_placed_then_they_say_which_placement_is_deployed(moved):
    """The migrator reads digest, regions and expiry from the outputs of home, and nothing of it elsewhere."""
    outputs = {key: output["Value"] for key, output in moved.template(HOME_STACK)["Outputs"].items()}
    assert outputs["PlacementRegions"] == "ca-central-1,us-east-1,us-west-2"
    assert outputs["PlacementExpiresAt"] == "2026-01-08T00:00:00+00:00"
    assert re.fullmatch(r"[0-9a-f]{64}", outputs["PlacementDigest"])
    assert outputs["WorkflowVersion"] == "0.0.1"
    for stack in (WEST_STACK, CANADA_STACK, REGISTRATION):
        assert outputs["PlacementDigest"] not in moved.text(stack)


def test_metadata_when_placed_then_it_has_the_whole_placement(moved, project):
    """What was deployed can be read in the console, with all that the solver said of it."""
    template, file = moved.template(HOME_STACK), (project / "moved.json").read_text()
    assert placement_data(template) == json.loads(file)
    assert len(template["Metadata"]["CaribouPlacement"]) < len(file) / 2


def test_layer_when_placed_then_it_is_the_entrys_and_only_at_home(moved):
    """One small layer carries the placement; no other function has one."""
    layers = {p.get("FunctionName"): p.get("Layers") for p in moved.properties(HOME_STACK, "AWS::Lambda::Function")}
    assert [name for name, layer in layers.items() if layer] == [f"{PREFIX}-start"]
    assert not moved.resources(WEST_STACK, "AWS::Lambda::LayerVersion")


def test_data_when_a_stack_goes_then_homes_stays_and_a_regions_goes(moved):
    """Runs live at home: its tables and buckets outlive their stack, unless it never came to be; a region's do not.

    Of the control plane's, locks do not: they hold while somebody is at work.
    """
    stays, goes = ("RetainExceptOnCreate", "Retain"), ("Delete", "Delete")
    for stack, policies in ((HOME_STACK, stays), (CONTROL, stays), (WEST_STACK, goes), (CANADA_STACK, goes)):
        resources = moved.template(stack)["Resources"].items()
        found = [r for key, r in resources if r["Type"] in DATA and not key.startswith("Locks")]
        assert found
        assert {(r["DeletionPolicy"], r["UpdateReplacePolicy"]) for r in found} == {policies}


def test_data_when_deployed_then_tables_have_a_generation_and_buckets_account_and_region(moved):
    """Tables end in a generation; a bucket's name is its account's and region's own."""
    tables = {p["TableName"] for p in moved.properties(HOME_STACK, "AWS::DynamoDB::Table")}
    assert tables == {f"{PREFIX}-runs-1", f"{PREFIX}-sync-1"}
    (bucket,) = moved.properties(WEST_STACK, "AWS::S3::Bucket")
    parts = ["caribou-dev-city-tour-", {"Ref": "AWS::AccountId"}, "-us-west-2"]
    assert bucket["BucketName"] == {"Fn::Join": ["", parts]}


def test_data_when_deployed_then_every_table_and_bucket_is_private_and_cleans_up(moved):
    """Items expire, payloads too, and no bucket is public."""
    for stack in (HOME_STACK, WEST_STACK):
        template = checked(moved, stack)
        expiry = {"AttributeName": "expires", "Enabled": True}
        template.all_resources_properties("AWS::DynamoDB::Table", {"TimeToLiveSpecification": expiry})
        blocked = {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True}
        rules = {"Rules": [Match.object_like({"ExpirationInDays": 14, "Status": "Enabled"})]}
        template.all_resources_properties(
            "AWS::S3::Bucket",
            {
                "PublicAccessBlockConfiguration": {**blocked, "RestrictPublicBuckets": True},
                "LifecycleConfiguration": rules,
            },
        )


def test_tags_when_placed_then_stacks_say_project_workflow_stage_and_role(moved):
    """Retired regions are found by tag."""
    roles = {HOME_STACK: "home", WEST_STACK: "region", CANADA_STACK: "region", REGISTRATION: "registration"}
    for stack, role in roles.items():
        assert moved.stacks[stack]["properties"]["tags"] == {
            "caribou:project": "caribou",
            "caribou:workflow": "city_tour",
            "caribou:stage": "dev",
            "caribou:role": role,
        }


def test_recursive_loop_when_no_path_visits_a_function_often_then_it_is_not_allowed(moved):
    """Lambda's own detection of loops stays on."""
    for stack in (HOME_STACK, WEST_STACK):
        assert not any("RecursiveLoop" in p for p in moved.properties(stack, "AWS::Lambda::Function"))


def test_registration_when_placed_then_it_names_home_and_regions(moved):
    """The control plane learns of the workflow from one SSM parameter."""
    (parameter,) = moved.properties(REGISTRATION, "AWS::SSM::Parameter")
    assert parameter["Name"] == "/caribou/dev/workflows/city_tour"
    assert json.loads(parameter["Value"]) == {
        "schema": "caribou.registration/1",
        "workflow": "city_tour",
        "version": "0.0.1",
        "home_region": "us-east-1",
        "regions": ["us-east-1", "us-west-2", "ca-central-1", "eu-west-1"],
        "functions": ["start", "near", "far", "join"],
        "log_retention_days": 400,
    }


def test_templates_when_synthesised_twice_then_they_are_byte_equal(moved, synthesised, new_project, project, now):
    """The same input gives the same bytes, at another time and in another folder too."""
    elsewhere = new_project("city_tour")
    (elsewhere / "moved.json").write_bytes((project / "moved.json").read_bytes())
    again = synthesised(elsewhere, now + timedelta(days=1), placement="moved.json")
    assert {stack: again.text(stack) for stack in again.stacks} == {s: moved.text(s) for s in moved.stacks}
