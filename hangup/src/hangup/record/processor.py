"""How much CPU time a thread got, so that waiting for a busy machine does not count against it.

Linux tells it in nanoseconds (proc(5), schedstat: time on the processor, time in which it was ready and waited, turns).
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

MOST = 10  # times as long as it should is waited at most for a thread that gets no processor
LOOKS = 0.5  # seconds between two looks at it
SHORT = 0.02  # seconds in which a thread that ends soon is not looked at: to ask the system takes longest


class _Waited:
    """How many seconds the threads that `has_had` watched were ready to run and waited, in all."""

    seconds = 0.0


def served() -> float:
    """Return the seconds of `time.monotonic`, less those in which a thread that `has_had` watches waited for a CPU."""
    return time.monotonic() - _Waited.seconds


def usage(thread: threading.Thread) -> tuple[float, float]:
    """Return for how many seconds a thread has run, and was ready to run and waited.

    Both are 0.0 if it is gone, or nobody can say.
    """
    try:
        file = _opened(thread)
    except OSError:
        return 0.0, 0.0
    try:
        ran, waited, _ = os.read(file, 100).split()
        return int(ran) / 1e9, int(waited) / 1e9
    except (OSError, ValueError):
        return 0.0, 0.0
    finally:
        os.close(file)


def _opened(thread: threading.Thread) -> int:
    return os.open(f"/proc/self/task/{thread.native_id}/schedstat", os.O_RDONLY)


class _File:
    """The file of the thread that makes this, open for as long as the thread has it: to open it takes longest."""

    def __init__(self) -> None:
        self._file: int | None = None
        with contextlib.suppress(OSError):
            self._file = _opened(threading.current_thread())

    def waited(self) -> float:
        return 0.0 if self._file is None else _waited(self._file)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


_this_thread = threading.local()


def waited_here() -> float:
    """Return for how many seconds the thread that asks was ready to run and waited; 0.0 where nobody can say."""
    file: _File | None = getattr(_this_thread, "file", None)
    if file is None:
        file = _this_thread.file = _File()
    return file.waited()


def new_here(began: float) -> None:
    """Know that the thread that calls this is new: it began at `began`, of `time.perf_counter`, or somewhat later."""
    _this_thread.began = began


def waited_first() -> tuple[float, float]:
    """Return a moment, of `time.perf_counter`, and for how many seconds this thread had waited for a CPU until then.

    It is the moment when the thread began, if that is known: a new thread has waited for nothing.
    """
    began: float | None = getattr(_this_thread, "began", None)
    return (time.perf_counter(), waited_here()) if began is None else (began, 0.0)


def _waited(file: int) -> float:
    return int(os.pread(file, 100, 0).split()[1]) / 1e9


@contextlib.contextmanager
def waiting_of(thread: threading.Thread) -> Iterator[Callable[[], float]]:
    """Give what says for how many seconds a thread has waited in all, fast enough to be asked a thousand times.

    It says 0.0 where nobody can say.
    """
    try:
        file = _opened(thread)
    except OSError:
        yield lambda: 0.0
        return
    try:
        yield lambda: _waited(file)
    finally:
        os.close(file)


def has_had(
    thread: threading.Thread,
    done: threading.Event,
    seconds: float,
    look: Callable[[threading.Thread], bool] | None = None,
    tick: float = LOOKS,
) -> bool:
    """Wait until `done` is set, or the thread has had `seconds`, not counting its waits for a CPU.

    Where that was most of the time, only what it ran does count: then whom it waits for (another thread that has the
    interpreter's lock, a server) does not run either. Return False if it has not had them in `MOST` times as many.
    Every `tick` seconds `look` is called; when it returns False, nothing is waited for any more. Of a thread that ends
    within `SHORT` nobody asks what it waited.
    """
    begun, lost = time.monotonic(), 0.0
    if done.wait(min(seconds / 10, SHORT)):
        return True
    ran_before, waited_before = usage(thread)
    while not done.is_set():
        left = begun + min(seconds + lost, MOST * seconds) - time.monotonic()
        if left <= 0:
            break
        if not done.wait(min(left, tick)) and look is not None and not look(thread):
            break
        passed = time.monotonic() - begun
        ran, waited = usage(thread)
        ran, waited = ran - ran_before, waited - waited_before
        more = max(lost, passed - ran if waited > passed / 2 else waited)
        _Waited.seconds += more - lost
        lost = more
    return done.is_set() or seconds + lost <= MOST * seconds
