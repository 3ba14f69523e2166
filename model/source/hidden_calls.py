"""What would hide a call: a function whose body never runs, and the workflow or a function of it used as a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.invocation import function_argument
from caribou.model.source.scope import INVOKE, PREDECESSOR_DATA, FunctionNode, Scope, arguments_of
from caribou.model.source.syntax import SCOPES, bound_in, own_nodes, written

_MOST_ARGUMENTS = 2


def check_kind(function: FunctionNode, scope: Scope, what: str) -> None:
    """Refuse a function whose body does not run when it is called; `what` it is says the error."""
    if isinstance(function, ast.AsyncFunctionDef):
        raise InvalidWorkflowError(
            f"{what} is asynchronous",
            where=scope.where(function),
            found=function.name,
            fix="write `def`, and `asyncio.run(...)` for what has to be awaited",
        )
    for node in own_nodes(function):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise InvalidWorkflowError(
                f"{what} is a generator, whose body would never run",
                where=scope.where(node),
                found=function.name,
                fix="remove `yield`, or move it into a helper that gets plain data",
            )


def check_parameters(function: FunctionNode, scope: Scope) -> None:
    """Refuse a registered function that can't be called with a payload, or with a payload and the run's metadata."""
    given = function.args
    positional = len(given.posonlyargs) + len(given.args)
    must = positional - len(given.defaults)
    takes_payload = positional > 0 or given.vararg is not None
    if takes_payload and must <= _MOST_ARGUMENTS and None not in given.kw_defaults:
        return
    raise InvalidWorkflowError(
        "a registered function takes one argument, the payload, or two, the payload and the metadata",
        where=scope.where(function),
        found=f"def {function.name}({written(given)})",
        fix=f"write `def {function.name}(event):`",
    )


def check_uses(function: FunctionNode, scope: Scope) -> None:
    """Refuse what would hide a call: the workflow or a registered function used as a value."""
    allowed = _plain_uses(function, scope)
    for node, hidden in _with_hidden_names(function):
        if id(node) in allowed:
            continue
        if isinstance(node, ast.Attribute) and node.attr in {INVOKE, PREDECESSOR_DATA}:
            raise InvalidWorkflowError(
                f"`{node.attr}` is not called on the workflow by its name",
                where=scope.where(node),
                found=written(node),
                fix=f"write `workflow.{node.attr}(...)`, with the name of the CaribouWorkflow of the module, or in a "
                "helper of the parameter that gets it",
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
            fix=f"call `{node.id}.{INVOKE}(...)` in the registered function itself, or hand the bare name on to a "
            "plain function of the workflow's folder: `helper(workflow, ...)`",
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
        if isinstance(node, ast.Attribute) and scope.is_workflow(node.value):
            allowed.add(id(node.value))
            if node.attr not in {INVOKE, PREDECESSOR_DATA}:
                allowed.add(id(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and scope.is_workflow(node.func.value):
            allowed.add(id(node.func))
            if node.func.attr == INVOKE:
                allowed.update(id(argument) for argument in function_argument(node))
        if isinstance(node, ast.Call) and scope.helper_of(node):
            allowed.update(id(argument) for argument in arguments_of(node) if isinstance(argument, ast.Name))
    return allowed
