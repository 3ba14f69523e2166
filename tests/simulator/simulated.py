"""A cloud in one thread whose every operation may fail, and whose processes run in any order, all by one seed.

A process (one Lambda invocation, one sweep, one redrive) is the product's own code on gated ports. Each operation of a
port is a place where the process may be suspended, killed, refused, or left in doubt. A suspended process holds no
thread: it keeps the answers that it got, and goes on by running again from its start with those answers, which is
the same as going on where it stood, since all that it does follows from its event and these answers.

`World` has Lambda's part: messages wait, come twice, are tried three times under one request id, and then lie in a
failure queue. Invariants are checked at every operation that changes something (`Invariants`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cached_property
from random import Random

import builders
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from refusals import SERVICE_OF, Refusal, errors_of

from caribou.model.errors import CaribouError, UnreachableError
from caribou.model.graph import Graph
from caribou.model.placement import Placement
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Envelope, Start, parse_message
from caribou.model.run.item import FailedEvent, RunState
from caribou.model.run.order import CancelOrder, RedriveOrder
from caribou.model.run_settings import RunSettings
from caribou.runtime import CaribouWorkflow
from caribou.runtime.cancelling import Canceller
from caribou.runtime.clients import Clients
from caribou.runtime.event import Delivery, json_or_text, start_of, unpack
from caribou.runtime.node import MAX_ATTEMPTS, NodeRunner
from caribou.runtime.ports import Ports
from caribou.runtime.redriving import Redriver
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.testing.memory import InMemoryCloud

HOME, AWAY, FAR = "us-east-1", "us-west-2", "ca-central-1"
REGIONS = (HOME, AWAY, FAR)
NOW_S = 1.7e9
SKEW_S = 600
TO_THE_END = 1_000_000
SWEEP_S, IN_HAND_S, SILENCE_S = 60, 20, 3
"""A sweep's time limit, what it keeps in hand, and how long it waits for a call that is not answered."""


class Suspended(BaseException):
    """The process waits before its next operation."""


class Killed(BaseException):
    """The process is no more: a crash, a timeout in user code, a region's power."""


class UserError(Exception):
    """User code fails."""


class Violation(AssertionError):  # noqa: N818 - what it is
    """Something happened that must not."""


class Fault(Enum):
    """What becomes of one operation; or it is refused, in any of the ways of `Refusal`."""

    NONE = auto()
    KILLED = auto()
    IN_DOUBT = auto()
    TWICE = auto()
    KILLED_AFTER = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a port: `runs.fail`, `bus.publish`, … in a region; or `user.code`, in none."""

    name: str
    region: str
    args: tuple = ()


@dataclass
class Event:
    """A message in Lambda's queue, or an event that came past the topic. Its tries share the request id."""

    region: str
    function: str
    text: str
    message_id: str
    request_id: str
    tries: int = 0
    due_s: float = 0.0
    is_direct: bool = False

    @cached_property
    def message(self):
        """The envelope or start in it; None if it is neither, can't be read, or came past the topic."""
        try:
            return None if self.is_direct else parse_message(json_or_text(self.text))
        except CaribouError:
            return None


def graph_of(calls, sync=""):
    """A graph, see builders.py, each of whose edges may be skipped."""
    graph = builders.graph_of(calls, sync)
    return replace(graph, edges=tuple(replace(edge, conditional=True) for edge in graph.edges))


def placement_of(graph, regions=None):
    """A placement for all hours; nodes that are not named are at home."""
    return builders.placement_of(graph, regions or {}, HOME)


def expected_nodes(graph, skip):
    """The nodes that run, by what the words mean: a node runs if an edge into it is taken."""
    runs = {graph.entry.name}
    for node in graph.nodes:
        if node.name in runs:
            runs |= {edge.target for edge in graph.out_edges(node.name) if edge.id not in skip}
    return runs


class _Gate:
    """A port as one process sees it: every call is an operation of the process."""

    def __init__(self, process, name, port, region_of):
        self._process, self._name, self._port, self._region_of = process, name, port, region_of

    def __getattr__(self, method):
        call = getattr(self._port, method)

        def operate(*args, **kwargs):
            operation = Operation(f"{self._name}.{method}", self._region_of(*args), args)
            return self._process.operate(operation, lambda: call(*args, **kwargs))

        return operate


class _Clock:
    """The machine's clock, off by its skew; what was read stays so when the process is replayed."""

    def __init__(self, process):
        self._process = process

    def now(self):
        """Seconds since 1970, as this machine has them."""
        return self._process.time()


class _Sends(Executor):
    """What sends run on: each at once, or only when it is waited for, as the process's chance has it."""

    def __init__(self, process):
        self._process, self._made = process, 0
        self._waiting = []

    def submit(self, call):
        """Begin a send, or let it wait."""
        send = _Send(call)
        self._made += 1
        if self._process.delays >> self._made % 30 & 1:
            self._waiting.append(send)
        else:
            send.begin()
        return send

    def shutdown(self, wait=True, *, cancel_futures=False):  # noqa: FBT002 - as in its base
        """Drop what has not begun."""
        del wait
        if cancel_futures:
            for send in self._waiting:
                send.cancel()


class _Send(Future):
    def __init__(self, call):
        super().__init__()
        self._call = call

    def begin(self):
        """Send; only what kills or suspends the whole process comes through."""
        try:
            self.set_result(self._call())
        except Exception as error:  # noqa: BLE001 - as a pool's thread does
            self.set_exception(error)

    def result(self, timeout=None):
        """Wait for it."""
        if not self.done():
            self.begin()
        return super().result(timeout)


_SILENCE = (ConnectTimeoutError, ReadTimeoutError)
_NO_SESSION = object()
"""Clients that make none: of them, the simulator has what errors mean, and which regions are silent."""


class Process:
    """One invocation. `run` is what it does, given its ports; `event` what Lambda invoked it with, if it did."""

    def __init__(self, world, label, region, run, event=None):
        self.world, self.label, self.region, self.event = world, label, region, event
        self._run = run
        self._silences = []
        self.log, self._times, self._cursor, self._time_cursor, self._budget = [], [], 0, 0, 0
        self.skew_s, self.delays = world.skew(), world.delays()
        self.raises, self.flips = False, frozenset()
        self.error, self.answer, self.is_in_user_code = None, None, False
        self.clients = Clients(_NO_SESSION, home_region=HOME)
        self.ports = self._gated(world.cloud.ports(region))

    @property
    def name(self):
        """For a trace."""
        event = self.event
        return self.label if event is None else f"{self.label} {event.request_id} try {event.tries + 1}"

    def advance(self, operations):
        """Run on for some operations at most; whether it has ended."""
        self._cursor = self._time_cursor = 0
        self._budget = operations
        self.world.current = self
        try:
            self.answer = self._run(self)
            if self._budget == 0:  # it ends, but may still be killed before Lambda hears of it
                return False
        except Suspended:
            return False
        except Violation:
            raise
        except (Exception, Killed) as error:  # noqa: BLE001 - Lambda's edge
            self.error = error
        return True

    def operate(self, operation, call):
        """One operation: the answer that it had, or a new one."""
        if self._cursor == len(self.log):
            if self._budget == 0:
                raise Suspended
            self._budget -= 1
            outcome = self.world.operate(self, operation, call)
            if isinstance(getattr(outcome[1], "__cause__", None), _SILENCE):
                self._silences.append(len(self.log))
            self.log.append(outcome)
        answer, error = self.log[self._cursor]
        self._cursor += 1
        if error is not None:
            raise error
        return answer

    def has_time(self):
        """Whether a sweep has time for one more step: only waiting for answers takes any."""
        waited = sum(place < self._cursor for place in self._silences)
        return SWEEP_S - waited * SILENCE_S > IN_HAND_S

    def time(self):
        """The time that was read at this place."""
        if self._time_cursor == len(self._times):
            self._times.append(self.world.now_s + self.skew_s)
        self._time_cursor += 1
        return self._times[self._time_cursor - 1]

    def _gated(self, ports):
        def first(region, *_):
            return region

        def of_first(thing, *_):
            return thing.region

        def home(*_):
            return HOME

        return Ports(
            bus=_Gate(self, "bus", ports.bus, first),
            claims=_Gate(self, "claims", ports.claims, first),
            syncs=_Gate(self, "syncs", ports.syncs, first),
            runs=_Gate(self, "runs", ports.runs, home),
            payloads=_Gate(self, "payloads", ports.payloads, lambda a, *_: a if isinstance(a, str) else a.region),
            clock=_Clock(self),
            failures=_Gate(self, "failures", ports.failures, lambda a, *_: a if isinstance(a, str) else of_first(a)),
            parking=_Gate(self, "parking", ports.parking, home),
            notifier=_Gate(self, "notifier", ports.notifier, home),
            metrics=ports.metrics,
        )


@dataclass
class Plan_:  # noqa: N801 - the run's plan, not the placement's
    """What user code does: edges whose condition is false, nodes that always fail."""

    skip: frozenset = frozenset()
    bad: frozenset = frozenset()
    payload: str | None = None
    is_fickle: bool = False
    is_tagged: bool = False

    def payload_of(self, edge, run_id):
        """What is sent along an edge in a run; a tagged one says both."""
        if self.is_tagged:
            return tagged(run_id, edge.id)
        return self.payload if self.payload is not None else f"by {edge.id}"


def tagged(run_id, edge="start"):
    """A payload that says whose it is."""
    return {"run": run_id, "edge": edge}


@dataclass
class World:
    """One workflow in its cloud; one thread, one seed. `fault` decides what becomes of each operation."""

    graph: Graph
    plan: Plan_ = field(default_factory=Plan_)
    placement: Placement | None = None
    seed: int = 0
    deadline_s: int = 24 * 3600
    message_limit_bytes: int = 256 * 1024
    deduplicate: bool = True
    is_skewed: bool = False

    def __post_init__(self):
        self.chance = Random(self.seed)
        self.cloud = InMemoryCloud(NOW_S)
        self.placement = self.placement or placement_of(self.graph)
        self.now_s = NOW_S
        self.down: dict[str, Refusal] = {}
        self.pending, self.processes, self.current = [], [], None
        self.accepted, self.seen, self.trace, self.is_traced = set(), [], [], False
        self.started, self.returned, self.failed_tries, self.given_up = set(), set(), set(), []
        self.given, self.ran = {}, Counter()
        self.counts = {"started": 0, "killed": 0, "refused": 0, "duplicates": 0, "sweeps": 0}
        self.fault = lambda _process, _operation: Fault.NONE
        self.is_delaying = self.is_stale = False
        self.gates_user_code = True
        self._lists = []
        self._numbered = 0
        self._settings = {}
        self.invariants = Invariants(self)
        self.functions = self._user_functions()

    # What clients and time do

    def start(self, run_id="run", payload="x", **fields):
        """A client's start is accepted by the topic."""
        self.given[run_id] = payload
        self.accept(Start(run_id, payloads.encode(payload), **fields).to_text(), run_id)

    def accept(self, text, run_id):
        """A message to the home entry is accepted."""
        self.accepted.add(run_id)
        self.enqueue(HOME, self.graph.entry.function, text, message_id=run_id)

    def enqueue(self, region, function, text, message_id=None):
        """Lambda gets a message."""
        event = Event(region, function, text, message_id or self.new_id("message"), self.new_id("request"))
        self.pending.append(event)
        self.seen.append(event)
        return event

    def invoke_directly(self, region, function, event):
        """Somebody invokes a function with any JSON value; the event in Lambda's queue."""
        request_id = self.new_id("request")
        direct = Event(region, function, json.dumps(event), request_id, request_id, is_direct=True)
        self.pending.append(direct)
        return direct

    def duplicate(self, event, *, same_request=False):
        """A message that was delivered, or will be, comes again; SNS's copy is a new request, Lambda's own the same."""
        self.counts["duplicates"] += 1
        request_id = event.request_id if same_request else self.new_id("request")
        copy = replace(event, request_id=request_id, tries=0, due_s=self.now_s)
        self.pending.append(copy)
        return copy

    def skew(self):
        """How far a new process's clock is off."""
        return self.chance.uniform(-SKEW_S, SKEW_S) if self.is_skewed else 0.0

    def delays(self):
        """Which sends of a new process wait, as bits."""
        return self.chance.getrandbits(30) if self.is_delaying else 0

    # Processes

    def invoke(self, event):
        """Lambda starts a process for an event; it has done nothing yet."""
        self.pending.remove(event)
        process = Process(self, f"{event.function}@{event.region}", event.region, self._handler(event), event)
        self.processes.append(process)
        return process

    def sweep(self):
        """The schedule starts a sweep."""
        self.counts["sweeps"] += 1
        return self._other("sweep", lambda sweeper: sweeper.sweep())

    def redrive(self, run_id="run", *, home=False):
        """Someone redrives a run, or brings it home."""
        return self._other("redrive", lambda sweeper: Redriver(sweeper).carry_out(RedriveOrder(run_id, home=home)))

    def cancel(self, run_id="run"):
        """Someone cancels a run."""
        return self._other(
            "cancel",
            lambda sweeper: Canceller(sweeper.settings, sweeper.ports, sweeper.has_time).carry_out(CancelOrder(run_id)),
        )

    def advance(self, process, operations=TO_THE_END):
        """Let a process run on; whether it has ended."""
        has_ended = process.advance(operations)
        if has_ended:
            self._end(process)
        return has_ended

    def kill(self, process):
        """A process is no more."""
        process.error = Killed()
        self.counts["killed"] += 1
        self._end(process)

    def operate(self, process, operation, call):
        """Do an operation, or not: answer and error."""
        fault = self.fault(process, operation)
        if self.is_traced:
            self.trace.append(f"{self.now_s:.0f} {process.name}: {operation} {fault.name}"[:300])
        if fault is Fault.KILLED:
            raise Killed
        if operation.name.startswith("user."):
            return self._done(process, operation, call, fault)
        refusal = fault if isinstance(fault, Refusal) else self.down.get(operation.region)
        try:
            with process.clients.reaching(operation.region):
                self._refuse(refusal, operation)
                answer = self._done(process, operation, call, fault)
                if fault is Fault.IN_DOUBT:
                    raise ReadTimeoutError(endpoint_url=operation.name)
        except (UnreachableError, ClientError) as error:
            self.counts["refused"] += 1
            return None, error
        return answer

    def _refuse(self, refusal, operation):
        """Raise what the real client of a port raises."""
        errors = errors_of(refusal, SERVICE_OF[operation.name.partition(".")[0]]) if refusal else ()
        if errors:
            raise self.chance.choice(errors).with_traceback(None)

    def _done(self, process, operation, call, fault):
        """Do it, once or twice; answer and error."""
        for _ in range(2 if fault is Fault.TWICE else 1):
            with self.invariants.around(process, operation) as check:
                answer = check(self._outcome(call))
            self._enqueue_published()
        if operation.name == "runs.listed":
            answer = self._perhaps_stale(answer)
        if fault is Fault.KILLED_AFTER:
            raise Killed
        return answer

    # To the end, without faults

    def settle(self, rounds=80):
        """Faults have stopped: deliver and sweep until nothing moves. Time goes on by a minute a sweep."""
        self.fault, self.down, self.is_stale = (lambda _process, _operation: Fault.NONE), {}, False
        quiet = 0
        for _ in range(rounds):
            moved = self.drain()
            self.cloud.failures.show()
            self.advance(self.sweep())
            self.now_s += 60
            quiet = 0 if moved or self.pending else quiet + 1
            if quiet == 3:
                return self
        raise Violation(f"does not come to rest: {self.pending[:3]}")

    def drain(self):
        """Let all processes and messages come to their end, in the order in which they are; whether there were any."""
        moved = bool(self.processes or self.pending)
        while self.processes or self.pending:
            if not self.processes:
                self.now_s = max(self.now_s, self.pending[0].due_s)
                self.invoke(self.pending[0])
            self.advance(self.processes[0])
        return moved

    def item(self, run_id="run"):
        """The run item, or None."""
        return self.cloud.runs.items.get(run_id)

    def state(self, run_id="run"):
        """The run's state."""
        return self.item(run_id).state

    def parked(self, run_id="run"):
        """What is parked of a run."""
        return self.cloud.parking.parked(run_id)

    def settings(self, function, region):
        """A function's settings in a region."""
        key = (function, region, self.graph.version)
        if key not in self._settings:
            self._settings[key] = Settings(
                self.graph,
                function,
                HOME,
                region,
                "test",
                RunSettings(0.0, self.message_limit_bytes, self.deadline_s, self.deduplicate),
            )
        return self._settings[key]

    def _handler(self, event):
        placement = self.placement

        def handle(process):
            runner = NodeRunner(
                settings=self.settings(event.function, event.region),
                ports=process.ports,
                placement=placement,
                user_function=self.functions[event.function],
                memory_mb=1769,
                emit=lambda _: None,
                exchanges=dict,
                pool=lambda: _Sends(process),
            )
            return runner.handle(self._delivery(event), cold_start=True)

        return handle

    def _delivery(self, event):
        if not event.is_direct:
            return Delivery(json_or_text(event.text), event.message_id, event.request_id, from_topic=True)
        names = self.settings(event.function, event.region).names
        return unpack(json.loads(event.text), names=names, function=event.function, request_id=event.request_id)

    def _other(self, label, do):
        settings = self.settings("", HOME)
        process = Process(self, label, HOME, lambda process: do(_sweeper(settings, process)))
        self.processes.append(process)
        return process

    def _end(self, process):
        self.processes.remove(process)
        event, error = process.event, process.error
        if self.is_traced:
            self.trace.append(f"{self.now_s:.0f} {process.name} ended: {error!r} {process.answer}")
        if isinstance(error, Violation):
            raise error
        if error is None or event is None:
            if error is not None and not isinstance(error, (UnreachableError, Killed, ClientError)):
                raise Violation(f"the {process.label} failed: {error!r}") from error
            return
        event.tries += 1
        if not isinstance(error, UnreachableError):
            self.failed_tries.add((run_of(event), _node_of(event, self.graph)))
        if event.tries < MAX_ATTEMPTS:
            event.due_s = self.now_s + 60 * event.tries
            self.pending.append(event)
            return
        kind = "Runtime.ExitError" if isinstance(error, Killed) else type(error).__name__
        self.give_up(event, kind, str(error))

    def give_up(self, event, error_type, error):
        """Lambda has tried often enough, or could never start the function."""
        self.given_up.append((event, error_type))
        text = start_of(json.loads(event.text), event.message_id).to_text() if event.is_direct else event.text
        self.cloud.failures.put(
            FailedEvent(event.region, event.function, text, event.message_id, error_type, error, self.new_id("failure"))
        )

    def _outcome(self, call):
        try:
            return call(), None
        except Exception as error:  # noqa: BLE001 - the process's to handle
            return None, error

    def _perhaps_stale(self, answer):
        """The list is an index, which may lag behind its table."""
        self._lists.append(answer)
        return self.chance.choice(self._lists[-4:]) if self.is_stale else answer

    def _enqueue_published(self):
        if self.cloud.bus._messages:
            for message in self.cloud.bus.take():
                self.enqueue(message.region, message.function, message.text)

    def new_id(self, kind):
        """A name that nothing else has."""
        self._numbered += 1
        return f"{kind}-{self._numbered}"

    def _user_functions(self):
        workflow, functions = CaribouWorkflow(self.graph.workflow, self.graph.version), {}

        def function_of(node):
            @workflow.serverless_function(name=node.function)
            def function(payload):
                process = self.current
                if self.gates_user_code:
                    process.operate(Operation("user.code", ""), lambda: None)
                data = workflow.get_predecessor_data() if node.sync else payload
                self.invariants.user_code(process, node, data)
                for edge in self.graph.out_edges(node.name):
                    taken = (edge.id in self.plan.skip) == (edge.id in process.flips)
                    payload = self.plan.payload_of(edge, run_of(process.event))
                    workflow.invoke_serverless_function(functions[edge.target], payload, taken)
                if process.raises or node.name in self.plan.bad:
                    raise UserError(node.name)
                self.returned.add((run_of(process.event), node.name))
                if self.gates_user_code:
                    process.operate(Operation("user.end", ""), lambda: None)

            return function

        for node in self.graph.nodes:
            functions[node.function] = function_of(node)
        return functions


def _sweeper(settings, process):
    """A sweeper of one thread: its regions come in an order by the process's chance."""
    return Sweeper(settings, process.ports, process.has_time, pool=lambda: _Sends(process))


def run_of(event):
    """The run that an event is of."""
    message = event.message
    if isinstance(message, Envelope):
        return message.run.run_id
    return (message.run_id if message else None) or event.message_id


def _node_of(event, graph):
    message = event.message
    return message.node if isinstance(message, Envelope) else graph.entry.name


_ALLOWED = {
    (None, RunState.RUNNING): {"runs.begin"},
    (RunState.RUNNING, RunState.SUCCEEDED): {"runs.succeed"},
    (RunState.FAILED, RunState.SUCCEEDED): {"runs.succeed"},
    (RunState.RUNNING, RunState.FAILED): {"runs.fail"},
    (RunState.RUNNING, RunState.EXPIRED): {"runs.expire", "runs.halt"},
    (RunState.RUNNING, RunState.CANCELLED): {"runs.cancel"},
    (RunState.FAILED, RunState.RUNNING): {"runs.reopen"},
    (RunState.EXPIRED, RunState.RUNNING): {"runs.reopen"},
}


class Invariants:
    """What must hold at every step, and at the end."""

    def __init__(self, world):
        self._world, self._owners, self._payloads = world, {}, {}

    def around(self, process, operation):
        """Look at what an operation changes."""
        return _Look(self, process, operation)

    def user_code(self, process, node, data):
        """User code of a node begins to call: where it may run, with what it must be given."""
        world, run_id = self._world, run_of(process.event)
        run = world.item(run_id).run
        if process.region not in {run.region_of(node.name, HOME), HOME}:
            raise Violation(f"{node.name} runs in {process.region}, not in {run.region_of(node.name, HOME)}")
        if world.plan.is_tagged:
            self._tagged(run_id, node, data)
        world.counts["started"] += not process.is_in_user_code  # a replay is not another start
        world.ran[run_id, node.name] += not process.is_in_user_code
        process.is_in_user_code = True
        world.started.add(node.name)
        if not world.plan.is_fickle and node.name not in expected_nodes(world.graph, world.plan.skip):
            raise Violation(f"{node.name} runs though all edges into it are skipped")
        if node.sync:
            self._sync_node(run_id, node, run.region_of(node.name, HOME), data)

    def _tagged(self, run_id, node, data):
        """The entry is given what its run was started with, every other node what was sent in its own run."""
        if node == self._world.graph.entry:
            is_own = data == self._world.given[run_id]
        else:
            is_own = all(each["run"] == run_id for each in (data if node.sync else [data]))
        if not is_own:
            raise Violation(f"{node.name} of {run_id} is given {data}")

    def at_the_end(self):
        """Nothing moves any more: how every accepted run stands."""
        world = self._world
        for run_id in sorted(world.accepted):
            item = world.item(run_id)
            if item is None or item.state is RunState.RUNNING:
                raise Violation(f"{run_id} is lost: {item}")
            if item.state is RunState.SUCCEEDED:
                self._succeeded(item)
            elif item.state is RunState.FAILED:
                self._failed(item)
            elif item.state is RunState.EXPIRED and item.run.deadline > world.now_s + SKEW_S * world.is_skewed:
                raise Violation(f"{run_id} expired before its deadline")
            if item.has_ended_badly and (run_id, item.state, item.ended_at) not in self._notified():
                raise Violation(f"nobody was notified that {run_id} is {item.state}")

    def _notified(self):
        return {(end.run.run_id, end.state, end.ended_at) for end in self._world.cloud.notifier.ends}

    def _succeeded(self, item):
        world = self._world
        if item.ended != item.leaves:
            raise Violation(f"succeeded without {sorted(item.leaves - item.ended)}")
        returned = {node for run_id, node in world.returned if run_id == item.run.run_id}
        if not world.plan.is_fickle and (missing := expected_nodes(world.graph, world.plan.skip) - returned):
            raise Violation(f"succeeded though {sorted(missing)} never returned")

    def _failed(self, item):
        if not self._world.parked(item.run.run_id) and not self._world.cloud.failures.events:
            raise Violation("failed, and there is nothing to redrive")
        if (item.run.run_id, item.failed_node) not in self._world.failed_tries:
            raise Violation(f"failed at {item.failed_node}, whose code never failed")

    def _sync_node(self, run_id, node, region, data):
        world = self._world
        state = world.cloud.syncs._inputs[region, run_id, node.name].state
        edges = world.graph.in_edges(node.name)
        if state.reported() != len(edges) or not state.taken:
            raise Violation(f"{node.name} runs before its edges have reported: {state}")
        if elsewhere := [
            key for key in world.cloud.syncs._inputs if key[1:] == (run_id, node.name) and key[0] != region
        ]:
            raise Violation(f"the state of {node.name} is split: {elsewhere}")
        expected = [world.plan.payload_of(edge, run_id) for edge in edges if edge.id in state.taken]
        if data != expected:
            raise Violation(f"{node.name} is given {data}, not {expected}")

    def claimed(self, process, args, answer):
        """A claim was granted: to one owner an attempt, of a sync node to one wherever it was fired to."""
        region, run_id, node, owner, attempt = args
        if answer is not None:
            is_sync = process.world.graph.has_node(node) and process.world.graph.node(node).sync
            key = "anywhere" if is_sync else region, run_id, node, attempt
            if self._owners.setdefault(key, owner) != owner:
                raise Violation(f"two own {key}: {owner} and {self._owners[key]}")

    def run_changed(self, operation, before, after):
        """A run item was written."""
        if before is not None and after is None:
            raise Violation(f"{operation.name} lost the run item")
        was, now = before and before.state, after and after.state
        if was is not now and operation.name not in _ALLOWED.get((was, now), ()):
            raise Violation(f"{operation.name} made {was} {now}")
        if was is not now and now is RunState.SUCCEEDED:
            self._succeeded(after)
        if before is not None and not (before.ended <= after.ended <= after.leaves):
            raise Violation(f"leaves ended: {sorted(before.ended)}, then {sorted(after.ended)}")

    def sync_changed(self, operation, before, after):
        """Sync state was written: each edge reports once, and keeps its payload."""
        if before is None:
            return
        grew = before.state.taken <= after.state.taken and before.state.skipped <= after.state.skipped
        if not grew or after.state.taken & after.state.skipped:
            raise Violation(f"{operation.name}: {before.state} became {after.state}")
        if any(after.payloads.get(edge) != payload for edge, payload in before.payloads.items()):
            raise Violation(f"{operation.name} replaced a payload")
        if not after.state.taken <= after.payloads.keys():
            raise Violation(f"an edge is taken without its payload: {after}")


class _Look:
    """One operation: what it found, and what it left."""

    def __init__(self, invariants, process, operation):
        self._invariants, self._process, self._operation = invariants, process, operation
        self._port = operation.name.partition(".")[0]

    def __enter__(self):
        self._before = self._now()
        return self._keep

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        operation, after = self._operation, self._now()
        if self._port == "runs":
            self._invariants.run_changed(operation, self._before, after)
        elif self._port == "syncs":
            self._invariants.sync_changed(operation, self._before, after)
        elif operation.name == "claims.claim":
            self._invariants.claimed(self._process, operation.args, self._answer[0])

    def _keep(self, answer):
        self._answer = answer
        return answer

    def _now(self):
        cloud, args = self._invariants._world.cloud, self._operation.args
        if self._port == "runs" and args:
            return cloud.runs.items.get(args[0] if isinstance(args[0], str) else args[0].run_id)
        if self._port == "syncs":
            return cloud.syncs._inputs.get(args[:3])
        return None


def seed_of_environment():
    """The seed to replay, or None."""
    return int(os.environ["SEED"]) if "SEED" in os.environ else None
