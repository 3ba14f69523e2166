"""Helpers that get the workflow: what their parameters stand for in one call.

A parameter that gets the bare name of the workflow, or of a registered function, stands for it in the helper's body;
all others are plain data.
"""

from __future__ import annotations

import ast
from inspect import Parameter, Signature

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.scope import FunctionNode, Scope, Symbol
from caribou.model.source.syntax import written


def given_symbols(call: ast.Call, helper: FunctionNode, scope: Scope) -> dict[str, Symbol]:
    """What the helper's parameters stand for in a call; `scope` is the caller's.

    Raises InvalidWorkflowError where it can't be read which parameter gets what.
    """
    given: dict[str, Symbol] = {}
    for name, value in _arguments(call, helper, scope).items():
        if isinstance(value, ast.expr):
            symbol = _of_interest(value, scope)
            if symbol:
                given[name] = symbol
        elif any(_of_interest(each, scope) for each in (value.values() if isinstance(value, dict) else value)):
            raise InvalidWorkflowError(
                f"the helper gathers the workflow or a registered function in a parameter with `*`, at "
                f"line {helper.lineno}",
                where=scope.where(call),
                found=written(call),
                fix=f"give `def {helper.name}` a parameter of its own for it, instead of `{name}`",
            )
    return given


def _of_interest(value: ast.expr, scope: Scope) -> Symbol | None:
    symbol = scope.symbol(value)
    return symbol if symbol and symbol.kind in {"workflow", "function"} else None


def _arguments(
    call: ast.Call, helper: FunctionNode, scope: Scope
) -> dict[str, ast.expr | tuple[ast.expr, ...] | dict[str, ast.expr]]:
    """The call's arguments by the helper's parameters, as Python assigns them."""
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    problem = "`*` in the call hides what is given"
    if len(named) == len(call.keywords) and not any(isinstance(argument, ast.Starred) for argument in call.args):
        try:
            return _signature(helper.args).bind(*call.args, **named).arguments
        except TypeError as error:
            problem = str(error)
    raise InvalidWorkflowError(
        f"the arguments of a helper that gets the workflow can't be read: {problem}",
        where=scope.where(call),
        found=written(call),
        fix=f"give each parameter of `def {helper.name}({written(helper.args)})` its argument, without `*`",
    )


def _signature(arguments: ast.arguments) -> Signature:
    """The parameters of a `def`; what a default is does not matter, only that there is one."""
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    parameters = [
        Parameter(
            argument.arg,
            Parameter.POSITIONAL_ONLY if n < len(arguments.posonlyargs) else Parameter.POSITIONAL_OR_KEYWORD,
            default=Parameter.empty if n < required else None,
        )
        for n, argument in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    parameters += [
        Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=None if default else Parameter.empty)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(parameters)
