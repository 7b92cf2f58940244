"""An event loop whose clock does not wait.

`VirtualLoop` moves its clock to the next timer when it is idle; when there is none, nothing can ever happen again, and
it says so through `on_idle`. (looptime, which patches a loop's clock, played a third as many sessions a second.)
"""

import asyncio
import math
import selectors
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hangup.time.order import Order

from hangup.record.evidence.rings import rings_for
from hangup.record.internals import (
    forget_callbacks,
    forget_files,
    has_no_job,
    know_threads,
    pool_of,
    quick_call_soon,
    ready,
    run_ready,
    threads_now,
    turn_once,
)
from hangup.time.elsewhere import Elsewhere, name_of_job, thread_name
from hangup.time.parked import ends

TURNS = 20_000  # how often the loop may turn in one session
JUMPS, GRAIN, GROWS = 1_000, 0.5, 4  # for each so many timers in vain: by how many seconds the clock moves on
WORKERS = (OWN_WORKERS := "asyncio_", "AnyIO worker thread", "ThreadPoolExecutor")  # threads of a pool, which wait
_WRAPS = asyncio.wrap_future.__code__


@dataclass(eq=False, slots=True)
class Alarm:
    """Calls `ring` at the virtual time `when`, once. It costs nothing to set, which a timer of the loop's own does."""

    ring: Callable[[], None]
    when: float = math.inf


_NEVER = Alarm(lambda: None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it has nothing to do, and then at once.

    `on_idle` is called when no callback is ready and neither timer nor alarm is set, and at every turn after the
    `most_turns`-th since `turns` was set to 0: a loop that turns and turns without letting time pass spins. While
    something `elsewhere`, in a thread or behind a socket, may give it something to do, the loop waits for that, really,
    before it lets time pass.
    """

    waits_for_sockets = True
    """Whether the sockets of this loop lead to something that lives in real time."""
    _quickly: "Callable[..., asyncio.Handle] | None" = None

    def __init__(self) -> None:
        self.now, self.turns, self.turn, self.looks, self.most_turns = 0.0, 0, 0, 0, TURNS
        self.jumps = 0
        """How often the clock has moved on to a timer since something happened between an app and its peers."""
        self.on_idle: Callable[[], None] = lambda: None
        self.late = 0.0
        """By how many seconds the last timer has rung late."""
        self.alarms: Sequence[Alarm] = ()
        self.order: Order | None = None
        """What holds events back, if the order is to be another one than asyncio's own."""
        self.looks_every = 64
        """At which turn the loop looks for events, while it has enough to do without: only threads bring any."""
        self.elsewhere = Elsewhere()
        self.checks = False
        """Whether asyncio itself looks at each call: in debug mode, and when the loop is closed."""
        self.begin()
        selector = _Selector(self)
        super().__init__(selector)
        self._queue, self._quickly = ready(self), quick_call_soon(self)
        self.set_debug(self.get_debug())
        selector.own = frozenset(key.fd for key in selector.get_map().values())

    def begin(self, *, real: bool = False) -> None:
        """Begin anew in this thread, at 0 o'clock."""
        self.real = real  # for what runs on real servers, on the loop that module-level locks are bound to
        self._closely = real or self.checks  # whether each turn is one of asyncio's own
        self.now, self.late, self.alarms, self.on_idle = 0.0, 0.0, (), lambda: None
        self.turns = self.turn = self.jumps = 0
        self._thread = threading.get_ident()
        self._known, self._first, self.others = threads_now(), threads_now(), False
        self._names: set[str] = set()
        self._pools: weakref.WeakSet[ThreadPoolExecutor] = weakref.WeakSet()
        self.new_pools: Sequence[weakref.ref[ThreadPoolExecutor]] = ()
        """The pools of threads that were first seen when somebody last asked for the threads that run on."""
        self.elsewhere.begin()

    def forget(self) -> None:
        """Drop every callback and timer that is left, and the threads of the executor."""
        forget_callbacks(self)
        forget_files(self)
        self.elsewhere.end()

    def settle(self) -> bool:
        """Let what is on its way arrive; return whether something may have. In memory nothing is ever on its way."""
        return False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return time.monotonic() if self.real else self.now

    @property
    def grain(self) -> float:
        """By how many virtual seconds a timer may ring late now: 0, unless an app looks again and again in vain."""
        steps = (self.jumps - 1) // JUMPS
        return GRAIN * GROWS ** (steps - 1) if steps > 0 and self.alarms else 0.0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """Call a callback at a time of this clock, or as the loop's order says."""
        if self.order is None:
            return super().call_at(when, callback, *args, context=context)
        timer = self.order.timer(when - self.now, callback, args)
        timer.handle = super().call_at(when, timer, context=context)
        return timer.handle

    def set_debug(self, enabled: bool) -> None:
        """Turn asyncio's debug mode on or off."""
        super().set_debug(enabled)
        self._asyncio_checks(enabled)

    def close(self) -> None:
        """Close the loop: from here on asyncio refuses whatever is called."""
        super().close()
        self._asyncio_checks(True)

    def _asyncio_checks(self, checks: bool) -> None:
        """Let asyncio look at each call itself, or let call_soon() be one call in place of its four."""
        self.checks, self._closely = checks, checks or self.real
        vars(self).pop("call_soon", None)
        if self._quickly and not checks:
            self.call_soon = self._quickly  # type: ignore[method-assign,assignment]

    def _run_once(self) -> None:
        """Turn once: as asyncio does, or less: without a timer or a reason to look for events, what is ready."""
        self.turn += 1
        self.turns = turns = self.turns + 1
        closely = self._scheduled or self._closely  # type: ignore[attr-defined]
        if closely or turns > self.most_turns or not turns % self.looks_every:
            turn_once(self)
        elif self._queue:
            if self.order is not None:
                self.order.turn(0)
            run_ready(self._queue)
        elif self.order is not None or self._selector.hears or self._queue or self.settle():  # type: ignore[attr-defined]
            turn_once(self)
        else:
            self.let_time_pass(math.inf)
            if not (timers := self._scheduled):  # type: ignore[attr-defined]
                run_ready(self._queue)
            elif self._queue or timers[0].when() <= self.now:
                turn_once(self)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """Call from the loop's own thread, as asyncio does to close an async generator, without a write to a socket."""
        if threading.get_ident() == self._thread:
            return self.call_soon(callback, *args, context=context)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a new future; know of one that stands for a job elsewhere."""
        future: asyncio.Future[Any] = asyncio.Future(loop=self)
        if sys._getframe(1).f_code is _WRAPS:
            self.elsewhere.expect(future)
        return future

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Run a function in a thread, and know its name."""
        future = super().run_in_executor(executor, func, *args)
        self.elsewhere.expect(future, name_of_job(func))
        return future

    def _make_socket_transport(self, *args: Any, **options: Any) -> Any:
        """Know when a transport writes: then it waits for an answer."""
        transport = super()._make_socket_transport(*args, **options)  # type: ignore[misc]
        if self.waits_for_sockets and not self.real:
            self.elsewhere.sockets.opened(transport)
        return transport

    def know_threads(self) -> None:
        """Take note that the threads that run now are the app's own: it has made them, or its lifespan has."""
        know_threads(self._known)

    def forgotten_threads(self) -> list[str]:
        """Return the names of the threads that were started since the last call and run on; idle workers do not count.

        A thread that can go on by itself gets some time to end, one that waits to be told a moment.
        """
        running, self.new_pools = threads_now(), ()
        self.others = not running <= self._first
        if running == self._known:
            return []
        self._find_pools(running)
        new = [t for t in running - self._known if not (t.name.startswith(WORKERS) or has_no_job(t) or rings_for(t))]
        self._known.intersection_update(running)  # to ask each known one whether it is alive takes a lock of its own
        left = [t for t in new if not (ends(t, known=thread_name(t) in self._names) or has_no_job(t))]
        self._known.update(left)
        self._names.update(names := [thread_name(thread) for thread in left])
        return names

    def _find_pools(self, running: "set[threading.Thread]") -> None:
        """Find the pools whose workers were started since, but for the loop's own."""
        for thread in running - self._known:
            found = None if thread.name.startswith(OWN_WORKERS) else pool_of(thread)
            pool = None if found is None else found()
            if found is not None and pool is not None and pool not in self._pools:
                self._pools.add(pool)
                self.new_pools = (*self.new_pools, found)

    def let_time_pass(self, until: float) -> None:
        """Move the clock on to the next alarm, or else to `until`.

        Timers of which again and again nothing comes ring late, later and later: an app that looks so would use up its
        turns in seconds. None rings after an alarm for which it is due before.
        """
        alarm = min(self.alarms, key=lambda each: each.when, default=_NEVER)
        if alarm.when < math.inf and alarm.when <= until:
            self.now, alarm.when = max(self.now, alarm.when), math.inf
            alarm.ring()
        elif until < math.inf:
            self.jumps += 1
            self.now = max(until, min(self.now + self.grain, alarm.when))
            self.late = self.now - until
        else:
            self.on_idle()


class _Selector(selectors.DefaultSelector):
    own: "frozenset[int]" = frozenset()
    """The files of the loop itself."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    @property
    def hears(self) -> bool:
        """Whether something may come from elsewhere: there is a socket besides the loop's own, a thread or a job."""
        return len(self.get_map()) > len(self.own) or self.loop.elsewhere.may_bring_something

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        """Look for events without waiting; when there are none, and none on their way, let the clock jump instead."""
        loop = self.loop
        if loop.real:
            return super().select(timeout)
        if loop.order is not None:
            timeout = loop.order.turn(timeout)
        if loop.turns > loop.most_turns:
            loop.on_idle()
        if timeout == 0:
            return [] if loop.turns % loop.looks_every else self._look(0)
        sockets = loop.waits_for_sockets and len(self.get_map()) > len(self.own)
        waits = sockets or loop.elsewhere.may_bring_something  # asked before the look: a thread may bring and be gone
        events = self._look(0)
        if not events and waits:
            events = loop.elsewhere.wait(self._look, self._others if sockets else list)
        if not events and loop.settle():
            events = self._look(0)
        if not (events or (loop.order is not None and loop.order.passes())):
            loop.let_time_pass(math.inf if timeout is None else loop.now + timeout)
        return events

    def _look(self, timeout: float) -> "list[tuple[selectors.SelectorKey, int]]":
        self.loop.looks += 1
        events = super().select(timeout)
        for key, mask in events:
            if mask & selectors.EVENT_READ:
                self.loop.elsewhere.sockets.read(key.fd)
        return events

    def _others(self) -> "list[selectors.SelectorKey]":
        return [key for fd, key in self.get_map().items() if fd not in self.own]


def turn() -> int:
    """Return how often the running loop has turned."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.turn


def time_is_virtual() -> bool:
    """Return whether the clock of the running loop jumps: on a real server it does not, and seconds cost seconds."""
    loop = asyncio.get_running_loop()
    return isinstance(loop, VirtualLoop) and not loop.real
