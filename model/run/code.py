"""What an execution notes of the code that decided it, so that a redrive under other code is noticed.

Edges are known by their numbers, and the first report of an edge stands. So if the two calls of a node changed places
after one of them had been made, a redrive would send its payload twice, and the other one never.

The note is one short text: the digest of the graph from the node on, and those of the node's calls, in order. It is
kept with the node's claim, at no cost of its own. Two of them are compared call by call: what a function does between
its calls may be mended, and so may a call that had not been made.
"""

from __future__ import annotations

from typing import NamedTuple

from caribou.model.graph import CALL_DIGEST_LENGTH, Graph


class Code(NamedTuple):
    """Digests of the graph from a node on, and of each of the node's calls; none where synth noted none.

    A named tuple, since functions make the class at each cold start: a dataclass takes four times as long.
    """

    onward: str
    calls: tuple[str, ...] = ()

    def changed(self, other: Code) -> tuple[int, ...]:
        """Numbers of the calls that are others in `other`; none if one of both has no notes of them."""
        if not self.calls or not other.calls:
            return ()
        return tuple(i for i, pair in enumerate(zip(self.calls, other.calls, strict=False)) if len(set(pair)) > 1)


def code_note(graph: Graph, node: str) -> str:
    """The note of a node's code, as its claim keeps it."""
    return f"{graph.onward_digest(node)}:{''.join(graph.function(graph.node(node).function).calls)}"


def parse_code(note: str) -> Code:
    """The code in a note; none in an empty one, of a claim that an earlier version of Caribou made."""
    onward, _, calls = note.partition(":")
    step = CALL_DIGEST_LENGTH
    return Code(onward, tuple(calls[i : i + step] for i in range(0, len(calls), step)))
