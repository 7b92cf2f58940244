"""Awaits a coroutine, counts how often it waits, and cancels its task at one of these moments.

The shape is that of SQLAlchemy's testing/cancellation.py: something that stands between a coroutine and its task.
"""

import asyncio
import sys
from collections.abc import Callable, Generator
from typing import Any


class CountedAwaits:
    """Stands for a coroutine: `awaits` is how often it has waited so far; at the `cancel_at`-th time it is cancelled.

    `on_cancel` is called when the task is told so, `on_thrown` when CancelledError is raised inside the coroutine, but
    not where asyncio loses it. With `twice`, it is cancelled again where it waits next, which it does if it cleans up.
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
        self._thrown = False
        self._on_cancel = on_cancel
        self._on_thrown = on_thrown

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.coroutine.__await__()
        task = asyncio.current_task()
        assert task is not None
        resume: tuple[Callable[[Any], Any], Any] = steps.send, None
        try:
            while True:
                waited_for = resume[0](resume[1])
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
                        if not _is_lost(self.coroutine):
                            self._on_thrown()
                    resume = steps.throw, error
        except StopIteration as end:
            return end.value
        finally:
            del resume  # it may hold the exception whose traceback holds this frame


def _is_lost(coroutine: Any) -> bool:
    """Return whether a cancellation that comes now is lost, or kept for a later await, if there is one.

    A task group whose tasks have failed already raises what failed; from Python 3.13 on it asks for the cancellation
    once more (cpython issue 116720). Until 3.11 wait_for() returns what came in the same turn (cpython issue 86296).
    """
    frame = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    if frame is None:
        return False
    if frame.f_code is asyncio.TaskGroup.__aexit__.__code__:
        return bool(frame.f_locals["self"]._errors)  # it has no public name
    if frame.f_code is asyncio.wait_for.__code__ and sys.version_info < (3, 12):
        waits_for = frame.f_locals.get("fut")
        return isinstance(waits_for, asyncio.Future) and waits_for.done()
    return False
