"""What shells offer: by their protocol with the command, and in a bash."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from caribou.cli.command_table import TABLE, described
from caribou.cli.completing import answer
from caribou.cli.main import cli
from caribou.cli.seen_runs import KEPT, saw_runs, seen_runs

RUN = "7f0c93d1a5b24e6f8a09b1c2d3e4f506"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two workflows and a cache of its own; this process is in its folder."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"caribou:stages": {"prod": {}}}}))
    for name in ("shop", "shipping"):
        for folder, file in ((".caribou", "config.yml"), (".caribou", "config.test.yml"), ("samples", "input.json")):
            (tmp_path / "workflows" / name / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "workflows" / name / folder / file).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def offered(monkeypatch, capsys):
    """What bash is offered where the last word is being written."""

    def ask(line, shell="bash", at=None):
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", at or str(len(words) - 1))
        code = answer(f"{shell}_complete")
        return code, capsys.readouterr().out.split()

    return ask


def test_table_when_verbs_change_then_it_is_what_they_take():
    """Written anew with CARIBOU_GOLDEN=write."""
    found = described(cli, click.Context(cli))
    if os.environ.get("CARIBOU_GOLDEN") == "write":
        TABLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert json.loads(TABLE.read_text(encoding="utf-8")) == found, "CARIBOU_GOLDEN=write writes it anew"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("caribou up", ["plain,upload_samples"]),
        ("caribou upload-", ["plain,upload-samples"]),
        ("caribou local d", ["plain,down"]),
        ("caribou upload-samples sh", ["plain,shipping", "plain,shop"]),
        ("caribou deploy shop --pl", ["plain,--placement"]),
        ("caribou deploy --placement h", ["plain,home"]),
        ("caribou deploy --placement so", ["file,so"]),
        ("caribou local up --region eu-w", ["plain,eu-west-1", "plain,eu-west-2", "plain,eu-west-3"]),
        ("caribou local up --region = eu-west-3", ["plain,eu-west-3"]),
        ("caribou runs shop --state f", ["plain,failed"]),
        ("caribou list --stage ", ["plain,prod", "plain,test"]),
        ("caribou data_collect c", ["plain,carbon"]),
        ("caribou run shop -a @workflows/shop", ["plain,@workflows/shop/samples/input.json"]),
        ("caribou run shop -a @ workflows/shop", ["plain,workflows/shop/samples/input.json"]),
        ("caribou solve --problem p", ["file,p"]),
        ("caribou trace 7f", [f"plain,{RUN}"]),
        ("caribou runs shop --limit 1", []),
        ("caribou depoly sh", []),
    ],
)
def test_completion_when_a_word_is_begun_then_what_may_stand_there_is_offered(line, expected, project, offered):
    """Verbs in both spellings, options, workflows, runs that were shown, regions, files."""
    saw_runs(project, [RUN])
    code, found = offered(line)
    assert code == 0
    assert sorted(found) == expected


@pytest.mark.parametrize(("shell", "expected"), [("zsh", ["plain", "shop", "_"]), ("fish", ["plain,shop"])])
def test_completion_when_it_is_another_shell_then_it_is_answered_in_its_form(shell, expected, project, offered):
    """Zsh takes three lines a word."""
    assert project
    assert offered("caribou lock sho", shell, {"zsh": "2", "fish": "sho"}[shell]) == (0, expected)


def test_completion_when_something_is_broken_then_nothing_is_said(tmp_path, monkeypatch, capsys, offered):
    """No project, no cache, a shell that is not known, a question without words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARIBOU_CACHE_DIR", "/dev/null/cache")
    saw_runs(tmp_path, [RUN])
    assert offered("caribou trace ") == (0, [])
    assert answer("tcsh_complete") == 1
    monkeypatch.delenv("COMP_WORDS")
    assert answer("bash_complete") == 1
    assert capsys.readouterr() == ("", "")


def test_completion_when_a_shell_asks_then_no_verb_is_imported(project):
    """It is asked at every press of a key."""
    script = """
import sys
from caribou.cli.main import main
try:
    main()
except SystemExit as exit_:
    assert not exit_.code
print(*(name for name in ("boto3", "pydantic", "rich", "yaml", "numpy") if name in sys.modules), file=sys.stderr)
"""
    asked = {"_CARIBOU_COMPLETE": "bash_complete", "COMP_WORDS": "caribou deploy sho", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=project, env=os.environ | asked
    )
    assert (done.stdout, done.stderr) == ("plain,shop\n", "\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_script_when_bash_reads_it_then_bash_completes_by_it(project):
    """The whole way: the printed script, the function that it defines, the words that it fills in."""
    script = f"""
export PATH={Path(sys.executable).parent}:$PATH
eval "$(caribou completion bash)"
COMP_WORDS=(caribou run-de); COMP_CWORD=1
_caribou_completion caribou; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(caribou lock s); COMP_CWORD=2; COMPREPLY=()
_caribou_completion caribou; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, cwd=project)
    assert done.stdout.splitlines() == ["run-deployment-migrator", "shipping shop"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_when_it_is_a_shells_then_it_asks_the_command(shell):
    """It names the variable that the command looks at."""
    said = CliRunner().invoke(cli, ["completion", shell], catch_exceptions=False, prog_name="caribou")
    assert f"_CARIBOU_COMPLETE={shell}_complete" in said.output


def test_seen_runs_when_more_are_shown_than_are_kept_then_the_newest_stay(project):
    """Each once, the newest first; what is no name of a run is none."""
    saw_runs(project, [f"run-{number}" for number in range(KEPT + 5)])
    saw_runs(project, ["new", "run-3", "no name\x1b"])
    found = seen_runs(project)
    assert found[:2] == ["new", "run-3"]
    assert len(found) <= KEPT
    assert len(set(found)) == len(found)
