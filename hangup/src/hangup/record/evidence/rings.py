"""Timers that are threads (`threading.Timer`), of which sessions leave more: each rings once, or is set anew for ever.

They have no session that knows them, and each is another thread. So it is counted how many there are that call one
function: a chain that serves all connections stays one.
"""

import sys
import threading
import time
from collections import Counter
from types import FrameType

from hangup.record.evidence.timers import name_of
from hangup.record.internals import threads_now

ENDS, GRACE = 0.1, 3.0  # seconds in which those may end that were cancelled, and those that are set anew for a while
MOST, APART = 4.5, 0.02  # for how many seconds it is looked, and how many apart: who computes so long holds the loop
LOOK, LOOKS = 0.002, 3  # one that rings is none that waits, and for a moment there is no other yet
MANY = 40  # how often one that is set anew at once rings, until it is believed to go on for ever


class Rings:
    """Knows how many there were of each name when somebody last looked."""

    def __init__(self) -> None:
        self.before = _count()

    def look(self) -> tuple[str, ...]:
        """Return of which there are more than before; those that were cancelled get a moment to end."""
        before, self.before = self.before, _count()
        until = time.monotonic() + ENDS
        while self.before - before and time.monotonic() < until:
            self.before = _count()
        return tuple(self.before - before)


def ring_on(names: "set[str]", before: "Counter[str]", more: int) -> tuple[set[str], set[str]]:
    """Return which of these are set anew for ever, and which have yet to ring: of both so many more than before stay.

    It is looked for some time, on a busy machine for longer: who rings less often than he should may be about to end.
    """
    seen, began, rung = _live(), time.monotonic(), Counter[str]()
    soon = {name for name in names if _seconds(name, seen) < GRACE}
    while (names := _stay(names, before, more)) & soon:
        time.sleep(APART)
        seen.update(_live())
        rung, took = Counter(name for timer, name in seen.items() if not timer.is_alive()), time.monotonic() - began
        if took >= MOST or (took >= GRACE and all(rung[each] >= more * _often(each, seen) for each in names & soon)):
            break
    again = {name for name in names & soon if rung[name] >= more * _often(name, seen)}
    return again, {name for name in names if not rung[name]}


def _stay(names: "set[str]", before: "Counter[str]", more: int) -> set[str]:
    count = _count()
    return {name for name in names if count[name] >= before[name] + more}


def _seconds(name: str, seen: "dict[threading.Timer, str]") -> float:
    """Return after how many seconds one of a name rings at the earliest."""
    return min((timer.interval for timer, each in seen.items() if each == name), default=0.0)


def _often(name: str, seen: "dict[threading.Timer, str]") -> float:
    """Return how often one of a name rings at least in the time, if it is set anew for ever."""
    return max(min(MANY, GRACE / max(_seconds(name, seen), APART) / 2), 1.0)


def _live() -> "dict[threading.Timer, str]":
    timers = [thread for thread in threads_now() if isinstance(thread, threading.Timer) and thread.is_alive()]
    return {timer: name for timer in timers if (name := rings_for(timer))}


def _count() -> "Counter[str]":
    """Return how many there are of each name that wait until they ring: of several looks the most."""
    live = _live()
    count = _waiting(live)
    for _ in range(LOOKS if live else 0):
        time.sleep(LOOK)
        count |= _waiting(_live())
    return count


def _waiting(live: "dict[threading.Timer, str]") -> "Counter[str]":
    frames = sys._current_frames() if live else {}  # they hold this one, too: a circle, which a collector has to find
    return Counter(name for timer, name in live.items() if _waits(frames.get(timer.ident or 0)))


def _waits(frame: FrameType | None) -> bool:
    """Return whether a timer's thread is in its wait, and not in what it calls then."""
    called: FrameType | None = None
    while frame is not None and frame.f_code is not threading.Timer.run.__code__:
        called, frame = frame, frame.f_back
    return frame is not None and called is not None and called.f_code is threading.Event.wait.__code__


def rings_for(thread: threading.Thread | None) -> str:
    """Return the name of the app's function that this thread is to call later; nothing if there is none."""
    if not isinstance(thread, threading.Timer):
        return ""
    return name_of(thread.function, tuple(thread.args))
