"""What import statements load and bind, inside the workflow's folder."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.scope import Symbol
from caribou.model.source.syntax import exported, suppressors, written

WORKFLOW_CLASS = "CaribouWorkflow"
RUNTIME = "caribou.runtime"
REFERENCE_SYSTEM = "caribou.deployment"
ITS_OLD_NAME, OLD_CLASS = "multi_x_serverless", "MultiXServerlessWorkflow"
CLASS_SYMBOL = Symbol("class", f"{RUNTIME}.{WORKFLOW_CLASS}")


@dataclass(frozen=True)
class Module:
    """A module of the workflow: its dotted name, its file, and what its names stand for."""

    name: str
    path: Path
    tree: ast.Module
    names: dict[str, Symbol] = field(default_factory=dict)

    @cached_property
    def suppressing(self) -> frozenset[str]:
        """The names in it that stand for `contextlib.suppress`."""
        return suppressors(self.tree)

    @cached_property
    def exported(self) -> frozenset[str] | None:
        """The names that `__all__` lists; None if there is none, or none that can be read."""
        return exported(self.tree)

    def where(self, node: ast.AST) -> str:
        """File and line of a node, as errors show them."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    @property
    def package(self) -> str:
        """The package that its relative imports start from; empty at the top."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def source_of(statement: ast.ImportFrom, module: Module) -> str:
    """The dotted name of the module that `from ... import` reads from."""
    if not statement.level:
        return statement.module or ""
    parts = module.package.split(".") if module.package else []
    if statement.level > len(parts):
        raise InvalidWorkflowError(
            "the import goes up from the workflow's folder, which is not a package",
            where=module.where(statement),
            found=written(statement),
            fix="import from the module by its name, without dots in front",
        )
    return ".".join([*parts[: len(parts) - statement.level + 1], *filter(None, [statement.module])])


def modules_of(statement: ast.Import | ast.ImportFrom, module: Module) -> list[str]:
    """The dotted names of all modules that the statement may load."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    source = source_of(statement, module)
    return [source, *(f"{source}.{alias.name}" for alias in statement.names if alias.name != "*")]


def imported(
    statement: ast.Import | ast.ImportFrom, module: Module, modules: Mapping[str, Module]
) -> dict[str, Symbol | None]:
    """What the names that the statement binds stand for; `modules` are those of the workflow that were read."""
    if isinstance(statement, ast.Import):
        tops = {alias: alias.name.partition(".")[0] for alias in statement.names}
        return {
            alias.asname or top: Symbol("module", alias.name if alias.asname else top) for alias, top in tops.items()
        }
    source = source_of(statement, module)
    offered: dict[str, Symbol] = dict(modules[source].names) if source in modules else {}
    if source == RUNTIME:
        offered[WORKFLOW_CLASS] = CLASS_SYMBOL
    if any(alias.name == "*" for alias in statement.names):
        listed = modules[source].exported if source in modules else None
        return {
            name: symbol
            for name, symbol in offered.items()
            if (not name.startswith("_") if listed is None else name in listed)
        }
    for alias in statement.names:
        submodule = f"{source}.{alias.name}"
        if alias.name not in offered and submodule in {RUNTIME, *modules}:
            offered[alias.name] = Symbol("module", submodule)
    return {alias.asname or alias.name: offered.get(alias.name) for alias in statement.names}


def check_reference_system(statement: ast.Import | ast.ImportFrom, module: Module) -> None:
    """Refuse an import of the reference system's client: it has the same programming model, in another package."""
    names = modules_of(statement, module) if isinstance(statement, ast.Import) or not statement.level else []
    for name in names:
        if f"{name}.".startswith((f"{REFERENCE_SYSTEM}.", f"{ITS_OLD_NAME}.")):
            alias = f" as {OLD_CLASS}" if name.startswith(ITS_OLD_NAME) else ""
            raise InvalidWorkflowError(
                "this is the reference system's import",
                where=module.where(statement),
                found=written(statement),
                fix=f"write `from {RUNTIME} import {WORKFLOW_CLASS}{alias}`",
            )
