"""A Markdown document, in the event or in S3, as an HTML page in S3."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeGuard

import boto3

from caribou.runtime import CaribouWorkflow

CONTENT_TYPE = "text/html; charset=utf-8"
REGION_VARIABLE = "PAGES_REGION"

workflow = CaribouWorkflow(name="markdown_to_html", version="0.0.1")


@workflow.serverless_function(name="convert", entry_point=True)
def convert(event: object) -> dict[str, Any]:
    """Converts the order's document, and writes the page; says where it is and how large."""
    order = Order.of(event)

    from pages import page_of  # noqa: PLC0415 - a wrong order fails before Markdown is loaded

    s3 = boto3.client("s3", region_name=order.region)
    page = page_of(document_of(order, s3), order.title)
    content, key = page.html.encode(), result_key(workflow.get_run_id())
    s3.put_object(Bucket=order.bucket, Key=key, Body=content, ContentType=CONTENT_TYPE)
    written = {"bucket": order.bucket, "key": key, "bytes": len(content)}
    written |= {"title": page.title, "headings": page.headings}
    print(json.dumps(written))  # noqa: T201 - the line in the function's log
    return written


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for: a document, its text or its key in S3, as a page in a bucket.

    `region` is the bucket's: a function that runs in another region must address it there. `title` is the page's, none
    given for the document's first heading.
    """

    bucket: str
    region: str
    text: str | None = None
    key: str | None = None
    title: str | None = None

    @classmethod
    def of(cls, event: object) -> Order:
        """The order in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not _is_text(event.get("bucket")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "text": "…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        given = {name: event[name] for name in ("text", "key", "title") if event.get(name) is not None}
        for name, value in given.items():
            if not _is_text(value):
                raise ValueError(f"{name} must be a text that is not empty, not {value!r}")
        if ("text" in given) == ("key" in given):
            found = "both" if "text" in given else "none"
            raise ValueError(f"either text, a document, or key, where one is in S3, must be in the event, not {found}")
        _check_key(given.get("key"))
        return cls(bucket=event["bucket"], region=region, **given)


def document_of(order: Order, s3: Any) -> str:  # noqa: ANN401 - boto3 makes its clients' types at run time
    """The order's document: the text that came with it, or what is in S3."""
    if order.text is not None:
        return order.text
    content = s3.get_object(Bucket=order.bucket, Key=order.key)["Body"].read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{order.key} must be a text in UTF-8: {error}") from error


def result_key(run_id: str) -> str:
    """Where the page goes: the same run writes to the same place, so a retry does no harm."""
    return f"output/{run_id}/page.html"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of an order's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Order)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _check_key(value: str | None) -> None:
    if value is not None and not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where documents may be read, not {value!r}")
