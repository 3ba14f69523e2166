"""What one registered function does to the DAG: whom it invokes, and whether it is a sync node's function.

Only what happens in every run of the function, once and in the order of the source, can be read: statements of the
body itself, and those inside `with`. The runtime counts the calls of a run; the n-th is the n-th in the source. A
`return` that may come before a call makes the call's edge conditional: the runtime reports the calls that were not
reached as skipped, and they are always the last ones.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from caribou.model.errors import InvalidWorkflowError
from caribou.model.flow import SCOPES, always_ends, bound_in, may_return, own_nodes, suppresses
from caribou.model.unfold import Invocation

INVOKE = "invoke_serverless_function"
PREDECESSOR_DATA = "get_predecessor_data"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_CONDITION = "always call it and give the condition as third argument, `conditional`"
_LOOP = "write a call for each successor, or give one successor the whole list"
_OUTSIDE = "move the call into the body of the registered function itself"
_ALONE = "make the call a statement of its own"

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


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for, as far as it matters here. `target` is dotted: `app.workflow`, `steps.resize`."""

    kind: Literal["class", "workflow", "function", "module"]
    target: str


@dataclass(frozen=True, slots=True)
class Scope:
    """How names are read inside one function: `resolve` is None for what is neither workflow nor function.

    `registered` gives the workflow's name for a function by its symbol's target; `where` a node's file and line.
    """

    resolve: Callable[[str], Symbol | None]
    registered: Callable[[str], str]
    where: Callable[[ast.AST], str]


@dataclass(slots=True)
class _Reading:
    """The state of reading one body, statement by statement."""

    scope: Scope
    calls: list[Invocation] = field(default_factory=list)
    may_have_returned: bool = False
    ended_at: int | None = None


def read_body(function: FunctionNode, scope: Scope) -> tuple[tuple[Invocation, ...], bool]:
    """The function's invocations in the order of its source, and whether it reads its predecessors' data.

    Any `get_predecessor_data()` in the body itself counts, in an `if` or a loop too. Raises InvalidWorkflowError where
    the calls can't be told.
    """
    _check_kind(function, scope)
    _check_uses(function, scope)
    reading = _Reading(scope)
    _read(function.body, reading)
    return tuple(reading.calls), _reads_predecessors(function, scope)


def _reads_predecessors(function: FunctionNode, scope: Scope) -> bool:
    own = {id(node) for node in own_nodes(function)}
    calls = [call for statement in function.body for call, _ in _calls_of(statement, PREDECESSOR_DATA)]
    for call in calls:
        if id(call) not in own:
            raise InvalidWorkflowError(
                f"`{PREDECESSOR_DATA}` stands in a nested function, so it can't be told whether it is called",
                where=scope.where(call),
                fix=_OUTSIDE,
            )
    return bool(calls)


def _check_kind(function: FunctionNode, scope: Scope) -> None:
    if isinstance(function, ast.AsyncFunctionDef):
        raise InvalidWorkflowError(
            "a registered function is asynchronous",
            where=scope.where(function),
            found=function.name,
            fix="write `def`, and `asyncio.run(...)` for what has to be awaited",
        )
    for node in own_nodes(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise InvalidWorkflowError(
                "a registered function is a generator, whose body would never run",
                where=scope.where(node),
                found=function.name,
                fix="remove `yield`, or move it into a helper",
            )


def _check_uses(function: FunctionNode, scope: Scope) -> None:
    """Refuse what would hide a call: the workflow or a registered function used as a value."""
    allowed = _plain_uses(function, scope)
    for node, hidden in _with_hidden_names(function):
        if id(node) in allowed:
            continue
        if isinstance(node, ast.Attribute) and node.attr in {INVOKE, PREDECESSOR_DATA}:
            raise InvalidWorkflowError(
                f"`{node.attr}` is not called on the workflow by its name",
                where=scope.where(node),
                found=ast.unparse(node),
                fix=f"write `workflow.{node.attr}(...)`, with the name of the CaribouWorkflow of the module",
            )
        if isinstance(node, ast.Name) and node.id not in hidden:
            _check_value(node, scope)


def _with_hidden_names(function: FunctionNode) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Every node of the body, each with the names that nested functions around it have made their own."""
    stack: list[tuple[ast.AST, frozenset[str]]] = [(statement, frozenset()) for statement in reversed(function.body)]
    while stack:
        node, hidden = stack.pop()
        yield node, hidden
        if isinstance(node, SCOPES):
            hidden |= frozenset(bound_in(node))
        stack.extend((child, hidden) for child in reversed(list(ast.iter_child_nodes(node))))


def _check_value(node: ast.Name, scope: Scope) -> None:
    symbol = scope.resolve(node.id)
    if symbol is not None and symbol.kind == "workflow":
        raise InvalidWorkflowError(
            "the workflow is used as a value, so calls could be made where they can't be seen",
            where=scope.where(node),
            found=node.id,
            fix=f"call `{node.id}.{INVOKE}(...)` in the registered function itself, and give helpers plain data",
        )
    if symbol is not None and symbol.kind == "function":
        raise InvalidWorkflowError(
            "a registered function is used as a plain one",
            where=scope.where(node),
            found=node.id,
            fix=f"write `workflow.{INVOKE}({node.id}, payload)`, or move the shared code into a helper",
        )


def _plain_uses(function: FunctionNode, scope: Scope) -> set[int]:
    """Identities of the nodes in which the workflow and its functions are used as they should be."""
    allowed: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and _is_workflow(node.value, scope):
            allowed.add(id(node.value))
            if node.attr not in {INVOKE, PREDECESSOR_DATA}:
                allowed.add(id(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_workflow(node.func.value, scope):
            allowed.add(id(node.func))
            if node.func.attr == INVOKE:
                allowed.update(id(argument) for argument in _function_argument(node))
    return allowed


def _is_workflow(node: ast.expr, scope: Scope) -> bool:
    symbol = scope.resolve(node.id) if isinstance(node, ast.Name) else None
    return symbol is not None and symbol.kind == "workflow"


def _read(statements: Sequence[ast.stmt], reading: _Reading) -> None:
    for statement in statements:
        if isinstance(statement, ast.With):
            _read_with(statement, reading)
        else:
            _read_calls_in([statement], reading)
            _follow(statement, reading)


def _read_with(statement: ast.With, reading: _Reading) -> None:
    """A `with` is read like its body, but one that swallows errors may skip what is in it."""
    if not any(suppresses(item.context_expr) for item in statement.items):
        _read_calls_in([item.context_expr for item in statement.items], reading)
        _read(statement.body, reading)
        return
    for call, _ in _calls_of(statement, INVOKE):
        raise InvalidWorkflowError(
            f"`{INVOKE}` stands in a `with suppress(...)`, which may skip it",
            where=reading.scope.where(call),
            fix="move the call behind the `with`, with a condition as third argument",
        )
    reading.may_have_returned |= may_return(statement)


def _read_calls_in(nodes: Sequence[ast.AST], reading: _Reading) -> None:
    """Note the invocation in a statement, or in the head of a `with`; two in one would have no order."""
    found = [pair for node in nodes for pair in _calls_of(node, INVOKE)]
    for number, (call, reason) in enumerate(found):
        if reason is not None:
            raise _refused(INVOKE, call, reason, reading.scope)
        if number:
            raise InvalidWorkflowError(
                f"`{INVOKE}` stands twice in one statement", where=reading.scope.where(call), fix=_ALONE
            )
        if reading.ended_at is not None:
            raise InvalidWorkflowError(
                f"the call can't be reached: the function always ends at line {reading.ended_at}",
                where=reading.scope.where(call),
                fix="remove the call, or move it before that line",
            )
        reading.calls.append(_invocation(call, reading))


def _calls_of(root: ast.AST, method: str) -> list[tuple[ast.Call, ast.AST | None]]:
    """The calls of a method at or below a node in the order of the source, each with the innermost hindrance to it."""
    found: list[tuple[ast.Call, ast.AST | None]] = []
    stack: list[tuple[ast.AST, ast.AST | None]] = [(root, None)]
    while stack:
        node, reason = stack.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            found.append((node, reason))
        reason = node if _why(node) else reason
        stack.extend((child, reason) for child in ast.iter_child_nodes(node))
    return sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset))


def _why(node: ast.AST) -> tuple[str, str] | None:
    return next(((text, fix) for types, text, fix in _REFUSED if isinstance(node, types)), None)


def _refused(method: str, call: ast.Call, reason: ast.AST, scope: Scope) -> InvalidWorkflowError:
    text, fix = _why(reason) or ("code that may not run", _OUTSIDE)
    return InvalidWorkflowError(
        f"`{method}` stands in {text}, so the DAG can't be derived", where=scope.where(call), fix=fix
    )


def _function_argument(call: ast.Call) -> list[ast.expr]:
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "function")]


def _invocation(call: ast.Call, reading: _Reading) -> Invocation:
    scope = reading.scope
    _check_arguments(call, scope)
    target = _target(_function_argument(call), call, scope)
    condition = [*call.args[2:3], *(keyword.value for keyword in call.keywords if keyword.arg == "conditional")]
    conditional = any(not (isinstance(value, ast.Constant) and value.value is True) for value in condition)
    return Invocation(target, conditional or reading.may_have_returned, scope.where(call))


def _check_arguments(call: ast.Call, scope: Scope) -> None:
    names = [*("function", "payload", "conditional")[: len(call.args)], *(keyword.arg for keyword in call.keywords)]
    wrong = [name for name in names if name not in {"function", "payload", "conditional"}]
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    if wrong or starred or len(call.args) > 3 or len(set(names)) < len(names):
        raise InvalidWorkflowError(
            "the invocation's arguments can't be read",
            where=scope.where(call),
            found=ast.unparse(call),
            fix=f"write `workflow.{INVOKE}(function, payload, conditional)`, without `*`",
        )


def _target(arguments: Sequence[ast.expr], call: ast.Call, scope: Scope) -> str:
    if not arguments or not isinstance(arguments[0], ast.Name):
        raise InvalidWorkflowError(
            "the invocation's first argument is not the bare name of a function",
            where=scope.where(call),
            found=ast.unparse(arguments[0]) if arguments else "nothing",
            fix="name the function; import it if it is in another module: `from steps import resize`",
        )
    symbol = scope.resolve(arguments[0].id)
    if symbol is None or symbol.kind != "function":
        raise InvalidWorkflowError(
            "the invocation's first argument is not a registered function",
            where=scope.where(call),
            found=arguments[0].id,
            fix="put `@workflow.serverless_function()` above the function, at the top level of app.py or of a module "
            "beside it that app.py imports",
        )
    return scope.registered(symbol.target)


def _follow(statement: ast.stmt, reading: _Reading) -> None:
    """What the statement means for those after it: none is reached, or perhaps none."""
    if reading.ended_at is None and always_ends(statement):
        reading.ended_at = statement.lineno
    reading.may_have_returned |= may_return(statement)
