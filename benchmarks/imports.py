"""How long a cold start waits for a workflow's imports: `uv run benchmarks/imports.py NAME...` (default: all).

Each module of a workflow is imported in fresh processes, out of the bundle that is built for this machine, without
.pyc files, as in Lambda, whose code folder is read-only. Prints the median of REPEATS, and what the bundle weighs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from caribou.local.tools import cdk_env

WORKFLOWS = Path(__file__).parents[1] / "workflows"
REPEATS = 3
_TIMED = "import sys, time; begun = time.perf_counter(); import {}; print(time.perf_counter() - begun)"


def host_bundle(folder: Path) -> Path:
    """The folder of a workflow's code, built for this machine, without the parts that synth adds."""
    from caribou.constructs.bundle import workflow_bundle  # noqa: PLC0415 - starts Node.js, found first
    from caribou.constructs.bundling.target_platform import Platform  # noqa: PLC0415

    return workflow_bundle(folder, Platform("x86_64", "3.13", host=True)).build()


def import_s(module: str, bundle: Path) -> float:
    """Seconds that `import module` takes in a fresh process that has the bundle, and boto3 as Lambda has."""
    environment = {"PYTHONPATH": str(bundle), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", _TIMED.format(module)]
    done = subprocess.run(command, cwd=bundle, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(names: list[str]) -> None:
    """Print a table for each workflow."""
    os.environ.update(cdk_env(os.environ))
    for folder in sorted(path.parent for path in WORKFLOWS.glob("*/app.py")):
        if names and folder.name not in names:
            continue
        bundle = host_bundle(folder)
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        print(f"{folder.name}: bundle of {size / 1e6:.0f} MB")
        for module in sorted(path.stem for path in folder.glob("*.py")):
            seconds = statistics.median(import_s(module, bundle) for _ in range(REPEATS))
            print(f"  {module:<20} {seconds:6.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
