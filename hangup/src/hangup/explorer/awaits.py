"""Awaits a coroutine, counts how often it waits, and cancels its task at one of these moments.

The shape is that of SQLAlchemy's testing/cancellation.py: something that stands between a coroutine and its task.
"""

import asyncio
import gc
import linecache
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import CodeType, CoroutineType, FrameType
from typing import Any

from hangup.record.errors import is_of_the_app

_BETWEEN = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow"})


class CountedAwaits:
    """Stands for a coroutine: `awaits` is how often it has waited so far; at the `cancel_at`-th time it is cancelled.

    `on_cancel` is called when the task is told so, `on_thrown` when CancelledError is raised inside the coroutine, but
    not where asyncio loses it. With `twice`, it is cancelled again where it waits next, which it does if it cleans up;
    `cut` is the line of the app's at which it then did not go on, if there is one. `in_group` tells whether it was
    raised where a task group of asyncio's is named, which loses it if a task fails until the block has ended.
    """

    def __init__(
        self,
        coroutine: Any,
        cancel_at: int,
        *,
        on_cancel: Callable[[], None],
        on_thrown: Callable[[], None],
        twice: bool = False,
    ) -> None:
        self.coroutine = coroutine
        self.cancel_at = cancel_at
        self.awaits = 0
        self.twice = twice
        self.cut = ""
        self.in_group = False
        self._thrown = False
        self._on_cancel = on_cancel
        self._on_thrown = on_thrown

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.coroutine.__await__()
        task = asyncio.current_task()
        assert task is not None
        resume: tuple[Callable[[Any], Any], Any] = steps.send, None
        place: FrameType | None = None
        again = False
        try:
            while True:
                waited_for = resume[0](resume[1])
                if place is not None and place in _frames(self.coroutine):
                    self.cut = ""
                place = None
                self.awaits += 1
                again, self._thrown = self.twice and self._thrown, False
                if self.awaits == self.cancel_at or again:
                    self.twice = self.twice and not again
                    self._on_cancel()
                    task.get_loop().call_soon(task.cancel)
                try:
                    resume = steps.send, (yield waited_for)
                except GeneratorExit:  # the task is given up
                    steps.close()
                    raise
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError):
                        self._thrown = True
                        place, self.cut = self._cuts() if again else (None, self.cut)
                        if not _is_lost(self.coroutine):
                            self.in_group = any("TaskGroup" in each.f_code.co_names for each in _frames(self.coroutine))
                            self._on_thrown()
                    resume = steps.throw, error
        except StopIteration as end:
            self.cut = "" if place is not None else self.cut
            return end.value
        finally:
            del resume, place  # they may hold the exception whose traceback holds this frame

    def _cuts(self) -> tuple[FrameType | None, str]:
        """Return the innermost frame of the app's own, and its line in words."""
        own = [frame for frame in _frames(self.coroutine) if is_of_the_app(frame.f_code.co_filename)]
        if not own:
            return None, ""
        file, line = own[-1].f_code.co_filename, own[-1].f_lineno
        return own[-1], f"`{linecache.getline(file, line).strip()}` (line {line} of {Path(file).name})"


def _frames(coroutine: Any) -> list[FrameType]:
    """Return the frames of a coroutine that waits, the innermost last."""
    frames = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        coroutine = _awaited(coroutine)
    return frames


def _awaited(waits: Any) -> Any:
    """Return what a coroutine waits for, or a generator of either kind; None for anything else.

    Between two of them there may be what `__await__` of a coroutine returns, as an endpoint of Starlette has it, or a
    step of an async generator: these tell what is behind them to nobody but the garbage collector.
    """
    kind = type(waits)
    if kind is CoroutineType:
        return waits.cr_await
    if kind.__name__ in _BETWEEN:
        behind = (each for each in gc.get_referents(waits) if hasattr(each, "cr_await") or hasattr(each, "ag_await"))
        return next(behind, None)
    return getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None) or getattr(waits, "ag_await", None)


def _code_of(owner: type, method: str) -> CodeType | None:
    """Return the code of a method that not every release of Python has."""
    return getattr(getattr(owner, method, None), "__code__", None)


def _is_lost(coroutine: Any) -> bool:
    """Return whether a cancellation that comes now is lost, or kept for a later await, if there is one.

    A task group whose tasks or block have failed already raises what failed; from Python 3.13 on it asks for the
    cancellation once more (cpython issue 116720). Newer releases wait in `_aexit`, which `__aexit__` awaits. Until
    3.11 wait_for() returns what came in the same turn (cpython issue 86296).
    """
    frames = _frames(coroutine)
    if not frames:
        return False
    frame = frames[-1]
    if frame.f_code in (asyncio.TaskGroup.__aexit__.__code__, _code_of(asyncio.TaskGroup, "_aexit")):
        ended_by = frame.f_locals.get("et")
        failed = ended_by is not None and not issubclass(ended_by, asyncio.CancelledError)
        return failed or bool(frame.f_locals["self"]._errors)  # it has no public name
    if frame.f_code is asyncio.wait_for.__code__ and sys.version_info < (3, 12):
        waits_for = frame.f_locals.get("fut")
        return isinstance(waits_for, asyncio.Future) and waits_for.done()
    return False
