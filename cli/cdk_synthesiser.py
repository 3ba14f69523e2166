"""Templates for the control room: the project's own app, synthesised by the CDK CLI, without building any code."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from caribou.cli.cdk_deployer import context_of, stage_arguments
from caribou.cli.cdk_run import log_of, run_cdk
from caribou.control.deploy.planning import DeployRequest
from caribou.model.errors import OperationFailedError
from caribou.model.placement import Placement


@dataclass(frozen=True)
class CdkSynthesiser:
    """Synthesises the project in a folder. `notify` is given the command, which takes some seconds.

    With `builds` the code of functions is built and everything is looked at, as when it is deployed.
    """

    root: Path
    notify: Callable[[str], None]
    builds: bool = False

    def templates(self, request: DeployRequest, kept: Placement | None = None) -> Mapping[str, Mapping[str, Any]]:
        """The templates of every stack of the app, by stack name. Raises OperationFailedError, AppRefusedError.

        `cdk list` bundles nothing: what is in a function's code decides no resource.
        """
        log = log_of(self.root, "plan")
        with tempfile.TemporaryDirectory(prefix="caribou-plan-") as folder:
            assembly = str(Path(folder) / "cdk.out")
            if kept is not None:
                request = replace(request, placement=str(_written(kept, Path(folder))))
            words = ["synth", "--quiet"] if self.builds else ["list"]
            arguments = [*words, *stage_arguments(), *context_of(request), "--output", assembly]
            self.notify(f"cdk {' '.join(arguments)}")
            unlooked = {} if self.builds else {"CDK_VALIDATION": "false"}  # cdk-nag looks at what is built
            run_cdk(arguments, root=self.root, log=log, **unlooked)
            log.unlink(missing_ok=True)
            return dict(_templates(Path(assembly)))


def _written(kept: Placement, folder: Path) -> Path:
    """A file with a placement, which what is deployed may be though it has expired: no resource depends on that."""
    file = folder / "placement.json"
    file.write_text(json.dumps(replace(kept, expires_at=None).to_json()), encoding="utf-8")
    return file


def _templates(assembly: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Stack name and template of each stack in an assembly, and in those inside it: a stage of the app has its own."""
    for name, artifact in _read(assembly / "manifest.json").get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "aws:cloudformation:stack":
            yield properties.get("stackName", name), _read(assembly / properties["templateFile"])
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _templates(assembly / properties["directoryName"])


def _read(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperationFailedError(f"What the CDK synthesised can't be read: {os.fspath(path)}: {error}") from error
