"""Samples: another rate, and fewer bytes. No cloud in here, and the only module that loads numpy.

All of it is whole numbers, whose sums don't depend on the machine's vector unit: the same bytes in every region.
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE = 16_000
"""Samples in a second of the converted speech."""
_UP, _DOWN = 320, 441
"""RATE is the synthesiser's 22,050 Hz, times 320 and divided by 441."""
_REACH = 24
"""A converted sample is made of so many samples on each side of it."""
_PASS = 0.92
"""The filter's edge, as a part of the highest frequency that RATE can hold."""
_ONE = 1 << 14
"""1.0 in the filter's whole numbers: small enough that the sums fit into 32 bits."""
_BLOCK = 128
"""So many times _DOWN samples are filtered at once: they fit into a cache."""
_PART = 1 << 16
"""So many samples are shortened at once, for the sake of memory."""
_MIDDLE = 128
"""A sample of 8 bits is a number without a sign."""
_LOUDEST = 127 * 256
"""The loudest sample of 16 bits that has a sample of 8 bits."""


def converted(pcm: bytes) -> bytes:
    """Samples of the synthesiser as a WAV file of RATE, 16 bits, one channel."""
    return wav_of(resampled(np.frombuffer(pcm, dtype="<i2")).astype("<i2").tobytes(), width=2)


def converted_words(words: Iterable[Iterable[int]]) -> list[list[int]]:
    """The words with their samples counted at RATE: no word loses a part of a sample."""
    return [[position, start * _UP // _DOWN, -(-end * _UP // _DOWN)] for position, start, end in words]


def compressed(wav: bytes) -> bytes:
    """A WAV file of 16 bits a sample as one of 8.

    What a sample loses is carried over to the next, so that the error is pushed to high frequencies, where it is heard
    least: the sum of all samples so far is rounded, and a sample is the difference of two such sums.
    """
    with wave.open(io.BytesIO(wav), "rb") as file:
        samples = np.minimum(np.frombuffer(file.readframes(file.getnframes()), dtype="<i2"), _LOUDEST)
    result = np.empty(len(samples), dtype=np.uint8)
    carried = 0
    for start in range(0, len(samples), _PART):
        sums = np.cumsum(samples[start : start + _PART], dtype=np.int64) + carried
        result[start : start + _PART] = np.diff(sums >> 8, prepend=0) + _MIDDLE
        carried = int(sums[-1]) & 0xFF
    return wav_of(result.tobytes(), width=1)


def resampled(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The samples at RATE, by a polyphase filter: each phase of the ratio has its own taps, which sum to one."""
    count = -(-len(samples) * _UP // _DOWN)
    step = _BLOCK * _DOWN
    blocks = -(-len(samples) // step)
    padded = np.pad(samples, (_REACH, blocks * step - len(samples) + _REACH))
    results = [_resampled_block(padded[block * step :][: step + 2 * _REACH]) for block in range(blocks)]
    return np.concatenate([np.empty(0, dtype=np.int16), *results])[:count]


def _resampled_block(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """A block, given with what its first and last samples reach."""
    windows = sliding_window_view(samples.astype(np.int32), 2 * _REACH)
    sums = np.empty((_BLOCK, _UP), dtype=np.int32)
    for phase, taps in enumerate(_filter()):
        sums[:, phase] = windows[phase * _DOWN // _UP + 1 :: _DOWN][:_BLOCK] @ taps
    rounded = (sums.reshape(-1) + _ONE // 2) // _ONE
    return np.clip(rounded, -(1 << 15), (1 << 15) - 1).astype(np.int16)


def wav_of(frames: bytes, width: int) -> bytes:
    """A WAV file of one channel at RATE, with so many bytes a sample."""
    encoded = io.BytesIO()
    with wave.open(encoded, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(frames)
    return encoded.getvalue()


@cache
def _filter() -> NDArray[np.int32]:
    """A row of taps for each phase: a low pass by a sinc under a Blackman window, in units of 1 / _ONE."""
    return np.array([_taps(phase * _DOWN % _UP / _UP) for phase in range(_UP)], dtype=np.int32)


def _taps(offset: float) -> list[int]:
    """The taps for a converted sample that lies `offset` behind the sample at its left."""
    edge = _PASS * _UP / _DOWN
    distances = [place - offset for place in range(1 - _REACH, _REACH + 1)]
    weights = [_sinc(edge * distance) * _blackman(distance / _REACH) for distance in distances]
    taps = [round(weight / sum(weights) * _ONE) for weight in weights]
    taps[_REACH - 1] += _ONE - sum(taps)  # a constant stays the constant that it is
    return taps


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _blackman(x: float) -> float:
    return 0.42 + 0.5 * math.cos(math.pi * x) + 0.08 * math.cos(2 * math.pi * x)
