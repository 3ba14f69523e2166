"""A redrive: go on with a run that failed or expired, where its messages are parked. The sweeper's work, by order.

    order ──> whose run?  nobody's, SUCCEEDED, CANCELLED, or RUNNING with nothing parked  ──> refused
                          a node would run on nothing, or on other code        ──> refused, nothing is changed
                          something is parked                                  ──> opened again, and all of it sent
                          nothing is parked, a moment after it failed          ──> nothing, yet
                          nothing is parked: a message is lost                 ──> what its tables have is sent

An operator asks for a run and no more: what is sent follows from the run's item and state, and from this version's
graph, as all that the sweeper sends. Everything is done so that an order may come again, also one that was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile

from caribou.model.errors import CaribouError
from caribou.model.run.envelope import Envelope
from caribou.model.run.item import START_NODE, Parked, RunItem, RunState
from caribou.model.run.order import RedriveAnswer, RedriveOrder, Refusal, Sent
from caribou.model.run.text import storable
from caribou.runtime.homecoming import LATE_S, Homecoming
from caribou.runtime.progress import Progress
from caribou.runtime.redrive_checks import first_refusal, of_another_graph
from caribou.runtime.remains import remains
from caribou.runtime.sweeping import Sweeper

_ENDED_BADLY = (RunState.FAILED, RunState.EXPIRED)
_OVER = (RunState.SUCCEEDED, RunState.CANCELLED)


@dataclass(frozen=True)
class Redriver:
    """Carries orders out for one workflow, at home."""

    sweeper: Sweeper

    def carry_out(self, order: RedriveOrder) -> RedriveAnswer:
        """Do what is ordered, unless it is refused; what became of it."""
        try:
            item = self.sweeper.ports.runs.get(order.run_id)
            if item is None:
                return RedriveAnswer(refusal=Refusal("there is no such run", "see `caribou runs`"))
            return self._brought_home(item) if order.home else self._redriven(item)
        except CaribouError as error:
            return RedriveAnswer(failure=storable(str(error)))

    def _redriven(self, item: RunItem) -> RedriveAnswer:
        ended_badly = item.state in _ENDED_BADLY
        if ended_badly and item.is_complete:
            return self._ended(item)
        problems = self.sweeper.empty_queues_of(item) if ended_badly else ()
        parked = self.sweeper.ports.parking.parked(item.run.run_id)
        if item.state in _OVER or not (parked or ended_badly):
            return RedriveAnswer(refusal=_not_ended_badly(item))
        return replace(self._parked(item, parked) if parked else self._remains(item, problems), problems=problems)

    def _brought_home(self, item: RunItem) -> RedriveAnswer:
        if item.state in _OVER:
            return RedriveAnswer(refusal=_not_ended_badly(item))
        if item.is_complete:
            return self._ended(item)
        return Homecoming(self.sweeper).bring(item)

    def _ended(self, item: RunItem) -> RedriveAnswer:
        """What was still under way has come to its end since."""
        ports = self.sweeper.ports
        self._reopen(item)
        ports.runs.succeed(item.run.run_id, ports.clock.now())
        return RedriveAnswer(has_ended=True)

    def _parked(self, item: RunItem, parked: tuple[Parked, ...]) -> RedriveAnswer:
        """Send as much as there is time for: the sweeper goes on with the rest."""
        entry = self.sweeper.settings.graph.entry.name
        nodes = {entry if message.node == START_NODE else message.node for message in parked}
        if refusal := first_refusal(self._progress(item), nodes):
            return RedriveAnswer(refusal=refusal)
        self._reopen(item)
        sent = []
        for message in takewhile(lambda _: self.sweeper.has_time(), parked):
            self.sweeper.resend(message, item.run)
            sent.append(Sent(message.node, message.reason))
        return RedriveAnswer(sent=tuple(sent))

    def _remains(self, item: RunItem, problems: tuple[str, ...]) -> RedriveAnswer:
        """Send what a run waits for of which nothing is parked, unless it may still come."""
        now, progress = self.sweeper.ports.clock.now(), self._progress(item)
        is_late = item.state is RunState.EXPIRED or now - (item.ended_at or now) >= LATE_S
        if problems or not is_late:
            return RedriveAnswer()
        if item.run.graph != progress.graph.digest:
            return RedriveAnswer(refusal=of_another_graph(item, progress.graph.version))
        again, lost = remains(progress, now)
        refusal = _nowhere(lost) if lost else first_refusal(progress, {message.node for message in again})
        return RedriveAnswer(refusal=refusal) if refusal else self._sent(item, again)

    def _sent(self, item: RunItem, again: tuple[Envelope, ...]) -> RedriveAnswer:
        """Send, and open the run only then: if this is interrupted, the same order finds again what is missing."""
        for message in again:
            self.sweeper.send_again(message)
        self._reopen(item)
        return RedriveAnswer(sent=tuple(Sent(message.node, "its message was lost") for message in again))

    def _progress(self, item: RunItem) -> Progress:
        settings = self.sweeper.settings
        return Progress(item, settings.graph, settings.home_region, self.sweeper.ports)

    def _reopen(self, item: RunItem) -> None:
        ports, settings = self.sweeper.ports, self.sweeper.settings
        ports.runs.reopen(item.run.run_id, ports.clock.now() + settings.runs.run_deadline_s)


def _not_ended_badly(item: RunItem) -> Refusal:
    return Refusal(
        "only a run that failed or expired can go on", fix=f"see `caribou trace {item.run.run_id}`", found=item.state
    )


def _nowhere(lost: tuple[str, ...]) -> Refusal:
    return Refusal(
        f"nothing of it is parked, and what {' and '.join(lost)} was to work on is kept nowhere",
        fix="start a new run; or, if Lambda may still be trying, which it does for 6 hours at most, try again then",
    )
