"""`caribou deploy`, `list` and `remove` as a user gives them, with the CDK, on the local cloud."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cdk_flags import recommended_flags

from caribou.cli.deploy import deploy, remove
from caribou.cli.listing import list_
from caribou.cli.main import main
from caribou.cli.manage import manage_deployments
from caribou.cli.migrate import run_deployment_migrator

pytestmark = pytest.mark.local_cloud
REPOSITORY = Path(__file__).resolve().parents[2]
HOME, WEST = "us-east-1", "us-west-2"
NAME, STAGE = "shop", "ops"


@dataclass
class Project:
    """A user's project with one workflow, at a stage of its own."""

    root: Path
    environment: dict[str, str]

    def caribou(self, *arguments, code=0, typed=""):
        """Give a command, which must end with `code`; what it says, both streams."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "caribou"), *arguments],
            cwd=self.root,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def planned(self, *arguments):
        """The steps of a dry run: action, thing and region."""
        done, _ = json.JSONDecoder().raw_decode(self.caribou(*arguments, "--dry-run", "--json"))  # warnings follow
        return [(step["action"], step["thing"], step["region"]) for step in done["steps"]]

    def another(self, project_id):
        """Another repository, with a workflow of the same name."""
        root = self.root / "another"
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("cdk.out", "another"))
        text = (root / "cdk.json").read_text()
        (root / "cdk.json").write_text(text.replace("toys-1", project_id))
        return Project(root, self.environment)

    def listed(self):
        """The workflow's entry of `caribou list --json`."""
        return next(e for e in json.loads(self.caribou("list", "--json")) if e["workflow"] == NAME)


@pytest.fixture
def project(tmp_path, local_cloud, written_workflow):
    """The project, made as by `cdk init`, with tags of its own; what it deploys is of stage `ops`."""
    shutil.copy(REPOSITORY / "app.py", tmp_path)
    settings = json.loads((REPOSITORY / "cdk.json").read_text())
    settings["context"] |= {**recommended_flags(), "caribou:stages": {STAGE: {}}, "caribou:project": "toys-1"}
    settings["tags"] = [{"Key": "team", "Value": "toys"}]  # which replace our stacks' own
    (tmp_path / "cdk.json").write_text(json.dumps(settings))
    folder = written_workflow(tmp_path, NAME).folder
    (folder / "requirements.txt").write_text("")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return Project(tmp_path, {**kept, **local_cloud.variables(), "CARIBOU_STAGE": STAGE})


@pytest.mark.slow
def test_workflow_when_it_is_deployed_moved_and_removed_then_each_step_needs_its_asking(project, placed):
    """A life: an asked move done, an unasked one back refused, kept, removed, deployed again at home, destroyed.

    Another repository's workflow of the same name does not overwrite it.
    """
    solved = project.root / "solved.json"
    solved.write_text(json.dumps(placed(WEST, name=NAME).to_json()))
    committed = project.root / "workflows" / NAME / ".caribou" / f"placement.{STAGE}.json"
    planned = project.planned("deploy", "--placement", "solved.json")
    assert ("create", "stack", WEST) in planned
    assert project.listed()["placement"] is None
    said = project.caribou("deploy", NAME, "--placement", "solved.json")
    assert f"cp {solved} workflows/{NAME}/.caribou/placement.{STAGE}.json" in said
    assert "nobody has checked that it saves" in said
    assert "not asked for" in project.caribou("deploy", code=2)
    assert ("update", "placement", HOME) in project.planned("deploy", "--placement", "deployed")
    assert not committed.exists()
    project.caribou("deploy", "--placement", "deployed")
    assert json.loads(committed.read_text())["plans"][0]["regions"] == placed(WEST).plans[0].regions
    assert project.listed()["region_stacks"] == [WEST]
    said = " ".join(project.caribou("plan", NAME, "--placement", "home").split())
    assert f"update {STAGE}-Workflow-{NAME}, {HOME}: no resource appears or goes" in said
    assert "- 2 functions, 2 roles, 1 bucket, 1 table, 2 queues, 2 topics, 2 log groups" in said
    noted = json.loads(project.caribou("history", NAME, "--json"))
    assert [one["digest"] for one in noted["deployments"]] == [noted["serving"]["digest"]] * 2
    assert all(one["by"].startswith("arn:aws:") for one in noted["deployments"])
    digest = noted["serving"]["digest"][:12]
    project.caribou("history", NAME, "--placement", digest, "-o", "earlier.json")
    assert json.loads((project.root / "earlier.json").read_text()) == json.loads(committed.read_text())
    other = project.another("puppets-2")
    for verb in (("deploy",), ("remove", NAME, "--yes")):
        assert "of the project toys-1" in other.caribou(*verb, code=2)
    assert ("update", "stack", HOME) in other.planned("deploy", "--placement", "solved.json", "--take-over")

    assert ("keep", "stack", WEST) in project.planned("run_deployment_migrator")
    assert "in use" in project.caribou("run-deployment-migrator", "--wait-seconds", "0")
    assert "too few runs" in project.caribou("manage_deployments", NAME)

    assert "not the workflow's name" in project.caribou("remove", NAME, "--delete-data", code=2, typed="shp\n")
    assert "Abort" in project.caribou("remove", NAME, code=1, typed="n\n")
    assert ("delete", "stack", WEST) in project.planned("remove", NAME)
    assert project.listed()["region_stacks"] == [WEST]
    said = project.caribou("remove", NAME, code=0, typed="y\n")
    assert f"delete stack {STAGE}-Workflow-{NAME} in {HOME}" in said
    assert "--delete-data deletes" in " ".join(said.split())
    assert project.listed()["placement"] is None

    committed.unlink()
    project.caribou("deploy")
    assert project.listed()["placement"]["regions"] == [HOME]
    project.caribou("remove", NAME, "--delete-data", "--yes")
    assert project.listed()["placement"] is None
    assert "nothing of it is deployed" in project.caribou("remove", NAME, "--delete-data", "--yes", code=2)


SENSITIVITY = {
    "verdict": "loses",
    "corners": [
        {
            "transmission_kwh_per_gb": 0.001,
            "intra_region_kwh_per_gb": 0.0,
            "intensity": "average",
            "saving": -0.1,
            "ci95": [-0.2, -0.05],
        }
    ],
    "marginal_unknown": [],
    "break_even_kwh_per_gb": None,
    "runs": 50,
}


def test_deploy_when_the_placement_does_not_save_then_nothing_is_done_unless_yes_is_said(project, placed):
    """Whether it is asked for or committed; nobody sits at the terminal here."""
    text = json.dumps(placed(WEST, name=NAME, sensitivity=SENSITIVITY).to_json())
    (project.root / "solved.json").write_text(text)
    asked_for = ("deploy", NAME, "--placement", "solved.json")
    said = project.caribou(*asked_for, code=2)
    assert "it emits more carbon than home, whatever is assumed" in said
    assert "add --yes" in said
    assert "Traceback" not in said
    committed = project.root / "workflows" / NAME / ".caribou" / f"placement.{STAGE}.json"
    committed.write_text(text)
    assert "add --yes" in project.caribou("deploy", code=2)
    assert project.listed()["placement"] is None
    (project.root / "app.py").write_text("raise SystemExit('the CDK was reached')")
    assert "the CDK was reached" in project.caribou(*asked_for, "--yes", code=1)


def test_deploy_when_the_cdk_fails_then_it_says_what_serves(project):
    """The exit code is 1, and the end of the CDK's output is there."""
    (project.root / "app.py").write_text("raise SystemExit('broken app')")
    said = project.caribou("deploy", code=1)
    assert "broken app" in said
    assert "nothing of it serves yet" in said


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["deploy", "--dry-run"], ["deploy"]])
def test_deploy_when_no_bundle_can_be_made_then_it_is_the_one_message_dry_run_or_not(project, arguments):
    """An import that nothing meets is the user's mistake, and seen before anything is deployed."""
    app = project.root / "workflows" / NAME / "app.py"
    app.write_text(f"import pandas\n{app.read_text()}")
    said = project.caribou(*arguments, code=2)
    [message] = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert "app.py:1: imports what the bundle does not have" in message
    assert "Subprocess" not in said
    assert project.listed()["placement"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "shp"], "did you mean shop"),
        (["deploy", "--all", "shop"], "--all: stands alone"),
        (["deploy", "--placement", "nowhere.json"], "can't be read"),
        (["deploy", "--placement", "deployed"], "nothing is deployed to keep"),
        (["run_deployment_migrator", "shp"], "no such workflow"),
        (["remove", "shp"], "nothing of it is deployed"),
        (["remove", NAME, "--dry-run"], "nothing of it is deployed"),
    ],
)
def test_command_when_the_user_is_mistaken_then_it_is_one_message(project, monkeypatch, capsys, arguments, message):
    """Exit code 2, and nothing was run. In this process, which has what it needs loaded."""
    monkeypatch.chdir(project.root)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [deploy, list_, remove, run_deployment_migrator, manage_deployments], ids=lambda c: c.name
)
def test_operations_when_a_command_has_a_flag_then_it_has_a_heading(command):
    """Every command and flag of this room's verbs is documented."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.partition(f"\n## `caribou {command.name}")[2].partition("\n## ")[0]
    flags = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    assert section
    assert [flag for flag in flags if f"\n### `{flag}" not in section] == []
