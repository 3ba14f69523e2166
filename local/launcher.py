"""Start MiniStack in the background with its gaps closed: `python -I launcher.py STATE ACCOUNT [--leashed]`.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only. `caribou.local.cloud` prepares the
environment variables, and reads what is written here:

    STATE/server.lock   locked as long as the server lives: no stale pid can be taken for it
    STATE/logs/         the server's output, with that of the functions
    STATE/server.json   the server's pid, port, account and secret, its certificate's file if it speaks TLS, and whether
                        regions are apart; port and secret are taken again at the next start

`CARIBOU_DISTANCES` may have seconds of round trips as JSON, by region and region: `local/distances.py`.

The process that is started binds the port, forks the server into a session of its own (so that Ctrl-C in a terminal
does not reach it) and ends: with 0 if the server was forked, with LOCKED if one is running for this state already.
With `--leashed` the server ends as soon as its standard input does, that is with the process that holds the pipe's
other end, however that dies. The server ends by killing its process group, and so all functions that are running.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any

LOCKED = 73
DISTANCES = "CARIBOU_DISTANCES"
_LOCK_PATIENCE_S = 2.0
_LOCK_PAUSE_S = 0.05
_LOOPBACK = "127.0.0.1"
_GRACE_S = 1.0
"""How long the server takes to end at SIGTERM, at most: with TLS it would wait for each idle client's goodbye."""


def main(arguments: list[str]) -> None:
    """Claim the state folder, open the log, bind, fork; the parent notes where the server is, the child serves."""
    os.umask(0o077)  # whoever reads the secret, or the functions' output, is this user
    state, account = Path(arguments[0]), arguments[1]
    lock = _claimed(state / "server.lock")
    _empty(Path(os.environ["TMPDIR"]))
    _log_to(state / "logs" / "server.log")
    listener = _bound(_last_port(state))
    round_trip_s = json.loads(os.environ.pop(DISTANCES, "{}"))
    doors = {region: _bound(0) for region in round_trip_s}
    os.environ["GATEWAY_PORT"] = str(listener.getsockname()[1])  # MiniStack reads it when it is imported
    if _speaks_tls():
        _certificate_and_key()  # made before anyone asks for it
    if pid := os.fork():
        certificate = _certificate_and_key()[0] if _speaks_tls() else None
        _note(state, {"pid": pid, "port": listener.getsockname()[1], "account": account,
            "secret": os.environ["AWS_SECRET_ACCESS_KEY"], "certificate": certificate,
            "distances": bool(doors)})  # fmt: skip
        os._exit(0)
    os.setsid()
    if "--leashed" in arguments[2:]:
        threading.Thread(target=_end_with_stdin, daemon=True, name="caribou-leash").start()
    try:
        _serve(listener, doors, round_trip_s)
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
        traceback.print_exc()
    finally:
        _end(lock)


def _claimed(path: Path) -> IO[str]:
    """The lock file, locked. Tries for a moment: whoever looks whether a server runs holds the lock for an instant."""
    lock = path.open("w")
    give_up = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise SystemExit(LOCKED) from None
            time.sleep(_LOCK_PAUSE_S)
        else:
            return lock


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _log_to(log: Path) -> None:
    """Output goes to the log from here on; the log of the server before is kept beside it."""
    log.parent.mkdir(exist_ok=True)
    if log.exists():
        log.replace(log.with_name("server.previous.log"))
    with log.open("wb") as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())


def _last_port(state: Path) -> int:
    """The port that the last server of this state had, so that exported variables stay right; 0 if there was none."""
    try:
        return int(json.loads((state / "server.json").read_text())["port"])
    except (OSError, ValueError, KeyError):
        return 0


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
    except OSError:
        listener.bind((_LOOPBACK, 0))
    return listener


def _note(state: Path, server: dict[str, object]) -> None:
    draft = state / "server.json.new"
    draft.write_text(json.dumps(server))
    draft.replace(state / "server.json")


def _serve(listener: socket.socket, doors: dict[str, socket.socket], round_trip_s: dict[str, dict[str, float]]) -> None:
    """Serve until SIGTERM. In place of `ministack.app.main`, which binds a port by number, free when it was asked."""
    app = _beside("guard").guarded(_beside("gaps").close_gaps(import_module("ministack.app").app))
    _beside("iam_gaps").close_iam_gaps()
    _beside("import_gaps").close_import_gaps()
    _beside("log_ends").end_logs_by_a_mark(import_module("ministack.core.lambda_runtime"))
    _beside("shared_code").share_code()
    _beside("caller_tags").show_tags_of_callers()
    _beside("composite_alarms").make_composite_alarms()
    if doors:
        ports = {door.getsockname()[1]: region for region, door in doors.items()}
        app = _beside("distances").keep_apart(app, ports, round_trip_s)
    asyncio.run(_served(app, _config_of([listener, *doors.values()])))


def _config_of(sockets: list[socket.socket]) -> Any:  # noqa: ANN401 - hypercorn's
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{socket.detach()}" for socket in sockets]
    config.keep_alive_timeout = 75
    config.graceful_timeout = _GRACE_S / 2
    if _speaks_tls():
        config.certfile, config.keyfile = _certificate_and_key()
    return config


async def _served(app: Any, config: Any) -> None:  # noqa: ANN401 - hypercorn's
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        loop.call_later(_GRACE_S, _end)

    loop.add_signal_handler(signal.SIGTERM, end)
    await import_module("hypercorn.asyncio").serve(app, config, shutdown_trigger=stop.wait)


def _speaks_tls() -> bool:
    return os.environ.get("USE_SSL") == "1"


def _certificate_and_key() -> tuple[str, str]:
    """Files of MiniStack's own certificate, for loopback only, made in TMPDIR if they are not there."""
    certificate, key = import_module("ministack.core.tls").resolve_tls_material()
    return certificate, key


def _beside(name: str) -> ModuleType:
    """A module beside this file, by its path: this folder's modules must not be importable by functions."""
    spec = importlib.util.spec_from_file_location(f"caribou_local_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    _end()


def _end(*_held: object) -> None:
    """Remove the functions' copies of their code, and kill the process group, this process too."""
    with contextlib.suppress(OSError):
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
