"""An event loop whose clock does not wait.

`VirtualLoop` moves its clock to the next timer when it is idle; when there is none, nothing can ever happen again, and
it says so through `on_idle`. (looptime, a package that patches a loop's clock, played a
third as many sessions a second in a prototype.)
"""

import asyncio
import math
import re
import selectors
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hangup.time.order import Order

TURNS = 20_000  # how often the loop may turn in one session
POLL = 0.02  # seconds for which the loop looks whether a thread has something for it
GRACE = 0.2  # seconds in which a thread that is about to end does
WORKERS = ("asyncio_", "AnyIO worker thread", "ThreadPoolExecutor")  # threads of a pool, which wait for more work


@dataclass(eq=False)
class Alarm:
    """Calls `ring` at the virtual time `when`, once. It costs nothing to set, which a timer of the loop's own does."""

    ring: Callable[[], None]
    when: float = math.inf


_NEVER = Alarm(lambda: None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it has nothing to do, and then at once.

    `on_idle` is called when no callback is ready and neither timer nor alarm is set, and at every turn after the
    `most_turns`-th since `turns` was set to 0: a loop that turns and turns without letting time pass spins. While
    threads that were started since run (an executor, anyio's workers), the loop waits for them, really, before it lets
    time pass.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = self.turn = 0
        self.most_turns = TURNS
        self.on_idle: Callable[[], None] = lambda: None
        self.alarms: Sequence[Alarm] = ()
        self.order: Order | None = None
        """What holds events back, if the order is to be another one than asyncio's own."""
        self.looks_every = 64
        """At which turn the loop looks for events, while it has enough to do without: only threads bring any."""
        self.threads = threading.active_count()
        self._known = set(threading.enumerate())
        self.poll, self._grace = POLL, GRACE
        self._thread = threading.get_ident()
        self._jobs = self._waited = 0
        super().__init__(_Selector(self))

    def settle(self) -> bool:
        """Let what is on its way arrive; return whether something may have. In memory nothing is ever on its way."""
        return False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """Call a callback at a time of this clock, or as the loop's order says."""
        if self.order is None:
            return super().call_at(when, callback, *args, context=context)
        timer = self.order.timer(when - self.now, callback, args)
        timer.handle = super().call_at(when, timer, context=context)
        return timer.handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """Call from the loop's own thread, as asyncio does to close an async generator, without a write to a socket."""
        if threading.get_ident() == self._thread:
            return self.call_soon(callback, *args, context=context)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Run a function in a thread, and know when it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_is_done)
        return future

    def _job_is_done(self, _: object) -> None:
        self._jobs -= 1
        self._waited = 0

    @property
    def threads_work(self) -> bool:
        """Whether a thread may be about to give the loop something to do."""
        return threading.active_count() > self.threads

    def waits_for_a_thread(self) -> bool:
        """Return whether time must not pass yet, because a job in a thread is under way; it is waited for a second."""
        self._waited += self._jobs > 0
        return 0 < self._waited * POLL < 1 and self._jobs > 0

    def forgotten_threads(self) -> list[str]:
        """Return the names of the threads that were started since the last call and run on; workers do not count.

        A thread gets a moment to end, until the first one does not.
        """
        if threading.active_count() <= self.threads:
            return []
        new = [t for t in threading.enumerate() if t not in self._known and not t.name.startswith(WORKERS)]
        for thread in new:
            thread.join(self._grace)
        left = [thread for thread in new if thread.is_alive()]
        if left:
            self._known.update(left)
            self.threads += len(left)
            self.poll, self._grace = POLL / 20, 0.0  # an app that forgets threads does so in each session
        return [_thread_name(thread) for thread in left]

    def let_time_pass(self, until: float) -> None:
        """Move the clock on to the next alarm, or else to `until`."""
        alarm = min(self.alarms, key=lambda alarm: alarm.when, default=_NEVER)
        if alarm.when < math.inf and alarm.when <= until:
            self.now, alarm.when = max(self.now, alarm.when), math.inf
            alarm.ring()
        elif until < math.inf:
            self.now = until
        else:
            self.on_idle()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        """Look for events without waiting; when there are none, and none on their way, let the clock jump instead."""
        loop = self.loop
        loop.turns += 1
        loop.turn += 1
        if loop.order is not None:
            timeout = loop.order.turn(timeout)
        if loop.turns > loop.most_turns:
            loop.on_idle()
        if timeout == 0:
            return [] if loop.turns % loop.looks_every else super().select(0)
        events = super().select(loop.poll if loop.threads_work else 0)
        if events or loop.waits_for_a_thread():
            return events
        if loop.settle():
            events = super().select(0)
        if not events:
            loop.let_time_pass(math.inf if timeout is None else loop.now + timeout)
        return events


def _thread_name(thread: threading.Thread) -> str:
    """Return a thread's name without the number that Python gives it, for it is another one each time."""
    found = re.fullmatch(r"Thread-\d+(?: \((.*)\))?", thread.name)
    return thread.name if found is None else found[1] or "Thread"


def turn() -> int:
    """Return how often the running loop has turned."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.turn
