"""What can be said of a function from its syntax alone: what it binds, where it always ends, where it may return."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_SUPPRESS = frozenset({"suppress"})


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


def written(node: ast.AST) -> str:
    """The source of a node, as Python would write it; of one that is nested more deeply than that, a word on it."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return f"({type(node).__name__}, nested too deeply to be shown)"


def suppresses(expression: ast.expr, names: frozenset[str] = _SUPPRESS) -> bool:
    """Whether the expression, the head of a `with`, swallows errors: `suppress(...)` or `contextlib.suppress(...)`.

    `names` are all that stand for `suppress` in the module: see `suppressors`.
    """
    return isinstance(expression, ast.Call) and _last_name(expression.func) in names


def suppressors(module: ast.Module) -> frozenset[str]:
    """The names that stand for `contextlib.suppress` in a module: its own, and those that it gets there."""
    names = set(_SUPPRESS)
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(module="contextlib", names=aliases):
                names |= {alias.asname for alias in aliases if alias.asname and alias.name in names}
            case ast.Assign(targets=targets, value=value) if _last_name(value) in names:
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _last_name(value) in names:
                names.add(name)
            case ast.ClassDef(name=name, bases=bases) if names.intersection(map(_last_name, bases)):
                names.add(name)
    return frozenset(names)


def exported(module: ast.Module) -> frozenset[str] | None:
    """The names in `__all__`; None if there is none, or one that is not written out as literals."""
    found: set[str] | None = None
    for statement in module.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                found = _texts(value)
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
                more = _texts(value)
                found = None if found is None or more is None else found | more
    return None if found is None else frozenset(found)


def _texts(expression: ast.expr) -> set[str] | None:
    if not isinstance(expression, ast.List | ast.Tuple):
        return None
    values = [each.value for each in expression.elts if isinstance(each, ast.Constant)]
    texts = {value for value in values if isinstance(value, str)}
    return texts if len(values) == len(expression.elts) else None


def _last_name(expression: ast.expr) -> str:
    """The name, or the last part of a dotted name; empty for another expression."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def may_return(statement: ast.stmt) -> bool:
    """Whether a `return` of the function stands somewhere inside the statement."""
    return not isinstance(statement, SCOPES) and any(isinstance(node, ast.Return) for node in own_nodes(statement))


def always_ends(statement: ast.stmt, suppressing: frozenset[str] = _SUPPRESS) -> bool:
    """Whether the function always ends in the statement, by `return` or `raise`; `suppressing` as for `suppresses`."""

    def one_ends(statements: Sequence[ast.stmt]) -> bool:
        return any(always_ends(each, suppressing) for each in statements)

    match statement:
        case ast.If():
            return one_ends(statement.body) and one_ends(statement.orelse)
        case ast.With():
            swallows = any(suppresses(item.context_expr, suppressing) for item in statement.items)
            return one_ends(statement.body) and not swallows
        case ast.While(test=ast.Constant(value=value)) if value:
            return not any(isinstance(node, ast.Break) for node in own_nodes(statement))
        case ast.Try():
            straight = one_ends(statement.body) or one_ends(statement.orelse)
            handled = all(one_ends(handler.body) for handler in statement.handlers)
            return one_ends(statement.finalbody) or (straight and handled)
        case ast.Match():
            last = statement.cases[-1]
            catches_all = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None
            return catches_all and all(one_ends(case.body) for case in statement.cases)
        case _:
            return isinstance(statement, ast.Return | ast.Raise)
