"""Speaks a text and bleeps its swear words: the text is searched while it is spoken, then the two results meet."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

BLEEPS = ("tone", "silence")
DEFAULT_WORDS_PER_MINUTE = 175
WORDS_PER_MINUTE = range(80, 451)
MAX_CHARACTERS = 20_000
REGION_VARIABLE = "SPEECH_REGION"
_EXAMPLE = '{"bucket": "…", "text": "…"}'
_UNSPEAKABLE = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls, which the synthesiser takes for the end of the text or for commands, and what has no UTF-8."""

workflow = CaribouWorkflow(name="text_2_speech_censoring", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event: object) -> None:
    """Checks the order, reads the text if it is in S3, and has it spoken and searched at the same time."""
    order = Order.of(event)
    text = speakable(order.stored_text() if order.text is None else order.text)
    workflow.invoke_serverless_function(text_2_speech, asdict(replace(order, text=text)))
    workflow.invoke_serverless_function(profanity, {"text": text})


@workflow.serverless_function(name="text_2_speech")
def text_2_speech(event: dict[str, Any]) -> None:
    """Speaks the text; keeps where in the sound each word is."""
    from speech import spoken  # noqa: PLC0415 - what runs a speech synthesiser is loaded only where one is run

    order = Order(**event)
    speech = spoken(event["text"], order.words_per_minute)
    key = work_key(workflow.get_run_id(), "spoken.pcm")
    audio = Audio(order.bucket, order.region, key, order.bleep, speech.words)
    audio.write(speech.pcm)
    workflow.invoke_serverless_function(conversion, asdict(audio))


@workflow.serverless_function(name="conversion")
def conversion(event: dict[str, Any]) -> None:
    """Makes a WAV file of the synthesiser's samples, at the rate that is usual for speech."""
    from sound import converted, converted_words  # noqa: PLC0415 - numpy is loaded only where samples are computed

    spoken = Audio(**event)
    key = work_key(workflow.get_run_id(), "converted.wav")
    audio = replace(spoken, key=key, words=converted_words(spoken.words))
    audio.write(converted(spoken.read()))
    workflow.invoke_serverless_function(compression, asdict(audio))


@workflow.serverless_function(name="compression")
def compression(event: dict[str, Any]) -> None:
    """Halves the WAV file: a byte for each sample."""
    from sound import compressed  # noqa: PLC0415 - numpy is loaded only where samples are computed

    large = Audio(**event)
    audio = replace(large, key=work_key(workflow.get_run_id(), "compressed.wav"))
    audio.write(compressed(large.read()))
    workflow.invoke_serverless_function(merge, asdict(audio))


@workflow.serverless_function(name="profanity")
def profanity(event: dict[str, Any]) -> None:
    """Finds the swear words in the text."""
    from swearing import spans_of  # noqa: PLC0415 - the list of swear words is loaded only where it is used

    workflow.invoke_serverless_function(merge, {"profane": spans_of(event["text"])})


@workflow.serverless_function(name="merge")
def merge(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for the speech and for the swear words; what to bleep decides who publishes."""
    from bleeping import bleeps_of  # noqa: PLC0415 - not for the functions that have nothing to bleep

    audio, profane = joined(workflow.get_predecessor_data())
    bleeps = bleeps_of(audio.words, profane)
    payload = asdict(replace(audio, words=[]))
    workflow.invoke_serverless_function(censor, {"audio": payload, "bleeps": bleeps}, bool(bleeps))
    workflow.invoke_serverless_function(publish, {"audio": payload}, not bleeps)


@workflow.serverless_function(name="censor")
def censor(event: dict[str, Any]) -> dict[str, Any]:
    """Writes the speech with its swear words bleeped."""
    from bleeping import bleeped  # noqa: PLC0415 - not for the functions that have nothing to bleep

    audio, bleeps = Audio(**event["audio"]), event["bleeps"]
    result = replace(audio, key=result_key(workflow.get_run_id()))
    result.write(bleeped(audio.read(), bleeps, audio.bleep))
    return logged(result, len(bleeps))


@workflow.serverless_function(name="publish")
def publish(event: dict[str, Any]) -> dict[str, Any]:
    """Writes the speech as it is: nothing in it is profane. S3 copies it, so it does not come here."""
    audio = Audio(**event["audio"])
    result = replace(audio, key=result_key(workflow.get_run_id()))
    result.copy_from(audio.key)
    return logged(result, 0)


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a text, or the key of one in S3, and how to speak and to bleep it.

    `region` is the bucket's: a function that runs in another region must address it there.
    """

    bucket: str
    region: str
    text: str | None = None
    key: str | None = None
    words_per_minute: int = DEFAULT_WORDS_PER_MINUTE
    bleep: str = BLEEPS[0]

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not _is_text(event.get("bucket")):
            raise ValueError(f"the event must be an object such as {_EXAMPLE}, not {event!r}")
        _check_names(event)
        if ("text" in event) == ("key" in event):
            raise ValueError(f"the event must have a text or the key of one, as in {_EXAMPLE}: one of the two")
        source = "text" if "text" in event else "key"
        if not _is_text(event[source]):
            raise ValueError(f"{source} must be a text that is not empty, not {event[source]!r}")
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        return cls(
            bucket=event["bucket"],
            region=region,
            text=event.get("text"),
            key=_input_key(event.get("key")),
            words_per_minute=_words_per_minute(event.get("words_per_minute", DEFAULT_WORDS_PER_MINUTE)),
            bleep=_bleep(event.get("bleep", BLEEPS[0])),
        )

    def stored_text(self) -> str:
        """The text behind the key. ValueError if it is none."""
        s3 = boto3.client("s3", region_name=self.region)
        data = s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"s3://{self.bucket}/{self.key} must be a text in UTF-8: {error}") from error


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound in S3, and its words: each its place in the text, its first sample, and the first one behind it."""

    bucket: str
    region: str
    key: str
    bleep: str
    words: list[list[int]]

    def read(self) -> bytes:
        """The object at the key."""
        return self._s3().get_object(Bucket=self.bucket, Key=self.key)["Body"].read()

    def write(self, data: bytes) -> None:
        """Put an object at the key."""
        content_type = "audio/wav" if self.key.endswith(".wav") else "application/octet-stream"
        self._s3().put_object(Bucket=self.bucket, Key=self.key, Body=data, ContentType=content_type)

    def copy_from(self, key: str) -> None:
        """Have S3 copy another object to the key."""
        self._s3().copy_object(Bucket=self.bucket, Key=self.key, CopySource={"Bucket": self.bucket, "Key": key})

    def _s3(self) -> Any:  # noqa: ANN401 - boto3 has no types in Lambda
        return boto3.client("s3", region_name=self.region)


def speakable(text: str) -> str:
    """The text, if it can be spoken. ValueError says what is wrong with it."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the text must have at most {MAX_CHARACTERS} characters, not {len(text)}")
    if not any(character.isalnum() for character in text):
        raise ValueError(f"the text must have something to say, a letter or a digit: {text[:40]!r}")
    if found := _UNSPEAKABLE.search(text):
        raise ValueError(f"the text must not have control characters: {found.group()!r} at {found.start()}")
    return text


def joined(messages: Iterable[Mapping[str, Any]]) -> tuple[Audio, list[list[int]]]:
    """The speech, and where the text is profane, whichever of the two came first."""
    found: dict[str, Any] = {}
    for message in messages:
        found.update(message)
    profane = found.pop("profane")
    return Audio(**found), profane


def work_key(run_id: str, name: str) -> str:
    """Where a run keeps what its functions hand on: at the same place on a second attempt."""
    return f"work/{run_id}/{name}"


def result_key(run_id: str) -> str:
    """Where the result goes: the same run writes to the same place, so a retry does no harm."""
    return f"output/{run_id}/speech.wav"


def logged(result: Audio, bleeps: int) -> dict[str, Any]:
    """What was written, which is also a line in the function's log."""
    written = {"bucket": result.bucket, "key": result.key, "bleeps": bleeps}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str | None) -> str | None:
    if value is not None and not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where texts may be read, not {value!r}")
    return value


def _words_per_minute(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in WORDS_PER_MINUTE:
        limits = f"from {WORDS_PER_MINUTE[0]} to {WORDS_PER_MINUTE[-1]}"
        raise ValueError(f"words_per_minute must be a whole number {limits}, not {value!r}")
    return value


def _bleep(value: object) -> str:
    if value not in BLEEPS:
        raise ValueError(f"bleep must be one of {', '.join(BLEEPS)}, not {value!r}")
    return str(value)
