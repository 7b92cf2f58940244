"""Makes an app anew in this process, where it is known that it keeps something of earlier sessions.

What an app keeps is told apart once, when it is explored. To explore or replay it again means to begin where the first
exploration did, so that equal apps give equal reports: its module is run once more.
"""

import contextlib
import importlib.util
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from hangup.explorer.fresh.apart import ALONE, Origin, origin_of


@dataclass(frozen=True)
class _Kept:
    """Of an app that keeps something of its sessions: where it was found, and how things stood there.

    What all rules allow may be meant, such as what is loaded once: then it is not `sure` that it is a fault.
    """

    app: Callable[[], object]
    origin: Origin
    stood: object
    sure: bool


_keeps: dict[int, _Kept] = {}
_running = threading.local()


def remember(app: object, *, sure: bool = True) -> None:
    """Remember that this app keeps something of its sessions, for as long as it is there.

    What is not `sure` makes it anew as well, but casts no doubt on what an invariant says of it.
    """
    key, origin = id(app), origin_of(app)
    if origin is None or (key in _keeps and (_keeps[key].sure or not sure)):
        return
    with contextlib.suppress(TypeError, OSError):  # of what has no weak reference nothing is remembered
        of = weakref.ref(app, lambda _: _keeps.pop(key, None))
        _keeps[key] = _Kept(of, origin, _stands(origin), sure)


def keeps_something(app: object) -> bool:
    """Return whether it is sure that this app keeps something of its sessions."""
    kept = _keeps.get(id(app))
    return kept is not None and kept.app() is app and kept.sure


@contextlib.contextmanager
def anew(app: Any) -> Iterator[Any]:
    """Give an app as it was before its first session, if it keeps something of those; else, or if not, itself.

    An app cannot be made anew if its module does not run again, or has been changed: then it is another one. Nor is one
    that was set up after its module had run, such as with dependency overrides or more routes.
    While the block runs, the new module has the name of the one that is there.
    """
    kept = _keeps.get(id(app))
    there, made = None, app
    if kept is not None and kept.app() is app and not getattr(_running, "module", False):
        there = sys.modules[kept.origin.module]
        with contextlib.suppress(Exception, SystemExit):
            made = _run(kept.origin) if kept.stood == _stands(kept.origin) else app
        made = made if size_of(made) == size_of(app) else app
    try:
        yield made
    finally:
        if kept is not None and there is not None:
            sys.modules[kept.origin.module] = there


def _stands(origin: Origin) -> object:
    """Return what changes when a module is edited, or a function of it replaced."""
    there = vars(sys.modules[origin.module])
    return Path(origin.file).stat().st_mtime_ns, {
        name: id(each) for name, each in list(there.items()) if callable(each)
    }


def size_of(app: object) -> list[object]:
    """Return how much each container of an app holds, its router's and its state's, too."""
    parts = [app, getattr(app, "router", None), getattr(app, "state", None)]
    held = [vars(part).items() for part in parts if hasattr(part, "__dict__")]
    return [(name, len(each)) for part in held for name, each in part if isinstance(each, dict | list | set | tuple)]


def _run(origin: Origin) -> Any:
    """Run the module, which then has the name of the one that is there; return what has the app's name."""
    spec = _spec(origin)
    sys.modules[origin.module] = module = importlib.util.module_from_spec(spec)
    return getattr(run_module(origin, module), origin.name)


def _spec(origin: Origin) -> ModuleSpec:
    within = getattr(sys.modules[origin.module], "__path__", None)
    spec = importlib.util.spec_from_file_location(origin.module, origin.file, submodule_search_locations=within)
    assert spec is not None
    return spec


def run_module(origin: Origin, module: ModuleType) -> ModuleType:
    """Run the code of an app's module in this one, and return it."""
    loader = _spec(origin).loader
    assert loader is not None
    before, _running.module = os.environ.get(ALONE), True
    os.environ[ALONE] = "1"  # a module that explores when it runs must not do so for ever
    try:
        loader.exec_module(module)
    finally:
        _running.module = False
        os.environ.pop(ALONE)
        os.environ.update({ALONE: before} if before is not None else {})
    return module
