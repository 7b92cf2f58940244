"""Every private name of asyncio and threading that hangup leans on, each in a function that says what it is for.

Neither promises any of them. A test stands beside each: when a Python release takes one away, that test says what is
lost, and here is the place to look for another way.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import gc
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as pools
from contextvars import Context
from types import FrameType
from typing import Any

_running: Any = asyncio.current_task if sys.version_info >= (3, 12) else getattr(asyncio.tasks, "_current_tasks").get  # noqa: B009 - unknown to mypy


def never_retrieved(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task that is done has an exception for which nobody has asked, so that asyncio would log it.

    asyncio says "Task exception was never retrieved" only when the task is collected; a session is judged before that.
    """
    return bool(getattr(task, "_log_traceback", False))


def peek_exception(task: "asyncio.Task[Any]") -> BaseException | None:
    """Return the exception of a task that is done, which stays "never retrieved": `task.exception()` would change that.

    So what a recorder writes down hides no error from the rules, nor from asyncio's own log.
    """
    error: BaseException | None = getattr(task, "_exception", None)
    return error


def running_task(loop: asyncio.AbstractEventLoop) -> "asyncio.Task[Any] | None":
    """Return the task that runs now on the loop that runs here, as `asyncio.current_task` does.

    That one is written in Python until 3.11, and takes three times as long, twice in each session.
    """
    task: asyncio.Task[Any] | None = _running(loop)
    return task


def will_be_cancelled(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task that runs is cancelled where it waits next: somebody has asked for it meanwhile.

    A task group does so from Python 3.13 on, when it has failed and was cancelled from outside while it waited.
    """
    return bool(getattr(task, "_must_cancel", False))


def drop_from_all_tasks(task: "asyncio.Task[Any]") -> None:
    """Take a task that does not heed its cancellation out of `asyncio.all_tasks()`: `asyncio.run` would wait for it."""
    asyncio._unregister_task(task)


def never_collect(task: "asyncio.Task[Any]") -> None:
    """Keep a task that ignores even the end of its coroutine for ever, also when the interpreter ends.

    A coroutine that is collected is closed; one that swallows that, in a loop, would hold the process at its exit. No
    list is kept as long as that: modules are cleared first.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))


def forget_callbacks(loop: asyncio.AbstractEventLoop) -> None:
    """Drop every callback and timer of a loop that does not run, so that nothing of one run is left for the next.

    Its default executor is dropped as well, without waiting for its threads; the next job gets a new one.
    """
    state: Any = loop
    for handle in (*state._ready, *state._scheduled):
        handle.cancel()
    state._ready.clear()
    state._scheduled.clear()
    state._timer_cancelled_count = 0
    state._asyncgens_shutdown_called = False
    executor, state._default_executor = state._default_executor, None
    if executor is not None:
        executor.shutdown(wait=False, cancel_futures=True)


def forget_files(loop: asyncio.AbstractEventLoop) -> None:
    """Watch no file any more but those of the loop's own: another one may get the number of one that is closed."""
    selector = loop._selector  # type: ignore[attr-defined]
    for fd in [each for each in selector.get_map() if each not in selector.own]:
        selector.unregister(fd)


def ready(loop: asyncio.AbstractEventLoop) -> "deque[asyncio.Handle]":
    """Return the queue of what a loop is about to call, first in, first out: an order of tasks is an order of it."""
    queue: deque[asyncio.Handle] = loop._ready  # type: ignore[attr-defined]
    return queue


def has_timers(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop has timers, those that were cancelled and not yet dropped among them."""
    return bool(loop._scheduled)  # type: ignore[attr-defined]


def timers_of(
    loop: asyncio.AbstractEventLoop,
) -> "Iterator[tuple[asyncio.TimerHandle, Callable[..., Any], tuple[Any, ...], Context]]":
    """Yield each timer of a loop that is still to come: its handle, what it calls, with what, and in which context."""
    for handle in loop._scheduled:  # type: ignore[attr-defined]
        if not handle.cancelled():
            yield handle, handle._callback, handle._args, handle._context


def watches_files(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether somebody has had a loop watch a file, beside those of its own."""
    selector = loop._selector  # type: ignore[attr-defined]
    return len(selector._fd_to_key) > len(selector.own)


def called_by(handle: asyncio.Handle) -> "tuple[Any, tuple[Any, ...]]":
    """Return what a handle calls, and with what."""
    of: Any = handle
    return of._callback, of._args


def watched_by(
    loop: asyncio.AbstractEventLoop,
) -> "Iterator[tuple[int, bool, Callable[..., Any], tuple[Any, ...], Context]]":
    """Yield each file that a loop watches, whether for reading, what it calls then, with what, in which context."""
    selector = loop._selector  # type: ignore[attr-defined]
    for fd, key in list(selector.get_map().items()):
        for reads, handle in zip((True, False), key.data or () if fd not in selector.own else (), strict=False):
            if handle is not None and not handle.cancelled():
                yield fd, reads, *called_by(handle), handle._context


def quick_call_soon(loop: asyncio.AbstractEventLoop) -> "Callable[..., asyncio.Handle]":
    """Return what does as the `call_soon` of a loop outside of its debug mode, where asyncio takes twice the time."""
    new, copy, append, kind = object.__new__, contextvars.copy_context, ready(loop).append, _handles_of(loop)

    def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
        handle = new(kind)
        handle._context = copy() if context is None else context
        handle._callback = callback
        handle._args = args
        append(handle)
        return handle

    return call_soon


def _handles_of(loop: asyncio.AbstractEventLoop) -> Any:
    """Return a kind of handle that knows from the start what each of this loop's begins with, and need not be told."""
    known = {"_loop": loop, "_cancelled": False, "_repr": None, "_source_traceback": None}
    return type("Handle", (asyncio.Handle,), known)


def turn_once(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop turn once as asyncio's own do, timers and events and all."""
    asyncio.BaseEventLoop._run_once(loop)  # type: ignore[attr-defined]


def run_ready(queue: "deque[asyncio.Handle]") -> None:
    """Run what is ready now, and not yet what that makes ready: the end of each turn of a loop."""
    for _ in range(len(queue)):
        handle: Any = queue.popleft()
        if not handle._cancelled:
            handle._run()


def step_of(handle: asyncio.Handle) -> "asyncio.Task[Any] | None":
    """Return the task that a handle lets go on after a bare yield; None for any other, such as one that begins a task.

    asyncio's C code has an object for a task's step, which tells its task to nobody but the garbage collector.
    """
    step = handle._callback  # type: ignore[attr-defined]
    if type(step).__name__ != "TaskStepMethWrapper":
        return None
    task = next((each for each in gc.get_referents(step) if isinstance(each, asyncio.Task)), None)
    return task if task is not None and getattr(task.get_coro(), "cr_suspended", False) else None


def entered(coro: Any) -> "list[Any]":
    """Return the context managers whose `async with` or `with` a suspended coroutine is in, the outermost first.

    The interpreter keeps `__aexit__` for the end of such a block where only the garbage collector sees it.
    """
    found, seen = [], gc.get_referents(coro)
    for place, each in enumerate(seen):
        name = getattr(each, "__name__", "")
        if name not in {"__aexit__", "__exit__"}:
            continue
        if (
            owner := getattr(each, "__self__", None)
        ) is None:  # from Python 3.14 on: a function, and its self beside it
            beside = seen[max(place - 1, 0) : place + 2]
            owner = next((other for other in beside if getattr(type(other), name, None) is each), None)
        if owner is not None:
            found.append(owner)
    return found


def step_runner() -> "Callable[[Any], None]":
    """Return what runs a handle of any loop: each step of a task is one."""
    return asyncio.Handle._run


def run_steps_by(run: "Callable[[Any], None]") -> None:
    """Replace `asyncio.Handle._run`, in every loop, by `run`; the caller puts the old one back."""
    setattr(asyncio.Handle, "_run", run)  # noqa: B010 - mypy takes it for a bound method


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """While the block runs, let no collector run: it may let other threads go on while their frames are looked for.

    Then the interpreter crashes, or waits for itself: `sys._current_frames` holds a lock that a thread that ends needs.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def frames_now() -> "dict[int, FrameType]":
    """Return the innermost frame of each thread, by its ident; no collector runs meanwhile."""
    with no_collector():
        return sys._current_frames()


def threads_now() -> "set[threading.Thread]":
    """Return what `threading.enumerate()` does, without its lock, which would cost each session two per cent.

    Who is about to start stands in the first registry and moves to the second; so none is missed.
    """
    return {*threading._limbo.values(), *threading._active.values()}  # type: ignore[attr-defined]


def know_threads(known: "set[threading.Thread]") -> None:
    """Add to these threads all that run now, and those that are about to start."""
    known.update(threading._limbo.values(), threading._active.values())  # type: ignore[attr-defined]


def pool_of(thread: threading.Thread) -> "weakref.ref[ThreadPoolExecutor] | None":
    """Return a reference to the pool whose worker this thread is; None for any other thread.

    The pool's own worker has such a one, so that a pool that nobody has any more ends its threads.
    """
    if getattr(thread, "_target", None) is not pools._worker:
        return None
    pool: weakref.ref[ThreadPoolExecutor] = thread._args[0]  # type: ignore[attr-defined]
    return pool


def has_no_job(thread: threading.Thread) -> bool:
    """Return whether a thread is the worker of a pool that waits for a job."""
    frame = frames_now().get(thread.ident or 0)
    return frame is not None and frame.f_code is pools._worker.__code__


def job_in(frame: FrameType, *, anyio: bool) -> Any:
    """Return the function that a worker of a pool, or of anyio's, is at whose innermost frame this is; None if none."""
    each: FrameType | None = frame
    while each is not None:
        if each.f_code is pools._WorkItem.run.__code__:
            return each.f_locals["self"].fn
        if anyio and each.f_code.co_name == "run" and "cancel_scope" in each.f_locals:  # between jobs it has none
            return each.f_locals.get("func")
        each = each.f_back
    return None


def drop_executor(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop's next job have a new executor; the threads of the one that it has go on."""
    loop._default_executor = None  # type: ignore[attr-defined]


def takes_jobs(pool: ThreadPoolExecutor) -> bool:
    """Return whether a pool has not been shut down: else its threads are about to end."""
    return not pool._shutdown


def name_of_pool(pool: ThreadPoolExecutor) -> str:
    """Return the name that a pool's threads have, each with a number."""
    return str(pool._thread_name_prefix)
