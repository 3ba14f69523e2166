"""Run a command that ends with whoever started it, however that dies: `python -I leash.py COMMAND…`.

Standard library only. Its standard input is a pipe whose other end the starter holds: when that closes, the process
group is killed, the command and all that it has started. It is to be started in a session of its own. Ends with the
command's exit code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command to its end; its exit code, as a shell gives it if a signal has ended it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_stdin, daemon=True, name="caribou-leash").start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
