"""One loop for all that a process explores, so that what an app keeps between two explorations goes on to work.

A lock, a queue or an event of asyncio's belongs to the loop on which somebody has first waited for it. A module that
has one can be explored, replayed and served again and again only if the loop is the same. Nothing else of one run is
left for the next: no task, no timer, no thread of the executor.
"""

import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hangup.record.threads import Escaped, Stuck, run_in_thread
from hangup.time.held import TICK, Watch
from hangup.time.virtual import VirtualLoop

T = TypeVar("T")
_lock = threading.Lock()
_loop: VirtualLoop | None = None
_running: list[VirtualLoop] = []


def run_on_loop(
    make: Callable[[], Coroutine[Any, Any, T]],
    *,
    seconds: float,
    on_held: Callable[[str], None] | None = None,
    real: bool = False,
) -> T:
    """Run a coroutine function on the loop of this process in a thread of its own; return what it returns.

    Time is virtual, or with `real` it is not. `on_held` is called in this thread, with the line, when code holds the
    loop; then that code is ended. Raises what the coroutine raises, and Stuck as run_in_thread does, or when that code
    does not end: then the next run gets a new loop, as one does that begins while another runs.
    """
    global _loop
    if not _lock.acquire(blocking=False):
        return _run(VirtualLoop(), make, seconds, on_held, real=real, close=True)
    try:
        if _loop is None or _loop.is_closed() or _loop.is_running():
            _loop = VirtualLoop()
        loop = _loop
        try:
            return _run(loop, make, seconds, on_held, real=real, close=False)
        except (Stuck, Escaped):
            _loop = None
            _drop(loop)
            raise
    finally:
        _lock.release()


def _drop(loop: VirtualLoop) -> None:
    """Close a loop that is given up; one that runs on cannot be, and must not be collected."""
    if loop.is_running():
        _running.append(loop)
    else:
        loop.close()


def _run(
    loop: VirtualLoop,
    make: Callable[[], Coroutine[Any, Any, T]],
    seconds: float,
    on_held: Callable[[str], None] | None,
    *,
    real: bool,
    close: bool,
) -> T:
    async def begin() -> T:
        loop.begin(real=real)
        return await make()

    watch = None if on_held is None else Watch(loop, on_held)
    look = None if watch is None else watch.look
    try:
        return run_in_thread(begin, seconds=seconds, loop=loop, look=look, tick=TICK)
    except Stuck as stuck:
        stuck.where = watch.where if watch is not None else ""
        raise
    finally:
        if not loop.is_running():
            loop.forget()
        if close:
            _drop(loop)
