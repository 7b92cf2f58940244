"""An exercise whose answer is a client: a coroutine function that is judged by the client's explorer."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.schedules import FAULTS, ClientSchedule, Handler
from hangup.record.recorder import Session
from hangup.record.rules import CLIENT, Rule
from helpers.judging.exercise import Exercise
from helpers.judging.patience import left
from helpers.judging.verdict import Verdict

Probe = Callable[[Any, Session], None]


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

    server: Callable[[], Handler]
    call: Callable[[Any, str, Any], Awaitable[Any]] = _with_the_url
    probe: Probe = lambda *_: None
    faults: Sequence[str] = (*FAULTS, "cancel")
    times: Sequence[int] = (1,)
    limit: int = 1_000

    def judge(self, answer: Any, until: float) -> Verdict:
        """Explore the answer, and tell the first broken rule, with a replay of the schedule that broke it."""
        made: list[Any] = []

        def server() -> Handler:
            made[:] = [self.server()]
            return made[0]  # type: ignore[no-any-return]  # it is what server() gives

        def client(url: str) -> Awaitable[Any]:
            return self.call(answer, url, made[0])

        explore = functools.partial(explore_client, client, server, probe=self.probe)
        report = explore(
            rules=self.all_rules, faults=self.faults, times=self.times, limit=self.limit, seconds=left(until)
        )
        if report.broken:
            broken = report.broken[0]
            session = replay_client(client, broken.schedule, server, probe=self.probe, seconds=left(until))
            place = [rule.sentence for rule in self.all_rules].index(broken.rule)
            count = len(report.schedules_breaking(broken.rule))
            return self.broken(answer, session, broken.got, place, f"{count} of {report.explored} schedules")
        if report.unfired == sum(not name.startswith("client/") for name, _ in report.how):
            return self.never_fired
        return self.holds(f"{report.explored} schedules")

    @property
    def general(self) -> Sequence[Rule]:
        """What holds for every client."""
        return CLIENT

    def when(self, session: Session) -> str:
        """Return fault and moment in words, with the schedule's name."""
        return ClientSchedule.parse(session.schedule).words
