"""Says what a clip shows: cut into parts that are scaled, sampled and recognised side by side, then put together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

MAX_PARTS = 4
DEFAULT_PARTS = 4
DEFAULT_EVERY = 5
MAX_EVERY = 10_000
DEFAULT_VIEWS = 6
MAX_VIEWS = 10
REGION_VARIABLE = "CLIPS_REGION"

workflow = CaribouWorkflow(name="video_analytics", version="0.0.1")


@workflow.serverless_function(name="get_input", entry_point=True)
def get_input(event: object) -> None:
    """Checks the order and hands it on, once for each part that the clip is to be cut into."""
    order = Order.of(event)
    first, second, third, fourth = ({"order": asdict(order), "part": part} for part in (1, 2, 3, 4))
    workflow.invoke_serverless_function(streaming, first)
    workflow.invoke_serverless_function(streaming, second, order.parts >= 2)
    workflow.invoke_serverless_function(streaming, third, order.parts >= 3)
    workflow.invoke_serverless_function(streaming, fourth, order.parts >= 4)


@workflow.serverless_function(name="streaming")
def streaming(event: dict[str, Any]) -> None:
    """Cuts its part out of the clip, scaled, and stores it as a video."""
    workflow.invoke_serverless_function(decode, {**event, **streamed(Order.of(event["order"]), event["part"])})


@workflow.serverless_function(name="decode")
def decode(event: dict[str, Any]) -> None:
    """Takes the frames to be recognised out of the part's video, and stores them as JPEGs."""
    workflow.invoke_serverless_function(recognition, {**event, **decoded(Order.of(event["order"]), event)})


@workflow.serverless_function(name="recognition")
def recognition(event: dict[str, Any]) -> None:
    """Says what each of the frames shows."""
    workflow.invoke_serverless_function(summarise, {**event, **labelled(Order.of(event["order"]), event)})


@workflow.serverless_function(name="summarise")
def summarise(event: object) -> dict[str, Any]:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for all parts, puts their labels together, and stores them: the output of the run."""
    return stored_summary(workflow.get_predecessor_data())


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a clip in S3, and how closely to look at it.

    `region` is the bucket's: a function that runs in another region must address it there. `parts` is how many
    recognise side by side; every `every`th frame is recognised, from `views` crops of it.
    """

    bucket: str
    key: str
    region: str
    parts: int = DEFAULT_PARTS
    every: int = DEFAULT_EVERY
    views: int = DEFAULT_VIEWS

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not all(_is_text(event.get(name)) for name in ("bucket", "key")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "key": "input/…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        return cls(
            bucket=event["bucket"],
            key=_input_key(event["key"]),
            region=region,
            parts=_number("parts", event.get("parts", DEFAULT_PARTS), MAX_PARTS),
            every=_number("every", event.get("every", DEFAULT_EVERY), MAX_EVERY),
            views=_number("views", event.get("views", DEFAULT_VIEWS), MAX_VIEWS),
        )

    def segment_key(self, run_id: str, part: int) -> str:
        """Where a part's video goes: the same run writes to the same places, so a retry does no harm."""
        return f"work/{run_id}/segment-{part}.avi"

    def stills_key(self, run_id: str, part: int) -> str:
        """Where a part's frames go."""
        return f"work/{run_id}/stills-{part}.zip"

    def result_key(self, run_id: str) -> str:
        """Where the labels go."""
        return f"output/{run_id}/labels.json"


def streamed(order: Order, part: int) -> dict[str, Any]:
    """Cuts a part out of the order's clip and writes it; says where it is, and which frames it has."""
    from frames import cut  # noqa: PLC0415 - OpenCV is loaded only where it is used, get_input starts without

    cut_out = cut(read_object(order, order.key), part, order.parts)
    key = order.segment_key(workflow.get_run_id(), part)
    write_object(order, key, cut_out.video, "video/x-msvideo")
    return {
        "segment": key,
        "start": cut_out.start,
        "stop": cut_out.stop,
        "clip_frames": cut_out.clip_frames,
        "frames_per_second": cut_out.frames_per_second,
    }


def decoded(order: Order, event: Mapping[str, Any]) -> dict[str, str]:
    """Takes the frames to recognise out of a part's video and writes them; says where they are."""
    from frames import stills  # noqa: PLC0415 - as above

    key = order.stills_key(workflow.get_run_id(), event["part"])
    taken = stills(read_object(order, event["segment"]), event["start"], event["stop"], order.every)
    write_object(order, key, taken, "application/zip")
    return {"stills": key}


def labelled(order: Order, event: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a part's frames and says what they show: the labels of each, and of all of them."""
    from frames import unpacked  # noqa: PLC0415 - as above
    from labelling import recognised  # noqa: PLC0415 - loads numpy, and the network

    images = unpacked(read_object(order, event["stills"]))
    return recognised(images, event["frames_per_second"], order.views)


def stored_summary(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Puts the parts' labels together and writes them; says where they are and what the scenes are."""
    from summary import joined  # noqa: PLC0415 - only this function uses it

    order = Order.of(messages[0]["order"])
    summary = {"clip": order.key, "every": order.every, "views": order.views, **joined(messages)}
    body = json.dumps(summary, indent=1).encode()
    key = order.result_key(workflow.get_run_id())
    write_object(order, key, body, "application/json")
    written = {"bucket": order.bucket, "key": key, "bytes": len(body), "scenes": summary["scenes"]}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


def read_object(order: Order, key: str) -> bytes:
    """An object of the order's bucket."""
    return boto3.client("s3", region_name=order.region).get_object(Bucket=order.bucket, Key=key)["Body"].read()


def write_object(order: Order, key: str, body: bytes, content_type: str) -> None:
    """Put an object into the order's bucket."""
    s3 = boto3.client("s3", region_name=order.region)
    s3.put_object(Bucket=order.bucket, Key=key, Body=body, ContentType=content_type)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str) -> str:
    if not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where clips may be read, not {value!r}")
    return value


def _number(name: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, not {value!r}")
    return value
