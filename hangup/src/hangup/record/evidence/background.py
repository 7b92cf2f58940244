"""What an app adds to Starlette's BackgroundTasks, and whether anything runs it.

FastAPI and Starlette run them after a response; a WebSocket endpoint has none.
"""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hangup.record.current import current
from hangup.record.session import Session


class _Background:
    """What sessions have added since they were last judged, and whether the app ever runs such a thing itself."""

    def __init__(self) -> None:
        self.added: list[tuple[Session, str]] = []
        self.runs_some = False


_watching: list[_Background] = []


@contextmanager
def background_tasks() -> Iterator[None]:
    """While the block runs, sessions know what they add to BackgroundTasks; without Starlette there is nothing to do.

    An app that runs any of it itself is left alone.
    """
    module = sys.modules.get("starlette.background")
    if module is None:
        yield
        return
    one, several = module.BackgroundTask, module.BackgroundTasks
    init, call, call_all = one.__init__, one.__call__, several.__call__
    watch = _Background()

    @functools.wraps(init)
    def begin(self: Any, func: Any, *args: Any, **options: Any) -> None:
        init(self, func, *args, **options)
        if (session := current()) is not None:
            watch.added.append((session, getattr(func, "__name__", type(func).__name__)))

    @functools.wraps(call)
    async def run(self: Any) -> None:
        watch.runs_some = True
        await call(self)

    @functools.wraps(call_all)
    async def run_all(self: Any) -> None:
        watch.runs_some = True
        await call_all(self)

    one.__init__, one.__call__, several.__call__ = begin, run, run_all
    _watching.append(watch)
    try:
        yield
    finally:
        one.__init__, one.__call__, several.__call__ = init, call, call_all
        _watching.remove(watch)


def write_down_unrun() -> None:
    """Let the sessions know, now that they are over, what they have added and nothing runs."""
    for watch in _watching:
        if not watch.added:
            continue
        for session, name in watch.added:
            if not watch.runs_some:
                session.unrun = (*session.unrun, name)
        watch.added.clear()
