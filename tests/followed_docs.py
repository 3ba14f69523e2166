"""A page of the docs, done as it stands.

A fenced block with a file's name is that file, and a `diff` changes it. `shell` blocks are run in order, in one
environment; the `text` block that follows has lines that must come out in this order, with `…` for what varies.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from waiting import BACKSTOP_S

FENCE = re.compile(r"^```(?P<kind>\w+)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, the file that it names, its text, and the line at which it stands."""

    kind: str
    file: str | None
    text: str
    line: int


def blocks_of(markdown, heading=None):
    """The fenced blocks of a section, or of a whole page."""
    start = 0 if heading is None else markdown.index(f"\n## {heading}\n")
    end = len(markdown) if heading is None else markdown.find("\n## ", start + 1)
    return [
        Block(found["kind"], found["file"], found["text"], markdown[: found.start()].count("\n") + 1)
        for found in FENCE.finditer(markdown, start, end)
    ]


class Reader:
    """Somebody who does what is written, in a folder."""

    def __init__(self, folder):
        """A reader with the commands of our environment at hand, and nothing that leads to a cloud."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "PYTEST"))}
        path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.folder, self.environment, self.output = folder, {**kept, "PATH": path}, ""

    def do(self, block):
        """Write the file, change it, run the commands, or look whether the text has come out."""
        match block:
            case Block("shell", None, text):
                self.output = self._run(text)
            case Block("text", None, text):
                assert _has_lines(self.output, text), f"line {block.line} does not come out; this did:\n{self.output}"
            case Block("diff", str(file), text):
                self._change(self.folder / file, text)
            case Block(_, str(file), text):
                path = self.folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            case _:
                pytest.fail(f"line {block.line}: what is this block for?")

    def _run(self, script):
        """Run commands in bash; what they set in the environment stays set."""
        kept = self.folder.with_name("environment")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'{script}\nenv -0 > "{kept}"'],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BACKSTOP_S,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        self.environment = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return done.stdout

    @staticmethod
    def _change(path, diff):
        lines = diff.splitlines()
        before, after = ("\n".join(x[1:] for x in lines if x[:1] in {" ", sign}) for sign in "-+")
        text = path.read_text()
        assert text.count(before) == 1, f"{path} has not, or not once:\n{before}"
        path.write_text(text.replace(before, after))


def _has_lines(output, text):
    """Whether the lines of a text come out in their order, others between them."""
    came_out = iter(output.splitlines())
    return all(any(_matches(line, found) for found in came_out) for line in text.splitlines())


def _matches(line, found):
    """Whether a line has the parts of another one in order: `…` is anything, and any space is as good as another."""
    rest = " ".join(found.split())
    for part in (" ".join(part.split()) for part in line.split("…")):
        if part not in rest:
            return False
        rest = rest[rest.index(part) + len(part) :]
    return True
