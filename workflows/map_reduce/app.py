"""Counts the words of a text in S3: up to six mappers side by side, then up to four reducers, then one sorted list."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

import boto3
import wordcount

from caribou.runtime import CaribouWorkflow

S3, PAYLOAD = "s3", "payload"
MAX_MAPPERS, MAX_REDUCERS = 6, 4
DEFAULT_PART_BYTES, MAX_PART_BYTES = 4 * 2**20, 64 * 2**20
"""Counting a part of the largest size takes 1.1 GB of memory."""
MAX_COPIES = 10_000
REGION_VARIABLE = "WORDS_REGION"

Counts = Mapping[str, int]
Parcel = Counts | Mapping[str, Any] | None
"""Counts as a payload carries them: themselves, or where they are in S3; None for none."""

workflow = CaribouWorkflow(name="map_reduce", version="0.0.1")


@workflow.serverless_function(name="input_processor", entry_point=True)
def input_processor(event: object) -> None:
    """Cuts the text into as many parts as are worth a mapper; the first mapper gets its part even if it is empty."""
    tasks = tasks_of(Order.of(event))
    workflow.invoke_serverless_function(mapper, tasks[0])
    workflow.invoke_serverless_function(mapper, tasks[1], tasks[1] is not None)
    workflow.invoke_serverless_function(mapper, tasks[2], tasks[2] is not None)
    workflow.invoke_serverless_function(mapper, tasks[3], tasks[3] is not None)
    workflow.invoke_serverless_function(mapper, tasks[4], tasks[4] is not None)
    workflow.invoke_serverless_function(mapper, tasks[5], tasks[5] is not None)


@workflow.serverless_function(name="mapper")
def mapper(event: dict[str, Any]) -> None:
    """Counts the words of one part, and sorts the counts into a parcel for each reducer."""
    order = Order.of(event["order"])
    counts = wordcount.counted(part_of_text(order, event), order.copies)
    parcels = parcelled(order, f"mapped/{event['index']}", wordcount.shared_out(counts, order.reducers))
    workflow.invoke_serverless_function(shuffler, {"order": event["order"], "parcels": parcels})


@workflow.serverless_function(name="shuffler")
def shuffler(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Hands each reducer its parcels, one from each mapper. The first one runs even if there are no words at all."""
    tasks = tasks_for_reducers(workflow.get_predecessor_data())
    workflow.invoke_serverless_function(reducer, tasks[0])
    workflow.invoke_serverless_function(reducer, tasks[1], bool(tasks[1]["parcels"]))
    workflow.invoke_serverless_function(reducer, tasks[2], bool(tasks[2]["parcels"]))
    workflow.invoke_serverless_function(reducer, tasks[3], bool(tasks[3]["parcels"]))


@workflow.serverless_function(name="reducer")
def reducer(event: dict[str, Any]) -> None:
    """Adds up what the mappers counted of its share of the words."""
    order = Order.of(event["order"])
    sums = wordcount.merged(unpacked(order, parcel) for parcel in event["parcels"])
    (parcel,) = parcelled(order, f"reduced/{event['index']}", [sums])
    workflow.invoke_serverless_function(output_processor, {"order": event["order"], "parcel": parcel})


@workflow.serverless_function(name="output_processor")
def output_processor(event: object) -> dict[str, Any]:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Writes all counts as one list, the most frequent words first; says where it is and how much it has."""
    reduced = workflow.get_predecessor_data()
    order = Order.of(reduced[0]["order"])
    counts = wordcount.ranked([unpacked(order, one["parcel"]) for one in reduced])
    result = {"words": sum(counts.values()), "distinct": len(counts)}
    key = order.result_key(workflow.get_run_id())
    body = json.dumps({**result, "counts": counts}, ensure_ascii=False, indent=0).encode()
    s3_in(order.region).put_object(Bucket=order.bucket, Key=key, Body=body, ContentType="application/json")
    written = {"bucket": order.bucket, "key": key, "bytes": len(body), **result}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a text in S3, how to cut the work, and how the counts travel between the functions.

    `region` is the bucket's: a function that runs in another region must address it there. `via` is `s3`, with keys
    in the payloads, or `payload`, with the counts themselves in them. `part_bytes` of text are worth a mapper of their
    own. `copies` counts the text as if so many copies of it stood one behind the other: a short text, much work.
    """

    bucket: str
    key: str
    region: str
    via: str = S3
    mappers: int = MAX_MAPPERS
    reducers: int = MAX_REDUCERS
    part_bytes: int = DEFAULT_PART_BYTES
    copies: int = 1

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not all(_is_text(event.get(name)) for name in ("bucket", "key")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "key": "input/…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        via = event.get("via", S3)
        if via not in (S3, PAYLOAD):
            raise ValueError(f"via must be {S3} or {PAYLOAD}, not {via!r}")
        return cls(
            bucket=event["bucket"],
            key=_input_key(event["key"]),
            region=region,
            via=via,
            mappers=_number(event, "mappers", default=MAX_MAPPERS, most=MAX_MAPPERS),
            reducers=_number(event, "reducers", default=MAX_REDUCERS, most=MAX_REDUCERS),
            part_bytes=_number(event, "part_bytes", default=DEFAULT_PART_BYTES, most=MAX_PART_BYTES),
            copies=_number(event, "copies", default=1, most=MAX_COPIES),
        )

    def work_key(self, run_id: str, name: str) -> str:
        """Where counts rest on their way: the same run writes to the same place, so a retry does no harm."""
        return f"work/{run_id}/{name}.json"

    def result_key(self, run_id: str) -> str:
        """Where the result goes."""
        return f"output/{run_id}/counts.json"


@functools.cache  # a client takes longer to make than a part to count
def s3_in(region: str) -> Any:  # noqa: ANN401 - a client, whose type boto3 makes when it runs
    """S3 as the bucket's region has it."""
    return boto3.client("s3", region_name=region)


def tasks_of(order: Order) -> list[dict[str, Any] | None]:
    """A task for each mapper that is needed, None for the others.

    The text's tag goes along: if the text is replaced meanwhile, no mapper counts a part of the new one.
    """
    text = s3_in(order.region).head_object(Bucket=order.bucket, Key=order.key)
    size = text["ContentLength"]
    if size > order.mappers * MAX_PART_BYTES:
        raise ValueError(f"{order.key} has {size} bytes, and each mapper takes {MAX_PART_BYTES} at most")
    parts = wordcount.parts_needed(size * order.copies, order.part_bytes, order.mappers)
    needed = [
        {"order": asdict(order), "tag": text["ETag"], "size": size, "index": index, "parts": parts}
        for index in range(parts)
    ]
    return [*needed, *[None] * (MAX_MAPPERS - parts)]


def part_of_text(order: Order, task: Mapping[str, Any]) -> str:
    """The words of a mapper's part, out of S3: its bytes, the one before, and a block to the end of its last word."""
    s3, size = s3_in(order.region), task["size"]

    def read(begin: int, end: int) -> bytes:
        place = {"Bucket": order.bucket, "Key": order.key, "IfMatch": task["tag"]}
        body: bytes = s3.get_object(**place, Range=f"bytes={begin}-{end - 1}")["Body"].read()
        return body

    begin, end = wordcount.part(size, task["index"], task["parts"])
    try:
        return wordcount.owned(read, size, begin, end).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{order.key} must be text in UTF-8: {error}") from error


def parcelled(order: Order, name: str, several: Sequence[Counts]) -> list[Parcel]:
    """Counts, ready to be sent. Those that go through S3 are written one behind the other, into one object."""
    if order.via == PAYLOAD:
        return [counts or None for counts in several]
    bodies = [json.dumps(counts, ensure_ascii=False).encode() if counts else b"" for counts in several]
    key, ends = order.work_key(workflow.get_run_id(), name), list(itertools.accumulate(map(len, bodies), initial=0))
    if any(bodies):
        s3_in(order.region).put_object(
            Bucket=order.bucket, Key=key, Body=b"".join(bodies), ContentType="application/json"
        )
    return [{"key": key, "begin": a, "end": b} if a < b else None for a, b in itertools.pairwise(ends)]


def unpacked(order: Order, parcel: Parcel) -> Counts:
    """The counts in a parcel."""
    if order.via == PAYLOAD or parcel is None:
        return parcel or {}
    place = {"Bucket": order.bucket, "Key": parcel["key"], "Range": f"bytes={parcel['begin']}-{parcel['end'] - 1}"}
    counts: Counts = json.loads(s3_in(order.region).get_object(**place)["Body"].read())
    return counts


def tasks_for_reducers(mapped: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A task for each reducer; those that are not needed have no parcels."""
    order, several = mapped[0]["order"], [one["parcels"] for one in mapped]
    return [
        {"order": order, "index": index, "parcels": [p[index] for p in several if index < len(p) and p[index]]}
        for index in range(MAX_REDUCERS)
    ]


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str) -> str:
    if not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where texts may be read, not {value!r}")
    return value


def _number(event: Mapping[str, Any], name: str, *, default: int, most: int) -> int:
    value = event.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, not {value!r}")
    return value
