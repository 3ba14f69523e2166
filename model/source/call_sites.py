"""Where the calls of a body stand, and what stands around them that may skip or repeat them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.scope import INVOKE, PREDECESSOR_DATA, FunctionNode, Scope
from caribou.model.source.syntax import own_nodes, written

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_CONDITION = "always call it and give the condition as third argument, `conditional`"
_LOOP = "write a call for each successor, or give one successor the whole list"
_OUTSIDE = "move the call into the body of the registered function itself"
_ALONE = "make the call a statement of its own"
_STRAIGHT = "always call it, and give conditions to the calls inside it, as their third argument, `conditional`"

_REFUSED: tuple[tuple[tuple[type[ast.AST], ...], str, str], ...] = (
    ((ast.If,), "an `if`", _CONDITION),
    ((ast.Match,), "a `match`", _CONDITION),
    ((ast.For, ast.AsyncFor, ast.While), "a loop", _LOOP),
    ((ast.Try, ast.TryStar), "a `try`", "move the call behind the `try`, with a condition as third argument"),
    (_COMPREHENSIONS, "a comprehension", _LOOP),
    ((ast.Lambda,), "a lambda", _OUTSIDE),
    ((ast.FunctionDef, ast.AsyncFunctionDef), "a nested function", _OUTSIDE),
    ((ast.ClassDef,), "a class", _OUTSIDE),
    ((ast.IfExp,), "a conditional expression", _CONDITION),
    ((ast.BoolOp,), "an operand of `and` or `or`", _CONDITION),
    ((ast.Compare,), "a comparison", _ALONE),
    ((ast.Assert,), "an `assert`", _ALONE),
)


def only_call(nodes: Iterable[ast.AST], scope: Scope) -> ast.Call | None:
    """The invocation in a statement or in the head of a `with`, or the call there that hands the workflow to a helper.

    Raises InvalidWorkflowError if it may be skipped or repeated, and for two, which would have no order.
    """
    found = [pair for node in nodes for pair in _edges_in(node, scope)]
    for number, (call, reason) in enumerate(found):
        if reason is not None:
            raise _refused(call, reason, scope)
        if number:
            raise InvalidWorkflowError(
                f"{_shown(call)} stands twice in one statement", where=scope.where(call), fix=_ALONE
            )
    return found[0][0] if found else None


def check_none(statement: ast.With, scope: Scope) -> None:
    """Refuse such calls anywhere in a `with` that swallows errors."""
    for call, _ in _edges_in(statement, scope):
        raise InvalidWorkflowError(
            f"{_shown(call)} stands in a `with suppress(...)`, which may skip it",
            where=scope.where(call),
            fix="move the call behind the `with`, with a condition as third argument",
        )


def reads_predecessors(function: FunctionNode, scope: Scope) -> bool:
    """Whether `get_predecessor_data()` is called anywhere in the function's own body, in an `if` or a loop too."""
    own = {id(node) for node in own_nodes(function)}
    calls = [
        call
        for statement in function.body
        for call, _ in _calls_of(statement, lambda call: _calls(call, PREDECESSOR_DATA))
    ]
    for call in calls:
        if id(call) not in own:
            raise InvalidWorkflowError(
                f"`{PREDECESSOR_DATA}` stands in a nested function, so it can't be known whether it is called",
                where=scope.where(call),
                fix=_OUTSIDE,
            )
    return bool(calls)


def _edges_in(root: ast.AST, scope: Scope) -> list[tuple[ast.Call, ast.AST | None]]:
    return _calls_of(root, lambda call: _calls(call, INVOKE) or scope.helper_of(call) is not None)


def _calls(call: ast.Call, method: str) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == method


def _calls_of(root: ast.AST, wanted: Callable[[ast.Call], bool]) -> list[tuple[ast.Call, ast.AST | None]]:
    """Some calls at or below a node in the order of the source, each with the innermost hindrance to it."""
    found: list[tuple[ast.Call, ast.AST | None]] = []
    stack: list[tuple[ast.AST, ast.AST | None]] = [(root, None)]
    while stack:
        node, reason = stack.pop()
        if isinstance(node, ast.Call) and wanted(node):
            found.append((node, reason))
        reason = node if _why(node) else reason
        stack.extend((child, reason) for child in ast.iter_child_nodes(node))
    return sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset))


def _why(node: ast.AST) -> tuple[str, str] | None:
    return next(((text, fix) for types, text, fix in _REFUSED if isinstance(node, types)), None)


def _refused(call: ast.Call, reason: ast.AST, scope: Scope) -> InvalidWorkflowError:
    text, fix = _why(reason) or ("code that may not run", _OUTSIDE)
    return InvalidWorkflowError(
        f"{_shown(call)} stands in {text}, so the DAG can't be derived",
        where=scope.where(call),
        fix=fix if _calls(call, INVOKE) else _STRAIGHT,
    )


def _shown(call: ast.Call) -> str:
    """How errors name the call."""
    return f"`{INVOKE}`" if _calls(call, INVOKE) else f"`{written(call.func)}`, which gets the workflow,"
