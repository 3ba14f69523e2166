"""Cancelling a run that is open: the sweeper's work, by order.

    order ──> whose run?  nobody's, or one that has ended ──> refused
                          open                            ──> CANCELLED: that decides
                                                              then no node of it can be claimed any more, anywhere

A function reads no run item before it runs its node: each hop would pay for that. But it claims its node, so that is
where a cancelled run stops: who comes later is refused, as the second delivery of a message is, Lambda's retries too.
User code that is running goes on to its end; what it sends on is refused where it arrives. With `deduplicate: false`
plain nodes claim nothing, and go on as far as the next sync node.

The item changes first. An order that was interrupted can be given again, and the run stays on the sweeper's list until
every region has heard of it, or its deadline has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caribou.model.errors import CaribouError, UnreachableError
from caribou.model.run.item import RunItem, RunState
from caribou.model.run.order import CancelAnswer, CancelOrder, Refusal
from caribou.model.run.text import error_text, storable
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings


@dataclass(frozen=True)
class Canceller:
    """Carries orders to cancel out for one workflow, at home."""

    settings: Settings
    ports: Ports
    has_time: Callable[[], bool]

    def carry_out(self, order: CancelOrder) -> CancelAnswer:
        """Do what is ordered, unless it is refused; what became of it. What is cancelled already is stopped anew."""
        try:
            item = self._ended(order.run_id)
            if item is None:
                return CancelAnswer(refusal=Refusal("there is no such run", "see `caribou runs`"))
            if item.state is not RunState.CANCELLED:
                return CancelAnswer(refusal=_has_ended(item))
            return CancelAnswer(problems=stop(item, self.settings, self.ports, self.has_time))
        except CaribouError as error:
            return CancelAnswer(failure=storable(str(error)))

    def _ended(self, run_id: str) -> RunItem | None:
        """The run, which has ended now: by this, or it had before. One whose leaves have all ended has succeeded."""
        runs = self.ports.runs
        item = runs.get(run_id)
        if item is None or item.state is not RunState.RUNNING:
            return item
        end = runs.succeed if item.is_complete else runs.cancel
        end(run_id, self.ports.clock.now())
        return runs.get(run_id)


def stop(item: RunItem, settings: Settings, ports: Ports, has_time: Callable[[], bool]) -> tuple[str, ...]:
    """Let no node of a cancelled run begin, and take it off the list then; where nodes still may, and why.

    Raises UnreachableError if home does not answer.
    """
    run, home = item.run, settings.home_region
    nodes = sorted({node.name for node in settings.graph.nodes} | item.leaves | set(run.regions))
    for message in ports.parking.parked(run.run_id):
        ports.parking.unpark(message)
    problems: list[str] = []
    for region in sorted({home, *run.regions.values()}):
        here = nodes if region == home else [node for node in nodes if run.region_of(node, home) == region]
        try:
            for node in here:
                if not has_time():
                    return (*problems, "there was no time for all of it: the next sweep goes on")
                ports.claims.stop(region, run.run_id, node)
        except UnreachableError as error:
            if region == home:
                raise
            problems.append(f"{region}: {error_text(error)}")
    if not problems:
        ports.runs.close(run.run_id)
    return tuple(problems)


def _has_ended(item: RunItem) -> Refusal:
    fix = f"see `caribou trace {item.run.run_id}`"
    return Refusal(f"it has ended: {item.state}, so there is nothing to cancel", fix)
