"""Text to sound: runs the synthesiser, and says where each word is. No cloud in here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeak
import espeakng_loader

SPOKEN_RATE = 22_050
"""Samples in a second of what the synthesiser says."""
_PAUSE = "_"
"""The first letter of the phonemes that are no sound."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text: samples of 16 bits, and its words.

    A word is its place in the text (characters from 0), its first sample, and the first one behind its last sound. A
    pause after a word is nobody's.
    """

    pcm: bytes
    words: list[list[int]]


def spoken(text: str, words_per_minute: int) -> Speech:
    """The text as sound; the same text always gives the same samples. RuntimeError if it can't be spoken."""
    data_folder = Path(espeakng_loader.get_data_path()).parent
    program = [sys.executable, "-I", "-S", str(Path(espeak.__file__).resolve()), espeakng_loader.get_library_path()]
    request = json.dumps({"text": text, "words_per_minute": words_per_minute}).encode()
    done = subprocess.run(program, cwd=data_folder, input=request, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the synthesiser ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    answer, _, pcm = done.stdout.partition(b"\n")
    said = json.loads(answer)
    if said["rate"] != SPOKEN_RATE:
        raise RuntimeError(f"the synthesiser must speak at {SPOKEN_RATE} Hz, not {said['rate']}")
    return Speech(pcm, words_of(said["events"], len(pcm) // 2))


def words_of(events: Iterable[Sequence[Any]], samples: int) -> list[list[int]]:
    """The words in the synthesiser's events: a word ends where its sound does, at the latest where the next begins."""
    words: list[list[int]] = []
    quiet_from: int | None = None
    for kind, position, sample, phoneme in events:
        if kind == espeak.WORD:
            _end(words, sample if quiet_from is None else quiet_from)
            words.append([position - 1, sample, sample])
            quiet_from = None
        elif not phoneme.startswith(_PAUSE):
            quiet_from = None
        elif quiet_from is None:
            quiet_from = sample
    _end(words, samples if quiet_from is None else quiet_from)
    return [word for word in words if word[1] < word[2]]


def _end(words: list[list[int]], sample: int) -> None:
    if words:
        words[-1][2] = sample
