"""Requirements files as people write them: every line is read as pip reads it, or refused where it stands."""

import codecs
import re

import pytest

from caribou.constructs.bundling.code_files import workflow_files
from caribou.constructs.bundling.requirements import Kind, read_requirements
from caribou.model.errors import InvalidInputError


@pytest.fixture
def read(tmp_path):
    """Write files into a workflow's folder, text or bytes by path, and read its requirements."""

    def read(files):
        for name, content in files.items():
            path = tmp_path / "flow" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_requirements(tmp_path / "flow")

    return read


def required(requirements):
    """What is required, as uv gets it."""
    return list(requirements.texts(Kind.REQUIRED))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("# pictures\n\npillow==12.0.0  # pinned\n", ["pillow==12.0.0"]),
        ("six\r\nidna\r\n", ["six", "idna"]),
        ("six ; python_version > '3'", ["six ; python_version > '3'"]),
        ("requests [socks] >= 2, < 3", ["requests [socks] >= 2, < 3"]),
        ("six==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb", ["six==1.17.0"]),
        ("six\\\n==1.17.0", ["six==1.17.0"]),
        ("a @ https://example.com/a-1-py3-none-any.whl#sha256=0f", ["a @ https://example.com/a-1-py3-none-any.whl#sha256=0f"]),
        ("https://u:${TOKEN}@example.com/a-1-py3-none-any.whl", ["https://u:${TOKEN}@example.com/a-1-py3-none-any.whl"]),
        ("--require-hashes\n--prefer-binary\n--only-binary=:all:\nsix", ["six"]),
    ],
)  # fmt: skip
def test_requirements_when_a_line_is_one_that_pip_takes_then_uv_gets_it(read, text, lines):
    """Comments, continued lines, markers, extras, hashes, addresses, options that change nothing here."""
    assert required(read({"requirements.txt": text})) == lines


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + b"six==1.17.0\n",
        codecs.BOM_UTF16_LE + "six==1.17.0\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "six==1.17.0\r\n".encode("utf-16-be"),
    ],
    ids=["utf-8 with mark", "utf-16-le", "utf-16-be"],
)
def test_requirements_when_written_by_other_tools_then_they_are_read(read, content):
    """PowerShell's `pip freeze > requirements.txt` is UTF-16."""
    assert required(read({"requirements.txt": content})) == ["six==1.17.0"]


def test_requirements_when_files_name_files_then_paths_start_from_the_file_and_all_is_in_the_value(
    read, wheel, tmp_path
):
    """`-r`, `-c`, `--find-links` and wheels by their paths, from folders in the folder."""
    local = wheel(tmp_path / "flow" / "reqs" / "wheels", "mine")
    files = {
        "requirements.txt": "-r reqs/base.txt\nidna\n-c 'limits.txt'\n",
        "reqs/base.txt": f"six\n-r more.txt\n--find-links=wheels\nwheels/{local.name}[x] ; python_version > '3'\n",
        "reqs/more.txt": f"mine @ file:wheels/{local.name}\n-ftop",
        "reqs/top/.keep": "",
        "limits.txt": "six==1.16.0",
        "overrides.txt": "urllib3; python_version < '3'",
    }
    found = read(files)
    shown = f"./reqs/wheels/{local.name}"
    assert required(found) == ["six", f"mine @ {shown}", f"{shown}[x] ; python_version > '3'", "idna"]
    assert found.texts(Kind.CONSTRAINT) == ("six==1.16.0",)
    assert found.texts(Kind.OVERRIDE) == ("urllib3; python_version < '3'",)
    assert found.sources == ("--find-links ./reqs/top", "--find-links ./reqs/wheels")
    assert {path for path, digest in found.files if digest} == {f"reqs/wheels/{local.name}"}
    apart = frozenset(path for path, _ in found.files)
    assert set(workflow_files(tmp_path / "flow", apart)) == {"reqs/top/.keep"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("./lib", "neither the name of a package nor a wheel"),
        ("lib @ ./lib", "neither the name of a package nor a wheel"),
        ("git+https://example.com/x.git", "neither the name of a package nor a wheel"),
        ("https://example.com/x-1.tar.gz", "neither the name of a package nor a wheel"),
        ("-e ./lib", "can't be kept.*uv build --wheel"),
        ("--editable=./lib", "can't be kept"),
        ("--no-binary :all:", "can't be kept"),
        ("--pre", "can't be kept.*pin the pre-release"),
        ("--trusted-host example.com", "can't be kept"),
        ("--no-such-option", "can't be kept"),
        ("six --config-settings x=y", "options other than --hash"),
        ("six --hash=md5:aa", "options other than --hash"),
        ("-r missing.txt", "names what is not there"),
        ("-r https://example.com/base.txt", "names a file elsewhere"),
        ("-r ../outside.txt", "leads out of"),
        ("-c requirements.txt", "includes itself"),
        ("./missing-1-py3-none-any.whl", "names what is not there"),
        ("/outside-1-py3-none-any.whl", "names what"),
        ("<<<<<<< HEAD", "neither the name of a package nor a wheel"),
    ],
)  # fmt: skip
def test_requirements_when_a_line_cannot_be_kept_then_file_and_line_and_remedy_are_named(read, tmp_path, line, message):
    """Nothing is built, nothing lies outside of the folder, and nothing is passed over without a word."""
    (tmp_path / "flow" / "lib").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("six")
    with pytest.raises(InvalidInputError, match=f"(?s){message}") as caught:
        read({"requirements.txt": f"six\n{line}\n"})
    assert caught.value.exit_code == 2
    assert re.search(r"requirements\.txt(:2|: includes)", str(caught.value))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"caf\xe9", "UTF-8"), ("six\n".encode("utf-16-le"), "UTF-8"), (b"#" * 11_000_000, "too large")],
)
def test_requirements_when_they_are_no_text_then_one_message_says_so(read, content, message):
    """Latin-1, UTF-16 without its mark, and what nobody wrote by hand."""
    with pytest.raises(InvalidInputError, match=message):
        read({"requirements.txt": content})


def test_requirements_when_the_file_leads_elsewhere_then_it_is_not_read(tmp_path):
    """A link of somebody else's folder to a file of ours."""
    (tmp_path / "flow").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "flow" / "requirements.txt").symlink_to("../secret")
    with pytest.raises(InvalidInputError, match="leads out of"):
        read_requirements(tmp_path / "flow")
