"""Five transformations of one photo, side by side: read from S3, cleaned of grain, transformed, written back to S3."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

TRANSFORMATIONS = ("flip", "rotate", "blur", "greyscale", "resize")
DEFAULT_PASSES = 8
MAX_PASSES = 100
REGION_VARIABLE = "PHOTOS_REGION"

workflow = CaribouWorkflow(name="image_processing", version="0.0.1")


@workflow.serverless_function(
    name="get_input",
    entry_point=True,
    regions_and_providers={
        "keep_near": "eu-central-1"
    },  # home, where runs enter: no work here that a hop would pay for
)
def get_input(event: object) -> None:
    """Checks the order and hands it to the transformations that it asks for."""
    order = Order.of(event)
    payload, chosen = asdict(order), order.transformations
    workflow.invoke_serverless_function(flip, payload, "flip" in chosen)
    workflow.invoke_serverless_function(rotate, payload, "rotate" in chosen)
    workflow.invoke_serverless_function(blur, payload, "blur" in chosen)
    workflow.invoke_serverless_function(greyscale, payload, "greyscale" in chosen)
    workflow.invoke_serverless_function(resize, payload, "resize" in chosen)


@workflow.serverless_function(name="flip")
def flip(event: dict[str, Any]) -> dict[str, Any]:
    """Mirrors the photo, left to right."""
    return transform_stored(Order.of(event), "flip")


@workflow.serverless_function(name="rotate")
def rotate(event: dict[str, Any]) -> dict[str, Any]:
    """Turns the photo by a quarter, counter-clockwise."""
    return transform_stored(Order.of(event), "rotate")


@workflow.serverless_function(name="blur")
def blur(event: dict[str, Any]) -> dict[str, Any]:
    """Blurs the photo."""
    return transform_stored(Order.of(event), "blur")


@workflow.serverless_function(name="greyscale")
def greyscale(event: dict[str, Any]) -> dict[str, Any]:
    """Takes the colours out of the photo."""
    return transform_stored(Order.of(event), "greyscale")


@workflow.serverless_function(name="resize")
def resize(event: dict[str, Any]) -> dict[str, Any]:
    """Makes a thumbnail of the photo."""
    return transform_stored(Order.of(event), "resize")


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a photo in S3, and what to do with it.

    `region` is the bucket's: a function that runs in another region must address it there. `passes` is how often the
    photo is cleaned of grain before each transformation, and so how much work a run is.
    """

    bucket: str
    key: str
    region: str
    transformations: tuple[str, ...] = TRANSFORMATIONS
    passes: int = DEFAULT_PASSES

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
            transformations=_transformations(event.get("transformations", TRANSFORMATIONS)),
            passes=_passes(event.get("passes", DEFAULT_PASSES)),
        )

    def result_key(self, run_id: str, transformation: str) -> str:
        """Where a result goes: the same run writes to the same place, so a retry does no harm."""
        return f"output/{run_id}/{transformation}.jpg"


def transform_stored(order: Order, transformation: str) -> dict[str, Any]:
    """Reads the order's photo, transforms it, and writes the result; says where it is and how large."""
    from pictures import transformed  # noqa: PLC0415 - Pillow is loaded only where it is used, get_input starts without

    s3 = boto3.client("s3", region_name=order.region)
    photo = s3.get_object(Bucket=order.bucket, Key=order.key)["Body"].read()
    result = transformed(photo, transformation, order.passes)
    key = order.result_key(workflow.get_run_id(), transformation)
    s3.put_object(Bucket=order.bucket, Key=key, Body=result, ContentType="image/jpeg")
    written = {"bucket": order.bucket, "key": key, "bytes": len(result)}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str) -> str:
    if not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where photos may be read, not {value!r}")
    return value


def _transformations(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(item in TRANSFORMATIONS for item in value):
        raise ValueError(f"transformations must be a list out of {', '.join(TRANSFORMATIONS)}, not {value!r}")
    return tuple(value)


def _passes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PASSES:
        raise ValueError(f"passes must be a whole number from 0 to {MAX_PASSES}, not {value!r}")
    return value
