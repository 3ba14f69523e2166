import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from deployed_world import written_workflow
from waiting import eventually

from caribou.cli.local import local
from caribou.local import LocalCloud
from caribou.local.cloud import HOST
from caribou.local.processes import members
from caribou.model.errors import InvalidInputError, OperationFailedError

pytestmark = pytest.mark.local_cloud

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(600)\n"


def start_sleeper(cloud):
    """A function that runs for ten minutes; returns once its process is there."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", SLEEPER)
    functions = cloud.client("lambda")
    functions.create_function(
        FunctionName="sleeper", Runtime="python3.13", Role=f"arn:aws:iam::{cloud.account}:role/r", Timeout=900,
        Handler="app.handler", Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    functions.invoke(FunctionName="sleeper", InvocationType="Event", Payload=b"{}")
    eventually(lambda: len(members(cloud.pid)) > 1, "the function's process")


def listening_addresses(port):
    """Local addresses, as the kernel writes them, on which the port listens."""
    rows = [row for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    local_ends = [row.split()[1] for row in rows if row.split()[3] == "0A"]
    return {end.rpartition(":")[0] for end in local_ends if int(end.rpartition(":")[2], 16) == port}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_the_server_listens_on_loopback_only(local_cloud):
    """Nobody else on the network reaches the local cloud."""
    port = int(local_cloud.endpoint.rpartition(":")[2])

    assert listening_addresses(port) == {"0100007F"}
    assert local_cloud.endpoint.startswith(f"http://{HOST}:")


def test_bootstrap_makes_more_regions_ready_once(local_cloud):
    """A region is bootstrapped when it is asked for; asking again costs nothing."""
    local_cloud.bootstrap(["us-east-1", "eu-north-1"])
    log = local_cloud.state / "logs" / "bootstrap.log"
    size = log.stat().st_size

    local_cloud.bootstrap(["eu-north-1"])

    assert "eu-north-1" in local_cloud.bootstrapped()
    assert log.stat().st_size == size


def test_accounts_have_resources_of_their_own(local_cloud):
    """What one account makes, another does not see."""
    other = local_cloud.as_account("222222222222")
    local_cloud.client("sqs").create_queue(QueueName="mine-alone")

    assert other.client("sts").get_caller_identity()["Account"] == "222222222222"
    assert not other.client("sqs").list_queues(QueueNamePrefix="mine-alone").get("QueueUrls")


def test_stop_leaves_no_process_and_a_restart_has_the_same_port(tmp_path):
    """Stopping ends running functions too and their code's copies; the same state gives the same endpoint again."""
    with LocalCloud.start(tmp_path, regions=()) as first:
        start_sleeper(first)
    assert members(first.pid) == []
    assert not (tmp_path / "tmp").exists()
    assert LocalCloud.attach(tmp_path) is None

    with LocalCloud.start(tmp_path, regions=()) as second:
        assert second.endpoint == first.endpoint
        assert second.client("lambda").list_functions()["Functions"] == []


def test_stop_of_an_earlier_server_leaves_a_later_one_alone(tmp_path):
    """An object whose server has ended does not end the one that was started after it."""
    with LocalCloud.start(tmp_path, regions=()) as first:
        pass
    with LocalCloud.start(tmp_path, regions=()) as second:
        first.stop()

        assert second.is_healthy()


def test_stop_twice_is_harmless(tmp_path):
    """The end of a context manager after a stop by hand does nothing."""
    with LocalCloud.start(tmp_path, regions=()) as cloud:
        cloud.stop()

    assert not cloud.is_running()


def test_start_where_one_runs_is_refused(local_cloud):
    """A state folder has one cloud; its log is not touched by the attempt."""
    with pytest.raises(InvalidInputError, match="caribou local down"):
        LocalCloud.start(local_cloud.state, regions=())

    assert local_cloud.is_healthy()
    assert "Ready" in local_cloud.log.read_text()


def test_an_error_while_it_is_used_stops_it(tmp_path):
    """Ctrl-C in the middle leaves no server behind."""
    clouds = []

    def interrupted():
        with LocalCloud.start(tmp_path, regions=()) as cloud:
            clouds.append(cloud)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not clouds[0].is_running()


def test_a_server_that_does_not_start_is_reported_with_its_log(tmp_path):
    """The message names the log and quotes its end; nothing stays behind."""
    with pytest.raises(OperationFailedError, match=r"(?s)server\.log, ends: .*nonsense"):
        LocalCloud.start(tmp_path, regions=(), settings={"LAMBDA_WARM_TTL_SECONDS": "nonsense"})

    assert LocalCloud.attach(tmp_path) is None


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_takes_its_cloud_with_it(tmp_path, end):
    """Neither server nor functions outlive a test run that was killed."""
    script = (
        "import sys; from pathlib import Path; from caribou.local import LocalCloud\n"
        "with LocalCloud.start(Path(sys.argv[1]), regions=()) as cloud:\n"
        "    print('up', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        cloud = LocalCloud.attach(tmp_path)
        start_sleeper(cloud)

        parent.send_signal(end)

        eventually(lambda: not members(cloud.pid), "the end of all of its processes")
    cloud.stop()


def test_a_stale_pid_is_not_taken_for_a_server(tmp_path):
    """After a crash another process may have the server's old pid: it is left alone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (tmp_path / "server.lock").touch()
        server = {"pid": bystander.pid, "port": 1, "account": "000000000000"}
        (tmp_path / "server.json").write_text(json.dumps(server))

        done = CliRunner().invoke(local, ["down", "--state", str(tmp_path)])

        assert (done.exit_code, bystander.poll()) == (0, None)
        bystander.communicate(b"\n")


def test_the_commands_from_up_to_down(tmp_path, monkeypatch):
    """Up, up again, status, env, down, down again, as a user types them; the server outlives the command.

    What is made ready are the regions of the project that the user is in, with its qualifier.
    """
    project, cloud_folder = tmp_path / "project", tmp_path / "state"
    written_workflow(project)
    context = {"@aws-cdk/core:bootstrapQualifier": "ours"}
    (project / "cdk.json").write_text(json.dumps({"context": context}))
    monkeypatch.chdir(project)
    state = ["--state", str(cloud_folder)]
    run = CliRunner().invoke
    try:
        assert run(local, ["up", *state]).exit_code == 0
        again = run(local, ["up", *state, "--region", "us-west-2"])
        assert "is up already" in again.output
        assert "nothing was missing" in again.output
        status = run(local, ["status", *state])
        regions = "regions   us-east-1 us-west-2 ca-central-1"
        assert (status.exit_code, status.output.splitlines()[-1]) == (0, regions)
        cloud = LocalCloud.attach(cloud_folder)
        assert cloud.bootstrapped() == ()
        assert f"export AWS_ENDPOINT_URL={cloud.endpoint}" in run(local, ["env", *state]).output.splitlines()
        assert run(local, ["down", *state]).exit_code == 0
        assert run(local, ["status", *state]).exit_code == 3
        assert run(local, ["down", *state]).exit_code == 0
        assert isinstance(run(local, ["env", *state]).exception, OperationFailedError)
    finally:
        if cloud := LocalCloud.attach(cloud_folder):
            cloud.stop()


def test_functions_see_nothing_of_the_hosts_environment(tmp_path, monkeypatch):
    """The developer's secrets stay out of the server, and so out of the functions that it starts."""
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    with LocalCloud.start(tmp_path, regions=()) as cloud:
        environ = Path(f"/proc/{cloud.pid}/environ")
        if not environ.exists():
            pytest.skip("reads Linux's /proc")
        variables = dict(entry.partition(b"=")[::2] for entry in environ.read_bytes().split(b"\0"))

    assert b"TMPDIR" in variables
    assert not {b"GITHUB_TOKEN", b"VIRTUAL_ENV", b"PYTHONPATH"} & {*variables}
    assert variables[b"AWS_SECRET_ACCESS_KEY"] == cloud.secret.encode()
    assert os.environ["GITHUB_TOKEN"] == "secret"
