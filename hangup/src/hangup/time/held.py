"""Watches from outside whether code holds an event loop, says at which line, and ends it.

A loop that is held does not turn. Code that spins is told by the time that its thread has computed, which a busy
machine does not change; code that waits in a call, by how often the watcher has looked.
"""

import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from hangup.record.internals import frames_now
from hangup.record.recorder import Interrupted
from hangup.record.threads import raise_in
from hangup.time.virtual import VirtualLoop

TICK = 0.1  # seconds between two looks
COMPUTES = 1.5  # seconds of computing without a turn of the loop, which are too many
WAITS = 6.0  # seconds of real time in one call, which are too many
AGAIN = 6  # how many times shorter both are once the loop has been held
IMPORTS = 15  # how many times longer both are while a module is imported
_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = (*(sysconfig.get_path(name) for name in _PATHS), str(Path(__file__).parents[1]), "<frozen")


class Watch:
    """Looks at one loop's thread again and again; `on_held` is told the line of whoever holds it, and ends it."""

    def __init__(self, loop: VirtualLoop, on_held: Callable[[str], None]) -> None:
        self.loop, self.on_held = loop, on_held
        self.where = ""
        """Where the loop was held last."""
        self._beat = -1, -1
        self._ticks = 0
        self._cpu = 0.0
        self._tries = 0
        self._patience = 1.0

    def look(self, thread: threading.Thread) -> bool:
        """Look once; return whether there is hope. Call this once a TICK."""
        ident = thread.ident
        beat = (self.loop.turn, self.loop.looks)
        if ident is None or not thread.is_alive():
            return True
        if beat != self._beat:
            self._beat, self._ticks, self._cpu, self._tries = beat, 0, _computed(ident), 0
            return True
        self._ticks += 1
        longer = self._patience * (IMPORTS if _imports(ident) else 1)
        if _computed(ident) - self._cpu < COMPUTES * longer and self._ticks * TICK < WAITS * longer:
            return True
        if not self._tries:
            self.where = _where(ident)
            self.on_held(self.where)
            self._patience = 1 / AGAIN
        self._tries += 1
        if self.loop.turn == beat[0]:
            raise_in(ident, Interrupted)
        return self._tries < 10


def _computed(ident: int) -> float:
    """Return how many seconds a thread has computed so far; 0 where a system does not tell."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
    except OSError:
        return 0.0


def _frames(ident: int) -> Iterator[FrameType]:
    """Yield the frames of a thread, the innermost first."""
    frame = frames_now().get(ident)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _imports(ident: int) -> bool:
    return any(frame.f_code.co_filename.startswith("<frozen importlib") for frame in _frames(ident))


def _where(ident: int) -> str:
    """Return the line at which a thread spends its time, in the words of a traceback."""
    seen: Counter[tuple[str, str, int]] = Counter()
    for _ in range(60):
        frames = list(_frames(ident))
        own = [frame for frame in frames if not frame.f_code.co_filename.startswith(_LIBRARIES)]
        for frame in (own or frames)[:1]:
            seen[Path(frame.f_code.co_filename).name, frame.f_code.co_name, frame.f_lineno] += 1
        time.sleep(0.002)
    often = [where for where, count in seen.items() if count >= 6]  # a loop has several lines: say the same each time
    if not often:
        return "a line that nobody knows"
    file, function, line = min(often)
    return f"{file}, line {line}, in {function}"
