"""Which Session the running task belongs to: a context variable says it.

Tasks inherit it: so a task that an app spawns is known by `watch_tasks`, and
`note("...")`, called anywhere in an app, lands on the lifeline of the task that calls it.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from contextvars import Context, ContextVar, Token
from typing import Any

from hangup.record.session import Session
from hangup.trace.events import Event

_current: ContextVar[Session | None] = ContextVar("session", default=None)


def current() -> Session | None:
    """Return the session in which this code runs, if any."""
    return _current.get()


def session_of(context: Context) -> Session | None:
    """Return the session in which what is called in this context runs, if any."""
    return context.get(_current)


def set_current(session: Session | None) -> "Token[Session | None]":
    """Let the rest of this task, and the tasks that it creates from here on, run in the session, or in none.

    Return what `reset_current` takes back: the two are `in_session` for what happens often.
    """
    return _current.set(session)


reset_current = _current.reset


@contextlib.contextmanager
def in_session(session: Session | None) -> Iterator[None]:
    """Run the block in a session, or in none; so do the tasks that it creates."""
    token = _current.set(session)
    try:
        yield
    finally:
        _current.reset(token)


def note(text: str) -> None:
    """Write `text` onto the lifeline of the task that runs now; outside an app that is recorded, do nothing."""
    session = _current.get()
    if session is not None:
        session.record(Event(session.lifeline(), "note", text))


def task_of_nobody(coro: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> "asyncio.Task[Any]":
    """Return a new task of the running loop that belongs to no session, whatever runs now."""
    if _current.get() is not None:
        return loop.create_task(coro, context=Context())
    factory: Any = loop.get_task_factory()
    before = getattr(factory, "before", factory)  # who watches tasks need not look at this one
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop) if before is None else before(loop, coro)
    return task


_watched: dict[asyncio.AbstractEventLoop, int] = {}


@contextlib.contextmanager
def watch_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, let every session know the tasks that its code creates. Blocks may overlap."""
    before: Any = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any]
        task = asyncio.Task(coro, loop=loop, **options) if before is None else before(loop, coro, **options)
        context: Context | None = options.get("context")
        session = _current.get() if context is None else context.get(_current)
        if session is not None:
            session.spawned(task)
        return task

    factory.before = before  # type: ignore[attr-defined]  # for whoever leaves last
    if loop not in _watched:
        loop.set_task_factory(factory)  # type: ignore[arg-type]  # asyncio's own protocol allows fewer factories
    _watched[loop] = _watched.get(loop, 0) + 1
    try:
        yield
    finally:
        _watched[loop] -= 1
        if not _watched[loop]:
            del _watched[loop]
            loop.set_task_factory(getattr(loop.get_task_factory(), "before", None))
