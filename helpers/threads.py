"""Run a coroutine on an event loop in a thread of its own, and come back even if it never does."""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """The thread did not finish in time; `loop_runs` tells whether its event loop could still do something."""

    def __init__(self, *, loop_runs: bool) -> None:
        super().__init__("the event loop runs on" if loop_runs else "the event loop is held")
        self.loop_runs = loop_runs


class _Stop(BaseException):
    """Raised into a thread that holds its event loop."""


def run_in_thread(make: Callable[[], Coroutine[Any, Any, T]], *, seconds: float) -> T:
    """Return what the coroutine returns or raise what it raises; raise Stuck after `seconds`.

    Then the coroutine is cancelled; if its loop does not run, the thread is stopped at its next bytecode.
    One that is blocked in a C call ends when the call returns. What the loop says of forgotten tasks is dropped.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def main() -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        task = loop.create_task(make())
        running.append((loop, task))
        return await task

    def work() -> None:
        try:
            results.append(asyncio.run(main()))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="check", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        alive = threading.Event()
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
            loop.call_soon_threadsafe(alive.set)
        thread.join(1.0)
        loop_runs = alive.is_set()
        _stop(thread)
        raise Stuck(loop_runs=loop_runs)
    if errors:
        raise errors[0]
    return results[0]


def _stop(thread: threading.Thread) -> None:
    """Raise _Stop in a thread until it ends; it may be caught, so more than once."""
    for _ in range(20):
        if thread.is_alive() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop))
            thread.join(0.05)
