"""`caribou demo`, as a newcomer gives it."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
from local_project import Project
from waiting import eventually

from caribou.model.project.workflow import read_workflow
from caribou.model.schema.placement import read_placement
from caribou.model.verdict import Verdict, verdict_of

pytestmark = pytest.mark.local_cloud


@pytest.mark.slow
def test_demo_run_whole_moves_the_workflow_and_leaves_nothing_behind(tmp_path):
    """Outside a project it makes one; it goes through the loop, functions run as planned, and its cloud is gone."""
    project = Project.in_empty_folder(tmp_path)
    shown = project.run("caribou", "demo")

    root = project.root / "caribou-demo"
    home = read_workflow(root / "workflows" / "image_processing").manifest.home_region
    placement = read_placement(root / "solved.json")
    moved = placement.regions - {home}
    after = shown.partition("after the move")[2]
    assert moved
    assert any(region in after for region in moved)
    assert "operational carbon" in after
    assert verdict_of(placement) == Verdict.SAVES
    # Which of the two hangs on how long the machine takes for it.
    assert re.search(r"With input_light\.json it (stays home|moves too): a run moves", shown)
    assert_nothing_left(_state_of(shown))
    assert not Path(_state_of(shown)).exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_demo_interrupted_while_it_deploys_leaves_no_process_behind(lone_project, kind):
    """Ctrl-C, and a polite kill, end the demo with everything it started."""
    shown = ""
    with subprocess.Popen(
        lone_project.command("caribou", "demo"),
        cwd=lone_project.root,
        env=lone_project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        for line in demo.stdout:
            shown += line
            if line.startswith("$ cdk deploy"):
                demo.send_signal(kind)
                break
        shown += demo.stdout.read()

    assert demo.returncode not in (0, None)
    assert "Traceback" not in shown
    assert_nothing_left(_state_of(shown))


@pytest.mark.slow
def test_demo_where_a_step_fails_says_what_and_leaves_no_process_behind(lone_project):
    """A workflow that fails makes the demo fail with the workflow's own error, and the cloud is stopped."""
    sample = lone_project.root / "workflows/small_sync_example/samples/input.json"
    sample.write_text('{"limit": -1}')

    said = lone_project.run("caribou", "demo", "--workflow", "small_sync_example", code=1)

    assert "ValueError: limit must be a whole number" in said
    assert "Traceback" not in said
    assert_nothing_left(str(lone_project.root))


def test_demo_of_an_example_that_the_project_does_not_have_says_how_to_copy_it(tmp_path):
    """The default is an example, which a project of one's own may lack."""
    project = Project.in_folder(tmp_path)

    assert "caribou new_workflow --from image_processing" in project.run("caribou", "demo", code=2)


def test_demo_of_a_workflow_that_does_not_exist_is_one_message_and_exit_code_2(lone_project):
    """A wrong name starts nothing."""
    said = lone_project.run("caribou", "demo", "--workflow", "image_procesing", code=2)

    assert "did you mean image_processing" in said
    assert "Traceback" not in said


def _state_of(shown):
    return next(line for line in shown.splitlines() if "--state" in line).rpartition(" ")[2]


def assert_nothing_left(folder):
    """Every process that works in a folder, or knows of it, ends: one that was killed takes a moment for that."""
    eventually(lambda: not _processes(folder), f"the end of all processes of {folder}")


def _processes(folder):
    """Ids of the processes whose command line, environment or working directory names a folder."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if folder in _facts_of(process)]


def _facts_of(process):
    try:
        facts = [(process / name).read_text(errors="replace") for name in ("cmdline", "environ")]
        return " ".join([*facts, str((process / "cwd").readlink())])
    except OSError:  # it has ended, or is another user's
        return ""
