import os
import threading
from types import SimpleNamespace

import pytest

from caribou.local import gaps


def test_a_missing_name_is_refused_at_the_start():
    """Another MiniStack, without what is replaced here, does not start half-patched."""
    with pytest.raises(RuntimeError, match="json has no no_such_name: "):
        gaps._checked("json", ("loads", "no_such_name"))


def worker(last_used, *, in_use=False, process=None):
    """What `_trim` looks at in a worker."""
    return SimpleNamespace(last_used=last_used, in_use=in_use, _proc=process)


def trimmed(pools, now):
    """The workers that were ended."""
    ended = []
    runtime = SimpleNamespace(_lock=threading.Lock(), _workers=pools, _LOCAL_WORKER_TTL=30.0, kill_workers=ended.extend)
    gaps._trim(runtime, now)
    return ended


def test_trim_ends_workers_idle_beyond_their_time():
    """What was not used for longer than the time to live is ended; what is busy or fresh stays."""
    old, fresh, busy = worker(0.0), worker(90.0), worker(0.0, in_use=True)
    pools = {"f": [old, busy], "g": [fresh]}

    assert trimmed(pools, now=100.0) == [old]
    assert pools == {"f": [busy], "g": [fresh]}


def test_trim_keeps_the_idle_workers_used_last():
    """Of many idle workers only so many stay, however fresh: each takes memory."""
    workers = [worker(float(i)) for i in range(gaps.IDLE_WORKERS + 3)]
    pools = {str(i): [w] for i, w in enumerate(workers)}

    ended = trimmed(pools, now=gaps.IDLE_WORKERS + 3.0)

    assert sorted(w.last_used for w in ended) == [0.0, 1.0, 2.0]


def test_trim_keeps_no_more_idle_workers_than_fit_into_memory(monkeypatch):
    """A process with large libraries counts for what it takes; here each takes as much as this test's process."""
    this = SimpleNamespace(pid=os.getpid())
    taken = gaps._memory_bytes(worker(0.0, process=this))
    assert taken > 1 << 20
    monkeypatch.setattr(gaps, "IDLE_BYTES", int(taken * 2.5))
    workers = [worker(float(i), process=this) for i in range(4)]

    assert trimmed({"f": list(workers)}, now=4.0) == [workers[1], workers[0]]


def test_memory_when_the_process_has_ended_then_is_nothing():
    """A worker may die while others are counted."""
    assert gaps._memory_bytes(worker(0.0)) == 0
    assert gaps._memory_bytes(worker(0.0, process=SimpleNamespace(pid=2**30))) == 0
