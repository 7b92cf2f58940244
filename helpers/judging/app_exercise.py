"""An exercise whose answer becomes an ASGI app: explored in memory first, then played on real servers."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.report import Broken, Report
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import STRICT, Rule
from hangup.record.threads import Stuck, run_in_thread
from hangup.servers.script import HELLO, Script
from hangup.servers.serve import SERVERS
from hangup.servers.sessions import ENDINGS, run
from hangup.trace.trace import Trace
from helpers.judging.exercise import Exercise, too_late
from helpers.judging.moment import when
from helpers.judging.patience import Noticed, left, patience
from helpers.judging.verdict import Verdict


@dataclass(kw_only=True)
class AppExercise(Exercise):
    """An exercise for an app under scripted clients.

    `mount` makes an ASGI app of the answer, anew for each session; with `lifespan` the app is started before each
    session and shut down after it. `facts` may add facts to a session, for `rules` to judge; of a script with several
    clients every one's session is judged.
    """

    mount: Callable[[Any], ASGIApp]
    scripts: Sequence[Script] = (HELLO,)
    facts: Callable[[ASGIApp, Session], None] = lambda *_: None
    servers: Sequence[str] = SERVERS
    lifespan: bool = False

    @property
    def general(self) -> Sequence[Rule]:
        """What holds for every handler."""
        return STRICT

    def judge(self, answer: Any, until: float) -> Verdict:
        """Explore every script, then play them on real servers."""
        noticed = [Noticed(self.all_rules) for _ in self.scripts]
        try:
            reports = [self._explore(answer, *each, until) for each in zip(self.scripts, noticed, strict=True)]
        except Stuck as stuck:
            if not stuck.ended or not any(each.broken for each in noticed):
                raise
            return too_late(self._explored(answer, noticed, until))
        if any(each.broken for each in noticed):
            return self._explored(answer, noticed, until)
        if not any(report.fired for report in reports):
            return self.never_fired
        return self._judge_real(answer, until, sum(report.explored for report in reports))

    def when(self, session: Session) -> str:
        """Return server, ending and moment in words, and the schedule's name if there is one to replay."""
        return when(session)

    def told(self, session: Session) -> bool:
        """Return whether the handler had received the disconnect, had a send refused, or was cancelled."""
        return bool(session.codes or session.refusals or session.cancelled_by)

    # ---- in memory -------------------------------------------------------------------------------------------

    def _explore(self, answer: Any, script: Script, noticed: Noticed, until: float) -> Report:
        """Explore the answer at every moment and on every model."""
        return explore(
            make=functools.partial(self.mount, answer),
            script=script,
            rules=noticed.rules,
            probe=self.facts,
            seconds=left(until),
            lifespan=self.lifespan,
        )

    def _explored(self, answer: Any, noticed: Sequence[Noticed], until: float) -> Verdict:
        """Tell the first broken rule, with a replay of the schedule that broke it."""
        order = [rule.sentence for rule in self.all_rules]
        number, broken = min(
            ((number, broken) for number, each in enumerate(noticed) for broken in each.broken),
            key=lambda found: order.index(found[1].rule),
        )
        count = sum(each.breaking(broken.rule) for each in noticed)
        total = sum(len(each.schedules) for each in noticed)
        session = self._again(answer, self.scripts[number], broken, until)
        place, words = order.index(broken.rule), f"{count} of {total} schedules"
        return self.broken(answer, session, broken.got, place, words, replayed=True)

    def _again(self, answer: Any, script: Script, broken: Broken, until: float) -> Session:
        """Play a schedule again, for its picture; without one, if the answer is too slow for that."""
        app = self.mount(answer)
        try:
            first = replay(app, broken.schedule, script, probe=self.facts, seconds=left(until), lifespan=self.lifespan)
        except Stuck as stuck:
            if not stuck.ended:
                raise
            return Session(Trace(silent=True), broken.client, schedule=broken.schedule)
        return next(each for each in (first, *first.others) if each.letter == broken.client)

    # ---- on real servers -------------------------------------------------------------------------------------

    def _judge_real(self, answer: Any, until: float, explored: int) -> Verdict:
        """Play real sessions and judge them, when the exploration has found nothing."""
        sessions: list[Session] = []
        late: Stuck | None = None
        try:
            run_in_thread(functools.partial(self._play, answer, sessions), seconds=left(until))
        except Stuck as stuck:
            if not stuck.ended:
                raise
            late = stuck
        if late is None and not all(session.facts["fired"] or session.facts["unanswered"] for session in sessions):
            return self.never_fired
        if found := self.first_broken(sessions):
            place, broken = found
            verdict = self.broken(answer, *broken[0], place, f"{len(broken)} of {len(sessions)} real sessions")
            return verdict if late is None else too_late(verdict)
        if late is not None:
            raise late
        return self.holds(f"{explored} schedules and {len(sessions)} sessions on {len(self.servers)} real servers")

    async def _play(self, answer: Any, sessions: list[Session]) -> None:
        """Play every session; stop after one in which somebody waited in vain, for all others would wait as long."""
        for script, server, ending in itertools.product(self.scripts, self.servers, (*ENDINGS, "cut")):
            app = self.mount(answer)
            session = await run(app, script, ending=ending, server=server, patience=patience())
            played = (session, *session.others)
            for each in played:
                self.facts(app, each)
            sessions += played
            if any(each.ended in {"running", "cancelled"} or each.facts["unanswered"] for each in played):
                break
