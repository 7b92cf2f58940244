"""The timers that an app's own code has set in a session, and that are still to come.

A callback that sets its own timer again runs on without any task. A library's timers are its own affair.
"""

import asyncio
import functools
import inspect
import types
from collections.abc import Collection
from typing import Any

from hangup.record.current import session_of
from hangup.record.errors import is_of_the_app
from hangup.record.internals import timers_of
from hangup.record.session import Session

Timer = tuple[Session, str]
"""In which session a timer was set, and the name of what it calls."""


def own_timers(
    loop: asyncio.AbstractEventLoop, sessions: Collection[Session] | None = None
) -> "dict[asyncio.TimerHandle, Timer]":
    """Return the timers that the app's code has set in these sessions, or in any: whose it is, and what it calls."""
    found: dict[asyncio.TimerHandle, Timer] = {}
    for handle, callback, args, context in timers_of(loop):
        session = session_of(context)
        if session is None or (sessions is not None and session not in sessions):
            continue
        if name := name_of(callback, args):
            found[handle] = session, name
    return found


def cancel_timers(loop: asyncio.AbstractEventLoop, names: Collection[str]) -> None:
    """Cancel the timers that were set in sessions, and call what has one of these names."""
    for handle, (_, name) in own_timers(loop).items() if names else ():
        if name in names:
            handle.cancel()


def name_of(callback: Any, args: "tuple[Any, ...]") -> str:
    """Return the name of the app's function that a timer calls, or hands to whatever it calls; nothing if none is."""
    while isinstance(callback, functools.partial):
        callback, args = callback.func, (*callback.args, *args)
    for each in (callback, *args):
        called = getattr(each, "__func__", each)
        if not isinstance(called, types.FunctionType | types.CoroutineType):
            called = inspect.getattr_static(type(called), "__call__", None)
        code = getattr(called, "__code__", None) or getattr(called, "cr_code", None)
        if isinstance(code, types.CodeType) and is_of_the_app(code.co_filename):
            within = code.co_qualname.removesuffix("<lambda>").removesuffix(".<locals>.")
            return code.co_name if code.co_name != "<lambda>" else f"a lambda of {within or 'the module'}"
    return ""
