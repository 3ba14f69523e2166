"""Which run is meant by what somebody wrote, in a project of two workflows on the local cloud."""

import pytest

from caribou.cli.run_lookup import found_run
from caribou.cli.session import Session
from caribou.control.aws import Aws
from caribou.control.target import Target
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Run
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore

HOME = "us-east-1"
pytestmark = pytest.mark.local_cloud


@pytest.fixture
def here(tmp_path, world, written_workflow, placed):
    """A session in which `one` and `two` are deployed, and have runs."""
    (tmp_path / "cdk.json").write_text("{}")
    for name, runs in (("one", ("aa11", "aa22", "b1", "b")), ("two", ("c1", "both")), ("three", ("both",))):
        written_workflow(tmp_path, name)
        world.name = name
        world.home(placed(name=name))
        store = DynamoRunStore(Clients(), WorkflowNames(name).run_table, HOME)
        for run_id in runs:
            store.begin(Run(run_id, "0.0.1", "g", "p", {}, 100.0, 200.0), frozenset({"a"}))
    with Aws() as aws:
        yield Session(tmp_path, Target("dev", "us-west-2"), aws)


def test_run_when_its_beginning_is_written_then_it_is_the_only_one_that_begins_so(here):
    """In whichever workflow; a whole id is that run, though others begin with it."""
    assert [(found_run(text, None, here).run_id) for text in ("aa1", "c", "b")] == ["aa11", "c1", "b"]
    assert found_run("c", None, here).workflow.name == "two"
    assert found_run("bo", "two", here).workflow.name == "two"
    with pytest.raises(
        InvalidInputError, match=r"several runs begin so.*aa11 of one, RUNNING.*aa22.*write more"
    ) as error:
        found_run("aa", None, here)
    assert error.value.exit_code == 2
    for text in ("both", "bot"):
        with pytest.raises(InvalidInputError, match="--workflow"):
            found_run(text, None, here)
    with pytest.raises(InvalidInputError, match="there is no such run"):
        found_run("zz", None, here)


def test_run_when_no_workflow_has_it_then_a_home_that_is_silent_is_not_taken_for_one_without_it(
    tmp_path, world, written_workflow, placed, monkeypatch
):
    """Of a home that does not answer nobody knows which runs it has; one where nothing is deployed has none."""
    (tmp_path / "cdk.json").write_text("{}")
    for name in (world.name, "never"):
        written_workflow(tmp_path, name)
    world.home(placed(name=world.name))
    target = Target("dev", "us-west-2")
    with Aws() as aws, pytest.raises(InvalidInputError, match=r"there is no such run.*not deployed: never"):
        found_run("zz", None, Session(tmp_path, target, aws))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    with Aws() as aws, pytest.raises(OperationFailedError, match=f"zz is not known: .*{world.name} does not") as error:
        found_run("zz", None, Session(tmp_path, target, aws))
    assert "deploy" not in str(error.value)
