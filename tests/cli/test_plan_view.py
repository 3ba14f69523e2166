"""How a plan is shown."""

import io
import json
from pathlib import Path

import pytest

from caribou.cli.console import Terminal
from caribou.cli.main import main
from caribou.cli.plan_view import plan_json, plan_table
from caribou.control.deploy.steps import Action, Step, Thing

LONG = "ops-Workflow-text-2-speech-censoring-ap-southeast-1"
STEPS = (
    Step(Action.CREATE, Thing.STACK, LONG, "ap-southeast-1", "nodes are placed there", "speech"),
    Step(Action.MOVE, Thing.NODE, "censor:entry_point_0:1", "us-west-2", "the plan", "speech", "us-east-1", (0, 1, 2)),
    Step(Action.WAIT, Thing.STACK, LONG, "ap-southeast-2", "1 open run; [retries] may come until 2026-01-31 00:00:00Z"),
)


def test_plan_when_it_is_shown_then_80_columns_hold_it_and_nothing_is_cut():
    """Long names are folded; regions and actions never."""
    output = io.StringIO()
    Terminal(file=output, width=80).print(plan_table(STEPS))
    lines = output.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    text = output.getvalue()
    for part in ("create", "move", "wait", "ap-southeast-1", "ap-southeast-2", "us-west-2", "[retries]", "00-02"):
        assert part in text
    assert LONG[:20] in text


def test_plan_when_it_is_json_then_each_step_has_all_of_its_fields():
    """In the order in which they are done; null and empty where a thing does not move."""
    plan = json.loads(plan_json("deploy", STEPS))
    assert (plan["schema"], plan["verb"]) == ("caribou.plan/1", "deploy")
    assert plan["steps"][0] == {
        "action": "create",
        "thing": "stack",
        "name": LONG,
        "region": "ap-southeast-1",
        "why": "nodes are placed there",
        "workflow": "speech",
        "from_region": None,
        "hours": [],
    }
    assert plan["steps"][1]["hours"] == [0, 1, 2]


@pytest.mark.parametrize("verb", [["deploy"], ["remove", "w"], ["run_deployment_migrator"]])
def test_json_when_it_is_no_dry_run_then_it_is_a_mistake(verb, capsys):
    """A program that wants the plan does not deploy by accident."""
    with pytest.raises(SystemExit) as exit_:
        main([*verb, "--json"])
    assert exit_.value.code == 2
    assert "--json: prints the plan, and is for a dry run. To fix: add --dry-run." in capsys.readouterr().err


def test_docs_when_a_step_has_an_action_or_a_thing_then_it_is_described():
    """docs/operations.md says what each value means."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [value for value in (*Action, *Thing) if f"`{value}`" not in text] == []
