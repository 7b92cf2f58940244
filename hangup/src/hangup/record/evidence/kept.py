"""Where something is held that an app keeps: the way from an object to the module, or to the app, that it hangs on.

Frames and tracebacks hold it too, while a test or an exception is kept; that is no keeping of the app's.
"""

import asyncio
import gc
import sys
import types
from collections import deque
from typing import Any

_FAR = 10  # references from the object
_MANY = 4_000  # objects to look at
_SKIPPED = (types.FrameType, types.TracebackType, BaseException, asyncio.AbstractEventLoop, types.CoroutineType)


def holder(kept: object, app: object, ours: tuple[object, ...] = ()) -> str | None:
    """Return in words what holds an object, such as "`room`, a list of module chat"; None if nothing of the app's does.

    `ours` are objects of the caller's, which do not count.
    """
    skipped = {id(each) for each in (*ours, kept)}
    modules = _modules()
    todo: deque[tuple[object, int]] = deque([(kept, 0)])
    skipped.add(id(todo))
    app_holds = False
    cells: dict[int, int] = {}
    while todo and len(skipped) < _MANY:
        each, far = todo.popleft()
        referrers = gc.get_referrers(each)
        skipped.add(id(referrers))
        for referrer in referrers:
            if id(referrer) in skipped or isinstance(referrer, _SKIPPED):
                continue
            if id(referrer) in modules:
                if (name := _name_in(referrer, each)) is not None:
                    return f"`{name}`, {_kind(each)} of module {modules[id(referrer)]}"
                continue
            if isinstance(each, types.CellType) and isinstance(referrer, tuple):
                cells[id(referrer)] = referrer.index(each)
            if isinstance(referrer, types.FunctionType) and isinstance(each, tuple) and referrer.__closure__ is each:
                place = cells[id(each)]
                what = _kind(each[place].cell_contents)
                return f"`{referrer.__code__.co_freevars[place]}`, {what} of {referrer.__qualname__}()"
            app_holds = app_holds or referrer is app
            skipped.add(id(referrer))
            if far < _FAR:
                todo.append((referrer, far + 1))
    return "the app" if app_holds else None


def _modules() -> dict[int, str]:
    return {
        id(vars(module)): name
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType) and name.partition(".")[0] not in {"hangup", "asyncio", "gc"}
    }


def _name_in(namespace: Any, value: object) -> str | None:
    return next((name for name, each in list(namespace.items()) if each is value), None)


def _kind(held: object) -> str:
    name = type(held).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
