"""The clients of an exploration, who say the lines of a script to connections in memory, one line after the other.

Client a is the one whose connection ends: at a moment of its own, or where the script says `Leave()`, or at its end.
Once it has gone, its own lines are left out; those of the others are said all the same, from the first on: who logs in
before a leaves does so when a has left early, too. A line that needs a value which nobody has been told is left out.
"""

import math
from collections.abc import Callable

from hangup.explorer.apps.connections import Connections
from hangup.explorer.apps.talk.known import known_at_first
from hangup.explorer.apps.talk.owed import Owed
from hangup.explorer.apps.talk.patience import Patience
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.waiting import nothing
from hangup.servers.memory.exchange import Exchange
from hangup.servers.players import Connection
from hangup.servers.script import CLOSED, SILENT, Client, Expect, Leave, Request, Send, Step, StopReading, Wait, letters
from hangup.time.virtual import Alarm, VirtualLoop

LATENCY = 0.001  # virtual seconds after which a client that has nothing more to say leaves
Call = Callable[[], None]
_LINES = (Send, Expect, StopReading)


class Conversation:
    """Plays a script, as far as the app lets it. `missed` is what went wrong for each client, in words.

    Clients ask for `path` where the script says nothing else. `on_left` is called when client a is gone, `on_over` when
    all clients are.
    """

    def __init__(
        self, script: ParsedScript, connections: Connections, loop: VirtualLoop, path: str, on_left: Call, on_over: Call
    ) -> None:
        self.script, self.connections = script, connections
        self.on_left, self.on_over = on_left, on_over
        self.over = False
        """Whether all clients are gone."""
        self.stopped = False
        """Whether nobody may say anything any more."""
        self._a: Connection | None = None
        self._opened = False
        """Whether those have connected who do so at the beginning."""
        self._place = 0
        self._cut_short = ""
        """What client a missed whose session the app ended, if that was before all its lines were said and answered."""
        self._exchange: Exchange | None = None
        """The request that is under way."""
        self.missed: dict[str, list[str]] = {}
        self.held_by: dict[str, str] = {}
        """Of a client whose patience ended: for whose reading the app waited meanwhile, if it did."""
        self._loop = loop
        self._known = known_at_first(script, path)
        self._owed = Owed(script, self._known)
        self._patience = Patience(loop, self._bored)
        self._goodbye = Alarm(self._leave)
        self.alarms = (self._patience, self._goodbye)

    def start(self) -> None:
        """Let those clients connect who do so at the beginning, as soon as what comes before that is done."""
        if self.script.opens_at:
            self.go_on()
        else:
            self._open()
            if self._a is not None and self._a.gone:  # before the app is called
                self.go_on()

    def _open(self) -> None:
        """Let those connect who do so at the beginning, unless they have."""
        if not self._opened:
            self._opened = True
            self._connect(self.script.first)

    def _connect(self, who: list[str]) -> None:
        of = self.connections.of
        for letter in who:
            if letter not in of:
                self.missed.setdefault(letter, [])
                opened = self.connections.open(letter, self._known.opening(letter))
                opened.client.on_change = self.go_on
                if letter == "a":
                    self._a, opened.departure.code = opened, self.script.goodbye

    def go_on(self) -> None:
        """Let the clients go on with the script as far as they can."""
        self._loop.jumps = 0
        if self.over:
            return
        script, owed, a = self.script, self._owed, self._a
        if owed.gone is None and a is not None and (a.gone or a.done):
            self._a_has_left(a)
        if self.stopped or (owed.gone is not None and script.alone):
            return
        steps = script.steps
        while self._place < len(steps):
            if self._place == script.opens_at and not self._opened:
                self._open()
                self.go_on()
                return
            if not self._one(steps[self._place]):
                return
            self._place += 1
        if not self._opened:
            self._open()
        self._patience.end()
        if owed.gone is not None and all(each.over for each in self.connections.of.values()):
            self._finish()
        elif owed.gone is not None or self._can_leave():
            self._goodbye.when = self._loop.now + LATENCY

    def _can_leave(self) -> bool:
        """Whether it is up to the script when client a leaves."""
        a = self.connections.of["a"]
        return self._owed.gone is None and a.departure.moment is None and a.accepted

    def _leave(self) -> None:
        if self._owed.left:
            self._others_leave()
        else:
            self.connections.of["a"].leave(self.script.goodbye)

    def _a_has_left(self, a: Connection) -> None:
        if a.gone in {"", "own"}:
            self._cut_short = self._misses("a")
        self._owed.gone = a
        self.on_left()
        self._goodbye.when = math.inf
        if self._patience.who == "a":
            self._patience.end()
        if a.gone == "shutdown":
            self._place = len(self.script.steps)
            for each in self.connections.of.values():
                each.departure.ending = "shutdown"
                each.leave()
        if self.script.alone or (len(self.connections.of) == 1 and letters(self.script.steps[self._place :]) == ["a"]):
            self._finish()

    # ---- one step --------------------------------------------------------------------------------------------

    def _one(self, step: Step) -> bool:
        """Do one step; return whether it is done."""
        if isinstance(step, _LINES):
            return (step.by == "a" and self._owed.gone is not None) or self._talks(step)
        if isinstance(step, Leave):
            if self._can_leave():
                self._goodbye.when = self._loop.now + LATENCY
            return self._owed.left
        if isinstance(step, Wait):
            return self._paused(step)
        assert not isinstance(step, Client)
        return (step.by == "a" and self._owed.gone is not None) or self._asks(step)

    def _talks(self, step: Send | Expect | StopReading) -> bool:
        """Let a client say or hear something; return whether it has, or need not any more."""
        connection = self.connections.of.get(step.by)
        if connection is None:
            self._connect([step.by])
            connection = self.connections.of[step.by]
        if connection.gone or connection.done:
            self._comes_too_late(step, connection)
            return True
        if not connection.accepted:
            return False
        if not self.script.alone and not all(each.accepted or each.over for each in self.connections.of.values()):
            return False
        if isinstance(step, Expect):
            return self._heard(step, connection)
        if isinstance(step, StopReading):
            connection.stop_reading()
            return True
        said = self._known.said(step)
        self._owed.says(step.by, said=said is not None)
        if said is not None:
            connection.say(said)
        return True

    def _comes_too_late(self, step: Step, connection: Connection) -> None:
        """Take note that a client's connection is closed before its step: what it misses, if that is owed to it."""
        by = connection.client.letter
        if isinstance(step, Send):
            self._owed.says(by, said=False)
        if by == "a" or self._owed.spares(step, self._place) or any(self.missed.values()):
            return
        if problem := self._missed(step, self._place, connection):
            self._give_up(by, problem)

    def _missed(self, step: Step, place: int, connection: Connection) -> str:
        """Return why a client whose connection is closed cannot do a step; what came before the close it has heard."""
        if isinstance(step, Expect):
            heard, problem = self._owed.take(step, place, connection.client.outbox)
            return problem if heard else CLOSED
        return CLOSED if isinstance(step, Send) else ""

    def _misses(self, letter: str) -> str:
        """Return what a client misses whose session is over: of the lines left, those that ask for more of it."""
        connection, left = self.connections.of[letter], enumerate(self.script.steps[self._place :], self._place)
        own = ((place, step) for place, step in left if isinstance(step, Send | Expect) and step.by == letter)
        return next(filter(None, (self._missed(step, place, connection) for place, step in own)), "")

    def _heard(self, step: Expect, connection: Connection) -> bool:
        """Look for an answer; return whether the client need not wait for it any more."""
        heard, problem = self._owed.take(step, self._place, connection.client.outbox)
        if problem:
            self._give_up(step.by, problem)
        if not heard:
            self._patience.begin(self._place, step.by)
            return False
        self._patience.end()
        return True

    def _asks(self, step: Request) -> bool:
        """Make a request; return whether there is a response, or none is waited for."""
        if self._patience.begin(self._place, step.by):
            asked = self._known.request(step)
            self._exchange = None if asked is None else self.connections.ask(step.by, asked, self.go_on)
        if self._exchange is None:
            self._patience.end()
            return True
        if (response := self._exchange.response) is None:
            return False
        self._exchange = None
        self._patience.end()
        if problem := self._known.response(step, response):
            self._give_up(step.by, problem)
        return True

    # ---- waiting ---------------------------------------------------------------------------------------------

    def _paused(self, step: Wait) -> bool:
        """Begin a pause, unless it has begun; return whether it is over."""
        begins = self._patience.begin(self._place, "", step.seconds)
        for each in self.connections.of.values() if begins else ():
            if not each.over:
                each.remark(f"says nothing for {step.seconds:g} s")
        over = not begins and self._patience.over
        if over:
            self._loop.turns = 0  # it has let time pass
        return over

    def _bored(self) -> None:
        step = self.script.steps[self._place]
        if isinstance(step, Wait):
            self.go_on()
        elif self._owed.spares(step, self._place) or (
            isinstance(step, Expect) and self._owed.early(self._place) and self.connections.of[step.by].client.outbox
        ):
            self._place += 1  # an answer came, and without client a it may be another one
            self.go_on()
        else:
            waits = (
                who for who, each in self.connections.of.items() if each.waiting_sends and who != self._patience.who
            )
            self.held_by.update((self._patience.who, who) for who in waits)
            where = f"{step.method} {step.path}: " if isinstance(step, Request) else ""
            self._give_up(self._patience.who, f"{where}{SILENT}")

    def _give_up(self, letter: str, problem: str) -> None:
        """Take note of what a client missed, and let everybody leave."""
        self._place, self._exchange = len(self.script.steps), None
        self.missed.setdefault(letter, []).append(problem)
        self._open()
        if letter in self.connections.of:
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
            self._patience.end()
            self.on_over()

    # ---- what came of it -------------------------------------------------------------------------------------

    @property
    def waited(self) -> float:
        """For how many virtual seconds the last step in which somebody waited has gone on."""
        return self._loop.now - self._patience.since

    def cut_off(self, letter: str) -> str:
        """Return what a client missed whose session the app ended before it had said all and got all its answers."""
        a = self.connections.of["a"]
        if self._owed.left and letter == "a":
            return self._cut_short
        cut = self._owed.left == (letter != "a") and a.gone in {"", "own"}
        return self._misses(letter) if cut else ""

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.on_left = self.on_over = self._patience.ring = self._goodbye.ring = nothing
