"""Hours of a workflow's life, minute by minute: runs arrive all along, a region goes, and comes back.

Each minute a run starts whose nodes and whose sync state are in the region that goes (`touched`), and one that has
nothing there (`elsewhere`), of which every third loses a message, so that it needs the next sweep. Lambda tries an
event again after one minute and after two, and gives up what is older than six hours; the sweeper runs once a minute.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulated import FAR, HOME, Plan_, World, graph_of, placement_of, run_of

from caribou.model.run.item import RunState
from caribou.model.template_contract import MAX_EVENT_AGE_S
from caribou.runtime.event import json_or_text, message_of
from caribou.runtime.failed_events import run_id_of

MINUTE_S = 60
DIAMOND = graph_of({"a": "b c", "b": "s", "c": "s", "s": "d"}, "s")
WIDTH = 2
"""How many messages of a run of the diamond there can be at once: its branches."""


@dataclass(frozen=True)
class Outage:
    """A region that is gone for a while: how it answers, by the minute, and whether its own Lambda stands still."""

    region: str
    answers: tuple
    is_dark: bool = False

    def answer_at(self, minute):
        """How it refuses in that minute of the outage; None if it is back for a while."""
        return self.answers[minute % len(self.answers)]


@dataclass
class Hours:
    """A workflow before, during and after an outage. `is_interrupted`: runs are in the middle of it when it begins."""

    outage: Outage
    deadline_s: int = 24 * 3600
    before: int = 5
    during: int = 60
    after: int = 15
    every: int = 1
    is_interrupted: bool = False
    ends: dict = field(default_factory=dict)
    resent: list = field(default_factory=list)
    most_alive: int = 0
    is_on: bool = False

    def __post_init__(self):
        away = self.outage.region if self.outage.region != HOME else "us-west-2"
        self.world = World(DIAMOND, Plan_(is_tagged=True), deadline_s=self.deadline_s, message_limit_bytes=100_000)
        self.placements = {
            "touched": placement_of(DIAMOND, {"b": away, "s": away}),
            "elsewhere": placement_of(DIAMOND, {"b": FAR, "s": FAR}),
        }
        self.begun, self.born, self._lost = {}, {}, set()
        self.back_s = self.world.now_s + (self.before + self.during) * MINUTE_S

    def pass_by(self):
        """All minutes, then what is left to do once nothing goes wrong any more."""
        for minute in range(self.before + self.during + self.after):
            self._minute(minute)
        self.world.settle()
        self._note_ends()
        return self

    def states(self, kind):
        """The ends of the runs of a kind, counted."""
        return Counter(self.world.state(run_id) for run_id in self.begun if run_id.startswith(kind))

    def delays_s(self, kind):
        """How long the runs of a kind took."""
        return [self.ends[run_id] - at for run_id, at in self.begun.items() if run_id.startswith(kind)]

    def _minute(self, minute):
        world, outage, since = self.world, self.outage, minute - self.before
        answer = outage.answer_at(since) if 0 <= since < self.during else None
        world.down = {outage.region: answer} if answer else {}
        self.is_on = bool(answer)
        if minute % self.every == 0 and HOME not in world.down:
            self._start(minute)
        if since == -1 and self.is_interrupted:
            self._begin_only()
        self._deliver()
        if minute % 2 == 0:  # what was received stays out of sight for two minutes
            world.cloud.failures.show()
        if not self._is_dark(HOME):
            self._sweep()
        self._deliver()
        self._note_ends()
        world.now_s += MINUTE_S

    def _start(self, minute):
        for kind in self.placements:
            run_id = f"{kind}-{minute}"
            self.begun[run_id] = self.world.now_s
            self.world.start(run_id, payload={"run": run_id, "edge": "start"})

    def _begin_only(self):
        """Their first nodes have run; what these sent is on its way, in their regions and at home."""
        for event in list(self.world.pending):
            self.born[id(event)] = event, self.world.now_s
            self._invoke(event)
        for event in self.world.pending:
            event.due_s = self.world.now_s + MINUTE_S

    def _deliver(self):
        """Lambda, until there is nothing to do in this minute."""
        world = self.world
        while due := [event for event in world.pending if self._is_due(event)]:
            for event in due:
                self._invoke(event)

    def _is_due(self, event):
        born = self.born.setdefault(id(event), (event, self.world.now_s))[1]
        if self.world.now_s - born > MAX_EVENT_AGE_S:
            return True
        return event.due_s <= self.world.now_s and not self._is_dark(event.region)

    def _invoke(self, event):
        world, run_id = self.world, run_of(event)
        if world.now_s - self.born[id(event)][1] > MAX_EVENT_AGE_S or self._loses(event):
            world.pending.remove(event)
            world.give_up(event, None, "EventAgeExceeded")
            return
        world.placement = self.placements[run_id.partition("-")[0]]
        world.advance(world.invoke(event))

    def _loses(self, event):
        """Of every third run that has nothing in the region, Lambda gives the message to `c` up once."""
        run_id = run_of(event)
        kind, _, number = run_id.partition("-")
        if kind != "elsewhere" or int(number) % 3 or event.function != "c" or run_id in self._lost:
            return False
        self._lost.add(run_id)
        return True

    def _is_dark(self, region):
        return self.is_on and self.outage.is_dark and region == self.outage.region

    def _sweep(self):
        process = self.world.sweep()
        self.world.advance(process)
        if process.answer is not None:
            self.resent.append(process.answer.resent)
        events = [*self.world.pending, *self.world.cloud.failures.events]
        alive = Counter(run_of(event) if hasattr(event, "tries") else _run_of_failed(event) for event in events)
        self.most_alive = max(self.most_alive, *alive.values(), 0)

    def _note_ends(self):
        for run_id in self.begun.keys() - self.ends.keys():
            item = self.world.item(run_id)
            if item is not None and item.state is not RunState.RUNNING:
                self.ends[run_id] = self.world.now_s


def _run_of_failed(event):
    return run_id_of(message_of(json_or_text(event.message), event.message_id))
