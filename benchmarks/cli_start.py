"""What the command line costs before it does anything: `uv run benchmarks/cli_start.py [VERB...]` (default: all).

Prints the CPU seconds of `caribou --help` and of `caribou VERB --help`, each the least of REPEATS fresh processes. What
an import costs inside one of them: `python -X importtime -m caribou.cli.main`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from caribou.cli.main import VERBS

REPEATS = 3
_MAIN = "from caribou.cli.main import main; main()"


def cpu_s(*arguments: str) -> float:
    """CPU seconds of a command, in user and system mode."""
    before = os.times()
    subprocess.run([sys.executable, "-c", _MAIN, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def main(verbs: list[str]) -> None:
    """Print a line a command."""
    for words in [(), *((verb,) for verb in verbs or VERBS)]:
        seconds = min(cpu_s(*words, "--help") for _ in range(REPEATS))
        print(f"{' '.join(['caribou', *words, '--help']):<40} {seconds:5.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
