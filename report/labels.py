"""Where the labels of points go in a picture, so that none covers another, or a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""
Spot = tuple[float, float]
LETTER = 8.0
"""What a letter of a label takes, in pixels, about."""
_AROUND = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
_REACHES = (13, 22, 34, 50, 70)


def apart(labels: Sequence[tuple[str, Spot]], taken: Iterable[Box], within: Box) -> Iterator[tuple[str, Spot, Spot]]:
    """A place for each label near its point, where it covers no label or point that is already there.

    Where no place is free, the one that covers least.
    """
    taken = [*taken, *((x - 12, y - 12, x + 12, y + 12) for _, (x, y) in labels)]
    for words, (x, y) in labels:
        half = LETTER * len(words) / 2
        spots = [(x + dx * (half + reach), y + 5 + dy * (10 + reach)) for reach in _REACHES for dx, dy in _AROUND]
        boxes = {spot: (spot[0] - half, spot[1] - 11, spot[0] + half, spot[1] + 2) for spot in spots}
        inside = [spot for spot in spots if _inside(boxes[spot], within)] or spots
        best = min(inside, key=lambda spot: sum(_overlap(boxes[spot], other) for other in taken))
        taken.append(boxes[best])
        yield words, (x, y), best


def _inside(one: Box, other: Box) -> bool:
    return other[0] <= one[0] and one[2] <= other[2] and other[1] <= one[1] and one[3] <= other[3]


def _overlap(one: Box, other: Box) -> float:
    """The area that both cover."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
