"""Timers that are threads (`threading.Timer`), of which sessions leave more: each rings once, or is set anew for ever.

They have no session that knows them, and each is another thread. So it is counted how many there are that call one
function: a chain that serves all connections stays one. No count and no verdict depends on how long a thread waits for
a processor: a timer that calls its function may have set the next one, or may be about to, and its stack tells which;
and how often one rings is measured by the time for which its timers were set.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from hangup.record.evidence.timers import name_of
from hangup.record.internals import frames_now, no_collector, threads_now

ENDS, GRACE = 0.1, 3.0  # seconds in which those may end that ring once, and those that are set anew for a while
MOST, APART = 4.5, 0.02  # for how many seconds of its own a chain is looked at, and how many apart
REAL = 10 * GRACE  # seconds of real time for all that: a machine may be so busy that nobody can tell
LOOK, LOOKS = 0.002, 50  # seconds between two looks, and how many: what a timer calls may compute for long
AGAIN = 20  # how often it is looked again at once, where timers were set meanwhile
MANY = 40  # how often one that is set anew at once rings, until it is believed to go on for ever


class Rings:
    """Knows how many there were of each name when somebody last looked."""

    def __init__(self) -> None:
        self.before = _count()
        self._last: set[str] = set()
        """Of which there were more, and stayed so many: nobody need wait for these again."""

    def look(self) -> tuple[str, ...]:
        """Return of which there are more than before; those that ring soon, and once, get a moment to end."""
        before, self.before = self.before, _count()
        until = time.monotonic() + ENDS
        while not self._last.issuperset(self.before - before) and time.monotonic() < until:
            time.sleep(LOOK)
            self.before = _count()
        more = tuple(self.before - before)
        self._last.update(more)
        return more


class Rung(NamedTuple):
    """Which names are set anew for ever, which have yet to ring, and of which nobody knows."""

    again: set[str]
    waiting: set[str]
    unknown: set[str]


def ring_on(names: "set[str]", before: "Counter[str]", more: int, pause: "Callable[[float], None]") -> Rung:
    """Return which of these are set anew for ever, and which have yet to ring: of both so many more than before stay.

    It is looked for some time, by the clock of those timers: who rings less often than he should may be about to end.
    Between two looks there is a `pause`, of so many seconds.
    """
    look, began = _Look(), time.monotonic()
    soon = {name for name in names if look.seconds(name) < GRACE}
    again, over = set[str](), set[str]()
    while True:
        names = {name for name in names if look.most[name] >= before[name] + more}
        if not (asked := (names & soon) - again - over) or time.monotonic() - began >= REAL:
            break
        pause(APART)
        look.again()
        again.update(name for name in asked if look.seconds_of(name) >= GRACE and look.rings_on(name))
        over.update(name for name in asked - again if look.seconds_of(name) >= MOST)
    still = {name for name in names if not look.rung[name] and look.least[name] >= before[name] + more}
    return Rung(again, still - asked, asked)


class _Look:
    """What is seen of all timers since it has begun: how often those of a name have rung, and in what time of theirs.

    Where each takes longer than it was set for, because the machine is busy, only that counts, unless one takes so long
    that it has not rung, or never ends; one that nobody has seen counts as neither.
    """

    def __init__(self) -> None:
        self.rung: Counter[str] = Counter()
        self._took: dict[str, float] = {}
        self._since: dict[threading.Timer, tuple[str, float]] = {}
        self._seconds: dict[str, float] = {}
        self.again()
        self._chains = self.most

    def again(self) -> None:
        """Look again."""
        now, (timers, self.least, self.most) = time.monotonic(), _seen()
        for timer in [each for each in self._since if each not in timers]:
            name, since = self._since.pop(timer)
            self.rung[name] += 1
            self._took[name] = self._took.get(name, 0.0) + _took(timer, now - since)
        for timer, name in timers.items():
            self._since.setdefault(timer, (name, now))
            self._seconds[name] = min(timer.interval, self._seconds.get(name, timer.interval))
        self._now = now

    def seconds(self, name: str) -> float:
        """Return after how many seconds one of a name rings at the earliest."""
        return self._seconds.get(name, 0.0)

    def seconds_of(self, name: str) -> float:
        """Return how many seconds the timers of a name have had, of those for which they were set: for each chain."""
        took = sum(_took(timer, self._now - since) for timer, (each, since) in self._since.items() if each == name)
        return (self._took.get(name, 0.0) + took) / max(self._chains[name], 1)

    def rings_on(self, name: str) -> bool:
        """Return whether a name has rung as often as it does at least in the time, if it is set anew for ever."""
        often = min(MANY, GRACE / max(self.seconds(name), APART) / 2)
        return self.rung[name] >= self._chains[name] * max(often, 1.0)


def _took(timer: threading.Timer, seconds: float) -> float:
    own = max(timer.interval, APART)
    return own if own < seconds < own + GRACE else seconds


def _count() -> "Counter[str]":
    """Return how many there are of each name that ring yet; of one that computes for long when it rings the most."""
    timers, least, most = _seen()
    for _ in range(LOOKS if timers else 0):
        if not most - least:
            break
        time.sleep(LOOK)
        _, now_least, now_most = _seen()
        least, most = least | now_least, most & now_most
    return most


def _seen() -> "tuple[dict[threading.Timer, str], Counter[str], Counter[str]]":
    """Return the timers that are there and not over, and how many of each name ring yet: at least, and at most."""
    timers = _timers()
    for _ in range(AGAIN if timers else 0):
        with no_collector():
            found = _rings_yet(timers)
        if (now := _timers()) == timers:  # none was set in between
            break
        timers = now
    else:
        found = Counter(), Counter(timers.values())
    return timers, *found


def _timers() -> "dict[threading.Timer, str]":
    found = [each for each in threads_now() if isinstance(each, threading.Timer) and not each.finished.is_set()]
    return {timer: name for timer in found if (name := rings_for(timer))}


def _rings_yet(timers: "dict[threading.Timer, str]") -> "tuple[Counter[str], Counter[str]]":
    frames = frames_now()  # they hold this one, too: a circle, which a collector has to find
    least, most = Counter[str](), Counter[str]()
    for timer, name in timers.items():
        here = frames.get(timer.ident or 0)
        called, start = None, None
        frame = here
        while frame is not None and frame.f_code is not threading.Timer.run.__code__:
            if frame.f_code is threading.Thread.start.__code__:
                start = frame
            called, frame = frame, frame.f_back
        if start is not None and start.f_locals.get("self") in timers:
            continue  # it has set the next one, which is counted
        most[name] += 1
        waits = frame is not None and called is not None and called.f_code is threading.Event.wait.__code__
        least[name] += here is None or waits  # one without a frame is about to begin
    return least, most


def _rings_once(run: Any) -> bool:
    return run is threading.Timer.run or "run" in getattr(getattr(run, "__code__", None), "co_names", ())


def rings_for(thread: threading.Thread | None) -> str:
    """Return the name of the app's function that this thread is to call later; nothing if there is none.

    One with a `run` of its own that calls the function again and again is a thread like others.
    """
    if not isinstance(thread, threading.Timer) or not _rings_once(type(thread).run):
        return ""
    return name_of(thread.function, tuple(thread.args))
