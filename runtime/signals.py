"""What leaves a workflow for those who watch it: events on EventBridge, metrics as lines of a log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from caribou.model.health.metrics import HealthMetric
from caribou.model.health.run_event import DETAIL_TYPES, SOURCE, detail_of
from caribou.model.names import WorkflowNames
from caribou.model.run.item import RunItem
from caribou.runtime.clients import Clients
from caribou.runtime.settings import Settings


class EventBridgeNotifier:
    """Puts events on the default bus of the account, at home."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._clients, self._home, self._names = clients, settings.home_region, settings.names

    def notify(self, ended: Sequence[RunItem]) -> tuple[RunItem, ...]:
        """Put an event for each run; those that the bus has taken, which may leave some of a call out."""
        client, names = self._clients.events(self._home), self._names
        with self._clients.reaching(self._home):
            answer = client.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPES[item.state],
                        "Detail": json.dumps(detail_of(item, names.workflow, names.stage)),
                        "Time": datetime.fromtimestamp(item.ended_at or 0.0, UTC),
                    }
                    for item in ended
                ]
            )
        return tuple(item for item, entry in zip(ended, answer["Entries"], strict=True) if "EventId" in entry)


class LoggedMetrics:
    """Writes metrics as lines of a log; `write` takes one with its end, and never raises."""

    def __init__(self, names: WorkflowNames, write: Callable[[bytes], None]) -> None:
        self._names, self._write = names, write

    def put(self, values: Mapping[HealthMetric, float]) -> None:
        """Write a line. Powertools is imported then: a function that has nothing to say never does."""
        with suppress(Exception):
            from caribou.model.health.emf import emf_line  # noqa: PLC0415 - some 40 ms

            self._write(emf_line(self._names.stage, self._names.workflow, values))
