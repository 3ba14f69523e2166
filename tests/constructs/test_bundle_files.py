"""Which files of a folder are code, with which modes, and what is refused before it is opened."""

import os
import stat

import pytest

from caribou.constructs.bundling import code_files
from caribou.constructs.bundling.code_files import workflow_files
from caribou.model.errors import InvalidInputError


def write(folder, *names):
    """Files that say their names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def test_workflow_files_when_the_folder_has_more_than_code_then_that_is_left_out_at_the_top(tmp_path):
    """No README, sample, test, requirement or dot file of the workflow, and nothing that tools leave, is its code."""
    code = {"app.py", "steps/resize.py", "data/names.txt"}
    write(tmp_path, *code, "requirements.txt", "overrides.txt", "requirements.lock", "README.md", "readme.rst")
    write(tmp_path, "samples/input.json", "tests/test_app.py", ".caribou/config.yml", ".env", ".venv/lib/x.py")
    write(tmp_path, "__pycache__/app.pyc", "steps/__pycache__/resize.cpython.pyc", "data/.DS_Store", "lib/.git/HEAD")
    assert set(workflow_files(tmp_path)) == code


def test_workflow_files_when_names_are_special_at_the_top_only_then_they_are_code_below(tmp_path):
    """Data is there as its user has it: folders called samples and tests, dot folders, notes in Markdown."""
    code = {"data/samples/a.txt", "data/tests/b.txt", "model/.config/c.json", "data/README.md", "prompts/d.md", "e.rst"}
    write(tmp_path, *code)
    assert set(workflow_files(tmp_path)) == code


def test_workflow_files_when_a_file_may_be_executed_then_that_is_kept(tmp_path):
    """Only the owner's right counts: what others may do hangs on the umask of whoever wrote it."""
    write(tmp_path, "bin/hello", "data.txt")
    (tmp_path / "bin" / "hello").chmod(0o700)
    (tmp_path / "data.txt").chmod(0o611)
    assert {path: file.executable for path, file in workflow_files(tmp_path).items()} == {
        "bin/hello": True,
        "data.txt": False,
    }


def test_workflow_files_when_a_link_stays_inside_then_it_is_what_it_leads_to(tmp_path):
    """Links to files and folders of the same folder are copied."""
    write(tmp_path, "data/a.txt", "app.py")
    (tmp_path / "copy.txt").symlink_to("data/a.txt")
    (tmp_path / "more").symlink_to("data")
    files = workflow_files(tmp_path)
    assert set(files) == {"app.py", "data/a.txt", "copy.txt", "more/a.txt"}
    assert files["more/a.txt"].content == files["copy.txt"].content == b"data/a.txt"


def outside_link(folder):
    """A link to a file beside the folder."""
    (folder.parent / "secret").write_text("secret")
    (folder / "wrong").symlink_to("../secret")


def outside_folder_link(folder):
    """A link to the folder above."""
    (folder / "wrong").symlink_to("..")


def cross_links(folder):
    """Two folders, each with a link to the other."""
    for name, other in (("wrong", "other"), ("other", "wrong")):
        (folder / name).mkdir()
        (folder / name / "x").symlink_to(f"../{other}")


def socket_file(folder):
    """A socket that nobody listens to."""
    os.mknod(folder / "wrong", 0o600 | stat.S_IFSOCK)


def unreadable(folder):
    """A file that nobody may read, but root."""
    write(folder, "wrong")
    (folder / "wrong").chmod(0)
    if os.access(folder / "wrong", os.R_OK):
        pytest.skip("this user may read everything")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: (folder / "wrong").symlink_to("nowhere"), "leads nowhere"),
        (lambda folder: (folder / "wrong").symlink_to("wrong"), "into itself"),
        (lambda folder: (folder / "wrong").symlink_to("."), "folder that it lies in"),
        (lambda folder: (folder / "wrong").symlink_to("/dev/zero"), "leads out of"),
        (outside_link, "leads out of"),
        (outside_folder_link, "leads out of"),
        (cross_links, "folder that it lies in"),
        (lambda folder: os.mkfifo(folder / "wrong"), "found: a pipe"),
        (socket_file, "found: a socket"),
        (lambda folder: write(folder, os.fsdecode(b"wrong\xe9")), "not UTF-8"),
        (unreadable, "can't be read"),
    ],
)
def test_workflow_files_when_something_is_no_plain_file_inside_then_one_message_names_it(tmp_path, make, message):
    """Found before anything is opened: a pipe would wait for ever, a device never ends."""
    folder = tmp_path / "flow"
    folder.mkdir()
    make(folder)
    with pytest.raises(InvalidInputError, match=r"wrong|other") as caught:
        workflow_files(folder)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    str(caught.value).encode()


def test_workflow_files_when_there_is_too_much_then_it_is_refused_before_it_is_read(tmp_path):
    """A sparse file of a terabyte takes no disk, and would take all memory."""
    write(tmp_path, "app.py")
    with (tmp_path / "endless").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidInputError, match=r"250 MB.*endless"):
        workflow_files(tmp_path)


def test_workflow_files_when_links_multiply_files_then_it_ends(tmp_path, monkeypatch):
    """Ten folders of links to the next are ten thousand million files."""
    monkeypatch.setattr(code_files, "MAX_FILES", 1000)
    for level in range(10):
        (tmp_path / str(level)).mkdir()
        for number in range(10):
            target = tmp_path / str(level + 1) if level < 9 else tmp_path / "app.py"
            (tmp_path / str(level) / str(number)).symlink_to(target)
    write(tmp_path, "app.py")
    with pytest.raises(InvalidInputError, match="1000 files"):
        workflow_files(tmp_path)
