"""What can be said of a function from its syntax alone: what it binds, where it always ends, where it may return."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `root` that belong to its own scope: what is inside functions, classes, lambdas is left out."""
    stack = list(ast.iter_child_nodes(root))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, SCOPES):
            stack.extend(ast.iter_child_nodes(node))


def bound_in(root: ast.AST) -> Iterator[str]:
    """The names that a function, a lambda or a statement binds in its own scope: parameters, variables, imports.

    A name comes as often as it is bound.
    """
    of_function = isinstance(root, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for node in own_nodes(root) if of_function else (root, *own_nodes(root)):
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)


def suppresses(expression: ast.expr) -> bool:
    """Whether the expression, the head of a `with`, swallows errors: `suppress(...)` or `contextlib.suppress(...)`."""
    return isinstance(expression, ast.Call) and ast.unparse(expression.func).split(".")[-1] == "suppress"


def may_return(statement: ast.stmt) -> bool:
    """Whether a `return` of the function stands somewhere inside the statement."""
    return not isinstance(statement, SCOPES) and any(isinstance(node, ast.Return) for node in own_nodes(statement))


def always_ends(statement: ast.stmt) -> bool:
    """Whether the function always ends in the statement, by `return` or `raise`."""
    match statement:
        case ast.If():
            return _one_ends(statement.body) and _one_ends(statement.orelse)
        case ast.With():
            return _one_ends(statement.body) and not any(suppresses(item.context_expr) for item in statement.items)
        case ast.While(test=ast.Constant(value=value)) if value:
            return not any(isinstance(node, ast.Break) for node in own_nodes(statement))
        case ast.Try():
            return _try_ends(statement)
        case ast.Match():
            last = statement.cases[-1]
            catches_all = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None
            return catches_all and all(_one_ends(case.body) for case in statement.cases)
        case _:
            return isinstance(statement, ast.Return | ast.Raise)


def _one_ends(statements: Sequence[ast.stmt]) -> bool:
    return any(always_ends(statement) for statement in statements)


def _try_ends(statement: ast.Try) -> bool:
    straight = _one_ends(statement.body) or _one_ends(statement.orelse)
    handled = all(_one_ends(handler.body) for handler in statement.handlers)
    return _one_ends(statement.finalbody) or (straight and handled)
