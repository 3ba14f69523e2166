"""What of Caribou is bundled: what the handlers import, found here in another way, and not a file more."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from caribou.constructs.bundling.own_code import caribou_folder, own_files
from caribou.model.template_contract import NODE_HANDLER, SWEEPER_HANDLER

RUNTIME = (NODE_HANDLER, SWEEPER_HANDLER)
COLLECTORS = ("caribou.collectors.handlers.carbon_handler",)
DATA = ("caribou.collectors.sources.data",)


def file_of(module):
    """The file of one of our modules; None for a name that is no module."""
    path = caribou_folder().parent.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def imported(path):
    """The names in a file's imports, wherever they stand: of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(modules):
    """The files that some modules import in the end, their packages' included."""
    seen, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        packages = [name.rsplit(".", count)[0] for count in range(name.count(".") + 1)]
        for path in filter(None, map(file_of, packages)):
            if path not in seen:
                seen.add(path)
                waiting += [module for module in imported(path) if module.partition(".")[0] == "caribou"]
    return {path.relative_to(caribou_folder().parent).as_posix() for path in seen}


@pytest.mark.parametrize(("handlers", "data"), [(RUNTIME, ()), (COLLECTORS, DATA)], ids=["workflow", "collectors"])
def test_own_files_when_handlers_are_bundled_then_code_is_what_they_can_import_and_no_more(handlers, data):
    """Both ways: nothing that a handler imports is missing, and nothing is there that none imports."""
    code = {path for path in own_files(handlers, data) if path.endswith(".py")}
    assert code == reached((*handlers, *data))
    assert "caribou/model/graph.py" in code


def test_own_files_when_users_functions_import_the_runtime_then_it_is_there():
    """What users import is `caribou.runtime`: a package on the way to the handlers."""
    assert reached(["caribou.runtime"]) <= set(own_files(RUNTIME))


def test_own_files_when_listed_then_what_synth_and_tests_alone_need_is_not_among_them():
    """The reader of the DAG, files and projects, the test runner: no handler imports them."""
    for path in (*own_files(RUNTIME), *own_files(COLLECTORS, DATA)):
        folder = path.rpartition("/")[0]
        assert folder not in {f"caribou/model/{part}" for part in ("source", "schema", "project")}
        assert not path.startswith("caribou/runtime/testing")


def test_own_files_when_a_package_has_data_then_its_files_come_along_and_its_script_does_not():
    """The collectors' snapshots lie beside the script that derives them from their sources."""
    folder = Path(caribou_folder(), "collectors", "sources", "data")
    data = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    bundled = {
        path.removeprefix("caribou/collectors/sources/data/")
        for path in own_files(COLLECTORS, DATA)
        if "/data/" in path
    }
    assert bundled == {*data, "__init__.py", "carbon/LICENSE.md"}


@pytest.mark.parametrize("handler", [*RUNTIME, *COLLECTORS])
def test_own_files_when_a_module_is_imported_for_its_types_only_then_it_is_not_ours(handler):
    """It would be bundled, and its edits deploy functions that never load it."""
    everywhere, for_types = Counter(), Counter()
    for path in (path for path in own_files((handler,)) if path.endswith(".py")):
        tree = ast.parse((caribou_folder().parent / path).read_text())
        everywhere.update(imports_in(tree))
        for block in (node for node in tree.body if isinstance(node, ast.If)):
            for_types.update(imports_in(block))
    assert [name for name, count in for_types.items() if count == everywhere[name]] == []


def imports_in(tree):
    """The modules of ours from which something is imported, as often as it is."""
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [name for name in names if name.startswith("caribou")]
