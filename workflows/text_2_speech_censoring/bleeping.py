"""Which samples of a speech are profane, and a bleep over them. No cloud in here."""

from __future__ import annotations

import io
import math
import wave
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

TONE_HZ = 1000
TONE_LEVEL = 40
"""How far a tone goes from the middle, out of 128: about as loud as the voice."""
_SILENT = 128
"""A sample of 8 bits is a number without a sign."""


def bleeps_of(words: Sequence[Sequence[int]], profane: Iterable[Sequence[int]]) -> list[list[int]]:
    """The samples to bleep, first and first behind, in order and apart from each other.

    `words` has each word's place in the text, its first sample and the first one behind it; `profane` has spans of
    the text. A span's sound begins with the last word that begins at its first character or before, and ends with the
    last one that begins inside. So if the synthesiser took two words for one, both are bleeped: rather too much.
    """
    places = [place for place, _, _ in words]
    bleeps: list[list[int]] = []
    for start, end in sorted(profane):
        first = max(bisect_right(places, start) - 1, 0)
        behind = bisect_left(places, end)
        if first >= behind:
            continue
        begin, stop = words[first][1], words[behind - 1][2]
        if bleeps and begin <= bleeps[-1][1]:
            bleeps[-1][1] = max(bleeps[-1][1], stop)
        else:
            bleeps.append([begin, stop])
    return bleeps


def bleeped(wav: bytes, bleeps: Iterable[Sequence[int]], bleep: str) -> bytes:
    """The WAV file, of 8 bits a sample and one channel, with a `tone` or `silence` instead of these samples."""
    with wave.open(io.BytesIO(wav), "rb") as file:
        parameters = file.getparams()
        frames = bytearray(file.readframes(parameters.nframes))
    for start, end in bleeps:
        length = min(end, len(frames)) - start
        frames[start : start + length] = tone(length, parameters.framerate) if bleep == "tone" else silence(length)
    encoded = io.BytesIO()
    with wave.open(encoded, "wb") as file:
        file.setparams(parameters)
        file.writeframes(frames)
    return encoded.getvalue()


def tone(length: int, rate: int) -> bytes:
    """So many samples of TONE_HZ, from the middle up."""
    period = rate // TONE_HZ
    wave_form = bytes(_SILENT + round(TONE_LEVEL * math.sin(2 * math.pi * i / period)) for i in range(period))
    return (wave_form * (length // period + 1))[:length]


def silence(length: int) -> bytes:
    """So many samples of nothing."""
    return bytes([_SILENT]) * length
