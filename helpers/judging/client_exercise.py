"""An exercise whose answer is a client: a coroutine function that is judged by the client's explorer."""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.play import Client
from hangup.explorer.clients.schedules import FAULTS, ClientSchedule
from hangup.explorer.clients.server import Handler
from hangup.record.recorder import Session, current
from hangup.record.rules import CLIENT, Rule
from hangup.record.threads import Stuck
from hangup.trace.trace import Trace
from helpers.judging.exercise import Exercise, too_late
from helpers.judging.patience import Noticed, left, looking
from helpers.judging.verdict import Verdict

Probe = Callable[[Any, Session], None]


def _leaves_no_task(session: Session) -> str | None:
    asked = session.facts.get("asked")
    left = next(rule for rule in CLIENT if rule.name == "leaves_no_task").test(session)
    return left or (f"cancelled, and not waited for: {', '.join(asked)}" if asked else None)


GENERAL = tuple(replace(rule, test=_leaves_no_task) if rule.name == "leaves_no_task" else rule for rule in CLIENT)
"""What holds for every client; here a task that it has only asked to end runs on, if it may be gone a turn later."""


@contextlib.contextmanager
def noting_who_was_asked() -> Iterator[None]:
    """Call an answer in the block; when it ends by itself, note the tasks that it has cancelled and not waited for."""
    try:
        yield
    finally:
        session = current()
        if session is not None and not session.cancelled_by:
            asked = [session.name_of(task) for task in session.tasks if task.cancelling() and not task.done()]
            session.facts["asked"] = asked


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

        noticed, late = Noticed(self.all_rules), False
        explore = functools.partial(explore_client, client, server, probe=looking(self.probe), rules=noticed.rules)
        try:
            report = explore(faults=self.faults, times=self.times, limit=self.limit, seconds=left(until))
        except Stuck as stuck:
            if not stuck.ended or not noticed.broken:
                raise
            late = True
        if noticed.broken:
            order = [rule.sentence for rule in self.all_rules]
            broken = min(noticed.broken, key=lambda each: order.index(each.rule))
            session = self.again(client, broken.schedule, server, left(until))
            count = f"{noticed.breaking(broken.rule)} of {len(noticed.schedules)} schedules"
            verdict = self.broken(answer, session, broken.got, order.index(broken.rule), count, replayed=True)
            return too_late(verdict) if late else verdict
        if report.unfired == sum(not name.startswith("client/") for name, _ in report.how):
            return self.never_fired
        return self.holds(f"{report.explored} schedules")

    def again(self, client: Client, schedule: str, server: Callable[[], Handler], seconds: float) -> Session:
        """Play a schedule again, for its picture; without one, if the answer is too slow for that."""
        try:
            return replay_client(client, schedule, server, probe=looking(self.probe), seconds=seconds)
        except Stuck as stuck:
            if not stuck.ended:
                raise
            return Session(Trace(silent=True), "a", schedule=schedule)

    @property
    def general(self) -> Sequence[Rule]:
        """What holds for every client."""
        return GENERAL

    def when(self, session: Session) -> str:
        """Return fault and moment in words, with the schedule's name."""
        return ClientSchedule.parse(session.schedule).words

    def told(self, session: Session) -> bool:
        """Return whether the connection was broken, or the client cancelled."""
        return bool(session.cancelled_by) or ClientSchedule.parse(session.schedule) != ClientSchedule()
