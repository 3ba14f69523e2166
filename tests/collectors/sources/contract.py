"""What every client of a service keeps to, whatever the service: a case a client, all faults for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from loopback import Service
from waiting import BACKSTOP_S

from caribou.collectors.sources.http import HttpClient

KEY = "s3cret-k3y"


@dataclass(frozen=True)
class ClientCase:
    """A client: the service that it asks, and a question of several requests or one.

    `ask` gets the service's address and a way to make its HttpClients (`impatient`), asks for a day of the past, and
    gives what it got. `takes_key` says that the requests carry KEY. `may_lack` names faults that are good answers here.
    """

    name: str
    service: Service
    ask: Callable[[str], object]
    takes_key: bool = True
    may_lack: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        return self.name


@dataclass
class Waits:
    """What clients have waited for, s; nobody really waits."""

    seconds: list[float] = field(default_factory=list)


def make_impatient(patch, silence_s: float = BACKSTOP_S) -> Waits:
    """Let all HttpClients wait without waiting, keep no pace, and give up a service that is silent for so long.

    A busy machine's answer may take its time: only a test of silence gives it up soon.
    """
    waits, made = Waits(), HttpClient.__init__

    def impatient(self, *args, **keywords):
        made(self, *args, **keywords)
        self.sleep, self.chance = waits.seconds.append, lambda: 1.0
        self.timeout, self.pause_s = httpx.Timeout(silence_s), 0.0

    patch.setattr(HttpClient, "__init__", impatient)
    return waits
