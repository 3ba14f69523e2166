"""The Lambda handler: what lasts as long as the process, and the record in the log."""

import json
import logging
import sys
from types import SimpleNamespace

import boto3
import pytest
from botocore import handlers

from caribou.model.run.record import RECORD_KEY, RunRecord
from caribou.model.run_settings import RunSettings
from caribou.model.template_contract import BUNDLE_FILE, BUNDLE_PACKAGE
from caribou.runtime import handler
from caribou.runtime.settings import bundle_text, load_settings
from caribou.runtime.testing.memory import InMemoryCloud

_APP = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow("w", "0.0.1")

@workflow.serverless_function()
def a(payload):
    if payload == "fail":
        raise RuntimeError("as asked")
"""

SILENCES = (
    "import logging\nlogging.disable()\n",
    "import logging.config\nlogging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}})\n",
    "import os\nos.environ['POWERTOOLS_LOG_LEVEL'] = os.environ['AWS_LAMBDA_LOG_LEVEL'] = 'ERROR'\n",
    "import io, sys\nsys.stdout = sys.stderr = io.StringIO()\n",
    "import io, sys\nsys.stdout = sys.stderr = io.StringIO()\nsys.stdout.close()\n",
    "import sys\nsys.stdout = sys.stderr = None\n",
)
"""What silenced records once, or would."""


def _forget():
    """As in a new process."""
    for lasting in (handler._runner, handler._loaded, handler._meters):
        lasting.cache_clear()


@pytest.fixture
def context(tmp_path, monkeypatch, graph_of):
    """A Lambda context, in a process whose bundle holds a workflow of one function, before its first request."""
    monkeypatch.syspath_prepend(tmp_path)
    graph = graph_of({"a": ""}, name="w")
    (tmp_path / BUNDLE_PACKAGE).mkdir()
    (tmp_path / BUNDLE_PACKAGE / BUNDLE_FILE).write_text(bundle_text(graph, "us-east-1", RunSettings()))
    (tmp_path / BUNDLE_PACKAGE / "__init__.py").touch()
    (tmp_path / "app.py").write_text(_APP)
    for name, value in {"CARIBOU_FUNCTION": "a", "CARIBOU_STAGE": "dev", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    cloud = InMemoryCloud()
    monkeypatch.setattr(handler, "aws_ports", lambda settings, **_: cloud.ports(settings.region))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", list(handlers.BUILTIN_HANDLERS))
    _forget()
    yield lambda request_id, qualifier="": SimpleNamespace(
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:f{qualifier}",
        memory_limit_in_mb="512",
        aws_request_id=request_id,
    )
    _forget()
    for name in ("app", BUNDLE_PACKAGE):
        sys.modules.pop(name, None)


def _records(text):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [RunRecord.from_json(line[RECORD_KEY]) for line in lines if RECORD_KEY in line]


def _event(request_id, message="{}"):
    """A message of the function's own topic."""
    topic = f"arn:aws:sns:us-east-1:000000000000:{load_settings().names.topic('a')}"
    return {"Records": [{"Sns": {"TopicArn": topic, "MessageId": f"m-{request_id}", "Message": message}}]}


def test_handler_when_a_process_is_new_then_its_first_record_alone_is_a_cold_start(context, capfd):
    """Each record is one JSON line of the log; a qualifier in the ARN is no new process."""
    for i, qualifier in enumerate(["", "", ":$LATEST"]):
        assert handler.handle(_event(i), context(f"r-{i}", qualifier)) == {"run_id": f"m-{i}", "state": "ran"}
    records = _records(capfd.readouterr().err)
    assert [record.cold_start for record in records] == [True, False, False]
    assert {record.memory_mb for record in records} == {512}
    assert handler._runner.cache_info().currsize == 1


def test_handler_when_user_code_fails_then_the_error_goes_on_to_lambda_and_a_record_is_written(context, capfd):
    """Lambda must see the failure to try again."""
    with pytest.raises(RuntimeError, match="as asked"):
        handler.handle(_event(1, '"fail"'), context("r-1"))
    (record,) = _records(capfd.readouterr().err)
    assert record.error == "RuntimeError: as asked"


@pytest.mark.parametrize("silence", SILENCES)
def test_handler_when_user_code_silences_logging_or_its_streams_then_records_are_still_written(
    context, capfd, monkeypatch, tmp_path, silence
):
    """Records are not the user's log lines: nothing that user code does to those keeps them from the log."""
    users = logging.Manager(logging.root)  # what user code does to logging and the streams goes with the test
    for of, name, value in (
        (sys, "stdout", sys.stdout),
        (sys, "stderr", sys.stderr),
        (logging.Logger, "manager", users),
        (logging.root, "manager", users),
        (logging.root, "level", logging.root.level),
        (logging.root, "handlers", []),
    ):
        monkeypatch.setattr(of, name, value)
    (tmp_path / "app.py").write_text(silence + _APP)
    handler.handle(_event(1), context("r-1"))
    assert len(_records(capfd.readouterr().err)) == 1


def test_handler_when_a_message_of_its_topic_arrives_then_its_id_names_the_run(context):
    """A message that SNS delivers twice starts one run, whatever the request."""
    answers = [handler.handle(_event(1), context(f"r-{i}")) for i in (2, 3)]
    assert answers == [{"run_id": "m-1", "state": "ran"}, {"run_id": "m-1", "state": "duplicate"}]


def test_handler_when_lambda_starts_the_process_then_user_code_is_imported_before_the_first_event(context, capfd):
    """There it has the CPU of a whole machine; and the record of the cold start says what it took."""
    handler._load_in_init_phase()
    assert "app" in sys.modules
    for i in range(2):
        handler.handle(_event(i), context(f"r-{i}"))
    first, second = _records(capfd.readouterr().err)
    assert 0 < first.import_s <= first.init_s
    assert 0 <= first.import_cpu_s <= first.init_s
    assert (second.init_s, second.import_s, second.import_cpu_s) == (None, None, None)


def test_handler_when_user_code_can_t_be_imported_then_the_first_event_meets_the_error(context, tmp_path):
    """Lambda retries it, and the sweeper sees it, as an error of the function."""
    (tmp_path / "app.py").write_text("raise RuntimeError('no database')")
    handler._load_in_init_phase()
    with pytest.raises(RuntimeError, match="no database"):
        handler.handle(_event(1), context("r-1"))
