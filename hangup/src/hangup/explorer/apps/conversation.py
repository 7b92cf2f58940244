"""The clients of an exploration, who say the lines of a script to connections in memory, one line after the other.

Client a is the one whose connection ends: at a moment of its own, or where the script says `Leave()`, or at its end.
What stands before `Leave()` is left out once client a has gone; what stands after it is said by those who stay. In a
script without it, the others say all their lines.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from hangup.explorer.apps.connections import Connections
from hangup.explorer.waiting import nothing
from hangup.servers.memory import MemoryConnection
from hangup.servers.script import (
    CLOSED,
    SILENT,
    Expect,
    Leave,
    Script,
    Step,
    StopReading,
    as_expected,
    letters,
    steps_of,
)
from hangup.time.virtual import Alarm, VirtualLoop

LATENCY = 0.001  # virtual seconds after which a client that has nothing more to say leaves
PATIENCE = 5.0  # virtual seconds for which a client waits for an answer


@dataclass(frozen=True)
class ParsedScript:
    """A script, read once: what each session of an exploration asks of it."""

    steps: list[Step]
    leaves_at: int
    """The place of `Leave()`, or the end."""
    alone: bool
    """Whether client a is the only one."""
    first: list[str]
    """Who connects at the beginning: those who say something before `Leave()`."""

    @classmethod
    def of(cls, script: Script) -> "ParsedScript":
        """Read a script; raise TypeError with a sentence for what is none."""
        steps = steps_of(script)
        leaves_at = next((n for n, step in enumerate(steps) if isinstance(step, Leave)), len(steps))
        return cls(steps, leaves_at, letters(steps) == ["a"], letters(steps[:leaves_at]))


class Conversation:
    """Plays a script, as far as the app lets it. `missed` is what went wrong for each client, in words.

    `on_left` is called when client a is gone, `on_over` when all clients are.
    """

    def __init__(
        self,
        script: ParsedScript,
        connections: Connections,
        loop: VirtualLoop,
        on_left: Callable[[], None],
        on_over: Callable[[], None],
    ) -> None:
        self.script, self.connections = script, connections
        self.on_left, self.on_over = on_left, on_over
        self.missed: dict[str, list[str]] = {}
        self.over = False
        self._loop = loop
        self._place = 0
        self._left = False
        """Whether client a is gone."""
        self._cut_short = False
        """Whether the app ended client a's session before it had said all its lines."""
        self._waiting = ""
        """Who waits for an answer."""
        self._patience = Alarm(self._bored)
        self._goodbye = Alarm(self._leave)
        self.alarms = (self._patience, self._goodbye)

    def start(self) -> None:
        """Let those clients connect who say something before `Leave()`."""
        self._connect(self.script.first)

    def _connect(self, who: list[str]) -> None:
        for letter in who:
            if letter not in self.connections.of:
                self.missed[letter] = []
                self.connections.open(letter).on_change = self.go_on

    def go_on(self) -> None:
        """Let the clients go on with the script as far as they can."""
        if self.over:
            return
        a = self.connections.of["a"]
        if not self._left and a.over:
            self._a_has_left()
            if self.script.alone:
                return
        while self._place < len(self.script.steps):
            if not self._one(self.script.steps[self._place]):
                return
            self._place += 1
        self._patience.when = math.inf
        if not self._left:
            if a.moment is None and a.accepted:
                self._goodbye.when = self._loop.now + LATENCY
        elif all(each.over for each in self.connections.of.values()):
            self._finish()
        else:
            self._goodbye.when = self._loop.now + LATENCY

    def _leave(self) -> None:
        if self._left:
            self._others_leave()
        else:
            self.connections.of["a"].leave()

    def _a_has_left(self) -> None:
        self._left = True
        self.on_left()
        self._patience.when = self._goodbye.when = math.inf
        a = self.connections.of["a"]
        if a.gone in {"", "own"}:
            self._cut_short = self._unfinished("a")
        if a.gone == "shutdown":
            self._place = len(self.script.steps)
            for each in self.connections.of.values():
                each.ending = "shutdown"
                each.leave()
        elif a.gone != "own" and self.script.leaves_at < len(self.script.steps):
            self._place = max(self._place, self.script.leaves_at)
        if self.script.alone or (len(self.connections.of) == 1 and letters(self.script.steps[self._place :]) == ["a"]):
            self._finish()

    def _one(self, step: Step) -> bool:
        """Do one step; return whether it is done."""
        if isinstance(step, Leave):
            a = self.connections.of["a"]
            if not self._left and a.moment is None and a.accepted:
                self._goodbye.when = self._loop.now + LATENCY
            return self._left
        if step.by not in self.connections.of:
            self._connect([step.by])
        connection = self.connections.of[step.by]
        if connection.over:
            if step.by != "a" and not any(self.missed.values()):
                self._give_up(step.by, CLOSED)
            return True
        if not (connection.accepted if self.script.alone else self._all_are_in()):
            return False
        if isinstance(step, StopReading):
            connection.reads = False
            return True
        if not isinstance(step, Expect):
            connection.say(step.text)
            return True
        return self._heard(step, connection)

    def _all_are_in(self) -> bool:
        return all(each.accepted or each.over for each in self.connections.of.values())

    def _heard(self, step: Expect, connection: MemoryConnection) -> bool:
        """Look for an answer; return whether the client need not wait for it any more."""
        while connection.outbox:
            self._patience.when = math.inf
            problem = as_expected(step, connection.outbox.popleft())
            if problem and self._place < self.script.leaves_at:
                self._give_up(step.by, problem)
            if not problem or self._place < self.script.leaves_at:
                return True
        self._waiting = step.by
        self._patience.when = self._loop.now + PATIENCE
        return False

    # ---- waiting ---------------------------------------------------------------------------------------------

    def _bored(self) -> None:
        self._give_up(self._waiting, SILENT)

    def _give_up(self, letter: str, problem: str) -> None:
        """Take note of what a client missed, and let everybody leave."""
        self.missed[letter].append(problem)
        self._place = len(self.script.steps)
        self.connections.of[letter].remark(problem)
        if not self.connections.of["a"].gone:
            self.connections.of["a"].leave()
        self._others_leave()

    def _others_leave(self) -> None:
        for letter, each in self.connections.of.items():
            if letter != "a" and not each.gone:
                each.leave(1000)
        self._finish()

    def _finish(self) -> None:
        if not self.over:
            self.over = True
            self._patience.when = math.inf
            self.on_over()

    def cut_off(self, letter: str) -> bool:
        """Whether the app ended a client's session before it had said all its lines and got all its answers."""
        a = self.connections.of["a"]
        if self._left and letter == "a":
            return self._cut_short
        return self._left == (letter != "a") and a.gone in {"", "own"} and self._unfinished(letter)

    def _unfinished(self, letter: str) -> bool:
        """Whether a client has lines left to say or answers to get."""
        return any(not isinstance(step, Leave) and step.by == letter for step in self.script.steps[self._place :])

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.on_left = self.on_over = self._patience.ring = self._goodbye.ring = nothing
