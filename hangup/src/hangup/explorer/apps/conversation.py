"""The clients of an exploration, who say the lines of a script to connections in memory, one line after the other.

Client a is the one whose connection ends: at a moment of its own, or where the script says `Leave()`, or at its end.
What stands before `Leave()` is left out once client a has gone; what stands after it is said by those who stay. In a
script without it, the others say all their lines.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from hangup.servers.memory import MemoryConnection
from hangup.servers.script import CLOSED, SILENT, Expect, Leave, Script, Step, as_expected, letters, steps_of
from hangup.time.virtual import Alarm, VirtualLoop

LATENCY = 0.001  # virtual seconds after which a client that has nothing more to say leaves
PATIENCE = 5.0  # virtual seconds for which a client waits for an answer


@dataclass(frozen=True)
class Lines:
    """A script, read once: what each session of an exploration asks of it."""

    steps: list[Step]
    leaves_at: int
    """The place of `Leave()`, or the end."""
    alone: bool
    """Whether client a is the only one."""
    first: list[str]
    """Who connects at the beginning: those who say something before `Leave()`."""

    @classmethod
    def of(cls, script: Script) -> "Lines":
        """Read a script; raise TypeError with a sentence for what is none."""
        steps = steps_of(script)
        leaves_at = next((n for n, step in enumerate(steps) if isinstance(step, Leave)), len(steps))
        return cls(steps, leaves_at, letters(steps) == ["a"], letters(steps[:leaves_at]))


def nothing() -> None:
    """Stand for a callback that is needed no more."""


class Conversation:
    """Plays a script. `opener` makes the connection of a client; `on_over` is called when all clients have left."""

    def __init__(
        self,
        lines: Lines,
        opener: Callable[[str], MemoryConnection],
        on_over: Callable[[], None],
        loop: VirtualLoop,
    ) -> None:
        self.lines = lines
        self.steps = lines.steps
        self.open = opener
        self.on_over = on_over
        self.connections: dict[str, MemoryConnection] = {}
        self.missed: dict[str, list[str]] = {}
        self.on_left: Callable[[], None] = lambda: None
        self.over = False
        self.cut_short = False
        """Whether the app ended client a's session before it had said all its lines."""
        self._place = 0
        self._left = False
        self._loop = loop
        self._waiting = ""
        self._patience = Alarm(self._bored)
        self._goodbye = Alarm(self._leave)
        self.alarms = (self._patience, self._goodbye)

    def start(self) -> None:
        """Let those clients connect who say something before `Leave()`."""
        self._connect(self.lines.first)

    def _connect(self, who: list[str]) -> None:
        for letter in who:
            if letter not in self.connections:
                self.missed[letter] = []
                self.connections[letter] = connection = self.open(letter)
                connection.on_change = self.go_on

    def ended(self, letter: str) -> None:
        """Take note that the app has ended this client's session."""
        self.connections[letter].done = True
        self.go_on()

    def go_on(self) -> None:
        """Let the clients go on with the script as far as they can."""
        if self.over:
            return
        a = self.connections["a"]
        if not self._left and a.over:
            self._a_has_left()
            if self.lines.alone:
                return
        while self._place < len(self.steps):
            if not self._one(self.steps[self._place]):
                return
            self._place += 1
        self._patience.when = math.inf
        if not self._left:
            if a.moment is None and a.accepted:
                self._goodbye.when = self._loop.now + LATENCY
        elif all(each.over for each in self.connections.values()):
            self._finish()
        else:
            self._goodbye.when = self._loop.now + LATENCY

    def _leave(self) -> None:
        if self._left:
            self._others_leave()
        else:
            self.connections["a"].leave()

    def _a_has_left(self) -> None:
        self._left = True
        self.on_left()
        self._patience.when = self._goodbye.when = math.inf
        a = self.connections["a"]
        if a.gone in {"", "own"}:
            self.cut_short = self._unfinished("a")
        if a.gone == "shutdown":
            self._place = len(self.steps)
            for each in self.connections.values():
                each.ending = "shutdown"
                each.leave()
        elif a.gone != "own" and self.lines.leaves_at < len(self.steps):
            self._place = max(self._place, self.lines.leaves_at)
        if self.lines.alone or (len(self.connections) == 1 and letters(self.steps[self._place :]) == ["a"]):
            self._finish()

    def _one(self, step: Step) -> bool:
        """Do one step; return whether it is done."""
        if isinstance(step, Leave):
            a = self.connections["a"]
            if not self._left and a.moment is None and a.accepted:
                self._goodbye.when = self._loop.now + LATENCY
            return self._left
        if step.by not in self.connections:
            self._connect([step.by])
        connection = self.connections[step.by]
        if connection.over:
            if step.by != "a" and not any(self.missed.values()):
                self._give_up(step.by, CLOSED)
            return True
        if not (connection.accepted if self.lines.alone else self._all_are_in()):
            return False
        if not isinstance(step, Expect):
            connection.say(step.text)
            return True
        return self._heard(step, connection)

    def _all_are_in(self) -> bool:
        return all(each.accepted or each.over for each in self.connections.values())

    def _heard(self, step: Expect, connection: MemoryConnection) -> bool:
        """Look for an answer; return whether the client need not wait for it any more."""
        while connection.outbox:
            self._patience.when = math.inf
            problem = as_expected(step, connection.outbox.popleft())
            if problem and self._place < self.lines.leaves_at:
                self._give_up(step.by, problem)
            if not problem or self._place < self.lines.leaves_at:
                return True
        self._waiting = step.by
        self._patience.when = self._loop.now + PATIENCE
        return False

    def forget(self) -> None:
        """Let go of whoever is called: circles of references, which a collector would have to find."""
        self.on_left = self.on_over = self._patience.ring = self._goodbye.ring = nothing
        del self.open
        for connection in self.connections.values():
            connection.on_change = connection.on_spin = nothing

    # ---- waiting ---------------------------------------------------------------------------------------------

    def _bored(self) -> None:
        self._give_up(self._waiting, SILENT)

    def _give_up(self, letter: str, problem: str) -> None:
        """Take note of what a client missed, and let everybody leave."""
        self.missed[letter].append(problem)
        self._place = len(self.steps)
        self.connections[letter].remark(problem)
        if not self.connections["a"].gone:
            self.connections["a"].leave()
        self._others_leave()

    def _others_leave(self) -> None:
        for letter, each in self.connections.items():
            if letter != "a" and not each.gone:
                each.leave(1000)
        self._finish()

    def _finish(self) -> None:
        if not self.over:
            self.over = True
            self._patience.when = math.inf
            self.on_over()

    def cut(self, letter: str) -> bool:
        """Whether the app ended a client's session before it had said all its lines and got all its answers."""
        a = self.connections["a"]
        if self._left and letter == "a":
            return self.cut_short
        return self._left == (letter != "a") and a.gone in {"", "own"} and self._unfinished(letter)

    def _unfinished(self, letter: str) -> bool:
        """Whether a client has lines left to say or answers to get."""
        return any(not isinstance(step, Leave) and step.by == letter for step in self.steps[self._place :])
