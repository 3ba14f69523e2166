"""Makes a PDF searchable by meaning: read from S3, cut into chunks, up to four embeddings side by side, one index."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

DEFAULT_CHUNK_WORDS = 120
MIN_CHUNK_WORDS = 20
MAX_CHUNK_WORDS = 180
"""The model looks at 256 tokens of a text; a word of English is about 1.3 of them."""
DEFAULT_OVERLAP_WORDS = 30
MAX_PARTS = 4
MAX_CHUNKS = 2000
"""500 a part: at 0.2 s each, a third of the time that the manifest allows."""
REGION_VARIABLE = "DOCUMENTS_REGION"

workflow = CaribouWorkflow(name="rag_data_ingestion", version="0.0.1")


@workflow.serverless_function(name="extract", entry_point=True)
def extract(event: object) -> None:
    """Checks the order, cuts the document into chunks, keeps them in S3 for the index, and shares their texts out."""
    order = Order.of(event)
    parts = extracted_parts(order)
    workflow.invoke_serverless_function(embed, parts[0])
    workflow.invoke_serverless_function(embed, parts[1], parts[1] is not None)
    workflow.invoke_serverless_function(embed, parts[2], parts[2] is not None)
    workflow.invoke_serverless_function(embed, parts[3], parts[3] is not None)


@workflow.serverless_function(name="embed")
def embed(event: dict[str, Any]) -> None:
    """Turns the texts of its part into vectors. Touches no bucket: texts come, and vectors go, with the payload."""
    workflow.invoke_serverless_function(index, embedded_part(event))


@workflow.serverless_function(name="index")
def index(event: object) -> dict[str, Any]:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for the parts, joins their vectors in the order of the chunks, and writes the index."""
    return written_index(workflow.get_predecessor_data())


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a PDF in S3, how to cut it, and how many functions may embed it.

    `region` is the bucket's: a function that runs in another region must address it there.
    """

    bucket: str
    key: str
    region: str
    chunk_words: int = DEFAULT_CHUNK_WORDS
    overlap_words: int = DEFAULT_OVERLAP_WORDS
    parts: int = MAX_PARTS

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not all(_is_text(event.get(name)) for name in ("bucket", "key")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "key": "input/…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        size = _number(event, "chunk_words", DEFAULT_CHUNK_WORDS, (MIN_CHUNK_WORDS, MAX_CHUNK_WORDS))
        return cls(
            bucket=event["bucket"],
            key=_input_key(event["key"]),
            region=region,
            chunk_words=size,
            overlap_words=_number(event, "overlap_words", min(DEFAULT_OVERLAP_WORDS, size // 2), (0, size // 2)),
            parts=_number(event, "parts", MAX_PARTS, (1, MAX_PARTS)),
        )

    def chunks_key(self, run_id: str) -> str:
        """Where `extract` leaves the chunks for `index`."""
        return f"work/{run_id}/chunks.json"

    def result_key(self, run_id: str, file: str) -> str:
        """Where a file of the index goes: the same run writes to the same place, so a retry does no harm."""
        return f"output/{run_id}/{file}"


def extracted_parts(order: Order) -> list[dict[str, Any] | None]:
    """Reads the order's PDF, stores its chunks, and gives what goes to each of the four calls; None for no call."""
    from document import chunks_of, pages_of, parts_of  # noqa: PLC0415 - pypdf is loaded only where it is used

    s3 = boto3.client("s3", region_name=order.region)
    pages = pages_of(s3.get_object(Bucket=order.bucket, Key=order.key)["Body"].read())
    chunks = chunks_of(pages, order.chunk_words, order.overlap_words)
    if len(chunks) > MAX_CHUNKS:
        raise ValueError(f"the document must make {MAX_CHUNKS} chunks at most, not {len(chunks)}: cut it in two")
    kept = {"pages": len(pages), "chunks": [{"pages": chunk.pages, "text": chunk.text} for chunk in chunks]}
    s3.put_object(Bucket=order.bucket, Key=order.chunks_key(workflow.get_run_id()), Body=json.dumps(kept).encode())
    parts: list[dict[str, Any] | None] = [
        {"order": asdict(order), "first": numbers[0], "texts": [chunks[number].text for number in numbers]}
        for numbers in parts_of(len(chunks), order.parts)
    ]
    return parts + [None] * (MAX_PARTS - len(parts))


def embedded_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """The part with vectors, as bytes, in place of its texts."""
    from minilm import NAME, cut_off, embedded  # noqa: PLC0415 - 91 MB of weights are read only where they are used

    texts = part["texts"]
    return {
        "order": part["order"],
        "first": part["first"],
        "count": len(texts),
        "model": NAME,
        "cut_off": cut_off(texts),
        "vectors": embedded(texts).tobytes(),
    }


def written_index(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Joins the parts' vectors, writes both files of the index, and says what was written."""
    from search_index import index_file, joined, vectors_file  # noqa: PLC0415 - numpy is loaded only where it is used

    order, run_id = Order.of(parts[0]["order"]), workflow.get_run_id()
    s3 = boto3.client("s3", region_name=order.region)
    kept = json.loads(s3.get_object(Bucket=order.bucket, Key=order.chunks_key(run_id))["Body"].read())
    vectors = joined(parts, len(kept["chunks"]))
    about = {
        "document": order.key,
        "pages": kept["pages"],
        "chunk_words": order.chunk_words,
        "overlap_words": order.overlap_words,
        "model": parts[0]["model"],
    }
    files = {
        "index.json": (index_file(about, kept["chunks"]), "application/json"),
        "vectors.npy": (vectors_file(vectors), "application/octet-stream"),
    }
    for file, (content, kind) in files.items():
        s3.put_object(Bucket=order.bucket, Key=order.result_key(run_id, file), Body=content, ContentType=kind)
    written = {
        "bucket": order.bucket,
        "keys": [order.result_key(run_id, file) for file in files],
        "chunks": len(vectors),
        "cut_off": sum(part["cut_off"] for part in parts),
        "bytes": sum(len(content) for content, _ in files.values()),
    }
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
        raise ValueError(f"key must begin with input/, where documents may be read, not {value!r}")
    return value


def _number(event: Mapping[str, Any], name: str, default: int, bounds: tuple[int, int]) -> int:
    value, (low, high) = event.get(name, default), bounds
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return value
