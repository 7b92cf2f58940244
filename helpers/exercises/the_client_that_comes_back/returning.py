"""An exercise whose answer is a client that comes back: explored first, then visited by servers in cases of their own.

What a server does is in `returning_servers`, what must hold in `returning_rules`.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.play import Client
from hangup.explorer.clients.server import Handler
from hangup.record.recorder import Session
from helpers.exercises.the_client_that_comes_back.servers import Scripted
from helpers.judging.client_exercise import ClientExercise
from helpers.judging.exercise import _left
from helpers.judging.verdict import Verdict

PATIENCE = 5.0  # real seconds that a case gets at least, once the answer has ended in the first one
HANGS = 3  # sessions that never end after which no more are played


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

    def _judge(self, answer: Any, until: float) -> Verdict:
        """Play the cases, and tell the first broken rule."""
        played: list[tuple[Case, Session]] = []
        for case in self.cases:
            if case.long and any(rule.test(session) for rule in self._rules for _, session in played):
                continue
            sessions = self._visit(answer, case, max(_left(until), PATIENCE if played else 0))
            played += ((case, session) for session in sessions)
            if any(_hangs(session) for session in sessions):
                break  # each session of such an answer takes long
        for place, rule in enumerate(self._rules):
            broken = [(case, session, got) for case, session in played if (got := rule.test(session))]
            if broken:
                case, session, got = broken[0]
                shown = session if case.schedules else self._again(answer, case, session.schedule, until)
                self._case = case.words
                if _hangs(session):
                    got += session.facts["server"].remains
                return self._broken(answer, shown, got, place, f"{len(broken)} of {len(played)} sessions")
        # How often a client waits differs between releases of Python: only the other sessions are counted.
        total = sum(not session.schedule.startswith("client/cancel") for _, session in played)
        headline = f"all {len(self._rules)} rules hold in {total} sessions, and wherever the client is cancelled"
        return Verdict(self.name, "pass", headline)

    def _when(self, session: Session) -> str:
        return f"{self._case} · {super()._when(session)}"

    def _visit(self, answer: Any, case: Case, seconds: float) -> list[Session]:
        """Play a case's schedules, or all that the explorer finds, and return the sessions."""
        client, server = self._pair(answer, case)
        sessions: list[Session] = []

        def look(server: Any, session: Session) -> None:
            _look(server, session)
            sessions.append(session)
            if sum(map(_hangs, sessions)) == HANGS:
                raise _Enough

        with contextlib.suppress(_Enough):
            for name in case.schedules:
                replay_client(client, name, server, probe=look, seconds=seconds)
            if not case.schedules:
                explore_client(client, server, rules=(), probe=look, seconds=seconds)
        return sessions

    def _again(self, answer: Any, case: Case, schedule: str, until: float) -> Session:
        """Play a schedule that the explorer found again, for its picture."""
        client, server = self._pair(answer, case)
        return replay_client(client, schedule, server, probe=_look, seconds=max(_left(until), PATIENCE))

    def _pair(self, answer: Any, case: Case) -> tuple[Client, Callable[[], Scripted]]:
        """Return a client and a function that makes its server; each session's client talks to the latest server."""
        latest: list[Scripted] = []

        def server() -> Scripted:
            latest[:] = [case.make()]
            return latest[0]

        return lambda url: self.call(answer, url, latest[0]), server


def _hangs(session: Session) -> bool:
    return session.cancelled_by == "server"


def _look(server: Any, session: Session) -> None:
    """Tell rules of the server."""
    excused = server.for_good is not None or server.stopped_at is not None
    session.facts |= {"server": server, "book": server.book, "due": server.due, "excused": excused}
