"""A program that speaks one text by eSpeak NG and ends: `python espeak.py LIBRARY < request > events and samples`.

A process for each text, since the library carries state from one text to the next which nothing resets: the second
text spoken in a process has other samples, and even another length, than if it were the first. A process also keeps
a crash of the C library away from its caller.

It must be started in the folder that holds `espeak-ng-data`, which it names ".": the library copies that path into
160 bytes, and where a function's code is may be longer.

The request is JSON: `text` and `words_per_minute`. The answer is a line of JSON with `rate` and `events`, each of which
is `[type, position, sample, phoneme]`, and then the samples, 16 bits each, in the machine's byte order (little-endian).
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterator
from typing import Any

WORD, PHONEME = 1, 7
"""The types of event that are passed on, as in eSpeak NG's speak_lib.h."""

_LIST_END = 0
_DATA_FOLDER = b"."
_VOICE = b"en-us"
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DO_NOT_EXIT = 0x0001, 0x8000
_UTF8, _PAUSE_AT_THE_END = 0x0001, 0x1000
_BY_CHARACTER = 1
_RATE_PARAMETER = 1
_GO_ON = 0


class _Id(ctypes.Union):
    """What an event is about; which of the three depends on its type."""

    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """`espeak_EVENT`, 40 bytes: `text_position` counts characters from 1, `sample` from the start of the speech."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def spoken(library: str, text: str, words_per_minute: int) -> tuple[int, list[list[Any]], bytes]:
    """The samples in a second, the events, and the samples. OSError if the library says no."""
    espeak = ctypes.CDLL(library)
    events: list[list[Any]] = []
    pcm = bytearray()

    def received(samples: int | None, count: int, first: Any) -> int:  # noqa: ANN401 - a pointer of ctypes
        if samples:
            pcm.extend(ctypes.string_at(samples, 2 * count))
        events.extend(_listed(first))
        return _GO_ON

    callback = _Callback(received)  # must live as long as the library may call it
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, _DATA_FOLDER, _PHONEME_EVENTS | _DO_NOT_EXIT)
    if rate <= 0:
        raise OSError(f"eSpeak NG can't read its data: {rate}")
    espeak.espeak_SetSynthCallback(callback)
    _check(espeak.espeak_SetVoiceByName(_VOICE), "the voice")
    _check(espeak.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0), "the words per minute")
    encoded = text.encode() + b"\0"
    size, flags = ctypes.c_size_t(len(encoded)), _UTF8 | _PAUSE_AT_THE_END
    _check(espeak.espeak_Synth(encoded, size, 0, _BY_CHARACTER, 0, flags, None, None), "the text")
    return rate, events, bytes(pcm)


def _listed(first: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - a pointer of ctypes
    """The words and phonemes of a list that ends with an event of type 0."""
    index = 0
    while (event := first[index]).type != _LIST_END:
        if event.type == PHONEME:
            yield [PHONEME, event.text_position, event.sample, event.id.string.decode("utf-8", "replace")]
        elif event.type == WORD:
            yield [WORD, event.text_position, event.sample, ""]
        index += 1


def _check(status: int, what: str) -> None:
    if status != 0:
        raise OSError(f"eSpeak NG does not take {what}: {status}")


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    rate, events, pcm = spoken(sys.argv[1], request["text"], request["words_per_minute"])
    sys.stdout.buffer.write(json.dumps({"rate": rate, "events": events}).encode() + b"\n" + pcm)


if __name__ == "__main__":
    main()
