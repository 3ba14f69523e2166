"""What names stand for inside one function, as far as it matters to the DAG."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

INVOKE = "invoke_serverless_function"
PREDECESSOR_DATA = "get_predecessor_data"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for. `target` is dotted: `app.workflow`, `steps.resize`, `src.fifth.fifth:7` for a helper.

    A helper is a plain function, without a decorator, at the top level of a module of the workflow's folder.
    """

    kind: Literal["class", "workflow", "function", "helper", "module"]
    target: str


@dataclass(frozen=True, slots=True)
class Scope:
    """How names are read inside one function: `resolve` is None for what is of no interest.

    `registered` gives the workflow's name for a function by its symbol's target; `where` a node's file and line;
    `definition` and `inside` a helper by its symbol's target: its `def`, and its scope, given what its parameters
    stand for. `suppressing` are the names of what swallows errors as the head of a `with`.
    """

    resolve: Callable[[str], Symbol | None]
    registered: Callable[[str], str]
    where: Callable[[ast.AST], str]
    definition: Callable[[str], FunctionNode]
    inside: Callable[[str, Mapping[str, Symbol]], Scope]
    suppressing: frozenset[str]

    def symbol(self, node: ast.expr) -> Symbol | None:
        """What an expression stands for: only a bare name stands for something."""
        return self.resolve(node.id) if isinstance(node, ast.Name) else None

    def is_workflow(self, node: ast.expr) -> bool:
        """Whether the expression is the workflow's bare name."""
        symbol = self.symbol(node)
        return symbol is not None and symbol.kind == "workflow"

    def helper_of(self, call: ast.Call) -> str | None:
        """The target of the helper that the call hands the workflow to, if it is such a call."""
        symbol = self.symbol(call.func)
        if symbol is None or symbol.kind != "helper" or not any(map(self.is_workflow, arguments_of(call))):
            return None
        return symbol.target


def arguments_of(call: ast.Call) -> list[ast.expr]:
    """The values of all arguments of a call."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]
