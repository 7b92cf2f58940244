"""What fails where no task of the app's runs: in a callback, or in an async generator that the event loop closes.

asyncio tells its exception handler of these, and the default one would log them.
"""

import asyncio
import contextlib
import contextvars
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

from hangup.record.current import current
from hangup.record.errors import describe
from hangup.record.session import Session

_TURNS = 8  # of the loop, in which an async generator that is closed may still wait for something


class Outside:
    """What failed outside of tasks on one loop, since somebody last took it."""

    def __init__(self) -> None:
        self.failed: list[tuple[Session | None, str]] = []
        self.closing: list[asyncio.Task[Any]] = []
        """The tasks in which async generators are closed that were garbage before they had ended."""
        self.begun: set[int] = set()
        """The identities of the async generators that were begun since."""
        self._takes = False

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Be the exception handler of a loop."""
        error = context.get("exception")
        if error is None or isinstance(error, asyncio.CancelledError):
            return
        future = context.get("future") or context.get("task")
        if future is None:
            where = "a callback fails" if "handle" in context else "the event loop says"
        elif self._takes and isinstance(future, asyncio.Task) and not _is_of_the_app(future):
            where = "an async generator that was never closed fails when the event loop closes it"
        else:
            return  # a session knows of its tasks; and a collector may find a future in any session
        self.failed.append((current(), f"{where}: {describe(error)}"))

    async def take(self, first: Session) -> None:
        """Write down in its session, or else in the first one, what has failed; wait for what is being closed."""
        for _ in range(_TURNS):
            if all(task.done() for task in self.closing):
                break
            await asyncio.sleep(0)
        self._takes = True
        self.closing.clear()  # nobody else has these tasks: of each that has failed asyncio tells now
        self._takes = False
        for session, words in self.failed:
            blamed = session or first
            blamed.outside = (*blamed.outside, words)
        self.forget()

    def forget(self) -> None:
        """Let nobody know of what has failed since somebody last took it."""
        self.closing.clear()
        self.failed.clear()
        self.begun.clear()


def _is_of_the_app(task: "asyncio.Task[Any]") -> bool:
    return isinstance(task.get_coro(), types.CoroutineType | types.GeneratorType)


_watched: dict[asyncio.AbstractEventLoop, Outside] = {}


@contextlib.contextmanager
def failures_outside(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, in the loop's thread, what fails outside of its tasks is written down."""
    outside = _watched[loop] = Outside()
    before, hooks, thread = loop.get_exception_handler(), sys.get_asyncgen_hooks(), threading.get_ident()

    begins, further = outside.begun.add, hooks.firstiter  # asked for each generator: what does not change, once

    def firstiter(agen: Any) -> None:
        begins(id(agen))
        if further is not None:
            further(agen)

    def finalizer(agen: Any) -> None:
        if threading.get_ident() != thread or loop.is_closed():
            if hooks.finalizer is not None:
                hooks.finalizer(agen)
        elif id(agen) in outside.begun:
            outside.closing.append(loop.create_task(agen.aclose()))
        else:  # a collector has found it, in a session that is not its own
            loop.create_task(_close(agen), context=contextvars.Context())

    loop.set_exception_handler(outside)
    sys.set_asyncgen_hooks(firstiter, finalizer)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        sys.set_asyncgen_hooks(*hooks)
        del _watched[loop]


async def _close(agen: Any) -> None:
    with contextlib.suppress(Exception):
        await agen.aclose()


def something_failed(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether something has failed outside of tasks, or may yet, on a loop that is watched."""
    outside = _watched.get(loop)
    return outside is not None and bool(outside.closing or outside.failed)


async def write_down(loop: asyncio.AbstractEventLoop, first: Session) -> None:
    """Write each failure outside tasks into its session, or into `first` where nobody knows whose it is."""
    await _watched[loop].take(first)


def forget(loop: asyncio.AbstractEventLoop) -> None:
    """Let nobody know of what has failed since: it comes of the end that an exploration puts to what runs on."""
    outside = _watched.get(loop)
    if outside is not None:
        outside.forget()
