"""Counts the primes below a limit in parts: two sync nodes, one of them behind the other, and conditional edges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from caribou.runtime import CaribouWorkflow

DEFAULT_LIMIT = 30_000
MAX_LIMIT = 1_000_000

workflow = CaribouWorkflow(name="small_sync_example", version="0.0.1")


@workflow.serverless_function(name="initial_function", entry_point=True)
def initial_function(event: object) -> None:
    """Cuts the numbers below the limit into three parts and hands each on, if its switch is on."""
    task = task_of(event)
    first, second, third = parts_of(task["limit"])
    workflow.invoke_serverless_function(sync_function, first, task["execute_1"])
    workflow.invoke_serverless_function(sync_function, second, task["execute_2"])
    workflow.invoke_serverless_function(second_sync_function, {"limit": task["limit"]}, task["execute_3"])
    workflow.invoke_serverless_function(second_function, third, task["execute_4"])


@workflow.serverless_function(name="second_function")
def second_function(event: dict[str, Any]) -> None:
    """Counts the primes of its part itself, so that the sync node gets a result instead of work."""
    workflow.invoke_serverless_function(sync_function, counted_part(event))


@workflow.serverless_function(name="sync_function")
def sync_function(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for its three edges, counts what is not counted yet, and hands the counts to the second sync node."""
    counts = joined_counts(workflow.get_predecessor_data())
    workflow.invoke_serverless_function(second_sync_function, counts)


@workflow.serverless_function(name="second_sync_function")
def second_sync_function(event: object) -> dict[str, Any]:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for the limit and for the counts; its summary is the output of the run, and a line in its log."""
    summary = summary_of(workflow.get_predecessor_data())
    print(json.dumps(summary, sort_keys=True))  # noqa: T201 - the line in the function's log
    return summary


def task_of(event: object) -> dict[str, Any]:
    """The event with its defaults, a limit and four switches that are on. TypeError or ValueError if it has others."""
    given = {} if event is None else event
    if not isinstance(given, Mapping):
        raise TypeError(f'the event must be an object such as {{"limit": {DEFAULT_LIMIT}}}, not {given!r}')
    limit = given.get("limit", DEFAULT_LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be a whole number from 0 to {MAX_LIMIT}, not {limit!r}")
    switches = {f"execute_{i}": bool(given.get(f"execute_{i}", True)) for i in (1, 2, 3, 4)}
    return {"limit": limit, **switches}


def parts_of(limit: int) -> list[dict[str, Any]]:
    """Three parts that cover 0 to `limit`, `limit` excluded."""
    cuts = [0, limit // 3, 2 * limit // 3, limit]
    names = ("first", "second", "third")
    return [{"part": name, "start": cuts[i], "stop": cuts[i + 1]} for i, name in enumerate(names)]


def counted_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """The part with the number of its primes; as it is if it was counted before."""
    if "primes" in part:
        return dict(part)
    return {**part, "primes": count_primes(part["start"], part["stop"])}


def joined_counts(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The primes of each part that arrived, and of all of them."""
    counts = {part["part"]: part["primes"] for part in map(counted_part, parts)}
    return {"parts": counts, "primes": sum(counts.values())}


def summary_of(messages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One object out of the messages; what was skipped is null or empty."""
    summary: dict[str, Any] = {"limit": None, "parts": {}, "primes": 0}
    for message in messages:
        summary.update(message)
    return summary


def count_primes(start: int, stop: int) -> int:
    """How many primes there are from `start` to `stop`, `stop` excluded, by the sieve of Eratosthenes."""
    is_prime = bytearray([1]) * max(stop, 2)
    is_prime[:2] = b"\0\0"
    for number in range(2, int(stop**0.5) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = bytes(len(range(number * number, len(is_prime), number)))
    return sum(is_prime[start:stop])
