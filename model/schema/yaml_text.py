"""A text of YAML to values, within limits that no manifest comes near: a bomb of 1 KB is refused before it is built.

Of what YAML reads in several ways, nothing is guessed: a key that stands twice, `010` (8 to one reader, 10 to
another) and `1:30` (90) are errors.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

import yaml

from caribou.model.errors import InvalidInputError

LARGEST_BYTES = 100_000
"""Of a file."""
DEEPEST = 20
"""Lists and mappings inside each other."""
LARGEST_EXPANDED = 200_000
"""Values and letters when every alias (`*name`) is written out."""

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_SIXTIES = re.compile(r"[-+]?[0-9_]+(:[0-9_.]+)+")
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
_TAG_FAULTS = (ValueError, OverflowError, TypeError, LookupError, AttributeError, RecursionError)
"""What PyYAML's constructors raise for a value that is none of its tag, such as the date 2026-13-45."""


def load_yaml(text: str, where: str, kind: type[InvalidInputError]) -> object:
    """The value in a text. Raises `kind`, with the line."""
    try:
        _check_size(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe one
    except yaml.YAMLError as error:
        line, problem = _line(error, text), _problem(error)
        raise kind(
            f"this is not YAML that can be read: {problem}",
            where=where if line is None else f"{where}:{line}",
            fix="correct that line",
        ) from None


def line_of(text: str, keys: Sequence[int | str]) -> int | None:
    """The line, from 1, of a key in a text that `load_yaml` takes, or of what is nearest above; None if nothing is."""
    node, line = _composed(text), None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(key)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            found = (node.value[key],) * 2
        else:
            break
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


@lru_cache(maxsize=8)
def _composed(text: str) -> yaml.Node | None:
    """A text as nodes with their places, which nobody changes: the same few files are asked for many of them."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which guesses nothing and whose every fault has a place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's
        """The value of a node. Raises yaml.MarkedYAMLError."""
        try:
            return super().construct_object(node, deep)
        except _TAG_FAULTS:
            raise _fault(f"{_quoted(node)} is no value of its kind; write a text in quotes", node.start_mark) from None

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:  # noqa: ANN401 - PyYAML's
        """The text of a node. Raises yaml.MarkedYAMLError for half a character, which no file and no service takes."""
        if isinstance(node, yaml.ScalarNode) and _HALF_A_CHARACTER.search(node.value):
            raise _fault("a text has half a character in it, an escape from \\ud800 to \\udfff", node.start_mark)
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """The mapping. Raises yaml.MarkedYAMLError on a key that is there already."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _fault(f"the key {key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number in decimal digits. Raises yaml.MarkedYAMLError for one that YAML reads in several ways."""
        if not _DECIMAL.fullmatch(node.value):
            fix = "write it in decimal digits without a 0 in front, or as a text in quotes"
            raise _fault(f"the number {node.value} is read in several ways; {fix}", node.start_mark)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """A number. Raises yaml.MarkedYAMLError for one to the base of 60."""
        if _SIXTIES.fullmatch(node.value):
            fix = "write it in decimal digits, or as a text in quotes"
            raise _fault(f"the number {node.value} is read in several ways; {fix}", node.start_mark)
        return super().construct_yaml_float(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _check_size(text: str) -> None:
    """Raise yaml.MarkedYAMLError if a value is nested too deeply, or too much with every alias written out.

    Looks at events only, so that nothing is built. An alias inside of what it names would never end.
    """
    size, open_, sizes = 0, list[tuple[str | None, int]](), dict[str, int]()
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _fault(f"the alias *{event.anchor} names nothing that ends before it", event.start_mark)
            size += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            size += 1 + len(event.value)
            sizes |= {event.anchor: 1 + len(event.value)} if event.anchor else {}
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, size))
            size += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            sizes |= {anchor: size - before} if anchor else {}
        if len(open_) > DEEPEST:
            raise _fault(f"it is nested more than {DEEPEST} deep", event.start_mark)
        if size > LARGEST_EXPANDED:
            raise _fault("it is too large with its aliases written out", event.start_mark)


def _fault(problem: str, mark: Any) -> yaml.MarkedYAMLError:  # noqa: ANN401 - PyYAML has two kinds
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _quoted(node: yaml.Node) -> str:
    return str(node.value)[:60] if isinstance(node, yaml.ScalarNode) else "this"


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return str(error.problem or error.context)
    return str(error).splitlines()[0]


def _line(error: yaml.YAMLError, text: str) -> int | None:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return int(error.problem_mark.line) + 1
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1
    return None
