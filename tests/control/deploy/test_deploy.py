"""What a deployment is refused for, and what is asked of the CDK."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from caribou.cli.cdk_deployer import arguments_of
from caribou.control.deploy.checks import Leftovers, PlacedWorkflow, Situation, is_same_place, refuse
from caribou.control.deploy.planning import DeployRequest
from caribou.control.stacks.deployed import DeployedStack, DeployedWorkflow
from caribou.control.stacks.readiness import Unready, bootstrap_command
from caribou.model.errors import InvalidInputError, OperationFailedError

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"


def situation(workflow, placement, **changes):
    """A workflow that is deployed with a placement, with its graph of today."""
    outputs = {"PlacementDigest": placement.digest, "GraphDigest": workflow.graph.digest}
    stack = DeployedStack("arn", "Workflow-example", HOME, "example", "home", "UPDATE_COMPLETE", datetime.now(UTC))
    return replace(Situation(DeployedWorkflow(replace(stack, outputs=outputs), placement), 0, HOME), **changes)


def other_graph(situation):
    """The same, with another graph deployed."""
    deployed = situation.deployed
    home = replace(deployed.home, outputs={**deployed.home.outputs, "GraphDigest": "other"})
    return replace(situation, deployed=replace(deployed, home=home))


def test_deploy_when_nothing_is_deployed_then_any_placement_may_be(workflow, placed):
    """A first deployment changes nobody's placement."""
    refuse(PlacedWorkflow(workflow, placed(WEST)), Situation(None), force=False)


def test_deploy_when_another_project_has_deployed_it_then_it_is_refused_unless_it_is_taken_over(workflow, placed):
    """Before anything else is said: of a home elsewhere, too, for the advice there is to remove it."""
    met = situation(workflow, placed(), registered_home=CANADA)
    foreign = replace(met.deployed.home, outputs={"CaribouProject": "toys-1"})
    met = replace(met, foreign=foreign)
    with pytest.raises(InvalidInputError) as caught:
        refuse(PlacedWorkflow(workflow, placed()), met, force=True)
    for part in (
        "example: another project has deployed a workflow of this name at this stage, which would be overwritten",
        "(found: Workflow-example in us-east-1, of the project toys-1)",
        '"caribou:project": "toys-1" into the context of cdk.json',
        "`caribou deploy example --take-over`",
    ):
        assert part in str(caught.value)
    refuse(PlacedWorkflow(workflow, placed(), takes_over=True), replace(met, registered_home=HOME), force=False)


def test_deploy_when_the_placement_would_change_unasked_then_it_is_refused_and_says_how(workflow, placed):
    """A plain deploy after a code fix never moves anything."""
    with pytest.raises(InvalidInputError) as caught:
        refuse(PlacedWorkflow(workflow, placed()), situation(workflow, placed(WEST)), force=True)
    for part in ("not asked for", "us-west-2", "--placement deployed", "--placement home"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2


def _remedy(workflow, placement, deployed):
    """How to fix that a placement would change unasked."""
    with pytest.raises(InvalidInputError) as caught:
        refuse(PlacedWorkflow(workflow, placement), situation(workflow, deployed), force=False)
    return caught.value.fix


def test_deploy_when_it_would_go_home_unasked_then_no_committed_file_is_named(workflow, placed):
    """There is none, as a rule; `home` is the same."""
    assert "placement.json" not in _remedy(workflow, placed(), placed(WEST))


def test_deploy_when_the_committed_placement_is_another_then_its_file_is_named_with_its_end(workflow, placed):
    """One that has expired can't be asked for."""
    committed = placed(WEST, expires_at=datetime(2026, 1, 31, tzinfo=UTC))
    assert ".caribou/placement.json` (valid until 2026-01-31 00:00 UTC)" in _remedy(workflow, committed, placed())


def test_deploy_when_the_version_rose_then_what_is_deployed_elsewhere_can_not_be_kept(workflow, placed):
    """`--placement deployed` would be refused: it is for another version. All at home can be kept."""
    earlier = "0.0.0"
    fix = _remedy(workflow, placed(), placed(WEST, version=earlier))
    assert "--placement deployed" not in fix
    assert "--placement home" in fix
    assert "--placement deployed" in _remedy(workflow, placed(WEST), placed(version=earlier))


def test_deploy_when_the_change_was_asked_for_then_it_may_be(workflow, placed):
    """`--placement` is the asking."""
    refuse(PlacedWorkflow(workflow, placed(), "home"), situation(workflow, placed(WEST)), force=False)


def test_deploy_when_the_version_rises_at_home_then_it_is_no_move(workflow, placed):
    """The digest has the version in it, but nothing changes its region."""
    moved = placed(version="0.0.2")
    assert moved.digest != placed().digest
    refuse(PlacedWorkflow(workflow, moved), situation(workflow, placed()), force=False)


def test_places_when_only_one_hour_differs_then_they_are_not_the_same(placed):
    """Hours count one by one."""
    one, other = placed(WEST), placed(CANADA)
    mixed = replace(one, plans=(replace(one.plans[0], hours=tuple(range(23))), replace(other.plans[0], hours=(23,))))
    assert not is_same_place(one, mixed)
    assert is_same_place(one, replace(one, workflow_version="9"))


def test_places_when_homes_differ_then_they_are_not_the_same(placed):
    """All at home is another place with another home."""
    assert not is_same_place(placed(), placed(CANADA, home=CANADA))


def test_deploy_when_the_graph_changed_and_runs_are_open_then_it_waits_and_says_how_many(workflow, placed):
    """Messages under way may not fit the new graph."""
    met = other_graph(situation(workflow, placed(), open_runs=3))
    with pytest.raises(OperationFailedError, match="3 of its runs are still open"):
        refuse(PlacedWorkflow(workflow, placed()), met, force=False)


def test_deploy_when_the_graph_changed_and_it_is_forced_then_it_may_be(workflow, placed):
    """`--force` is the operator's word."""
    refuse(PlacedWorkflow(workflow, placed()), other_graph(situation(workflow, placed(), open_runs=3)), force=True)


def test_deploy_when_the_graph_changed_under_one_version_then_it_is_refused_with_both_unless_it_is_forced(
    workflow, placed
):
    """What runs, records and placements say of their graph would be wrong."""
    met = other_graph(situation(workflow, placed()))
    same = replace(met.deployed.home, outputs={**met.deployed.home.outputs, "WorkflowVersion": "0.0.1"})
    met = replace(met, deployed=replace(met.deployed, home=same))
    now = workflow.graph.digest[:12]
    with pytest.raises(
        InvalidInputError, match=rf"0\.0\.1, deployed with graph .*, now with graph {now}.*raise the ver"
    ):
        refuse(PlacedWorkflow(workflow, placed()), met, force=False)
    refuse(PlacedWorkflow(workflow, placed()), met, force=True)
    refuse(PlacedWorkflow(workflow, placed()), other_graph(situation(workflow, placed())), force=False)


@pytest.mark.parametrize(
    ("is_enabled", "said"),
    [
        (False, r"has not enabled a region.*us-west-2.*enable-region --region-name us-west-2`\).*`cdk bootstrap "),
        (True, r"not bootstrapped in a region.*us-west-2.*`cdk bootstrap aws://123456789012/us-west-2`"),
    ],
)
def test_deploy_when_a_region_can_not_be_deployed_to_then_it_is_refused_with_the_command(
    workflow, placed, is_enabled, said
):
    """The CDK finds out in the middle, when other stacks have changed."""
    met = Situation(None, unready=(Unready(WEST, "123456789012", is_enabled=is_enabled),))
    with pytest.raises(InvalidInputError, match=said):
        refuse(PlacedWorkflow(workflow, placed(WEST)), met, force=True)


def test_bootstrap_command_when_it_is_copied_then_it_is_for_all_regions_with_qualifier_and_profile():
    """A qualifier has a stack of its own, else it would take another's place; a shell gets each word whole."""
    two = [Unready(region, "1", is_enabled=True, qualifier="ours", profile="my work") for region in (HOME, WEST)]
    assert bootstrap_command(two) == (
        "cdk bootstrap --qualifier ours --toolkit-stack-name CDKToolkit-ours --profile 'my work' "
        f"aws://1/{HOME} aws://1/{WEST}"
    )


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_deploy_when_cloudformation_is_at_work_on_a_stack_then_it_is_refused_whoever_is_at_it(workflow, placed, status):
    """A deployment on another machine, before there is anything to lock in; forcing does not help."""
    begun = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
    stack = DeployedStack("arn", "Workflow-example-us-west-2", WEST, "example", "region", status, begun)
    said = rf"Workflow-example-us-west-2 in us-west-2: it is {status}, begun at 2026-11-28 12:30 .*Wait until"
    with pytest.raises(OperationFailedError, match=said):
        refuse(PlacedWorkflow(workflow, placed(WEST)), Situation(None, busy=(stack,)), force=True)


@pytest.mark.parametrize("open_runs", [0, 3])
def test_deploy_when_the_graph_is_the_same_then_runs_do_not_matter(workflow, placed, open_runs):
    """Code of the same graph goes out at any time."""
    refuse(PlacedWorkflow(workflow, placed()), situation(workflow, placed(), open_runs=open_runs), force=False)


def test_deploy_when_the_graph_changed_and_no_run_is_open_then_it_may_be(workflow, placed):
    """Nothing is under way."""
    refuse(PlacedWorkflow(workflow, placed()), other_graph(situation(workflow, placed())), force=False)


def test_deploy_when_a_function_may_run_in_a_region_no_longer_then_open_runs_are_waited_for(workflow, placed):
    """What lies in its queue, or is in its retries, would go with it; `--force` is the operator's word."""
    placed_workflow, leaving = PlacedWorkflow(workflow, placed(WEST)), (("caribou-dev-example-first", WEST),)
    met = situation(workflow, placed(WEST), open_runs=2, leaving=leaving)
    with pytest.raises(OperationFailedError, match="caribou-dev-example-first in us-west-2 no longer, and 2 of its"):
        refuse(placed_workflow, met, force=False)
    refuse(placed_workflow, met, force=True)
    refuse(placed_workflow, replace(met, open_runs=0), force=False)


def test_deploy_when_the_home_region_changed_then_it_is_refused(workflow, placed):
    """The old home would be left behind, with its runs."""
    with pytest.raises(InvalidInputError, match="another home region"):
        refuse(PlacedWorkflow(workflow, placed()), Situation(None, registered_home=CANADA), force=True)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (Leftovers(HOME, bucket="b", bucket_is_empty=False), "caribou remove example --delete-data"),
        (Leftovers(WEST, bucket="b", bucket_is_empty=False), "aws s3 rb --force s3://b --region us-west-2"),
        (Leftovers(WEST, ("runs",)), "aws dynamodb delete-table --region us-west-2 --table-name runs"),
        (Leftovers(HOME, log_groups=("/g",)), "aws logs delete-log-group --region us-east-1 --log-group-name /g"),
        (Leftovers(WEST, log_groups=("/g",)), "aws logs delete-log-group --region us-west-2 --log-group-name /g"),
    ],
)
def test_deploy_when_something_takes_a_name_and_can_not_be_taken_over_then_it_is_named_with_the_remedy(
    workflow, placed, left, said
):
    """In every region that gets a stack: else CloudFormation fails in the middle, deploy after deploy."""
    with pytest.raises(InvalidInputError, match="save what you need of it") as caught:
        refuse(PlacedWorkflow(workflow, placed(WEST)), Situation(None, left=(left,)), force=True)
    assert said in str(caught.value)


def test_deploy_when_what_takes_a_name_is_adopted_or_empty_then_it_goes_on(workflow, placed):
    """Home's tables keep their data; what is empty is made anew."""
    left = (Leftovers(HOME, ("runs",), "b", empty_log_groups=("/g",)), Leftovers(WEST, bucket="c"))
    refuse(PlacedWorkflow(workflow, placed(WEST)), Situation(None, left=left), force=False)


@pytest.mark.parametrize(
    ("request_", "arguments"),
    [
        (DeployRequest(None), "--all"),
        (DeployRequest("w"), "Workflow-w -c workflow=w"),
        (DeployRequest("w", "home"), "Workflow-w -c workflow=w -c placement=home"),
        (DeployRequest("w", control_plane=True), "CaribouControlPlane Workflow-w -c workflow=w"),
    ],
)
def test_cdk_when_a_deployment_is_requested_then_its_arguments_say_it(request_, arguments):
    """The CDK is given which workflow and which placement, and never asks back."""
    always = "--require-approval never --concurrency 4"
    assert " ".join(arguments_of(request_)) == f"deploy {arguments} {always}"


def test_cdk_when_tables_are_to_be_adopted_then_its_arguments_say_so():
    """What an earlier deployment left behind is taken over."""
    assert "--import-existing-resources" in arguments_of(DeployRequest("w", adopt=True))


def test_deploy_when_the_control_region_is_silent_then_home_and_what_is_deployed_go_on_and_a_move_does_not(
    workflow, placed
):
    """Where nobody registers the workflow, it goes to no new place."""
    blind = situation(workflow, placed(WEST), control_silent="no answer")
    for same in (placed(), placed(WEST)):
        refuse(PlacedWorkflow(workflow, same, "x.json"), blind, force=False)
    refuse(PlacedWorkflow(workflow, placed()), Situation(None, control_silent="no answer"), force=False)
    with pytest.raises(OperationFailedError, match=r"nothing is moved to ca-central-1 now.*--placement home"):
        refuse(PlacedWorkflow(workflow, placed(CANADA), "x.json"), blind, force=False)


@pytest.mark.parametrize(("region", "said"), [(WEST, "--placement home"), (HOME, "nothing of it can be deployed")])
def test_deploy_when_a_region_of_its_placement_is_silent_then_the_way_home_is_said_if_there_is_one(
    workflow, placed, region, said
):
    """It is no mistake of the user's."""
    unready = (Unready(region, "1", is_enabled=True, silent="no answer"),)
    with pytest.raises(OperationFailedError, match=rf"{region} is out of reach \(no answer\).*{said}"):
        refuse(PlacedWorkflow(workflow, placed(WEST)), Situation(None, unready=unready), force=False)


def test_request_when_only_some_stacks_are_asked_for_or_a_bucket_is_adopted_then_the_cdk_gets_that():
    """What a stack depends on is left out; a bucket's name needs the account."""
    said = arguments_of(DeployRequest("w", only=("Workflow-w-us-west-2", "Workflow-w")))
    assert said[1:4] == ["Workflow-w-us-west-2", "Workflow-w", "--exclusively"]
    said = arguments_of(DeployRequest("w", control_plane=True, adopt=True, account="123456789012"))
    assert said[-1] == "--import-existing-resources"
    assert "account=123456789012" in said
