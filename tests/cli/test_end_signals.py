"""What a command gives back when it is asked to end."""

import signal
import subprocess
import sys

import pytest

HOLDS = """
import signal, sys, time
from caribou.cli.end_signals import ended_by_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1:] else signal.SIG_DFL)  # whatever the tests' own shell does
with ended_by_signals():
    try:
        print("holds", flush=True)
        signal.pause()
    finally:
        print("released", flush=True)
"""


def holding(*arguments):
    """A process that holds something, and waits."""
    command = [sys.executable, "-c", HOLDS, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout.readline() == "holds\n"
    return process


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_command_when_it_is_asked_to_end_then_what_it_holds_is_released(kind):
    """As Ctrl-C would, with the exit code of the signal and no traceback."""
    with holding() as process:
        process.send_signal(kind)
        assert process.stdout.read() == "released\n"
    assert process.returncode == 128 + kind


def test_command_when_it_is_to_outlive_its_terminal_then_it_does():
    """Under nohup SIGHUP is ignored, and stays so."""
    with holding("nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "released\n"
    assert process.returncode == 128 + signal.SIGTERM
