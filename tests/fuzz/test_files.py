"""Every reader of a document ends in a value or in one clear error of ours, whatever is in it."""

import base64
import json
import zlib
from datetime import UTC, datetime

import problem_instances
import pytest
import yaml
from deployed_world import HOME, MANIFEST, WEST, placed, written_workflow
from hostile import fuzzed, hostile_json, value_or_error
from hypothesis import example, given
from hypothesis import strategies as st

from caribou.cli.project import context_text, settings
from caribou.cli.samples import Samples
from caribou.control.load.arrivals import Replay, replayed
from caribou.control.migrate.pending import judge
from caribou.control.placement_bucket import Pending
from caribou.control.stacks.deployed import placement_in, template_in
from caribou.control.stacks.ownership import is_our_template
from caribou.model.errors import InvalidPlacementError, OperationFailedError
from caribou.model.names import PROJECT_ID_KEY, STAGE_KEY, STAGES_KEY
from caribou.model.schema.manifest import read_manifest
from caribou.model.schema.placement import read_placement
from caribou.model.schema.problem_file import read_problem
from caribou.model.template_contract import METADATA_KEY, metadata_of
from caribou.solver import solve

NOW = datetime(2026, 7, 1, tzinfo=UTC)
VARIABLES = [{"key": "LIMIT", "value": "1"}, {"key": "BUCKET", "value": "pictures"}]
OUR_KEYS = {"schema": "caribou.manifest/1", "home_share": 0.2, "run_deadline_s": 60, "log_retention_days": 30}
PLACEMENT = placed(WEST, expires_at=NOW, solved_at="2026-01-01T00:00:00Z").to_json()
PROD = {"account": "111122223333", "profile": "prod", "control_region": "eu-west-1"}
CONTEXT = {STAGE_KEY: "dev", STAGES_KEY: {"dev": {}, "prod": PROD}, PROJECT_ID_KEY: "shop-1"}
SAMPLES = [{"file": "a.txt", "bucket": "caribou-${account}", "key": "input/a.txt"}] * 2
lines = st.lists(st.text(st.sampled_from("0123456789,.e-+#nfai \0\ud800\r\"'"), max_size=30), max_size=5)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """A workflow in a folder, for all inputs."""
    found = written_workflow(tmp_path_factory.mktemp("fuzz"))
    (found.folder / "samples").mkdir()
    (found.folder / "samples" / "a.txt").write_text("a")
    return found


def manifest():
    """A manifest with sections of every kind."""
    data = yaml.safe_load(MANIFEST.format(name="example", version="0.0.1", home=HOME))
    limit = {"cost": {"type": "absolute", "value": 0.5}, "carbon": {"type": "relative", "value": 110}}
    constraints = {"hard_resource_constraints": limit, "priority_order": ["cost", "carbon"]}
    return {**data, "environment_variables": VARIABLES, "constraints": constraints, "caribou": OUR_KEYS}


@fuzzed
@given(text=hostile_json(manifest()))
def test_manifest_when_it_is_hostile_then_it_is_a_value_or_one_error(workflow, text):
    """JSON is YAML; so is a stage's own, over a right one."""
    files = workflow.folder / ".caribou"
    (files / "config.yml").write_text(text)
    value_or_error(lambda: read_manifest(workflow.folder, workflow.graph))
    (files / "config.yml").write_text(yaml.safe_dump(manifest()))
    (files / "config.prod.yml").write_text(text)
    value_or_error(lambda: read_manifest(workflow.folder, workflow.graph, "prod"))


@fuzzed
@given(text=hostile_json(PLACEMENT))
def test_placement_when_it_is_hostile_then_it_is_a_value_or_one_error(workflow, text):
    """A file, and the one that waits in the bucket."""
    path = workflow.folder / "solved.json"
    path.write_text(text)
    value_or_error(lambda: read_placement(path))
    assert judge(Pending(text), workflow, placed(), NOW).reason


@fuzzed
@given(text=hostile_json(problem_instances.chain()))
def test_problem_when_it_is_hostile_then_it_is_solved_or_one_error(workflow, text):
    """What is read can be solved."""
    path = workflow.folder / "problem.json"
    path.write_text(text)
    problem = value_or_error(lambda: read_problem(path))
    if problem is not None:
        assert solve(problem, samples=20).plans


@fuzzed
@given(text=hostile_json(SAMPLES))
def test_samples_when_their_listing_is_hostile_then_it_is_a_value_or_one_error(workflow, text):
    """What is named lies in the folder."""
    (workflow.folder / "samples" / "objects.json").write_text(text)
    samples = Samples(workflow, "000000000000")
    for found in value_or_error(samples.objects) or ():
        assert (samples.folder / found.file).resolve().parent == samples.folder.resolve()


@fuzzed
@given(text=hostile_json({"app": "python app.py", "context": CONTEXT}))
def test_settings_when_the_projects_file_is_hostile_then_it_is_a_value_or_one_error(workflow, text):
    """`cdk.json` is the user's too."""
    (workflow.folder / "cdk.json").write_text(text)
    value_or_error(lambda: context_text(workflow.folder, STAGE_KEY, "dev"))
    value_or_error(lambda: settings(workflow.folder))


@fuzzed
@given(lines=lines, header=st.booleans(), speed=st.sampled_from([0.001, 1.0, 1e6]))
def test_arrivals_when_their_file_is_hostile_then_they_are_times_or_one_error(lines, header, speed):
    """Offsets, and counts a minute."""
    given_lines = [f"{line}\n" for line in (["name,1,2", *lines] if header else lines)]
    found = value_or_error(lambda: replayed(given_lines, Replay("f", speed=speed, duration_s=60.0)))
    assert found is None or all(0 <= arrival < 60 for arrival in found)


@fuzzed
@given(text=hostile_json({"Metadata": {METADATA_KEY: PLACEMENT}, "Resources": {}, "Outputs": {}}))
@example("[" * 100_000)
@example('{"Metadata": []}')
@example(json.dumps({"Metadata": {METADATA_KEY: {**PLACEMENT, "home_region": "\ud800"}}}))
@example(json.dumps({"Metadata": metadata_of({**PLACEMENT, "home_region": "\ud800"})}))
@example(json.dumps({"Metadata": {METADATA_KEY: "no base64"}}))
@example(json.dumps({"Metadata": {METADATA_KEY: base64.b64encode(b"[" * 100_000).decode()}}))
@example(json.dumps({"Metadata": {METADATA_KEY: base64.b64encode(zlib.compress(b"[" * 9_000_000)).decode()}}))
def test_template_when_a_stack_has_a_hostile_one_then_it_is_ours_with_a_placement_or_not(text):
    """A stack may be anybody's; the runtime reads a placement in the same way."""
    template = template_in(text)
    is_our_template(template, "example", "home")
    try:
        placement = placement_in(template, "Workflow-example")
    except (InvalidPlacementError, OperationFailedError) as error:
        assert len(str(error)) < 5_000  # noqa: PT017 - either outcome is right
    else:
        assert placement.digest


def test_documents_when_they_are_not_changed_then_they_are_read(workflow, tmp_path):
    """What is fuzzed is right to begin with."""
    (workflow.folder / ".caribou" / "config.yml").write_text(json.dumps(manifest()))
    assert read_manifest(workflow.folder, workflow.graph)
    for read, document in ((read_placement, PLACEMENT), (read_problem, problem_instances.chain())):
        (tmp_path / "file.json").write_text(json.dumps(document))
        assert read(tmp_path / "file.json")
