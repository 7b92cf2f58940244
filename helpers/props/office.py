"""The office of lesson 05's exercise 3: an application full of work, which starts all of it in a registry.

Where time is virtual, what takes seconds takes them, and some things never end; on real servers all of it is quick.
"""

import asyncio
import contextlib
import gc
import inspect
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio.lowlevel

from hangup.record.recorder import describe, note
from hangup.time.virtual import time_is_virtual
from helpers.props.cleanups import BLINK, SECONDS, lateness, now, takes

WORKS: dict[str, float | None] = {
    "quick": 0,
    "slow": 3,
    "follow": 1,
    "followed": 3,
    "fails": 0.5,
    "last": 1,
    "stuck": None,
    "tidy": None,
    "parting": None,
    "farewell": None,
    "last words": None,
    "echo": None,
    "fumbles": None,
    "hurry": 0,
    "leisure": 0,
    "long": 12,
    "scrub": None,
    "crowd": 0,
    "one of many": 3,
    "quits": 1,
    "host": None,
    "guest": None,
}
"""What a client can ask for, and how many seconds it takes; None is for ever.

When they are cancelled, "guest" takes a while to clean up, "tidy" long, and "scrub" longer; "parting" starts
"farewell", which starts "last words", and so on until ECHOES have been started; "host" starts "guest", and waits until
that has ended; "fumbles" raises. "quits" cancels itself. After "hurry" `drain` gets less time, after "leisure" more.
"crowd" starts CROWD others. "last" is started when the server has stopped already, if there is work that is "slow".
"""
STARTS = {"parting": "farewell", "farewell": "last words", "last words": "echo", "echo": "echo", "host": "guest"}
"""What is started by whom, when that is cancelled."""
ECHOES = 24
CROWD = 150
TIDYING = {"tidy": 10.0, "scrub": 12.0, "guest": 2.0}  # seconds
HURRY, LEISURE = 3.5, 15.0  # seconds
LOOK = 0.1  # seconds after which a host looks again whether its guest has left


class OutOfInk(TimeoutError):
    """What the work called "fails" raises, as a printer would: it is nobody's deadline."""


class Work:
    """Something that the application does after the session: when it began and ended, and how."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.how = "lost"
        self.began = self.ended = self.lateness = 0.0
        self.released = self.hit_again = self.deserted = False
        self.coroutine: Callable[[], Any] = lambda: None
        self.guest: Work | None = None
        """Another work that must have ended before this one does."""

    @property
    def left(self) -> bool:
        """Whether it has begun, and still runs."""
        return not self.released and self._state not in (None, inspect.CORO_CREATED, inspect.CORO_CLOSED)

    @property
    def waits(self) -> bool:
        """Whether it has not begun; if what was to run it is cancelled before, it never will."""
        return self._state == inspect.CORO_CREATED

    @property
    def _state(self) -> str | None:
        coroutine = self.coroutine()
        return None if coroutine is None else inspect.getcoroutinestate(coroutine)


class Office:
    """Starts works in a registry, and writes down what becomes of them."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.registry: Any = None
        self.works: list[Work] = []
        self.stopping: float | None = None
        self.drained: float | None = None
        self.lateness = 0.0
        self.error: BaseException | None = None
        self.letter: weakref.ref[asyncio.Event] | None = None
        self.first: list[weakref.ref[Any]] = []
        """The application's own tasks that are soon done, and their coroutines."""
        self.leaks = self.collected = self.idle = False
        self.hesitates = self.begun = False
        self.left: list[str] = []
        self.refusal = ""
        self.seconds = SECONDS
        self.neighbour = "is left alone"
        self.virtual = False

    def start(self, name: str) -> None:
        """Let the registry start a work."""
        work = Work(name)
        self.works.append(work)
        work.began = now()
        self.seconds = {"hurry": HURRY, "leisure": LEISURE}.get(name, self.seconds)
        coroutine: Any = self.work(work)
        work.coroutine = weakref.ref(coroutine)
        coroutine.__name__ = name  # what a picture calls its task
        self.registry.start(coroutine)

    async def work(self, work: Work) -> None:
        """Do a work, and then take a moment to give back what it has used."""
        try:
            await takes(WORKS[work.name])
            if work.name == "quits":
                work.how = "failed"
                raise asyncio.CancelledError
            self._do(work.name)
            work.how = "done"
            note(f"{work.name} is done")
        except asyncio.CancelledError:
            if work.how == "failed":
                raise
            work.how = "cancelled"
            if work.name in STARTS and sum(each.name == "echo" for each in self.works) < ECHOES:
                self._start_another(work)
            if work.name == "fumbles":
                raise OutOfInk("no row from this one, too") from None
            raise
        except OutOfInk:
            work.how = "failed"
            raise
        except GeneratorExit:  # nobody holds it: it was collected, or its loop has ended
            work.deserted = True
            raise
        finally:
            if not work.deserted:
                work.ended, work.lateness = now(), lateness()
                await self._release(work)

    def _start_another(self, work: Work) -> None:
        """Start what a work starts when it is cancelled."""
        try:
            self.start(STARTS[work.name])
        except Exception as error:
            self.refusal = describe(error)
            raise
        if work.name == "host":
            work.guest = self.works[-1]

    def _do(self, name: str) -> None:
        """Do what is done at the end of a work."""
        if name == "fails":
            raise OutOfInk("no row from this one")
        if name == "follow":
            self.start("followed")
        if name == "crowd" and self.virtual:
            for _ in range(CROWD):
                self.start("one of many")

    async def _release(self, work: Work) -> None:
        """Give back what a work has used, which takes a moment."""
        try:
            await anyio.lowlevel.checkpoint()
            await takes(TIDYING.get(work.name, BLINK))
            while work.guest is not None and work.guest.left:
                await asyncio.sleep(LOOK)
        except asyncio.CancelledError:
            work.hit_again = work.guest is None  # whoever waits for a guest in vain is hit by the server
            raise
        finally:
            work.released = True

    async def _wait_for_letter(self, work: Work) -> None:
        """Wait for what nobody but this task holds."""
        event = asyncio.Event()
        self.letter = weakref.ref(event)
        work.released = True  # it has nothing to release
        try:
            await event.wait()
            work.how = "done"
        except asyncio.CancelledError:
            work.how = "cancelled"
            raise
        finally:
            work.ended = now()

    async def _be_first(self, *, fail: bool = False) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.begun = True
        self.first.append(weakref.ref(task))
        if fail:
            raise OutOfInk("no row from the first one")

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Make the registry; start works of the application's own; drain the registry when the server stops."""
        self.virtual = time_is_virtual()
        self.registry = self.answer()
        letter = Work("letter")
        self.works.append(letter)
        self.registry.start(self._wait_for_letter(letter))
        for fail in (False, True):
            coroutine = self._be_first(fail=fail)
            self.first.append(weakref.ref(coroutine))
            self.registry.start(coroutine)
        del coroutine
        yield
        await self._beside_another()

    async def _beside_another(self) -> None:
        """Drain the registry beside another one, whose task is none of its business."""
        other, over = self.answer(), asyncio.Event()

        async def next_door() -> None:
            try:
                await over.wait()
            except asyncio.CancelledError:
                self.neighbour = "was cancelled"
                raise

        other.start(next_door())
        await self._stop()
        over.set()
        if self.error is None and self.virtual:
            await self._at_once()
            await self._on_its_own()
        if self.error is None:
            with contextlib.suppress(Exception):
                await other.drain(SECONDS)

    async def _at_once(self) -> None:
        """Drain one more registry, whose task never ends, and give it no time at all."""
        hasty = self.answer()
        hasty.start(asyncio.Event().wait())
        await asyncio.sleep(0)
        draining = asyncio.ensure_future(hasty.drain(0))
        await asyncio.wait([draining], timeout=1)
        self.hesitates = not draining.done()
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)

    async def _on_its_own(self) -> None:
        """See whether a registry lets go of its only task, though nothing is started after it."""
        registry = self.answer()
        registry.start(self._be_first())
        for _ in range(5):
            await asyncio.sleep(0)
        task = self.first[-1]
        if task() is not None:
            gc.collect()
            self.leaks |= task() is not None
        await registry.drain(0)

    async def _stop(self) -> None:
        await anyio.lowlevel.checkpoint()
        gc.collect()
        self.leaks = any(task() is not None for task in self.first)
        event = None if self.letter is None else self.letter()
        self.idle = not self.begun
        self.collected = self.letter is not None and event is None and self.works[0].how == "lost"
        if event is not None:
            event.set()
        await asyncio.sleep(3 * BLINK)  # what is quick is done: there may be nothing left to wait for
        if any(work.name == "slow" for work in self.works):
            self.start("last")
        self.stopping = now()
        try:
            await self.registry.drain(self.seconds)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.error = error
        self.drained, self.lateness = now(), lateness()
        left, waiting = [work for work in self.works if work.left], [work for work in self.works if work.waits]
        if waiting:
            await asyncio.sleep(0)  # who is to begin does so now
        self.left = [work.name for work in self.works if work in left or (work in waiting and work.left)]
