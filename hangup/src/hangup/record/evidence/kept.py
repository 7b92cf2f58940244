"""Where something is held that an app keeps: the way from an object to the module, or to the app, that it hangs on.

Frames and tracebacks hold it too, while a test or an exception is kept; that is no keeping of the app's.
"""

import asyncio
import gc
import sys
import types
from collections import deque
from collections.abc import Sequence
from typing import Any

_FAR = 12  # references from the object
_MANY = 4_000  # objects to look at
_SKIPPED = (types.FrameType, types.TracebackType, BaseException, asyncio.AbstractEventLoop, types.CoroutineType)
_OURS = {"hangup", "asyncio", "gc"}
_CALLED = (types.FunctionType, types.MethodType, type)


def holder(kept: object, app: object, ours: Sequence[object] = ()) -> str | None:
    """Return in words what holds an object, such as "`room`, a list of module chat"; None if nothing of the app's does.

    `ours` are objects of the caller's, which do not count.
    """
    modules = {
        id(vars(module)): name
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType) and name.partition(".")[0] not in _OURS
    }
    came_from: dict[int, object] = {}
    far: dict[int, int] = {id(kept): 0}
    todo = deque([kept])
    skipped = {id(each) for each in (*ours, came_from, far, todo)}
    while todo and len(far) < _MANY:
        each = todo.popleft()
        referrers = gc.get_referrers(each)
        skipped.add(id(referrers))
        for referrer in referrers:
            if id(referrer) in far or id(referrer) in skipped or isinstance(referrer, _SKIPPED):
                continue
            if id(referrer) in modules:
                name = next((name for name, value in list(referrer.items()) if value is each), None)
                if name is not None:
                    attribute, what = _attribute(each, came_from)
                    return f"`{name}{attribute}`, {_kind(what)} of module {modules[id(referrer)]}"
                continue
            far[id(referrer)], came_from[id(referrer)] = far[id(each)] + 1, each
            if referrer is app:
                return _closed_over(app, came_from) or f"the app, {_kind(app)}"
            if far[id(referrer)] < _FAR:
                todo.append(referrer)
    return None


def _attribute(held: object, came_from: dict[int, object]) -> tuple[str, object]:
    """Return the attribute of an object, and its value, by which it holds what is kept; none of a container's."""
    inner = came_from.get(id(held))
    after = came_from.get(id(inner))
    attributes = vars(held) if hasattr(held, "__dict__") and not isinstance(held, _CALLED) else {}
    found = next(((f".{name}", value) for name, value in attributes.items() if value is inner or value is after), None)
    return found or ("", held)


def _closed_over(app: object, came_from: dict[int, object]) -> str | None:
    """Return the first variable on the way from an app to what it keeps that a function closes over."""
    way: list[Any] = [app]
    while id(way[-1]) in came_from:
        way.append(came_from[id(way[-1])])
    for function, cells, cell in zip(way, way[1:], way[2:], strict=False):
        if isinstance(function, types.FunctionType) and isinstance(cell, types.CellType):
            names = function.__code__.co_freevars
            name = next((name for name, each in zip(names, cells, strict=False) if each is cell), None)
            if name is not None and not isinstance(cell.cell_contents, _CALLED):
                return f"`{name}`, {_kind(cell.cell_contents)} that {function.__qualname__}() closes over"
    return None


def _kind(held: object) -> str:
    name = type(held).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
