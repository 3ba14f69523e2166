"""A workflow's modules as Python would execute them: which name stands for the workflow, and which for a function.

Only `app.py` and what it imports from its own folder is read, statement by statement, an import at once where it
stands. A module's `names` hold what a name stands for once it was executed; names that are of no interest (other
values, other packages) are not in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from caribou.model.errors import InvalidWorkflowError
from caribou.model.paths import is_file
from caribou.model.source.imports import (
    CLASS_SYMBOL,
    RUNTIME,
    WORKFLOW_CLASS,
    Module,
    check_reference_system,
    imported,
    modules_of,
    source_of,
)
from caribou.model.source.parsing import parsed
from caribou.model.source.program import Helper, Program, RegisteredFunction
from caribou.model.source.rebinding import bindings, check_rebinding
from caribou.model.source.scope import FunctionNode, Symbol
from caribou.model.source.syntax import own_nodes, written

APP = "app"
REGISTER = "serverless_function"
_WITH_STATEMENTS = (
    *(ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match),
    *(ast.ExceptHandler, ast.match_case),
)


def read_program(folder: Path, python_version: str | None = None) -> Program:
    """Read `app.py` in the folder and what it imports from there, as that Python would. Raises InvalidWorkflowError."""
    reader = _Reader(folder, python_version)
    if reader.load(APP) is None:
        raise InvalidWorkflowError(
            "the workflow has no app.py", where=str(folder), fix="write the workflow's code in app.py in that folder"
        )
    reader.check_imports()
    for module in reader.modules.values():
        _check_strays(module, reader)
    check_rebinding(reader.modules, reader.registered)
    return Program(reader.modules, _only_workflow(reader), reader.registered, reader.helpers)


def _only_workflow(reader: _Reader) -> tuple[Module, ast.Call]:
    if not reader.workflows:
        raise InvalidWorkflowError(
            f"app.py and what it imports define no {WORKFLOW_CLASS}",
            where=str(reader.modules[APP].path),
            fix=f"write `from {RUNTIME} import {WORKFLOW_CLASS}` and "
            f'`workflow = {WORKFLOW_CLASS}(name="...", version="0.0.1")` at the top level',
        )
    if len(reader.workflows) > 1:
        (first, first_call), (second, second_call) = reader.workflows[:2]
        raise InvalidWorkflowError(
            f"there are two workflows, the first at {first.where(first_call)}",
            where=second.where(second_call),
            fix=f"keep one {WORKFLOW_CLASS}, and import its variable where it is needed",
        )
    return reader.workflows[0]


@dataclass
class _Reader:
    """Executes modules in the abstract, each once, in the order of their imports."""

    folder: Path
    python_version: str | None = None
    modules: dict[str, Module] = field(default_factory=dict)
    workflows: list[tuple[Module, ast.Call]] = field(default_factory=list)
    registered: dict[str, RegisteredFunction] = field(default_factory=dict)
    helpers: dict[str, Helper] = field(default_factory=dict)
    too_early: list[tuple[Module, ast.stmt, Module, str]] = field(default_factory=list)

    def load(self, name: str) -> Module | None:
        """The module of that dotted name with its packages, or None if it is not in the workflow's folder."""
        if name in self.modules:
            return self.modules[name]
        parent = name.rpartition(".")[0]
        path = self._path(name)
        if path is None or (parent and self._path(parent) and self.load(parent) is None):
            return None
        module = Module(name, path, parsed(path, self.python_version))
        self.modules[name] = module
        for statement in module.tree.body:
            self._execute(statement, module)
        for statement in module.tree.body:
            self._load_later(statement, module)
        return module

    def check_imports(self) -> None:
        """Refuse `from app import workflow` in a module that app.py imports before it has made the workflow."""
        for module, statement, source, name in self.too_early:
            if name in source.names:
                raise InvalidWorkflowError(
                    f"{source.name} has not defined {name} yet when it imports this module",
                    where=module.where(statement),
                    found=name,
                    fix=f"define {name} above that import, or in a module that both import",
                )

    def _path(self, name: str) -> Path | None:
        base = self.folder.joinpath(*name.split("."))
        candidates = (base / "__init__.py", base.with_suffix(".py"))
        found = next((path for path in candidates if is_file(path)), None)
        if found is not None and not found.resolve().is_relative_to(self.folder.resolve()):
            raise InvalidWorkflowError(
                "leads out of the workflow's folder", where=str(found), fix="put the file itself into the folder"
            )
        return found

    def _execute(self, statement: ast.stmt, module: Module) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._import(statement, module)
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value, module)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign([target], value, module)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._define(statement, module)
            case ast.ClassDef():
                module.names.pop(statement.name, None)
            case ast.AnnAssign():
                pass  # a name without a value
            case ast.If() if _is_type_checking(statement.test):
                self._execute_nested(statement.orelse, module)
            case _:
                self._execute_nested(ast.iter_child_nodes(statement), module)

    def _execute_nested(self, nodes: Iterator[ast.AST] | Sequence[ast.AST], module: Module) -> None:
        """In compound statements at the top level: imports count, and what names may have stood for is forgotten."""
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node, module, certain=False)
            elif isinstance(node, ast.If):
                self._execute(node, module)
            elif isinstance(node, _WITH_STATEMENTS):
                module.names.pop(getattr(node, "name", None) or "", None)
                self._execute_nested(ast.iter_child_nodes(node), module)
            else:
                for name, _ in bindings(node):
                    module.names.pop(name, None)

    def _import(self, statement: ast.Import | ast.ImportFrom, module: Module, *, certain: bool = True) -> None:
        """Load and bind; of two imports in an `if` or a `try` it can't be known which helper a name will stand for."""
        check_reference_system(statement, module)
        for name in modules_of(statement, module):
            self.load(name)
        if isinstance(statement, ast.ImportFrom):
            source = self.modules.get(source_of(statement, module))
            for alias in statement.names if source else []:
                if source and alias.name not in source.names:
                    self.too_early.append((module, statement, source, alias.name))
        for name, symbol in imported(statement, module, self.modules).items():
            known = certain or symbol is None or symbol.kind != "helper"
            _bind(module, name, symbol if known else None)

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr, module: Module) -> None:
        symbol = self._value(value, module)
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    _bind(module, node.id, symbol if node is target else None)

    def _value(self, value: ast.expr, module: Module) -> Symbol | None:
        if isinstance(value, ast.Name):
            return module.names.get(value.id)
        if isinstance(value, ast.Call) and _symbol(value.func, module) == CLASS_SYMBOL:
            self.workflows.append((module, value))
            return Symbol("workflow", f"{module.name}.{len(self.workflows)}")
        return None

    def _define(self, node: FunctionNode, module: Module) -> None:
        decorator = next((d for d in node.decorator_list if _registers(d, module)), None)
        if not isinstance(decorator, ast.Call):
            self._define_plain(node, module)
            return
        _check_place(node, module)
        target = f"{module.name}.{node.name}"
        if target in self.registered:
            raise InvalidWorkflowError(
                "two registered functions have the same Python name in one module",
                where=module.where(node),
                found=node.name,
                fix="rename one of them",
            )
        self.registered[target] = RegisteredFunction(module, node, decorator)
        module.names[node.name] = Symbol("function", target)

    def _define_plain(self, node: FunctionNode, module: Module) -> None:
        target = f"{module.name}.{node.name}:{node.lineno}"
        self.helpers[target] = Helper(module, node)
        _bind(module, node.name, None if node.decorator_list else Symbol("helper", target))

    def _load_later(self, statement: ast.stmt, module: Module) -> None:
        """Load what the module's functions import when they are called."""
        for scope in (node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            for node in own_nodes(scope):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    check_reference_system(node, module)
                    for name in modules_of(node, module):
                        self.load(name)


def _bind(module: Module, name: str, symbol: Symbol | None) -> None:
    if symbol is None:
        module.names.pop(name, None)
    else:
        module.names[name] = symbol


def _symbol(expression: ast.expr, module: Module) -> Symbol | None:
    """What a name, or a dotted name through modules, stands for."""
    if isinstance(expression, ast.Name):
        return module.names.get(expression.id)
    if isinstance(expression, ast.Attribute):
        base = _symbol(expression.value, module)
        if base and base.kind == "module" and f"{base.target}.{expression.attr}" == CLASS_SYMBOL.target:
            return CLASS_SYMBOL
        if base and base.kind == "module" and f"{RUNTIME}.".startswith(f"{base.target}.{expression.attr}."):
            return Symbol("module", f"{base.target}.{expression.attr}")
    return None


def _registers(decorator: ast.expr, module: Module) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not isinstance(function, ast.Attribute) or function.attr != REGISTER:
        return False
    symbol = _symbol(function.value, module)
    if symbol is None or symbol.kind != "workflow":
        raise InvalidWorkflowError(
            "the decorator is not that of the workflow",
            where=module.where(decorator),
            found=f"@{written(function)}",
            fix=f"use the variable that holds the {WORKFLOW_CLASS}: `from app import workflow` if it is in app.py",
        )
    if not isinstance(decorator, ast.Call):
        raise InvalidWorkflowError(
            "the decorator is not called",
            where=module.where(decorator),
            found=f"@{written(decorator)}",
            fix=f"write `@{written(decorator)}()`",
        )
    return True


def _check_place(node: FunctionNode, module: Module) -> None:
    if "." in module.name or module.path.name == "__init__.py":
        raise InvalidWorkflowError(
            "a function is registered in a package",
            where=module.where(node),
            found=module.name,
            fix="move it into app.py or a module beside it, and keep helpers in the package",
        )


def _is_type_checking(test: ast.expr) -> bool:
    return written(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "False"}


def _check_strays(module: Module, reader: _Reader) -> None:
    """Refuse workflows and registrations anywhere but in their place."""
    in_place = {id(call) for _, call in reader.workflows}
    in_place |= {id(function.decorator.func) for function in reader.registered.values()}
    for node in ast.walk(module.tree):
        if id(node) in in_place:
            continue
        if isinstance(node, ast.Call) and _symbol(node.func, module) == CLASS_SYMBOL:
            raise InvalidWorkflowError(
                f"{WORKFLOW_CLASS} is not assigned to a variable at the top level",
                where=module.where(node),
                fix=f"write `workflow = {WORKFLOW_CLASS}(...)` as a statement of its own, not indented",
            )
        if isinstance(node, ast.Attribute) and node.attr == REGISTER:
            raise InvalidWorkflowError(
                "a function is registered elsewhere than at the top level of its module",
                where=module.where(node),
                found=written(node),
                fix=f"write `@{written(node)}(...)` above a `def` that is not indented",
            )
