"""Notices of runs that ended badly: an event of each, at least once, and then off the sweeper's list.

    listed ── FAILED or EXPIRED ── event and metric ── noted: notified ── parked, or nothing to park ── off the list

A run stays on the list until both is done, so whoever dies on the way leaves it to the next sweep; the event may come
twice then, with the same run and time. It is the end that is notified: one that a redrive opened may end badly again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from caribou.model.errors import UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.run.item import RunItem, RunState
from caribou.runtime.ports import Ports

NOTICES_AT_ONCE = 10
"""EventBridge, PutEvents: the most entries of a call."""
_METRICS = {RunState.FAILED: HealthMetric.RUN_FAILED, RunState.EXPIRED: HealthMetric.RUN_EXPIRED}


@dataclass(frozen=True)
class Notices:
    """A sweep's part of it. `noting` counts what raises within it, and goes on."""

    ports: Ports
    has_time: Callable[[], bool]
    noting: Callable[[str], AbstractContextManager[None]]

    def give(self, items: Iterable[RunItem], most: int) -> int:
        """Notify of up to `most` listed runs that ended badly, those without an event first; how many were new.

        The bus is left for this sweep when it fails once: so its silence costs one time limit, and no run its turn.
        """
        ended = sorted(filter(_has_ended_badly, items), key=_by_turn)[:most]
        given = 0
        with self.noting("events of runs that ended badly"):
            for batch in _batches([item for item in ended if not item.is_notified]):
                if not self.has_time():
                    break
                given += self._notify(batch)
        for item in ended:
            if not self.has_time():
                break
            with self.noting(f"run {item.run.run_id}"):
                if self._is_at_rest(item):
                    self.ports.runs.close(item.run.run_id)
        return given

    def _notify(self, batch: list[RunItem]) -> int:
        taken = self.ports.notifier.notify(batch)
        if counts := Counter(_METRICS[item.state] for item in taken):
            self.ports.metrics.put(counts)
        for item in taken:
            self.ports.runs.notified(item.run.run_id, item.ended_at or 0.0)
        if len(taken) < len(batch):
            raise UnreachableError(f"{len(batch) - len(taken)} of {len(batch)} were not taken")
        return len(taken)

    def _is_at_rest(self, item: RunItem) -> bool:
        """Whether nothing of it is to be parked any more, which keeps it on the list: as far as anybody can know."""
        if item.state is RunState.EXPIRED or self.ports.clock.now() >= item.run.deadline:
            return True
        return bool(self.ports.parking.parked(item.run.run_id))


def _has_ended_badly(item: RunItem) -> bool:
    """Whether there is an end to notify of: one that failed, and all of which ran after all, ends well in this sweep.

    What says no time is not the runtime's doing: its event would be sent each minute, since no end could be noted.
    """
    ends_well = item.state is RunState.FAILED and item.is_complete
    return item.has_ended_badly and item.ended_at is not None and not ends_well


def _by_turn(item: RunItem) -> tuple[bool, float]:
    """The newest first: what was never parked, since AWS lost it, holds up nobody."""
    return item.is_notified, -(item.ended_at or 0.0)


def _batches(items: list[RunItem]) -> Iterator[list[RunItem]]:
    for start in range(0, len(items), NOTICES_AT_ONCE):
        yield items[start : start + NOTICES_AT_ONCE]
