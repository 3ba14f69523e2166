"""Calls of the workflow outside of the bodies that were read: those would be missing from the DAG.

What was read are the bodies of registered functions, and those of helpers in the place of calls. Such a helper may be
called from nowhere else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.calls import Reading
from caribou.model.source.imports import Module
from caribou.model.source.program import Program
from caribou.model.source.scope import INVOKE, PREDECESSOR_DATA, FunctionNode, Symbol
from caribou.model.source.syntax import written

_Names = Mapping[str, Symbol | None]


def check_strays(program: Program, readings: Sequence[Reading]) -> None:
    """Raise InvalidWorkflowError for a call of the workflow, or of a helper that gets it, that was read nowhere."""
    helpers = {target: helper for reading in readings for target, helper in reading.helpers.items()}
    bodies = [*(function.node for function in program.registered.values()), *helpers.values()]
    read = {id(node) for body in bodies for statement in body.body for node in ast.walk(statement)}
    named = {name for reading in readings for name in reading.named}
    for module in program.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and id(node) not in read:
                _check_method(node, module)
        for expression, symbol in _symbols_in(module, program) if helpers else ():
            if symbol.target in helpers and id(expression) not in named:
                raise InvalidWorkflowError(
                    "a helper that gets the workflow is used in another way too, so its calls can't be counted",
                    where=module.where(expression),
                    found=written(expression),
                    fix="only call it from registered functions, and hand it the bare name of the workflow each time",
                )


def _check_method(node: ast.Attribute, module: Module) -> None:
    if node.attr in {INVOKE, PREDECESSOR_DATA}:
        raise InvalidWorkflowError(
            f"`{node.attr}` is called outside the body of a registered function",
            where=module.where(node),
            found=written(node),
            fix="move the call out of the helper, into the registered function that it belongs to, or let that "
            "function hand the bare name of the workflow to the helper: `helper(workflow, ...)`",
        )


def _symbols_in(module: Module, program: Program) -> Iterator[tuple[ast.expr, Symbol]]:
    """What is read by a name, or a dotted name through modules, anywhere in the module, with what it stands for."""
    stack: list[tuple[ast.AST, _Names]] = [(module.tree, module.names)]
    while stack:
        node, names = stack.pop()
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            symbol = _symbol(node, names, program)
            if symbol is not None:
                yield node, symbol
        if isinstance(node, FunctionNode | ast.Lambda):
            inner = {**names, **program.local_names(node, module, {})}
            stack.extend((child, inner) for child in (node.body if isinstance(node.body, list) else [node.body]))
            stack.extend((child, names) for child in (node.args, *getattr(node, "decorator_list", ())))
        else:
            stack.extend((child, names) for child in ast.iter_child_nodes(node))


def _symbol(node: ast.expr, names: _Names, program: Program) -> Symbol | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    base = _symbol(node.value, names, program) if isinstance(node, ast.Attribute) else None
    if not isinstance(node, ast.Attribute) or base is None or base.kind != "module":
        return None
    module = program.modules.get(base.target)
    inside = module.names.get(node.attr) if module else None
    return inside or Symbol("module", f"{base.target}.{node.attr}")
