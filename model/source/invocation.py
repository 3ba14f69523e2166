"""One `invoke_serverless_function`: whom it calls, and whether on a condition."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from caribou.model.canonical import digest_of
from caribou.model.errors import InvalidWorkflowError
from caribou.model.graph import CALL_DIGEST_LENGTH
from caribou.model.source.scope import INVOKE, Scope
from caribou.model.source.syntax import written
from caribou.model.source.unfold import Invocation


def read_invocation(call: ast.Call, scope: Scope, through: Sequence[ast.Call], *, may_be_left: bool) -> Invocation:
    """The edge that the call is; one that may be left out is conditional whatever its arguments are.

    `through` has the calls of helpers that lead to it, the outermost first.
    """
    _check_arguments(call, scope)
    target = _target(function_argument(call), call, scope)
    condition = [*call.args[2:3], *(keyword.value for keyword in call.keywords if keyword.arg == "conditional")]
    conditional = any(not (isinstance(value, ast.Constant) and value.value is True) for value in condition)
    digest = digest_of([list(_words(each)) for each in (*through, call)])[:CALL_DIGEST_LENGTH]
    return Invocation(target, conditional or may_be_left, scope.where(call), digest)


def function_argument(call: ast.Call) -> list[ast.expr]:
    """Whom an invocation calls, if it says so: its first argument, by position or by name."""
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "function")]


def _words(call: ast.Call) -> Iterator[str]:
    """What a call says, without layout and comments: level by level, since it may be deeper than Python recurses."""
    for node in ast.walk(call):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                yield f"{name} {[type(each).__name__ for each in value]}"
            elif name != "kind":  # of a text: that it has a `u` in front
                yield f"{name} {type(value).__name__ if isinstance(value, ast.AST) else ascii(value)}"


def _check_arguments(call: ast.Call, scope: Scope) -> None:
    names = [*("function", "payload", "conditional")[: len(call.args)], *(keyword.arg for keyword in call.keywords)]
    wrong = [name for name in names if name not in {"function", "payload", "conditional"}]
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    if wrong or starred or len(call.args) > 3 or len(set(names)) < len(names):
        raise InvalidWorkflowError(
            "the invocation's arguments can't be read",
            where=scope.where(call),
            found=written(call),
            fix=f"write `workflow.{INVOKE}(function, payload, conditional)`, without `*`",
        )


def _target(arguments: Sequence[ast.expr], call: ast.Call, scope: Scope) -> str:
    if not arguments or not isinstance(arguments[0], ast.Name):
        raise InvalidWorkflowError(
            "the invocation's first argument is not the bare name of a function",
            where=scope.where(call),
            found=written(arguments[0]) if arguments else "nothing",
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
