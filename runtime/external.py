"""Counting what user code exchanges with services outside the workflow, through its default boto3 session."""

from __future__ import annotations

from threading import Lock
from typing import Any

import boto3

_DECODED_LENGTH = "x-amz-decoded-content-length"
"""S3 uploads in chunks, with a checksum at the end, say the body's size here."""


class ExternalBytes:
    """Bytes of request and response bodies that passed through a boto3 session, both ways together.

    Clients of other sessions, and other HTTP libraries, are not seen.
    """

    def __init__(self) -> None:
        self._total = 0
        self._lock = Lock()  # transfers of large objects run on threads

    @classmethod
    def of_default_session(cls) -> ExternalBytes:
        """Count what `boto3.client(…)` and `boto3.resource(…)` move from now on; call before user code is imported."""
        counter = cls()
        boto3.setup_default_session()
        session = boto3.DEFAULT_SESSION
        assert session is not None
        session.events.register("before-send", counter._sent)
        session.events.register("response-received", counter._received)
        return counter

    def total(self) -> int:
        """Bytes since the process began."""
        return self._total

    def _sent(self, request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's AWSPreparedRequest
        self._add(request.headers)

    def _received(self, event_name: str, response_dict: dict[str, Any] | None = None, **_: object) -> None:
        if not event_name.rpartition(".")[2].startswith("Head"):  # says the size of a body that does not come
            self._add((response_dict or {}).get("headers") or {})

    def _add(self, headers: Any) -> None:  # noqa: ANN401 - two kinds of header mappings
        sizes = {str(name).lower(): value for name, value in headers.items()}
        size = int(sizes.get(_DECODED_LENGTH) or sizes.get("content-length") or 0)
        with self._lock:
            self._total += size
