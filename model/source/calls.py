"""What one registered function does to the DAG: whom it invokes, and whether it is a sync node's function.

Only what happens in every run of the function, once and in the order of the source, can be read: statements of the
body itself, and those inside `with`. The body of a helper that gets the workflow is read in the place of the call. The
runtime counts the calls of a run; the n-th is the n-th that is read. A `return` that may come before a call makes the
call's edge conditional: the runtime reports the calls that were not reached as skipped, and they are always the last
ones.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.call_sites import check_none, only_call, reads_predecessors
from caribou.model.source.helper_parameters import given_symbols
from caribou.model.source.hidden_calls import check_kind, check_parameters, check_uses
from caribou.model.source.invocation import read_invocation
from caribou.model.source.scope import FunctionNode, Scope
from caribou.model.source.syntax import always_ends, may_return, suppresses, written
from caribou.model.source.unfold import Invocation

MAX_HELPERS = 50
"""Of one registered function, those that helpers call counted too: helpers that call two each would have no end."""


@dataclass(slots=True)
class Reading:
    """What was read of a registered function: its invocations in order, and whether it reads predecessors' data.

    `helpers` has the definitions that were read in the place of calls, by their targets, and `named` the identities of
    the names that stand in those calls. `path` leads to the helper that is being read, and `broken_off` names one
    that may have returned before its last call.
    """

    calls: list[Invocation] = field(default_factory=list)
    sync: bool = False
    helpers: dict[str, FunctionNode] = field(default_factory=dict)
    named: list[int] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    broken_off: str | None = None


@dataclass(slots=True)
class _Frame:
    """The state of reading one body, the registered function's or a helper's, statement by statement.

    `through` has the calls that lead to a helper's body; `conditional` is whether a caller may have returned before;
    `returned_at` the number of calls when the body itself may have returned; `ended_at` the line where it always has.
    """

    scope: Scope
    reading: Reading
    through: tuple[ast.Call, ...] = ()
    conditional: bool = False
    returned_at: int | None = None
    ended_at: int | None = None

    @property
    def may_be_left(self) -> bool:
        """Whether there are runs that do not come as far as this."""
        return self.conditional or self.returned_at is not None


def read_body(function: FunctionNode, scope: Scope) -> Reading:
    """The function's invocations in the order in which they are made; InvalidWorkflowError if they can't be known."""
    check_parameters(function, scope)
    reading = Reading()
    _read_function(function, _Frame(scope, reading), "a registered function")
    return reading


def _read_function(function: FunctionNode, frame: _Frame, what: str) -> None:
    check_kind(function, frame.scope, what)
    check_uses(function, frame.scope)
    frame.reading.sync |= reads_predecessors(function, frame.scope)
    _read(function.body, frame)


def _read(statements: Sequence[ast.stmt], frame: _Frame) -> None:
    for statement in statements:
        if isinstance(statement, ast.With):
            _read_with(statement, frame)
        else:
            _read_call_in([statement], frame)
            _follow(statement, frame)


def _read_with(statement: ast.With, frame: _Frame) -> None:
    """A `with` is read like its body, but one that swallows errors may skip what is in it."""
    if any(suppresses(item.context_expr, frame.scope.suppressing) for item in statement.items):
        check_none(statement, frame.scope)
        _follow(statement, frame)
    else:
        _read_call_in([item.context_expr for item in statement.items], frame)
        _read(statement.body, frame)


def _follow(statement: ast.stmt, frame: _Frame) -> None:
    """What the statement means for those after it: none is reached, or perhaps none."""
    if frame.ended_at is None and always_ends(statement, frame.scope.suppressing):
        frame.ended_at = statement.lineno
    if frame.returned_at is None and may_return(statement):
        frame.returned_at = len(frame.reading.calls)


def _read_call_in(nodes: Sequence[ast.AST], frame: _Frame) -> None:
    """Note the call in a statement, or in the head of a `with`."""
    call = only_call(nodes, frame.scope)
    if call is None:
        return
    if frame.ended_at is not None:
        raise InvalidWorkflowError(
            f"the call can't be reached: the function always ends at line {frame.ended_at}",
            where=frame.scope.where(call),
            fix="remove the call, or move it before that line",
        )
    if helper := frame.scope.helper_of(call):
        _read_helper(call, helper, frame)
    else:
        _note(call, frame)


def _note(call: ast.Call, frame: _Frame) -> None:
    reading = frame.reading
    if reading.broken_off is not None:
        raise InvalidWorkflowError(
            f"it can't be known which call this is, since {reading.broken_off} may return before its last call",
            where=frame.scope.where(call),
            found=written(call),
            fix="let that helper give its calls a condition as third argument, without a `return` before them",
        )
    reading.calls.append(read_invocation(call, frame.scope, frame.through, may_be_left=frame.may_be_left))


def _read_helper(call: ast.Call, target: str, frame: _Frame) -> None:
    """Read the helper's body as if it stood in the place of the call."""
    reading, scope = frame.reading, frame.scope
    _check_ends(call, target, frame)
    helper = scope.definition(target)
    inside = scope.inside(target, given_symbols(call, helper, scope))
    inner = _Frame(inside, reading, (*frame.through, call), conditional=frame.may_be_left)
    reading.helpers[target] = helper
    reading.named.append(id(call.func))
    reading.path.append(target)
    _read_function(helper, inner, "a helper that gets the workflow")
    reading.path.pop()
    if inner.returned_at is not None and inner.returned_at < len(reading.calls):
        reading.broken_off = f"`{helper.name}` at {inner.scope.where(helper)}"


def _check_ends(call: ast.Call, target: str, frame: _Frame) -> None:
    """Refuse a helper that calls itself, and helpers that call each other too often to be read."""
    path, scope = frame.reading.path, frame.scope
    if target in path:
        names = [scope.definition(each).name for each in [*path[path.index(target) :], target]]
        raise InvalidWorkflowError(
            "a helper that gets the workflow calls itself, so its calls can't be counted",
            where=scope.where(call),
            found=" -> ".join(names),
            fix="do what has to be repeated in a helper that gets plain data, and hand the workflow on once",
        )
    if len(frame.reading.named) >= MAX_HELPERS:
        raise InvalidWorkflowError(
            f"a registered function hands the workflow to helpers more than {MAX_HELPERS} times, counting those of "
            "helpers",
            where=scope.where(call),
            found=written(call),
            fix="let the registered function make more of the calls itself",
        )
