"""Run a coroutine on an event loop in a thread of its own, and come back even if it never does."""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """The thread did not finish in time: its event loop could not run, or what it waited for did not come."""


class _Stop(BaseException):
    """Raised into a thread that holds its event loop."""


def run_in_thread(make: Callable[[], Coroutine[Any, Any, T]], *, seconds: float) -> T:
    """Return what the coroutine returns or raise what it raises; raise Stuck after `seconds`.

    Then the coroutine is cancelled; if its loop does not run, the thread is stopped at its next bytecode.
    One that is blocked in a C call ends when the call returns. What the loop says of forgotten tasks is dropped.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    cancels: list[Callable[[], object]] = []

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        loop.set_exception_handler(lambda *_: None)
        cancels.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await make()

    def work() -> None:
        try:
            results.append(asyncio.run(main()))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="check", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        for cancel in cancels:
            cancel()
        thread.join(1.0)
        _stop(thread)
        raise Stuck
    if errors:
        raise errors[0]
    return results[0]


def _stop(thread: threading.Thread) -> None:
    """Raise _Stop in a thread until it ends; it may be caught, so more than once."""
    for _ in range(20):
        if thread.is_alive() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop))
            thread.join(0.05)
