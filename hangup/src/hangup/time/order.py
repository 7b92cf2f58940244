"""An order of ready tasks that is not asyncio's own: what comes from outside comes later than it might.

An event loop's queue is first in, first out, in asyncio and in uvloop, and stays so here: who is woken by a lock, an
event, a queue or another task's end, and a task that begins, keep their places. What no program can know is when the
outside world answers. So there is one kind of deviation: an event of the outside comes later, and goes to the queue's
end then. Three events are taken for such:

- A task goes on after a bare yield, `asyncio.sleep(0)`: it stands for an await of some other service, which may take
  any time, and for a send or receive for which a server had to wait.
- A timer is due: others that are ready at this instant may be first. Timers keep their order among themselves.
- A client's message, or its end, arrives. What one client says arrives in the order in which it was said.

Nothing else deviates. A held task that is cancelled goes on at once, in its place, as one whose future is cancelled.
Virtual time does not pass while a task or a timer is held, but for a client's own millisecond; a message may take until
the app's next timer, while the clients' own clocks stand still, so that nobody loses patience.

Each event has a name that stays its own when others move: its lane and its number there. Lanes are `a`, the handler of
client a, `a1`, the first task that it created, `+a`, what client a says, and `time`.
"""

import asyncio
import contextlib
import contextvars
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hangup.record.internals import ready, step_of
from hangup.time.virtual import VirtualLoop

AT_ONCE, LAST = 0, 1
ONE_TURN = 2
TURNS = {ONE_TURN: 1, 3: 2, 4: 4, 5: 8}
BEFORE, WITH, AFTER = 6, 7, 8
LATENCY = 1000
_IN_WORDS = {
    LAST: "until nothing else can go on",
    **{choice: f"for {n} turn{'s' * (n > 1)}" for choice, n in TURNS.items()},
    BEFORE: "until right before the app's next timer",
    WITH: "until the app's next timer",
    AFTER: "until the app's next timer has had its effect",
}
"""What is chosen for an event, 0 if it comes at once; the last three are for clients' messages.

Their latency in milliseconds is also a choice, with `LATENCY` added."""
SOON = 0.001  # virtual seconds, the latency of a client that leaves
MANY = 500  # turns for which an event is held at most: somebody may turn and turn until it comes
FAR = 60.0  # virtual seconds that a message may wait for a timer


def in_words(choice: int) -> str:
    """Say for how long the choice holds an event."""
    return f"for {(choice - LATENCY) / 1000:g} s" if choice > LATENCY else _IN_WORDS[choice]


@dataclass(eq=False)
class Held:
    """An event that comes later."""

    name: str
    choice: int
    come: Callable[[], object]
    """Lets it happen; called when its turn has come."""
    task: "asyncio.Task[Any] | None" = None
    what: str = ""
    """What it is, in words, if it is no task that goes on."""
    due: float = math.inf
    """At which turn it comes by itself."""
    when: float = math.inf
    """At which time it comes."""
    meanwhile: dict[str, None] = field(default_factory=dict)
    """The lanes in which something has happened since."""

    @property
    def lane(self) -> str:
        """Whose it is, by the first part of its name: a handler, a client, a timer."""
        return self.name.partition("-")[0]


class Order:
    """Holds events back on a loop whose `order` it is.

    `choose` returns for the name of an event what becomes of it. `lane_of` returns a task's lane, or "" for one that is
    not the app's. `happened` names the events so far, `deviated` those that were held, with the choice.
    """

    def __init__(
        self, loop: VirtualLoop, choose: Callable[[str], int], lane_of: "Callable[[asyncio.Task[Any]], str]"
    ) -> None:
        self.happened: list[str] = []
        self.deviated: dict[str, int] = {}
        self.delays: dict[float, None] = {}
        """The seconds for which the app has set timers."""
        self.on_held: Callable[[Held], None] | None = None
        self.on_come: Callable[[Held], None] | None = None
        self._loop, self._choose, self._lane_of = loop, choose, lane_of
        self._counts: dict[str, int] = {}
        self._held: list[Held] = []
        self._behind: dict[str, list[Held]] = {}
        self._free: set[asyncio.Handle] = set()
        self._cancelled: set[asyncio.Task[Any]] = set()
        self._turn = 0
        self._passing: tuple[float, bool] | None = None

    # ---- events -----------------------------------------------------------------------------------------------

    def comes(self, lane: str, come: Callable[[], object], what: str) -> None:
        """Let an event of a lane with an order of its own happen: now, or later and behind those before it."""
        name, choice = self._event(lane)
        if lane in self._behind:
            self._behind[lane].append(Held(name, choice, come, what=what))
        elif choice:
            self._behind[lane] = []
            self._hold(Held(name, choice, come, what=what))
        else:
            come()

    def forget(self, lane: str) -> None:
        """Drop what is under way in a lane."""
        self._behind.pop(lane, None)
        self._held = [held for held in self._held if held.lane != lane]

    def timer(self, delay: float, callback: Callable[..., object], args: tuple[Any, ...]) -> "Timer":
        """Return what a timer is to call in place of a callback, so many seconds from now."""
        self.delays[round(delay, 3)] = None
        return Timer(self, callback, args)

    def cancelled(self, task: "asyncio.Task[Any]") -> None:
        """Let a task that is cancelled while it is held go on, in its place."""
        for held in self._held:
            if held.task is task:
                self._held.remove(held)
                self._come(held)
                return
        self._cancelled.add(task)

    def end(self) -> None:
        """Let everything happen that is held; an order is for one session."""
        for held in self._held:
            if held.task is not None:
                held.come()
        self._held.clear()
        self._behind.clear()
        self.on_held = self.on_come = None
        self._choose, self._lane_of = (lambda _: AT_ONCE), (lambda _: "")  # no circle of references is left

    def _event(self, lane: str) -> tuple[str, int]:
        """Return the name of the next event in a lane, and what is chosen for it."""
        number = self._counts[lane] = self._counts.get(lane, 0) + 1
        name = f"{lane}-{number}"
        self.happened.append(name)
        for each in self._held:
            each.meanwhile[lane] = None
        choice = self._choose(name)
        if choice:
            self.deviated[name] = choice = LAST if choice >= BEFORE and not lane.startswith("+") else choice
        return name, choice

    def _hold(self, held: Held) -> None:
        self._held.append(held)
        held.due = self._turn + TURNS.get(held.choice, MANY)
        if held.choice > LATENCY:
            held.when = self._loop.now + (held.choice - LATENCY) / 1000
        if self.on_held is not None:
            self.on_held(held)

    def _come(self, held: Held) -> None:
        if self.on_come is not None:
            self.on_come(held)
        if held.task is None:
            self._loop.call_soon(self._in_lane, held, context=contextvars.Context())
        else:
            held.come()

    def _in_lane(self, held: Held) -> None:
        """Let an event happen, and those behind it, as far as they are not held."""
        held.come()
        behind = self._behind.get(held.lane, [])
        while behind:
            after = behind.pop(0)
            if after.choice:
                self._hold(after)
                return
            after.come()
        self._behind.pop(held.lane, None)

    # ---- turns ------------------------------------------------------------------------------------------------

    def turn(self, timeout: float | None) -> float | None:
        """Take out, in each turn of the loop, what is to be held, put back what is due; return how long it may wait."""
        self._turn, self._passing = self._turn + 1, None
        queue = ready(self._loop)
        taken = [handle for handle in list(queue) if self._takes(handle)]  # a thread, or garbage, may add one meanwhile
        self._free.clear()
        self._cancelled.clear()
        for handle in taken:
            queue.remove(handle)
        if not self._held:
            return timeout
        self._let([held for held in self._held if held.due <= self._turn])
        return 0 if queue or timeout == 0 else self._quiet(timeout)  # 0: the loop will ask again

    def _takes(self, handle: asyncio.Handle) -> bool:
        if handle in self._free or handle.cancelled() or (task := step_of(handle)) is None:
            return False
        lane = self._lane_of(task)
        if not lane or task in self._cancelled:
            return False
        name, choice = self._event(lane)
        if choice:
            self._hold(Held(name, choice, functools.partial(self._goes_on, handle), task))
        return choice != AT_ONCE

    def _goes_on(self, handle: asyncio.Handle) -> None:
        self._free.add(handle)
        ready(self._loop).append(handle)

    def _let(self, come: list[Held]) -> None:
        for held in come:
            self._held.remove(held)
            self._come(held)

    def _quiet(self, timeout: float | None) -> float | None:
        """Nothing is ready: let the next event come, or the clients act, or time pass for the app."""
        loop = self._loop
        if timed := [held for held in self._held if held.choice in TURNS]:
            self._let([min(timed, key=lambda held: held.due)])
            return 0
        alarm = min((alarm.when for alarm in loop.alarms), default=math.inf)
        until = math.inf if timeout is None else loop.now + timeout
        if alarm <= min(loop.now + SOON, until):
            return timeout
        if last := [held for held in self._held if held.choice < BEFORE]:
            self._let(last[:1])
            return 0
        arrives = min(held.when for held in self._held)
        if arrives == math.inf and until > loop.now + FAR:
            self._let(self._held[:1])
            return 0
        self._passing = (min(until, arrives), until <= arrives)
        return timeout

    def passes(self) -> bool:
        """Let time pass for the app alone, not for clients, if it may: what threads do in real time has come before."""
        if self._passing is None:
            return False
        loop, (now, timer) = self._loop, self._passing
        for each in loop.alarms:
            each.when += now - loop.now
        loop.now = now
        for held in self._held if timer else ():
            held.choice = {WITH: ONE_TURN, AFTER: LAST}.get(held.choice, held.choice)
            held.due = self._turn + TURNS.get(held.choice, MANY)
        self._let([held for held in self._held if held.when <= now or (timer and held.choice == BEFORE)])
        return True


class Timer:
    """A timer's callback, as an event; `handle` is the timer's, which may be cancelled meanwhile."""

    def __init__(self, order: Order, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.order, self.callback, self.args = order, callback, args
        self.handle: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Call what the timer is for, in the order's own time."""
        context = contextvars.copy_context()

        def come() -> None:
            if self.handle is None or not self.handle.cancelled():
                context.run(self.callback, *self.args)

        self.order.comes("time", come, "a timer")


class OrderedTask(asyncio.Task[Any]):
    """A task that tells its loop's order when it is cancelled. `lane` is kept for that order."""

    lane: str | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it; if it is held it goes on."""
        done = super().cancel(msg)
        loop = self.get_loop()
        if done and isinstance(loop, VirtualLoop) and loop.order is not None:
            loop.order.cancelled(self)
        return done


@contextlib.contextmanager
def ordered_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, let every task of a loop be one that an Order can hold."""
    before = loop.get_task_factory()
    loop.set_task_factory(lambda loop, coro, **options: OrderedTask(coro, loop=loop, **options))
    try:
        yield
    finally:
        loop.set_task_factory(before)
