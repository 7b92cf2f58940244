"""An exercise whose answer is a client: a coroutine function that is judged by the client's explorer."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.schedules import FAULTS, ClientSchedule
from hangup.explorer.clients.server import Handler
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import CLIENT, Rule
from helpers.judging.exercise import Exercise, _left
from helpers.judging.verdict import Verdict

Probe = Callable[[Any, Session], None]


def _no_app(answer: Any) -> ASGIApp:
    raise TypeError("an answer of this exercise is a client, not an app")


def _with_the_url(answer: Any, url: str, server: Handler) -> Awaitable[Any]:
    called: Awaitable[Any] = answer(url)
    return called


@dataclass(kw_only=True)
class ClientExercise(Exercise):
    """An exercise for a client against a scripted server.

    `server` makes the server anew for each session, a websockets handler; `call` calls the answer with the URL and
    that server, which may hold what else an answer is given. `probe` may add facts to a session, for `rules` to judge.
    A fault hits so many of the first connections as `times` says.
    """

    mount: Callable[[Any], ASGIApp] = _no_app
    server: Callable[[], Handler]
    call: Callable[[Any, str, Any], Awaitable[Any]] = _with_the_url
    probe: Probe = lambda *_: None
    faults: Sequence[str] = (*FAULTS, "cancel")
    times: Sequence[int] = (1,)
    limit: int = 1_000

    def _judge(self, answer: Any, until: float) -> Verdict:
        """Explore the answer, and tell the first broken rule, with a replay of the schedule that broke it."""
        made: list[Any] = []

        def server() -> Handler:
            made[:] = [self.server()]
            return made[0]  # type: ignore[no-any-return]  # it is what server() gives

        def client(url: str) -> Awaitable[Any]:
            return self.call(answer, url, made[0])

        explore = functools.partial(explore_client, client, server, probe=self.probe)
        report = explore(
            rules=self._rules, faults=self.faults, times=self.times, limit=self.limit, seconds=_left(until)
        )
        if report.broken:
            broken = report.broken[0]
            session = replay_client(client, broken.schedule, server, probe=self.probe, seconds=_left(until))
            place = [rule.sentence for rule in self._rules].index(broken.rule)
            count = len(report.schedules_breaking(broken.rule))
            return self._broken(answer, session, broken.got, place, f"{count} of {report.explored} schedules")
        if report.unfired == sum(not name.startswith("client/") for name, _ in report.how):
            return self._never_fired
        return Verdict(self.name, "pass", f"all {len(self._rules)} rules hold in {report.explored} schedules")

    @property
    def _rules(self) -> list[Rule]:
        return [*self.rules, *(rule for rule in CLIENT if rule not in (*self.rules, *self.without))]

    def _when(self, session: Session) -> str:
        return ClientSchedule.parse(session.schedule).words
