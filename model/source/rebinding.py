"""Names of registered functions that are bound again: Lambda would run what stands for them in the end.

The DAG is read out of the `def` with the decorator above it; a function is found by its name in its module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.imports import Module, source_of
from caribou.model.source.program import RegisteredFunction
from caribou.model.source.scope import FunctionNode
from caribou.model.source.syntax import SCOPES, written

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def check_rebinding(modules: Mapping[str, Module], registered: Mapping[str, RegisteredFunction]) -> None:
    """Raise InvalidWorkflowError for a second decorator, or a name that is bound again below its function."""
    for function in registered.values():
        _check_decorators(function)
    for module in modules.values():
        own = {each.node.name: each.node for each in registered.values() if each.module is module}
        for name, node in _all_bindings(module, modules):
            if name in own and node is not own[name] and _position(node) > _position(own[name]):
                raise _bound_again(name, node, module)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Global) and (names := own.keys() & set(node.names)):
                raise _bound_again(min(names), node, module)
            if isinstance(node, ast.Attribute) and _attribute(node, module) in registered:
                raise _bound_again(written(node), node, module)


def bindings(root: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The names that a statement, or a module, binds or deletes in its own scope, each with the node that does it.

    Variables of comprehensions are theirs alone, and an annotation without a value binds nothing. The names of a star
    import are not known here: it comes as `*`.
    """
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, node
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node
            case ast.MatchMapping(rest=str(name)):
                yield name, node
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in aliases)
        stack += reversed(_within(node))


def _within(node: ast.AST) -> list[ast.AST]:
    """What belongs to the same scope below a node."""
    if isinstance(node, SCOPES):
        return []
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return []
    if isinstance(node, ast.If) and written(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        return list(node.orelse)
    if isinstance(node, _COMPREHENSIONS):
        return [each for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
    return list(ast.iter_child_nodes(node))


def _all_bindings(module: Module, modules: Mapping[str, Module]) -> Iterator[tuple[str, ast.AST]]:
    """The bindings at the top of a module, star imports of the workflow's own modules as what they bring."""
    for name, node in bindings(module.tree):
        if name == "*" and isinstance(node, ast.ImportFrom):
            source = modules.get(source_of(node, module))
            yield from ((each, node) for each in (_offered(source) if source else ()))
        else:
            yield name, node


def _offered(source: Module) -> set[str]:
    """What a star import of a module binds."""
    if source.exported is not None:
        return set(source.exported)
    return {name for name, _ in bindings(source.tree) if not name.startswith("_")}


def _attribute(node: ast.Attribute, module: Module) -> str | None:
    """The function that `steps.resize = ...` would replace, if `steps` is a module of the workflow."""
    symbol = module.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if isinstance(node.ctx, ast.Load) or symbol is None or symbol.kind != "module":
        return None
    return f"{symbol.target}.{node.attr}"


def _check_decorators(function: RegisteredFunction) -> None:
    node: FunctionNode = function.node
    for decorator in node.decorator_list:
        if decorator is not function.decorator:
            raise InvalidWorkflowError(
                "a registered function has a second decorator, which may call it twice, never, or under another name",
                where=function.module.where(decorator),
                found=f"@{written(decorator)}",
                fix="decorate a plain function, and call that one from the registered function",
            )


def _bound_again(name: str, node: ast.AST, module: Module) -> InvalidWorkflowError:
    return InvalidWorkflowError(
        "the name of a registered function is bound again, so another object would be called",
        where=module.where(node),
        found=name,
        fix="use another name here",
    )


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
