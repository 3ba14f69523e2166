"""What hides what, and what is missing: names of modules in a bundle, found before anything is deployed."""

import sys

import pytest

from caribou.constructs.bundle import workflow_bundle
from caribou.constructs.bundling.shadowing import check_against_packages, check_names
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.user_imports import check_imports
from caribou.model.errors import InvalidInputError

LAMBDA = Platform("x86_64", "3.13", host=False)
THERE = {"json", "sys", "typing", "contextlib", "yaml"}


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("queue.py", "the standard library"),
        ("email/send.py", "the standard library"),
        ("secrets/__init__.py", "the standard library"),
        ("boto3.py", "Lambda"),
        ("botocore/x.py", "Lambda"),
        ("urllib3.abi3.so", "Lambda"),
        ("caribou.py", "Caribou"),
        ("caribou_bundle/__init__.py", "Caribou"),
    ],
)
def test_names_when_a_users_module_hides_another_then_it_is_refused(path, owner):
    """Botocore imports `queue`: a user's own would stop every function, and the sweeper, at its start."""
    with pytest.raises(InvalidInputError, match=f"flow/{path.partition('/')[0]}.*{owner}.*rename") as caught:
        check_names("flow", ["app.py", path], LAMBDA)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "path", ["queue/data.json", "steps/queue.py", "email.txt", "data/email/x.py", "steps.py", "test_data.py", "q.ueue"]
)
def test_names_when_nothing_is_hidden_then_they_are_taken(path):
    """A folder of data is no module, and one in a package hides nothing."""
    check_names("flow", ["app.py", path], LAMBDA)


@pytest.mark.parametrize(("version", "taken"), [("3.11", False), ("3.12", False), ("3.13", True)])
def test_names_when_the_standard_library_has_lost_a_module_then_its_name_is_free(version, taken):
    """`chunk` and `cgi` are gone since 3.13: it is the manifest's Python that counts, not the one that deploys."""
    library = Platform("x86_64", version, host=False).standard_library
    assert ("chunk" not in library) is taken
    assert {"queue", "asyncio", "tomllib"} <= library


def test_standard_library_when_asked_for_this_machine_then_it_is_this_pythons():
    """The tables of what came and went agree with the Python that runs this."""
    assert Platform("x86_64", "3.13", host=True).standard_library == sys.stdlib_module_names


@pytest.mark.parametrize(
    ("own", "installed", "refused"),
    [
        ("yaml.py", "yaml/__init__.py", True),
        ("yaml/mine.py", "yaml/__init__.py", True),
        ("six/__init__.py", "six.py", True),
        ("google/mine.py", "google/cloud/x.py", False),
        ("yaml/data.txt", "yaml/__init__.py", False),
        ("data/x.txt", "data/x.txt", True),
        ("bin/mine", "bin/theirs", False),
    ],
)
def test_names_when_a_package_has_the_same_then_it_is_refused_unless_both_can_be(own, installed, refused):
    """A namespace is shared, a module or a file is not."""
    if not refused:
        check_against_packages("flow", ["app.py", own], [installed])
        return
    with pytest.raises(InvalidInputError, match=r"flow/.*an installed package"):
        check_against_packages("flow", ["app.py", own], [installed])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"typing_extensions.py": "MINE = True"}, r"flow/typing_extensions\.py: .*an installed package"),
        (
            {"app.py": "def start(event):\n    import yaml\n"},
            r"flow/app\.py:2: imports .*found: yaml.*requirements\.txt",
        ),
    ],
)
def test_bundle_when_only_its_packages_decide_then_it_is_refused_while_it_is_built(tmp_path, files, message):
    """Our own environment has yaml, and so has a local cloud's: a Lambda function has not."""
    folder = tmp_path / "flow"
    folder.mkdir()
    for name, text in {"app.py": "", **files}.items():
        (folder / name).write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        workflow_bundle(folder, LAMBDA).build()


def check(files):
    """Check the imports of files by their paths."""
    check_imports("flow", {path: text.encode() for path, text in files.items()}, THERE)


@pytest.mark.parametrize(
    "text",
    [
        "import json, yaml.nodes\nfrom typing import Any\nimport steps.resize\nfrom steps import resize, data",
        "try:\n    import ujson as json\nexcept ImportError:\n    import simplejson as json",
        "try:\n    import ujson\nexcept (KeyError, ModuleNotFoundError):\n    pass",
        "with contextlib.suppress(ImportError):\n    import ujson",
        "if sys.version_info >= (3, 11):\n    import json\nelse:\n    import tomli",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mypy_boto3_s3",
        "if __name__ == '__main__':\n    import rich",
        "text = 'import ujson'",
        "try:\n    import steps.optional\nexcept ImportError:\n    pass",
    ],
)
def test_imports_when_all_are_there_or_may_be_missing_then_nothing_is_said(text):
    """The bundle's own, packages, the standard library; optional ones, those for types, for scripts, for a system."""
    unused = "import ujson"
    check({"app.py": text, "steps/resize.py": "import json", "steps/unused.py": unused, "script.py": unused})


@pytest.mark.parametrize(
    ("app", "files", "where"),
    [
        ("import ujson", {}, r"app\.py:1"),
        ("def f():\n    from ujson import loads", {}, r"app\.py:2"),
        ("import steps.resize", {"steps/resize.py": "import json\nimport ujson"}, r"steps/resize\.py:2"),
        ("from steps import resize", {"steps/resize.py": "import ujson"}, r"steps/resize\.py:1"),
        ("import steps", {"steps/__init__.py": "from . import a", "steps/a.py": "import ujson"}, r"steps/a\.py:1"),
        ("try:\n    import json\nfinally:\n    import ujson", {}, r"app\.py:4"),
        ("try:\n    import ujson\nexcept KeyError:\n    pass", {}, r"app\.py:2"),
    ],
)
def test_imports_when_one_cannot_be_met_then_file_line_and_remedy_are_named(app, files, where):
    """Wherever it stands in what app.py imports in the end: heavy imports stand inside functions."""
    with pytest.raises(InvalidInputError, match=rf"flow/{where}: imports .*ujson.*requirements\.txt"):
        check({"app.py": app, **files})
