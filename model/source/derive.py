"""The workflow's graph out of its source, without importing it: what it needs may not be installed here.

`app.py` and the modules that it imports from its own folder are read in the order in which Python would execute them
(`modules`); the body of each registered function, with the helpers that it hands the workflow to, says whom it invokes
(`calls`), no calls are left over elsewhere (`stray_calls`), and from there the DAG unfolds (`unfold`). What can't be
derived is an InvalidWorkflowError with file, line and remedy. The rules are in docs/writing-workflows.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidWorkflowError
from caribou.model.graph import Function, Graph
from caribou.model.names import MAX_FUNCTION_NAME, WorkflowNames
from caribou.model.source.calls import Reading, read_body
from caribou.model.source.imports import Module
from caribou.model.source.modules import read_program
from caribou.model.source.parsing import is_older
from caribou.model.source.program import Program, RegisteredFunction
from caribou.model.source.scope import FunctionNode, Scope, Symbol
from caribou.model.source.stray_calls import check_strays
from caribou.model.source.syntax import written
from caribou.model.source.unfold import Body, unfold

_WORKFLOW_SIGNS, _FUNCTION_SIGNS = "_", "_-"
"""A workflow's name has no hyphen, so that `caribou-<stage>-<workflow>-<function>` can be of one workflow only."""
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
_DECORATOR_ARGUMENTS = (
    *("name", "entry_point", "regions_and_providers", "environment_variables"),
    "allow_placement_decision_override",  # the reference system's, without a meaning here
)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A registered function as declared, its body not yet read."""

    registered: RegisteredFunction
    function: Function
    where: str


def derive_graph(folder: Path, *, workflow: str | None = None) -> Graph:
    """The graph of the workflow whose `app.py` is in the folder; nothing of it is imported or run.

    `workflow`, if given, is the name that the workflow must have. Raises InvalidWorkflowError.
    """
    with _depth_refused(folder):
        return _derived(read_program(folder), workflow)


def _derived(program: Program, workflow: str | None) -> Graph:
    name, version = _identity(program, workflow)
    declared = _declared(program, name)
    readings = [_reading(item.registered, program, declared) for item in declared.values()]
    check_strays(program, readings)
    bodies = [_body(item, reading) for item, reading in zip(declared.values(), readings, strict=True)]
    nodes, edges = unfold(bodies)
    sync = {body.name for body in bodies if body.sync}
    calls = {body.name: tuple(call.digest for call in body.calls) for body in bodies}
    functions = tuple(
        replace(item.function, sync=item.function.name in sync, calls=calls[item.function.name])
        for item in declared.values()
    )
    return Graph(name, version, functions, nodes, edges)


def check_grammar(folder: Path, python_version: str) -> None:
    """Raise InvalidWorkflowError for source that this Python reads and the one that will run it does not."""
    if is_older(python_version):
        with _depth_refused(folder):
            read_program(folder, python_version)


@contextmanager
def _depth_refused(folder: Path) -> Iterator[None]:
    """Python compiles expressions that nothing written in Python can walk: thousands of signs or dots in a row."""
    try:
        yield
    except RecursionError:
        raise InvalidWorkflowError(
            "an expression is nested too deeply to be read",
            where=str(folder),
            fix="give parts of it names of their own",
        ) from None


def _identity(program: Program, expected: str | None) -> tuple[str, str]:
    """Name and version of the CaribouWorkflow."""
    module, call = program.workflow
    where = module.where(call)
    arguments = _literals(call, ("name", "version"), where)
    for key, example in (("name", "my_workflow"), ("version", "0.0.1")):
        if not isinstance(arguments.get(key), str):
            raise InvalidWorkflowError(
                f"the workflow has no {key}",
                where=where,
                found=arguments.get(key),
                fix=f'write `{key}="{example}"` in CaribouWorkflow(...)',
            )
    name, version = arguments["name"], arguments["version"]
    _check_name("workflow", name, _WORKFLOW_SIGNS, where)
    if not _VERSION.fullmatch(version):
        raise InvalidWorkflowError(
            "the workflow's version is not numbers with dots", where=where, found=version, fix="write one like 0.0.1"
        )
    if expected is not None and name != expected:
        raise InvalidWorkflowError(
            f"the workflow's name is not {expected}",
            where=where,
            found=name,
            fix=f'write `name="{expected}"`, or use the name that is there',
        )
    return name, version


def _check_name(what: str, name: str, signs: str, where: str) -> None:
    if not re.fullmatch(f"[A-Za-z0-9{signs}]+", name):
        raise InvalidWorkflowError(
            f"the {what}'s name has other characters than letters, digits and {' and '.join(signs)}",
            where=where,
            found=repr(name),
            fix=f"name it {re.sub(f'[^A-Za-z0-9{signs}]', '_', name) or 'my_' + what}",
        )


def _declared(program: Program, workflow: str) -> Mapping[str, _Declared]:
    """Every registered function by its symbol's target, in the order of declaration."""
    declared: dict[str, _Declared] = {}
    names: dict[str, str] = {}
    for target, registered in program.registered.items():
        function = _function(registered)
        where = registered.module.where(registered.node)
        _check_function_name(function.name, workflow, where)
        if function.name in names:
            raise InvalidWorkflowError(
                f"two functions have the same name, the other one at {names[function.name]}",
                where=where,
                found=function.name,
                fix='give one another name: `@workflow.serverless_function(name="...")`',
            )
        names[function.name] = where
        declared[target] = _Declared(registered, function, where)
    if not declared:
        raise InvalidWorkflowError(
            "the workflow has no registered function",
            where=program.workflow[0].where(program.workflow[1]),
            fix="put `@workflow.serverless_function(entry_point=True)` above a function at the top level",
        )
    return declared


def _check_function_name(name: str, workflow: str, where: str) -> None:
    _check_name("function", name, _FUNCTION_SIGNS, where)
    full_name = WorkflowNames(workflow).function(name)
    if (excess := len(full_name) - MAX_FUNCTION_NAME) > 0:
        raise InvalidWorkflowError(
            f"the Lambda function's name is longer than {MAX_FUNCTION_NAME} characters",
            where=where,
            found=full_name,
            fix=f"shorten the workflow's or the function's name by {excess}",
        )


def _function(registered: RegisteredFunction) -> Function:
    """The function as its decorator declares it; `sync` is known only once its body was read."""
    module, node, decorator = registered.module, registered.node, registered.decorator
    where = module.where(decorator)
    arguments = _literals(decorator, _DECORATOR_ARGUMENTS, where)
    for key, kind, example in (
        ("name", str, 'name="resize"'),
        ("entry_point", bool, "entry_point=True"),
        ("regions_and_providers", dict, 'regions_and_providers={"allowed_regions": [...]}'),
    ):
        value = arguments.get(key)
        if value is not None and not isinstance(value, kind):
            raise InvalidWorkflowError(f"{key} has the wrong type", where=where, found=value, fix=f"write `{example}`")
    name = arguments.get("name")
    return Function(
        name=node.name if name is None else name,
        module=module.name,
        handler=node.name,
        entry_point=bool(arguments.get("entry_point")),
        regions_and_providers=arguments.get("regions_and_providers"),
        environment_variables=_environment(arguments.get("environment_variables"), where),
    )


def _environment(value: Any, where: str) -> dict[str, str]:  # noqa: ANN401 - any literal
    pairs = value if isinstance(value, list) else [] if value is None else [value]
    variables: dict[str, str] = {}
    for pair in pairs:
        if not (isinstance(pair, dict) and set(pair) == {"key", "value"} and _are_texts(pair.values())):
            raise InvalidWorkflowError(
                "environment_variables is not a list of keys and values",
                where=where,
                found=pair,
                fix='write `environment_variables=[{"key": "NAME", "value": "text"}]`',
            )
        if pair["key"] in variables:
            raise InvalidWorkflowError(
                "an environment variable is set twice", where=where, found=pair["key"], fix="keep one of them"
            )
        variables[pair["key"]] = pair["value"]
    return variables


def _are_texts(values: Any) -> bool:  # noqa: ANN401
    return all(isinstance(value, str) for value in values)


def _literals(call: ast.Call, names: tuple[str, ...], where: str) -> dict[str, Any]:
    """The call's arguments by name; they must be literals."""
    if len(call.args) > len(names) or any(isinstance(argument, ast.Starred) for argument in call.args):
        raise InvalidWorkflowError("too many arguments", where=where, found=written(call), fix="name the arguments")
    pairs = [*zip(names, call.args, strict=False), *((keyword.arg, keyword.value) for keyword in call.keywords)]
    arguments: dict[str, Any] = {}
    for name, value in pairs:
        if name not in names or name in arguments:
            raise InvalidWorkflowError(
                "there is no such argument, or it is given twice",
                where=where,
                found=name or f"**{written(value)}",
                fix=f"use each of {', '.join(names)} at most once",
            )
        try:
            arguments[name] = ast.literal_eval(value)
        except (ValueError, TypeError, MemoryError, RecursionError):
            raise InvalidWorkflowError(
                f"{name} is not a literal, and the source is read, not run",
                where=where,
                found=written(value),
                fix="write the value itself there",
            ) from None
    return arguments


def _reading(registered: RegisteredFunction, program: Program, declared: Mapping[str, _Declared]) -> Reading:
    return read_body(registered.node, _scope(registered.node, registered.module, program, declared, {}))


def _body(item: _Declared, reading: Reading) -> Body:
    calls = tuple(reading.calls)
    return Body(item.function.name, item.where, calls, entry_point=item.function.entry_point, sync=reading.sync)


def _scope(
    function: FunctionNode,
    module: Module,
    program: Program,
    declared: Mapping[str, _Declared],
    given: Mapping[str, Symbol],
) -> Scope:
    """The scope of a function, `given` what its parameters stand for."""
    local = program.local_names(function, module, given)

    def resolve(name: str) -> Symbol | None:
        return local[name] if name in local else module.names.get(name)

    def inside(target: str, given: Mapping[str, Symbol]) -> Scope:
        helper = program.helpers[target]
        return _scope(helper.node, helper.module, program, declared, given)

    return Scope(
        resolve=resolve,
        registered=lambda target: declared[target].function.name,
        where=module.where,
        definition=lambda target: program.helpers[target].node,
        inside=inside,
        suppressing=module.suppressing,
    )
