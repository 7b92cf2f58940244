"""An exercise whose answer becomes an ASGI app: explored in memory first, then played on real servers."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.explorer.apps.explore import explore, replay
from hangup.record.recorder import ASGIApp, Session
from hangup.record.report import Report
from hangup.record.rules import GENERAL, Rule
from hangup.record.threads import run_in_thread
from hangup.servers.script import HELLO, Script
from hangup.servers.serve import SERVERS
from hangup.servers.sessions import ENDINGS, run
from helpers.judging.exercise import Exercise
from helpers.judging.moment import when
from helpers.judging.patience import left, patience
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
        return GENERAL

    def judge(self, answer: Any, until: float) -> Verdict:
        """Explore every script, then play them on real servers."""
        reports = [self._explore(answer, script, until) for script in self.scripts]
        if any(report.broken for report in reports):
            return self._explored(answer, reports, until)
        if not any(report.fired for report in reports):
            return self.never_fired
        sessions = run_in_thread(functools.partial(self._sessions, answer), seconds=left(until))
        if not all(session.facts["fired"] or session.facts["unanswered"] for session in sessions):
            return self.never_fired
        return self._judge_real(answer, sessions, sum(report.explored for report in reports))

    def when(self, session: Session) -> str:
        """Return server, ending and moment in words, and the schedule's name if there is one to replay."""
        return when(session)

    # ---- in memory -------------------------------------------------------------------------------------------

    def _explore(self, answer: Any, script: Script, until: float) -> Report:
        """Explore the answer at every moment and on every model."""
        make = functools.partial(self.mount, answer)
        return explore(
            make=make,
            script=script,
            rules=self.all_rules,
            probe=self.facts,
            seconds=left(until),
            lifespan=self.lifespan,
        )

    def _explored(self, answer: Any, reports: Sequence[Report], until: float) -> Verdict:
        """Tell the first broken rule, with a replay of the schedule that broke it."""
        order = [rule.sentence for rule in self.all_rules]
        number, broken = min(
            ((n, report.broken[0]) for n, report in enumerate(reports) if report.broken),
            key=lambda found: order.index(found[1].rule),
        )
        app, script = self.mount(answer), self.scripts[number]
        first = replay(app, broken.schedule, script, probe=self.facts, seconds=left(until), lifespan=self.lifespan)
        session = next(each for each in (first, *first.others) if each.letter == broken.client)
        count = sum(len(report.schedules_breaking(broken.rule)) for report in reports)
        total = sum(report.explored for report in reports)
        return self.broken(answer, session, broken.got, order.index(broken.rule), f"{count} of {total} schedules")

    # ---- on real servers -------------------------------------------------------------------------------------

    async def _sessions(self, answer: Any) -> list[Session]:
        """Play every session; stop after one in which somebody waited in vain, for all others would wait as long."""
        sessions: list[Session] = []
        for script, server, ending in itertools.product(self.scripts, self.servers, (*ENDINGS, "cut")):
            app = self.mount(answer)
            session = await run(app, script, ending=ending, server=server, patience=patience())
            played = (session, *session.others)
            for each in played:
                self.facts(app, each)
            sessions += played
            if any(each.ended in {"running", "cancelled"} or each.facts["unanswered"] for each in played):
                break
        return sessions

    def _judge_real(self, answer: Any, sessions: Sequence[Session], explored: int) -> Verdict:
        """Judge real sessions, when the exploration has found nothing."""
        rules = self.all_rules
        for place, rule in enumerate(rules):
            broken = [(session, got) for session in sessions if (got := rule.test(session)) is not None]
            if broken:
                session, got = broken[0]
                return self.broken(answer, session, got, place, f"{len(broken)} of {len(sessions)} real sessions")
        played = f"{len(sessions)} sessions on {len(self.servers)} real servers"
        return self.holds(f"{explored} schedules and {played}")
