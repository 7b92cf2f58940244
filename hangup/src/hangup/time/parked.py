"""Whether a thread is parked: whether it waits for work, or for another thread, and can do nothing by itself.

A thread that sleeps, computes, or waits for a socket is not: in a moment it may go on, and give a loop something to do.
It is told by the innermost frames of the thread's stack, which the interpreter shows (`sys._current_frames`). A thread
that has been woken stays there until it gets a processor and the interpreter's lock: so where the system tells (Linux),
one counts as parked only if it sleeps and has not run since it was last looked at.
"""

import itertools
import linecache
import math
import os
import queue
import re
import selectors
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import thread as pools
from types import CodeType, FrameType
from typing import Any

from hangup.record.internals import frames_now, job_in, no_collector
from hangup.record.processor import usage

_QUEUES = (queue.SimpleQueue, queue.Queue)
_THREADING, _QUEUE, _SELECTORS, _POOLS = (str(m.__file__) for m in (threading, queue, selectors, pools))
_GETS = re.compile(r"[\w.\[\]]+\.get\([^()]*\)")  # of a queue in C, which has no frame
_NUMBER = re.compile(r"[\s(=](\d+(?:\.\d*)?)\)$")  # the last argument of such a call, if it is one
Place = tuple[FrameType, int]
UNKNOWN, AWAKE = "unknown", "awake"
GRACE = 3.0  # seconds in which a thread that can go on by itself may end
PARKED = 0.2  # seconds for one that waits to be told, and for each whose like has not ended
_MUCH = 16_384  # bytes, of which the system says one or two thousand
_STATE, _SWITCHES = re.compile(r"^State:\s+(\S)", re.MULTILINE), re.compile(r"ctxt_switches:\s+(\d+)")

_serve: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()
"""The threads that have been seen at a queue, from which they take work."""


class Parked:
    """Remembers where each thread was parked, so that a second look at it costs next to nothing."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[Place, list[Any]]] = {}
        self._places: dict[int, tuple[Place, list[Any]]] = {}
        self._slept: dict[int, str] = {}
        self._before: set[threading.Thread] = set()
        """Those that were there before: an ident is given out again, to a thread that is none of them."""
        self._others: set[threading.Thread] = set()
        """Those that were there before and take work from no queue: a notebook's own, a debugger's."""

    def take_for_parked(self) -> None:
        """Take every thread for parked where it is now, until it moves."""
        threads = {thread.ident: thread for thread in threading.enumerate()}
        self._before, self._others = set(threads.values()), set(threads.values())
        frames = frames_now()
        del frames[threading.get_ident()]  # they hold what is kept here: a circle, which a collector has to find
        for ident, frame in frames.items():
            thread, queues = threads.get(ident), _queues(frame)
            if thread is not None and queues:
                self._slept[ident] = _asleep(thread)
                _serve.add(thread)
            if thread in _serve:
                self._others.discard(thread)
            if queues or thread not in _serve:  # one that serves, and is at no queue, works: it brings something yet
                self._first[ident] = (frame, frame.f_lasti), queues

    def busy(self, but: "set[int]") -> int | None:
        """Return the ident of a thread, other than these, that is not parked; None if all are.

        Only threads of `threading` are looked at: others are no app's, such as those that pytest-xdist talks through.
        """
        with no_collector():
            return self._busy(but)

    def _busy(self, but: "set[int]") -> int | None:
        threads = {thread.ident: thread for thread in threading.enumerate()}
        for ident, frame in frames_now().items():
            if ident in but or ident not in threads or threads[ident] in self._others:
                continue
            place, old = (frame, frame.f_lasti), threads[ident] in self._before
            for known in (self._places.get(ident), self._first.get(ident) if old else None):
                if known is not None and known[0] == place:
                    break
            else:
                if not is_parked(frame, old=old and ident in self._first):
                    return ident
                known = self._places[ident] = place, _queues(frame)
                if known[1]:
                    _serve.add(threads[ident])
            if any(each.qsize() for each in known[1]):
                return ident
            if known[1] and self._has_run(threads[ident]):  # it may have taken its work from the queue just now
                return ident
        return None

    def _has_run(self, thread: threading.Thread) -> bool:
        """Return whether a thread runs, or has run since it was last looked at, as far as the system tells."""
        slept, ident = _asleep(thread), thread.ident or 0
        before = self._slept.get(ident)
        self._slept[ident] = slept
        return slept == AWAKE or slept not in {before, UNKNOWN}

    def is_parked(self, thread: threading.Thread) -> bool:
        """Return whether this thread is parked, and has not run since it was last asked for."""
        frame = frames_now().get(thread.ident or 0)
        return frame is None or (not self._has_run(thread) and is_parked(frame))


def _asleep(thread: threading.Thread | None) -> str:
    """Return how often a thread that sleeps has been put to sleep, "awake" for one that does not, or UNKNOWN."""
    native = None if thread is None else thread.native_id
    if sys.platform != "linux" or native is None:
        return UNKNOWN
    try:
        file = os.open(f"/proc/self/task/{native}/status", os.O_RDONLY)
    except OSError:
        return UNKNOWN
    try:
        said = os.read(file, _MUCH).decode("ascii", "replace")
    except OSError:
        return UNKNOWN
    finally:
        os.close(file)
    state, switches = _STATE.search(said), _SWITCHES.findall(said)
    if state is None or not switches:
        return UNKNOWN
    return f"{native}: {switches}" if state[1] == "S" else AWAKE  # idents are given out again


def is_parked(frame: FrameType, *, old: bool = False) -> bool:
    """Return whether a thread whose innermost frame this is can do nothing until another thread lets it.

    An `old` one was there before the exploration: it may wait with a timeout, as a thread that watches something does.
    """
    name, file = frame.f_code.co_name, frame.f_code.co_filename
    if file == _SELECTORS:
        return True  # a loop of its own; what it does for ours, a future tells
    if any(each.qsize() for each in _queues(frame)):
        return False
    if file == _THREADING:
        return (
            name in {"wait", "_wait_for_tstate_lock", "join"} and (old or _has_no_timeout(frame)) and not _starts(frame)
        )
    if file == _POOLS:
        return name == "_worker"
    return bool(_GETS.fullmatch(_call(frame))) and bool(_queues(frame))


def _call(frame: FrameType) -> str:
    """Return the words of the call at which a frame is, if it has one line and its source is there."""
    positions = itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)
    line, last, begins, ends = next(positions, (None, None, None, None))
    if line is None or line != last:
        return ""
    text = linecache.getline(frame.f_code.co_filename, line).encode()
    return text[begins:ends].decode(errors="replace")


def waiting_in(function: CodeType) -> list[int]:
    """Return the idents of the threads that have called a function, and are still in it."""
    frames = frames_now()
    del frames[threading.get_ident()]
    return [ident for ident, frame in frames.items() if any(each.f_code is function for each in _outwards(frame))]


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that have called it, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _has_no_timeout(frame: FrameType) -> bool:
    outer = frame.f_back
    gets = outer is not None and outer.f_code.co_filename == _QUEUE  # from a queue that is empty, or it would be busy
    return gets or frame.f_locals.get("timeout") in {None, -1}


def _starts(frame: FrameType) -> bool:
    """Return whether a thread waits until another, which it starts, has begun: that one needs but a processor."""
    return any(each.f_code is threading.Thread.start.__code__ for each in itertools.islice(_outwards(frame), 3))


def waits_for(frame: FrameType) -> float:
    """Return for how many seconds a thread that is parked here waits at most, infinity where nothing ends its wait.

    0 where it is at something else. Of a wait in C its source tells; where that has no number, it may be `GRACE`.
    """
    if not is_parked(frame):
        return 0.0
    if frame.f_code.co_filename == _THREADING:
        timeout = frame.f_locals.get("timeout")
        return math.inf if timeout is None or timeout < 0 else float(timeout)
    call = _call(frame)
    if not call or call.endswith(("()", "(True)", "(block=True)")):
        return math.inf
    number = _NUMBER.search(call)
    return float(number[1]) if number is not None else GRACE


def job_waits(anyio: str, ours: "set[int]") -> float:
    """Return for how many seconds jobs in threads wait at queues: the shortest wait that ends by itself, or 0.

    `anyio` is the name of AnyIO's threads, `ours` are the idents of threads that are no app's.
    """
    frames = frames_now()
    others = ((thread, frames.get(thread.ident or 0)) for thread in threading.enumerate() if thread.ident not in ours)
    jobs = (frame for thread, frame in others if frame and job_in(frame, anyio=thread.name == anyio) is not None)
    return min((seconds for frame in jobs if 0 < (seconds := waits_for(frame)) < math.inf), default=0.0)


def _queues(frame: FrameType) -> list[Any]:
    """Return the queues that the innermost frames know: a thread with something in one of them has work to do."""
    found: list[Any] = []
    each: FrameType | None = frame
    for _ in range(3):
        if each is None:
            break
        values = [*each.f_locals.values(), *(each.f_globals.get(name) for name in each.f_code.co_names)]
        own = getattr(each.f_locals.get("self"), "__dict__", {})
        found += [value for value in (*values, *own.values()) if isinstance(value, _QUEUES)]
        if each.f_code.co_filename != _THREADING:  # who waits at one queue takes nothing from another
            break
        each = each.f_back
    return found


def ends(thread: threading.Thread, *, known: bool) -> bool:
    """Give a thread some time to end, and return whether it has; `known` says that its like has not."""
    parked, began, looks = Parked(), time.monotonic(), 0
    waited = usage(thread)[1]
    while thread.is_alive() and (took := time.monotonic() - began) < GRACE:
        took -= usage(thread)[1] - waited  # it cannot end while it waits for a processor
        still, looks = parked.is_parked(thread), looks + 1
        if (still and known) or ((still or known) and took >= PARKED):
            break
        thread.join(0.02 if looks > 1 else 0.002)
    return not thread.is_alive()
