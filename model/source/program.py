"""A workflow's source once it was read: its modules, its functions, and the plain functions that may help them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from caribou.model.source.imports import Module, imported
from caribou.model.source.scope import FunctionNode, Symbol
from caribou.model.source.syntax import bound_in, own_nodes


@dataclass(frozen=True, slots=True)
class RegisteredFunction:
    """A function with `@workflow.serverless_function(...)` above it."""

    module: Module
    node: FunctionNode
    decorator: ast.Call


@dataclass(frozen=True, slots=True)
class Helper:
    """A plain function, without a decorator, at the top level of a module."""

    module: Module
    node: FunctionNode


@dataclass(frozen=True)
class Program:
    """All modules read, the one call of CaribouWorkflow, and the functions in the order of their registration."""

    modules: Mapping[str, Module]
    workflow: tuple[Module, ast.Call]
    registered: Mapping[str, RegisteredFunction]
    helpers: Mapping[str, Helper]

    def local_names(
        self, function: FunctionNode | ast.Lambda, module: Module, given: Mapping[str, Symbol]
    ) -> dict[str, Symbol | None]:
        """What the names that are bound inside a function stand for: imported symbols, or None for its variables.

        `given` is what its parameters stand for. A name that is bound twice is a variable.
        """
        bound = Counter(bound_in(function))
        names: dict[str, Symbol | None] = {**dict.fromkeys(bound), **given}
        for node in own_nodes(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.update(imported(node, module, self.modules))
        return {name: symbol if bound[name] == 1 else None for name, symbol in names.items()}
