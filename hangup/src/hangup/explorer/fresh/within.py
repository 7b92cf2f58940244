"""Makes an app anew for an invariant, which may look at what the app's module holds: within that very module.

The module's code is run once more, in the module's own namespace, which is put back when the exploration is over. So
the invariant sees what the new app does, wherever it says `chat.room`. What it has taken out of the module, as with
`from chat import room`, is the old app's: then, or where the module cannot be run again, what the invariant says may be
of earlier sessions, and nothing is known by it.
"""

import contextlib
import dis
import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from hangup.explorer.fresh.anew import anew, keeps_something, run_module, size_of
from hangup.explorer.fresh.apart import origin_of
from hangup.explorer.invariant import Invariant, is_wrong
from hangup.record.errors import is_of_the_app

_explored: dict[int, Any] = {}
_PLAIN = (str, bytes, int, float, complex, bool, type(None), ModuleType)


@contextlib.contextmanager
def as_at_first(
    app: Any, invariant: Invariant | None, *, probed: bool = False, known: bool = False
) -> Iterator[tuple[Any, bool]]:
    """Give an app as it was before its first session, or itself; and whether what an invariant says is of these.

    One that was never explored is as it was. So is one of which nobody knows that it keeps something of its sessions,
    if it is as its invariant says. What is `probed` by a function of somebody's is left as it is: that may know it.
    An app may be `known` to have had sessions though it was not explored.
    """
    known = _was_explored(app) or known
    if probed:
        yield app, True
    elif invariant is None:
        with anew(app) as made:
            yield made, True
    elif not known or not (keeps_something(app) or is_wrong(invariant, app)):
        yield app, True
    else:
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(_within(app, invariant))
            if made is None:
                stack.close()
            yield (app, False) if made is None else (made, True)


class Anew(contextlib.ExitStack):
    """Gives an app as it was at first, twice in one run; `sure` is whether what an invariant says is of these.

    What its module held is put back when the block is over.
    """

    def __init__(self, app: Any, invariant: Invariant | None, *, probed: bool) -> None:
        super().__init__()
        self.app, self.sure = app, True
        self._invariant, self._probed = invariant, probed

    def begin(self) -> Any:
        """Return the app as it was before it was explored."""
        self._enter(known=False)
        return self.app

    def again(self) -> Any:
        """Return the app as it was before it had sessions meanwhile, if an invariant looks at it."""
        if self._invariant is not None:
            self._enter(known=True)
        return self.app

    def _enter(self, *, known: bool) -> None:
        first = as_at_first(self.app, self._invariant, probed=self._probed, known=known)
        self.app, sure = self.enter_context(first)
        self.sure = self.sure and sure


def _was_explored(app: Any) -> bool:
    """Return whether an app was explored before, and remember that it is."""
    key, of = id(app), _explored.get(id(app))
    if of is not None and of() is app:
        return True
    with contextlib.suppress(TypeError):  # of what has no weak reference nothing is remembered
        _explored[key] = weakref.ref(app, lambda _: _explored.pop(key, None))
    return False


@contextlib.contextmanager
def _within(app: Any, invariant: Invariant) -> Iterator[Any]:
    """Give what the app's module makes under the app's name when it is run again; None if that is another app."""
    origin = origin_of(app)
    if origin is None:
        yield None
        return
    module = sys.modules[origin.module]
    before = dict(vars(module))
    made: Any = None
    try:
        with contextlib.suppress(Exception, SystemExit):
            made = getattr(run_module(origin, module), origin.name)
        after = vars(module)
        same = made is not None and size_of(made) == size_of(app) and _is_like(before, after)
        if same and not _knows(invariant, before, after) and (_holds_all(module) or not is_wrong(invariant, made)):
            yield made
        else:
            yield None
    finally:
        vars(module).clear()
        vars(module).update(before)


def _is_like(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a module that has run again defines the same: it may have been edited, or something replaced."""
    return all(_alike(each, after.get(name, each)) for name, each in before.items() if not name.startswith("__"))


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, FunctionType):
        return isinstance(new, FunctionType) and old.__code__ == new.__code__
    if isinstance(old, type) and isinstance(new, type):
        functions = ((name, each) for name, each in vars(old).items() if isinstance(each, FunctionType))
        return old.__qualname__ == new.__qualname__ and all(
            _alike(each, vars(new).get(name)) for name, each in functions
        )
    return old is None or new is None or type(old).__qualname__ == type(new).__qualname__


def _holds_all(module: ModuleType) -> bool:
    """Return whether an app's module uses no other one that is no library: what that holds has not been made anew."""
    for each in vars(module).values():
        name = each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", type(each).__module__)
        file = getattr(sys.modules.get(str(name)), "__file__", None)
        if file is not None and name != module.__name__ and is_of_the_app(file):
            return False
    return True


def _knows(invariant: Invariant, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether an invariant looks at something that was in a module before, and is another one now."""
    old = {id(each) for name, each in before.items() if not isinstance(each, _PLAIN) and after.get(name) is not each}
    todo: list[Any] = [invariant]
    seen: set[int] = set()
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, _PLAIN):
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType) and each.__globals__ is not after:
            cells = (cell.cell_contents for cell in each.__closure__ or ())
            todo += [*_globals(each), *cells, *(each.__defaults__ or ()), *(each.__kwdefaults__ or {}).values()]
        elif id(each) in old and not isinstance(each, FunctionType):
            return True
        elif isinstance(each, MethodType):
            todo += [each.__func__, each.__self__]
        elif isinstance(each, functools.partial):
            todo += [each.func, *each.args, *each.keywords.values()]
        elif hasattr(each, "__dict__") and len(seen) == 1:
            todo += vars(each).values()
    return False


def _globals(function: FunctionType) -> list[Any]:
    """Return the global names that a function, or one within it, uses."""
    todo, names = [function.__code__], set[str]()
    while todo:
        code = todo.pop()
        names |= {each.argval for each in dis.get_instructions(code) if each.opname in {"LOAD_GLOBAL", "LOAD_NAME"}}
        todo += [each for each in code.co_consts if isinstance(each, CodeType)]
    return [function.__globals__[name] for name in names if name in function.__globals__]
