"""What fails where no task of the app's runs: in a callback, or in an async generator that the event loop closes.

asyncio tells its exception handler of these, and the default one would log them.
"""

import asyncio
import contextlib
import contextvars
import sys
import types
from collections.abc import Iterator
from typing import Any

from hangup.record.errors import describe
from hangup.record.session import Session, current

_CLOSING = 4  # turns of the loop in which an async generator closes that waits for nothing


class Outside:
    """What failed outside of tasks on one loop, since somebody last took it."""

    def __init__(self) -> None:
        self.failed: list[tuple[Session | None, str]] = []
        self.closing = 0
        """How many async generators were garbage before they had ended; the loop closes them in a turn or two."""
        self.begun: set[int] = set()
        """The identities of the async generators that were begun since."""

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Be the exception handler of a loop."""
        error = context.get("exception")
        if error is None or isinstance(error, asyncio.CancelledError):
            return
        future = context.get("future") or context.get("task")
        if isinstance(future, asyncio.Task):
            if isinstance(future.get_coro(), types.CoroutineType | types.GeneratorType):
                return  # a task of the app's, whose exception its session knows
            where = "an async generator that was never closed fails when the event loop closes it"
        elif future is not None:
            return  # it is told when a collector finds the future, which may be in any session
        else:
            where = "a callback fails" if "handle" in context else "the event loop says"
        self.failed.append((current(), f"{where}: {describe(error)}"))

    async def take(self, first: Session) -> None:
        """Write down in its session, or else in the first one, what has failed; wait for what is being closed."""
        if self.closing:
            self.closing = 0
            for _ in range(_CLOSING):
                await asyncio.sleep(0)
        for session, words in self.failed:
            (session or first).outside.append(words)
        self.forget()

    def forget(self) -> None:
        """Let nobody know of what has failed since somebody last took it."""
        self.failed.clear()
        self.begun.clear()
        self.closing = 0


_watched: dict[asyncio.AbstractEventLoop, Outside] = {}


@contextlib.contextmanager
def failures_outside(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, on that loop, what fails outside of its tasks is written down."""
    outside = _watched[loop] = Outside()
    before, hooks = loop.get_exception_handler(), sys.get_asyncgen_hooks()

    def firstiter(agen: Any) -> None:
        outside.begun.add(id(agen))
        if hooks.firstiter is not None:
            hooks.firstiter(agen)

    def finalizer(agen: Any) -> None:
        if id(agen) not in outside.begun:  # a collector has found it, in a session that is not its own
            loop.create_task(_close(agen), context=contextvars.Context())
        elif hooks.finalizer is not None:
            outside.closing += 1
            hooks.finalizer(agen)

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


async def write_down(loop: asyncio.AbstractEventLoop, first: Session) -> None:
    """Let the sessions know what has failed outside of tasks on a loop that is watched."""
    outside = _watched.get(loop)
    if outside is not None and (outside.closing or outside.failed):
        await outside.take(first)


def forget(loop: asyncio.AbstractEventLoop) -> None:
    """Let nobody know of what has failed since: it comes of the end that an exploration puts to what runs on."""
    if loop in _watched:
        _watched[loop].forget()
