"""Where something is held that an app keeps: the way from an object to the module, or to the app, that it hangs on.

Frames and tracebacks hold it too, while a test or an exception is kept; that is no keeping of the app's. Nor is what a
thread holds while it runs, or a `threading.Timer` that has yet to ring: it lets go when it ends, in real time, for
which nobody waits, and whether it ends is another rule's.
"""

import asyncio
import gc
import sys
import threading
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_FAR = 12  # references from the object
_MANY = 20_000  # objects to look at
_SKIPPED = (types.FrameType, types.TracebackType, BaseException, asyncio.AbstractEventLoop, types.CoroutineType)
_OTHERS = (*_SKIPPED, types.ModuleType, type)
_OURS = {"hangup", "asyncio", "gc", "threading"}
_CALLED = (types.FunctionType, types.MethodType, type)


@dataclass(frozen=True)
class Holder:
    """What holds something for good, in words such as "`room`, a list of module chat"."""

    words: str
    held: object

    def reaches(self, targets: Iterable[object]) -> set[int]:
        """Return the identities of those targets that it holds as well."""
        wanted, seen = {id(each) for each in targets}, {id(self.held)}
        level: list[object] = [self.held]
        for _ in range(_FAR):
            found = {id(each): each for each in gc.get_referents(*level) if not _is(each, _OTHERS)}
            level = [each for key, each in found.items() if key not in seen]
            seen |= found.keys()
        return wanted & seen


def holder(
    kept: object, app: object, ours: Sequence[object] = (), state: dict[str, Any] | None = None
) -> Holder | None:
    """Return what holds an object, or None if nothing of the app's does; `ours` are the caller's, which do not count.

    `state` is that of the app's lifespan, where that lasts.
    Each step back looks through everything that the interpreter has.
    """
    modules = {
        id(vars(module)): name for name, module in list(sys.modules.items()) if isinstance(module, types.ModuleType)
    }
    others = {key for key, name in modules.items() if name.partition(".")[0] in _OURS}
    towards: dict[int, object] = {}  # from what refers to something to that
    level: list[object] = [kept]
    seen = others | {id(each) for each in (*ours, ours, towards, kept)}
    for _ in range(_FAR):
        last = {id(each): each for each in level}
        seen |= {id(level), id(last)}
        found = gc.get_referrers(*level)
        level = []
        for referrer in found:
            if id(referrer) in seen or _is(referrer, _SKIPPED) or _rings_yet(referrer):
                continue
            inner = next((last[id(each)] for each in gc.get_referents(referrer) if id(each) in last), None)
            if inner is None:
                continue
            if id(referrer) in modules:
                if (named := _named(referrer, modules[id(referrer)], inner, towards)) is not None:
                    return named
                continue
            seen.add(id(referrer))
            towards[id(referrer)] = inner
            if referrer is state:
                name = next(name for name, value in state.items() if value is inner)
                return Holder(f"`{name}`, {_kind(inner)} in the state of its lifespan", inner)
            if referrer is app:
                return _closed_over(app, towards) or Holder(f"the app, {_kind(app)}", app)
            level.append(referrer)
        if not level or len(seen) > _MANY:
            return None
    return None


def _named(namespace: Any, module: str, inner: object, towards: dict[int, object]) -> Holder | None:
    """Return the variable of a module, and the attribute of it, that holds what is kept."""
    name = next((name for name, value in list(namespace.items()) if value is inner), None)
    if name is None:
        return None
    first = towards.get(id(inner))
    second = towards.get(id(first))
    attributes = {} if _is(inner, _CALLED) else _attributes(inner)
    found = ((f"{name}.{each}", value) for each, value in attributes.items() if value is first or value is second)
    name, held = next(found, (name, inner))
    return Holder(f"`{name}`, {_kind(held)} of module {module}", held)


def _closed_over(app: object, towards: dict[int, object]) -> Holder | None:
    """Return the first variable on the way from an app to what it keeps that a function closes over."""
    way: list[Any] = [app]
    while id(way[-1]) in towards:
        way.append(towards[id(way[-1])])
    for function, cells, cell in zip(way, way[1:], way[2:], strict=False):
        if _is(function, types.FunctionType) and _is(cell, types.CellType):
            names = function.__code__.co_freevars
            name = next((name for name, each in zip(names, cells, strict=False) if each is cell), None)
            held = cell.cell_contents
            if name is not None and not _is(held, _CALLED):
                return Holder(f"`{name}`, {_kind(held)} that {function.__qualname__}() closes over", held)
    return None


def _is(each: object, kinds: "type | tuple[type, ...]") -> bool:
    """Return what isinstance() does, without asking the object: a proxy may raise when it is asked for its class."""
    return issubclass(type(each), kinds)


def _rings_yet(each: Any) -> bool:
    return _is(each, threading.Timer) and each.is_alive()


def _attributes(of: object) -> dict[str, Any]:
    try:
        return vars(of)
    except Exception:  # a proxy that stands for nothing now, or an object that has none
        return {}


def _kind(held: object) -> str:
    name = type(held).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
