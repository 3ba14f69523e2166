"""Functions' processes share one copy of their code."""

import hashlib
import io
import json
import os
import shutil
import threading
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from caribou.local.shared_code import KEPT_UNUSED, CodeStore


@pytest.fixture
def store(tmp_path):
    """A store beside the processes' folders."""
    return CodeStore(tmp_path / "caribou-code", tmp_path)


def linked(store, tmp_path, process, text):
    """The link that a process gets for an archive with one file of this text."""
    folder = tmp_path / f"ministack-lambda-{process}"
    folder.mkdir()
    archive, target = folder / "code.zip", folder / "code"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr(zipfile.ZipInfo("app.py"), text)
    target.mkdir()
    store.link(archive, target)
    assert not archive.exists()
    return target


def test_link_when_two_processes_have_the_same_code_then_it_is_there_once(store, tmp_path):
    """The second process gets a link to what was unpacked for the first."""
    first, second = (linked(store, tmp_path, name, "same") for name in ("a", "b"))
    assert first.readlink() == second.readlink()
    assert (second / "app.py").read_text() == "same"
    assert len(list((tmp_path / "caribou-code").iterdir())) == 1


def test_link_when_the_code_differs_then_so_does_the_copy(store, tmp_path):
    """Code is known by its content, not by a function's name."""
    assert linked(store, tmp_path, "a", "one").readlink() != linked(store, tmp_path, "b", "two").readlink()


def test_link_when_much_code_is_no_longer_used_then_only_the_last_used_stays(store, tmp_path):
    """The disk that code takes is bounded by what runs and a little more, and what runs is never removed."""
    running = linked(store, tmp_path, "running", "running")
    os.utime(running.readlink(), (0, 0))  # used longest ago
    for i in range(KEPT_UNUSED + 3):
        link = linked(store, tmp_path, str(i), str(i))
        os.utime(link.readlink(), (i + 1, i + 1))
        link.unlink()  # the process ended
    linked(store, tmp_path, "last", "last")
    texts = {(folder / "app.py").read_text() for folder in (tmp_path / "caribou-code").iterdir()}
    assert texts == {"running", "last", *(str(i) for i in range(3, KEPT_UNUSED + 3))}


def test_link_when_the_archive_is_broken_then_nothing_half_unpacked_stays(store, tmp_path):
    """The next process tries again."""
    folder = tmp_path / "ministack-lambda-a"
    (folder / "code").mkdir(parents=True)
    (folder / "code.zip").write_bytes(b"no archive")
    with pytest.raises(zipfile.BadZipFile):
        store.link(folder / "code.zip", folder / "code")
    assert list((tmp_path / "caribou-code").iterdir()) == []


def test_link_when_other_processes_end_meanwhile_then_it_is_made_all_the_same(store, tmp_path):
    """Their folders go while the store looks through them: a start that failed for that would cost an attempt."""
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            for i in range(20):
                folder = tmp_path / f"ministack-lambda-passing-{i}"
                folder.mkdir()
                (folder / "code").symlink_to(tmp_path)
            for i in range(20):
                shutil.rmtree(tmp_path / f"ministack-lambda-passing-{i}")

    with ThreadPoolExecutor(1) as pool:
        passing = pool.submit(come_and_go)
        try:
            texts = [(linked(store, tmp_path, str(i), "same") / "app.py").read_text() for i in range(50)]
        finally:
            over.set()
        passing.result()
    assert texts == ["same"] * 50


# Returns when two executions have begun, so that two processes are needed.
HANDLER = """
import os, time
def handler(event, _):
    open(os.path.join(event["folder"], event["name"]), "x").close()
    while len(os.listdir(event["folder"])) < 2:
        time.sleep(0.05)
    return [os.getpid(), os.path.realpath(__file__)]
"""


@pytest.mark.local_cloud
def test_functions_when_they_run_then_their_processes_share_their_code(local_cloud, tmp_path):
    """On the real emulator: two processes of a function run the same file, under the digest of its archive."""
    code, name = io.BytesIO(), f"shared-{uuid.uuid4().hex[:8]}"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", HANDLER)
    functions = local_cloud.client("lambda")
    role = f"arn:aws:iam::{local_cloud.account}:role/r"
    source = {"ZipFile": code.getvalue()}
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.handler", Role=role, Code=source, Timeout=900
    )

    def invoke(execution):
        event = {"folder": str(tmp_path), "name": execution}
        return json.load(functions.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])

    with ThreadPoolExecutor(2) as pool:
        (one, its_file), (other, others_file) = pool.map(invoke, ["one", "other"])
    assert one != other
    assert its_file == others_file
    assert its_file.endswith(f"/caribou-code/{hashlib.sha256(code.getvalue()).hexdigest()}/app.py")
