"""Run a coroutine on an event loop in a thread of its own, and come back even if it never does.

What it changes of the interpreter and of asyncio is put back, and what it prints is bounded.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from time import sleep
from typing import Any, NoReturn, TypeVar

from hangup.record.internals import drop_from_all_tasks, frames_now, never_collect
from hangup.record.processor import has_had, new_here

T = TypeVar("T")
HEEDED = 10.0  # seconds of the loop's clock in which tasks heed that they are cancelled
SHOWN = 2_000  # characters that a run may show on each of stdout and stderr
PRINTED = 500_000  # characters after which its print() raises Flood
_LOCKING = {logging.__file__, threading.__file__, queue.__file__, "<frozen importlib._bootstrap>"}
_LOOKS = 100  # a millisecond each


class Stuck(Exception):
    """The thread did not finish in time.

    `loop_runs` tells whether its event loop could still do something, `ended` whether it ended when it was cancelled.
    `where` is the line that holds the loop and `schedule` what was played, where somebody knows; `starved` tells
    whether it never had the time, because others had the processor. `tasks` are those that go on though they are
    cancelled again and again. `found` is the report of what was found before, where somebody makes one.
    """

    starved = False
    found: Any = None
    where = ""
    schedule = ""

    def __init__(self, *, loop_runs: bool, ended: bool = False, tasks: tuple[str, ...] = ()) -> None:
        super().__init__("the event loop runs on" if loop_runs else "the event loop is held")
        self.loop_runs = loop_runs
        self.ended = ended
        self.tasks = tasks

    def why(self, what: str, limit: str) -> str:
        """Say what happened to `what`, such as "the app"; `limit` is the option with which less would be asked."""
        if self.tasks:
            return f"{what} runs on though it is cancelled again and again: {', '.join(self.tasks)}"
        if self.loop_runs:
            return f"{what} takes too long; a lower {limit} is needed"
        return f"{what} holds its event loop{f' at {self.where}' if self.where else ''}"


class Escaped(Exception):
    """The coroutine raised what ends a process or an event loop; `error` is that exception, `found` as of Stuck."""

    found: Any = None

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error

    def why(self, what: str, _: str) -> str:
        """Say what happened to `what`, as Stuck does."""
        return f"{what} raised {self}"


class Flood(RuntimeError):
    """Raised by print() when a run has printed more than anybody reads."""


class _Stop(BaseException):
    """Raised into a thread that holds its event loop."""


def run_in_thread(
    make: Callable[[], Coroutine[Any, Any, T]],
    *,
    seconds: float,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    look: Callable[[threading.Thread], bool] | None = None,
    tick: float = 0.1,
) -> T:
    """Return what the coroutine returns or raise what it raises; raise Stuck after `seconds`.

    It runs on a loop of `loop_factory`, which is closed, or on `loop`, which stays open. Every `tick` seconds `look` is
    called with the thread; when it returns False, the thread is given up. Time in which the thread waits for a
    processor does not count, up to ten times as many seconds in all.

    os._exit() raises SystemExit in it. A BaseException such as KeyboardInterrupt is raised as Escaped: one that is not
    comes from the interrupt button. Then the coroutine is cancelled; if its loop does not run, the thread is stopped at
    its next bytecode. One that is blocked in a C call ends when the call returns. What the loop says of forgotten tasks
    is dropped.
    """
    done = threading.Event()  # an interrupted join() can take a thread for dead that is not (bpo-45274)
    results: list[T] = []
    errors: list[BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def main() -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        task = loop.create_task(make())
        running.append((loop, task))
        return await task

    def work() -> None:
        try:
            new_here(began)
            with _no_exit():
                if loop is not None:
                    results.append(_run_on(loop, main()))
                else:
                    with asyncio.Runner(loop_factory=loop_factory) as runner:
                        results.append(runner.run(main()))
        except BaseException as error:
            errors.append(error)
        finally:
            sys.setrecursionlimit(limit)  # here already: whoever waits may be deeper than a lower one allows
            done.set()

    limit = sys.getrecursionlimit()
    began, thread = time.perf_counter(), threading.Thread(target=work, name="check", daemon=True)
    with _put_back(), _bounded_output():
        thread.start()
        try:
            starved = not has_had(thread, done, seconds, look, tick)
        finally:  # also when the interrupt button is pressed here
            stuck = _end(thread, done, running)
    if done.is_set():
        thread.join(1.0)  # what remains is the end of its bootstrap
    if stuck is not None:
        stuck.starved = starved
        raise stuck
    if errors and not isinstance(errors[0], Exception):
        raise Escaped(errors[0])
    if errors:
        raise errors[0]
    return results[0]


def _run_on(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run on a loop that stays open, and leave no task and no async generator on it (as asyncio.Runner does).

    A task that goes on though it is cancelled is given up, where a Runner would wait for ever.
    """
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            ended, left = loop.run_until_complete(asyncio.wait(left, timeout=HEEDED))
            for task in ended:
                _ = task.cancelled() or task.exception()  # nobody else asks for it
        for task in left:
            drop_from_all_tasks(task)
            never_collect(task)
        loop.run_until_complete(loop.shutdown_asyncgens())


def _end(
    thread: threading.Thread, done: threading.Event, running: "list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]]"
) -> Stuck | None:
    """End a thread that still runs; return what to raise for it, or None if it had ended by itself."""
    if done.is_set():
        return None
    alive = threading.Event()
    for loop, task in running:
        try:
            loop.call_soon_threadsafe(alive.set)
            loop.call_soon_threadsafe(task.cancel)
        except RuntimeError:  # the loop is closed: it has ended meanwhile
            alive.set()
    has_had(thread, done, 1.0)
    stuck = Stuck(loop_runs=alive.is_set(), ended=alive.is_set() and done.is_set())
    _stop(thread, done)
    return stuck


def _stop(thread: threading.Thread, done: threading.Event) -> None:
    """Raise _Stop in a thread until it ends; it may be caught, so more than once."""
    for _ in range(20):
        if not done.is_set() and thread.ident is not None:
            raise_in(thread.ident, _Stop)
            done.wait(0.05)


def raise_in(ident: int, error: type[BaseException]) -> None:
    """Raise an exception in another thread, at the next step that it takes.

    If it can be, not where Python's own modules take a lock: one that is taken and not yet in a `try` is never given
    back, and whoever logs next would wait for ever.
    """
    for _ in range(_LOOKS):
        sleep(0.001)  # who comes back from a wait goes on for the next milliseconds alone
        frame = frames_now().get(ident)
        if frame is None or frame.f_code.co_filename not in _LOCKING:
            break
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


# ---- what a run may change --------------------------------------------------------------------------------------


_NAMES = [vars(module) for name, module in sys.modules.items() if name.partition(".")[0] == "asyncio"] + [vars(time)]
"""The names of all that a run may patch: of asyncio's modules, all of which are there, and of time."""


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    """Put back what a run changes of asyncio, of `time` and of the recursion limit: a patch, the loop policy."""
    limit = sys.getrecursionlimit()
    before = [(names, names.copy()) for names in _NAMES]
    try:
        yield
    finally:
        for now, then in before:
            now.update(then)
        sys.setrecursionlimit(limit)


@contextlib.contextmanager
def _no_exit() -> Iterator[None]:
    """Let os._exit() raise SystemExit in this thread: who ends the process would end whatever runs here in silence."""
    leave, thread, process = os._exit, threading.get_ident(), os.getpid()

    def raises(status: int) -> NoReturn:
        if threading.get_ident() == thread and os.getpid() == process:  # and not in a fork
            raise SystemExit(f"os._exit({status})")
        leave(status)

    os._exit = raises
    try:
        yield
    finally:
        os._exit = leave


@contextlib.contextmanager
def _bounded_output() -> Iterator[None]:
    """Bound what threads that start inside the block print; what others print goes on."""
    before = sys.stdout, sys.stderr
    outputs = _Output(sys.stdout), _Output(sys.stderr)
    sys.stdout, sys.stderr = outputs
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for output in outputs:
            output.bounded = False  # a logging handler may have kept it


class _Output:
    """Stands for sys.stdout or sys.stderr."""

    def __init__(self, stream: Any) -> None:
        self.bounded = True
        self._stream = stream
        self._written = 0
        self._others = set(threading.enumerate())  # not their idents, which are given out again

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self.bounded or threading.current_thread() in self._others:
            return int(self._stream.write(text))
        room = SHOWN - self._written
        self._written += len(text)
        if room > 0:
            more = "\n… what is printed from here on is not shown\n" if len(text) > room else ""
            self._stream.write(text[:room] + more)
        if self._written > PRINTED:
            raise Flood(f"more than {PRINTED:,} characters have been printed")
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def close(self) -> None:
        """Stay open: the stream belongs to the notebook."""
