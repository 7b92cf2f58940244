"""Who holds the event loop: work without an await, for so long that other clients and their pings wait.

A session that takes long is looked at more closely: it is played again, and each step of each task is measured. A busy
machine delays a step: what its thread waits for a processor does not count, and of several runs the least does. A
second thread looks at which line that step spends its time.
"""

import asyncio
import contextlib
import linecache
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import hangup
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.orders.names import Deviations
from hangup.record.internals import frames_now, run_steps_by, step_runner
from hangup.record.processor import waited_first, waited_here, waiting_of
from hangup.time.virtual import VirtualLoop

LONG = 0.02  # seconds for which a step may hold the loop
RUNS = 4  # how often a session is played again: the least counts
FRESH = 0.01  # seconds for which it is known how long this thread has waited for a processor; to ask takes long
LOOKS = 8  # how many sessions that take long are looked at, before nobody looks any more
_EVERY = 0.001  # seconds between two looks at a thread
_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = (*(sysconfig.get_path(name) for name in _PATHS), str(Path(hangup.__file__).parent), "<frozen")
Line = tuple[str, str, int]


class _Thread(threading.local):
    counts = True
    """Whether the steps of this thread's loop count."""


_this = _Thread()


@contextlib.contextmanager
def before_or_after() -> Iterator[None]:
    """Do not count who holds the loop in this block: the app starts or stops, and no client waits."""
    _this.counts = False
    try:
        yield
    finally:
        _this.counts = True


def _giving_way(schedule: Schedule) -> Schedule:
    """Return a schedule in which each receive() and send() gives way, as for a client that answers from elsewhere.

    In memory a client's next message is there at once; on a server the loop turns before it comes.
    """
    return replace(schedule, order=Deviations())


class Holding:
    """Finds the first schedule of an exploration under which the app holds the loop, among those that take long.

    It looks at so many at most: `looks`.
    """

    def __init__(self, looks: int = LOOKS) -> None:
        self.looks = looks
        self.found = False
        self._waited: float | None = None
        """For how many seconds this thread had waited for a processor, when that was last asked."""
        self._asked = 0.0
        """When that was."""
        self._fresh = 0.0
        """Until when it need not be asked again."""

    def begins(self) -> float:
        """Return the time, at which a session begins; what its thread has waited before does not count."""
        now = time.perf_counter()
        if now >= self._fresh and self.looks and not self.found:
            self._asked, self._waited = waited_first() if self._waited is None else (now, waited_here())
            self._fresh = now + FRESH
        return now

    def is_long(self, began: float) -> bool:
        """Return whether a session that began then took long, and nothing has been found yet."""
        return time.perf_counter() - began >= LONG and not self.found and self.looks > 0

    async def look(self, began: float, play: Callable[[Schedule], Awaitable[object]], schedule: Schedule) -> str | None:
        """Return what holds the loop, in words, if a session that began then took long, and `play` does so again."""
        if not self.is_long(began):
            return None
        now = time.perf_counter()
        waited, before, asked = waited_here(), self._waited, self._asked
        self._waited, self._asked = waited, now
        if before is not None:
            earlier = max(began - asked, 0.0)  # as long as it may have waited before the session began
            if now - began - max(waited - before - earlier, 0.0) < LONG:
                return None
        self.looks -= 1
        words = await held(lambda: play(_giving_way(schedule)))
        self.found = words is not None
        return words


async def held(play: Callable[[], Awaitable[object]]) -> str | None:
    """Play a session a few times; return for how long, and at which line, it holds the loop each time, or None."""
    runs = []
    for _ in range(RUNS):
        with _measured() as steps:
            await play()
        if max(steps.took, default=0.0) < LONG:
            return None
        runs.append(steps)
    least = [min(same) for same in zip(*(steps.took for steps in runs), strict=False)]
    longest = max(least, default=0.0)
    if longest < LONG:
        return None
    number = least.index(longest)
    lines = Counter(line for steps in runs for line in steps.seen.get(number, ()))
    often = [line for line, count in lines.items() if count >= max(lines.values()) / 3]
    where = f": {_words(min(often))}" if often else ""  # a loop has several lines: say the same each time
    return f"held the event loop for {float(f'{longest:.1g}'):g} s{where}"


class _Steps:
    """The steps of one session, in order: how long each took, and the lines at which a long one was seen."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.seen: dict[int, list[Line]] = {}
        self.since: float | None = None

    def look(self, thread: int) -> None:
        """Take note of the line at which the thread is, if its step has gone on for some time."""
        number, since = len(self.took), self.since
        if since is not None and time.perf_counter() - since > LONG / 4 and (line := _line(thread)) is not None:
            self.seen.setdefault(number, []).append(line)


@contextlib.contextmanager
def _measured() -> Iterator[_Steps]:
    """While the block runs, measure each step of the loop that this thread runs."""
    steps, thread, over = _Steps(), threading.get_ident(), threading.Event()
    run = step_runner()

    def measured(handle: Any) -> None:
        if threading.get_ident() != thread or not _this.counts:
            run(handle)
            return
        waited = waits()
        steps.since = began = time.perf_counter()
        try:
            run(handle)
        finally:
            steps.since, took = None, time.perf_counter() - began
            if not over.is_set():  # nobody asks for the step in which the block ends
                steps.took.append(took if took < LONG else took - max(waits() - waited, 0.0))

    def watch() -> None:
        while not over.wait(_EVERY):
            steps.look(thread)

    watcher = threading.Thread(target=watch, name="asyncio_watch", daemon=True)
    loop = asyncio.get_running_loop()
    watcher.start()
    with (
        waiting_of(threading.current_thread()) as waits,
        loop.elsewhere.without(watcher) if isinstance(loop, VirtualLoop) else contextlib.nullcontext(),
    ):
        run_steps_by(measured)
        try:
            yield steps
        finally:
            run_steps_by(run)
            over.set()
            watcher.join()


def _line(thread: int) -> Line | None:
    """Return the innermost line of a thread that is no library's: where its own code waits or works."""
    frame: FrameType | None = frames_now().get(thread)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES):
            return file, frame.f_code.co_name, frame.f_lineno
        frame = frame.f_back
    return None


def _words(line: Line) -> str:
    file, function, number = line
    text = linecache.getline(file, number).partition("  #")[0].strip()
    return f"{Path(file).name}, line {number}, in {function}" + (f": {text}" if text else "")
