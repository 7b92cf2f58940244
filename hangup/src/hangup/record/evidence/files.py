"""The files and sockets that an app's own code has an event loop watch (`add_reader`), and that are watched still.

They are no task of any handler. What a library or a transport watches is its own affair.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from hangup.record.current import session_of
from hangup.record.evidence.timers import name_of
from hangup.record.internals import called_by, watched_by
from hangup.record.session import Session

Watched = tuple[Session, str]
"""In which session a file was given to the loop, and the name of what it calls."""


def own_files(
    loop: asyncio.AbstractEventLoop, sessions: Collection[Session] | None = None
) -> "dict[tuple[int, bool], Watched]":
    """Return the files that the app has had watched in these sessions, or in any, for reading (True) or writing."""
    found: dict[tuple[int, bool], Watched] = {}
    for fd, reads, callback, args, context in watched_by(loop):
        session = session_of(context)
        if session is None or (sessions is not None and session not in sessions):
            continue
        if name := name_of(callback, args):
            found[fd, reads] = session, name
    return found


def let_go(loop: asyncio.AbstractEventLoop, names: Collection[str]) -> None:
    """Watch no more, for what has one of these names, what sessions have left."""
    for (fd, reads), (_, name) in own_files(loop).items() if names else ():
        if name in names:
            (loop.remove_reader if reads else loop.remove_writer)(fd)


def name_in(data: Any) -> str:
    """Return the name of the app's function that a loop calls for a file with these data; nothing if it is none."""
    calls = (called_by(handle) for handle in data or () if handle is not None)
    return next((name for callback, args in calls if (name := name_of(callback, args))), "")
