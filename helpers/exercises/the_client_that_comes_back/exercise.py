"""An exercise whose answer is a client that comes back: explored first, then visited by servers in cases of their own.

What a server does is in `servers`, what must hold in `rules`.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.play import Client
from hangup.explorer.clients.server import Handler
from hangup.record.recorder import Session
from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop
from helpers.exercises.the_client_that_comes_back.rules import comes_at_its_own_time, eases_off
from helpers.exercises.the_client_that_comes_back.servers import Scripted
from helpers.judging.client_exercise import ClientExercise
from helpers.judging.exercise import too_late
from helpers.judging.patience import asked, left
from helpers.judging.verdict import Verdict

PATIENCE = 5.0  # real seconds that a case gets at least, once the answer has ended in the first one
BY_CHANCE = (eases_off, comes_at_its_own_time)
"""What a right answer may break if its draws are all small, or all alike."""
DRAWS = 8  # sessions with other draws that must all break it: of right answers, not one in a million does
HANGS = 3  # sessions that never end after which no more are played
TURNS = 60_000  # how often the loop may turn in one session before it counts as a spin
CONNECTION = 200  # turns as which a connection counts: who comes three hundred times has not paused
SHOWN = 3_000  # turns of the loop for the picture of a client that spins


@dataclass(frozen=True)
class Case:
    """A kind of server, and the schedules under which it is visited; without any, the explorer visits all."""

    words: str
    make: Callable[[], Scripted]
    schedules: tuple[str, ...] = ()
    long: bool = False
    """Whether a session takes long, and is not worth it when something is broken already."""


class _Enough(Exception):
    """An answer has been waited for in vain so often that no more sessions are played."""


@dataclass(kw_only=True)
class ReturningExercise(ClientExercise):
    """An exercise with `cases`, each of which makes a server anew for each session."""

    cases: Sequence[Case]
    server: Callable[[], Handler] = Scripted
    call: Callable[[Any, str, Any], Awaitable[Any]] = lambda answer, url, server: server.give(answer, url)
    _case: str = field(default="", repr=False)

    def judge(self, answer: Any, until: float) -> Verdict:
        """Play the cases, and tell the first broken rule."""
        played: list[tuple[Case, Session]] = []
        late: Stuck | None = None
        try:
            self._visit_all(answer, until, played)
        except Stuck as stuck:
            if not stuck.ended:
                raise
            late = stuck
        if found := self.first_broken([session for _, session in played]):
            place, broken = found
            session, got = broken[0]
            case = next(case for case, each in played if each is session)
            again = None if case.schedules else self._again(answer, case, session, until)
            spins = again is not None and session.facts["spun"]  # how it goes depends on when the system hands on bytes
            shown = session if again is None or (spins and not again.facts["spun"]) else again
            self._case = case.words
            count = f"{len(broken)} of {len(played)} sessions"
            verdict = self.broken(answer, shown, got, place, count, replayed=again is not None and not spins)
            return verdict if late is None else too_late(verdict)
        if late is not None:
            raise late
        # How often a client waits differs between releases of Python: only the other sessions are counted.
        total = sum(not session.schedule.startswith("client/cancel") for _, session in played)
        return self.holds(f"{total} sessions, and wherever the client is cancelled")

    def more(self, session: Session) -> str:
        """Return what a client that waits in vain still has to do."""
        remains: str = session.facts["server"].remains if _hangs(session) else ""
        return remains

    def when(self, session: Session) -> str:
        """Return the case, fault and moment in words."""
        return f"{self._case} · {super().when(session)}"

    def _visit_all(self, answer: Any, until: float, played: list[tuple[Case, Session]]) -> None:
        """Play every case, and add its sessions to `played`; stop when one hangs, for the others take as long."""
        for case in self.cases:
            if case.long and self.first_broken([session for _, session in played]):
                continue
            before = len(played)
            self._visit(answer, case, max(left(until), PATIENCE if played else 0), played)
            found = self.first_broken([session for _, session in played])
            if any(_hangs(session) for _, session in played[before:]) or (found and not found[0]):
                break  # the first rule comes before all that the other cases may break

    def _visit(self, answer: Any, case: Case, seconds: float, played: list[tuple[Case, Session]]) -> None:
        """Play a case's schedules, or all that the explorer finds."""
        client, server = self._pair(answer, case)
        hung = 0

        def look(server: Any, session: Session) -> None:
            nonlocal hung
            _look(server, session)
            played.append((case, session))
            hung += _hangs(session)
            if hung == HANGS:
                raise _Enough

        with contextlib.suppress(_Enough):
            for name in case.schedules:
                for draw in range(DRAWS):
                    replay_client(_drawing(client, draw), name, server, probe=look, seconds=seconds)
                    if draw == DRAWS - 1 or not self._has_bad_luck(played[-1][1]):
                        break
                    played.pop()
            if not case.schedules:
                explore_client(client, server, rules=(), probe=look, seconds=seconds)

    def _has_bad_luck(self, session: Session) -> bool:
        """Return whether a session breaks rules, and only such as it might not break if it had drawn other pauses."""
        broken = [rule for rule in self.all_rules if asked(rule, session) is not None]
        return bool(broken) and all(rule in BY_CHANCE for rule in broken)

    def _again(self, answer: Any, case: Case, session: Session, until: float) -> Session:
        """Play a schedule that the explorer found again, for its picture; of a client that spins a little is enough."""
        client, server = self._pair(answer, case, turns=SHOWN if session.facts["spun"] else TURNS)
        return replay_client(client, session.schedule, server, probe=_look, seconds=max(left(until), PATIENCE))

    def _pair(self, answer: Any, case: Case, turns: int = TURNS) -> tuple[Client, Callable[[], Scripted]]:
        """Return a client and a function that makes its server; each session's client talks to the latest server.

        So often the loop may turn in a session.
        """
        latest: list[Scripted] = []

        def server() -> Scripted:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, LoopbackLoop)
            loop.most_turns, loop.turns_of_a_connection = turns, CONNECTION
            latest[:] = [case.make()]
            return latest[0]

        return lambda url: self.call(answer, url, latest[0]), server


def _drawing(client: Client, draw: int) -> Client:
    """Return a client whose `random` begins elsewhere than a session's own does; with 0, the client as it is."""

    def drawing(url: str) -> Awaitable[Any]:
        random.seed(draw)
        return client(url)

    return drawing if draw else client


def _hangs(session: Session) -> bool:
    return session.cancelled_by == "server"


def _look(server: Any, session: Session) -> None:
    """Tell rules of the server."""
    excused = server.for_good is not None or server.stopped_at is not None
    session.facts |= {"server": server, "book": server.book, "due": server.due, "excused": excused}
