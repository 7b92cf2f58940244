"""An exercise whose answer becomes an ASGI app: explored in memory first, then played on real servers."""

import functools
import itertools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import USUAL
from hangup.explorer.report import HELD, Broken, Report
from hangup.record.processor import served
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import STRICT, Rule
from hangup.record.threads import Stuck
from hangup.servers.script import HELLO, Script
from hangup.servers.serve import SERVERS
from hangup.servers.sessions import ENDINGS, run_anew
from hangup.time.shared import run_on_loop
from hangup.trace.trace import Trace
from helpers.judging.exercise import Exercise, too_late
from helpers.judging.moment import held_at, named, when
from helpers.judging.patience import PATIENCE, Noticed, left, looking, patience
from helpers.judging.verdict import Verdict

FEW = 20  # schedules of each further case are played when a script has broken a rule


@dataclass(frozen=True)
class Case:
    """A script that is explored only: of its schedules `most`, spread evenly; the client asks for `path`.

    `mount`, if there is one, takes the place of the exercise's; `endings` are those of hangup's `explore`.
    """

    script: Script
    path: str = "/"
    most: int = 80
    mount: Callable[[Any], ASGIApp] | None = None
    endings: Sequence[str] = USUAL


@dataclass(kw_only=True)
class AppExercise(Exercise):
    """An exercise for an app under scripted clients.

    `mount` makes an ASGI app of the answer, anew for each session; with `lifespan` the app is started before each
    session and shut down after it. `facts` may add facts to a session, for `rules` to judge; of a script with several
    clients every one's session is judged. The cases of `also`, such as a spread of values or a long silence, are not
    played on real servers. `mounts`, if there are any, take the place of `mount`, one for each script. `excuse` names
    tasks that may run on when a handler has ended. Clients ask for `path`. With `one_by_one` a script that breaks any
    rule is the last that is played, else one that breaks a rule of the exercise's own.
    """

    mount: Callable[[Any], ASGIApp]
    scripts: Sequence[Script] = (HELLO,)
    also: Sequence[Case] = ()
    facts: Callable[[ASGIApp, Session], None] = lambda *_: None
    servers: Sequence[str] = SERVERS
    lifespan: bool = False
    excuse: Collection[str] = ()
    mounts: Sequence[Callable[[Any], ASGIApp]] = ()
    path: str = "/"
    one_by_one: bool = False
    most: int = 2_000

    @property
    def general(self) -> Sequence[Rule]:
        """What holds for every handler."""
        return STRICT

    def judge(self, answer: Any, until: float) -> Verdict:
        """Explore every script, then play them on real servers."""
        noticed = [Noticed(self.all_rules) for _ in self._cases]
        reports: list[Report] = []
        # the first script that breaks what the exercise itself asks is enough; what holds for all handlers may follow
        # from something that a later script shows better
        own = {rule.sentence for rule in self.rules if rule.name not in {each.name for each in self.general}}
        try:
            for number, (case, each) in enumerate(zip(self._cases, noticed, strict=True)):
                if number >= len(self.scripts) and any(other.broken for other in noticed):
                    case = replace(case, most=min(case.most, FEW))
                reports.append(self._explore(answer, case, each, until))
                enough = self.one_by_one or reports[-1].stopped
                if any(enough or broken.rule in own for broken in each.broken) or _held(reports[-1]):
                    break
        except Stuck as stuck:
            if not stuck.ended or not any(each.broken for each in noticed):
                raise
            return too_late(self._explored(answer, noticed, until), starved=stuck.starved)
        if any(each.broken for each in noticed):
            return self._explored(answer, noticed, until)
        if reports and (held := _held(reports[-1])):
            headline = "your answer holds the event loop: nothing else can run"
            line = held_at(held.got)
            facts = (("when", named(held.schedule)), ("where", line) if line else ("got", held.got))
            return Verdict(self.name, "fail", headline, facts, note=self.stuck, rule=HELD.name)
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

    @property
    def _cases(self) -> Sequence[Case]:
        return (*self._of_scripts, *self.also)

    @property
    def _of_scripts(self) -> Sequence[Case]:
        mounts = self.mounts or [self.mount] * len(self.scripts)
        return [Case(script, self.path, self.most, mount) for script, mount in zip(self.scripts, mounts, strict=True)]

    def _explore(self, answer: Any, case: Case, noticed: Noticed, until: float) -> Report:
        """Explore the answer at every moment and on every model."""
        return explore(
            make=functools.partial(case.mount or self.mount, answer),
            script=case.script,
            endings=case.endings,
            rules=noticed.rules,
            probe=looking(self.facts),
            seconds=left(until),
            lifespan=self.lifespan,
            limit=case.most,
            path=case.path,
            excuse=self.excuse,
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
        session = self._again(answer, self._cases[number], broken, until)
        place, words = order.index(broken.rule), f"{count} of {total} schedules"
        return self.broken(answer, session, broken.got, place, words, replayed=True)

    def _again(self, answer: Any, case: Case, broken: Broken, until: float) -> Session:
        """Play a schedule again, for its picture; without one, if the answer is too slow for that."""
        app = (case.mount or self.mount)(answer)
        try:
            first = replay(
                app,
                broken.schedule,
                case.script,
                probe=looking(self.facts),
                seconds=left(until),
                lifespan=self.lifespan,
                path=case.path,
                excuse=self.excuse,
            )
        except Stuck as stuck:
            if not stuck.ended:
                raise
            return Session(Trace(silent=True), broken.client, schedule=broken.schedule)
        # an answer that keeps state may end otherwise now, before that client has come
        return next((each for each in (first, *first.others) if each.letter == broken.client), first)

    # ---- on real servers -------------------------------------------------------------------------------------

    def _judge_real(self, answer: Any, until: float, explored: int) -> Verdict:
        """Play real sessions and judge them, when the exploration has found nothing."""
        sessions: list[Session] = []
        late: Stuck | None = None
        waited = time.monotonic() - served()
        try:
            # on the loop of the exploration, to which locks and queues of the answer's module belong
            run_on_loop(functools.partial(self._play, answer, sessions), seconds=left(until), real=True)
        except Stuck as stuck:
            if not stuck.ended:
                raise
            late = stuck
        if late is None and not all(session.facts["fired"] or session.facts["unanswered"] for session in sessions):
            return self.never_fired
        waited = time.monotonic() - served() - waited
        if found := self.first_broken(sessions):
            place, broken = found
            if waited > PATIENCE and any(each.facts["unanswered"] or each.cancelled_by for each, _ in broken):
                return self.not_known  # who waited in vain may have waited for the processor
            verdict = self.broken(answer, *broken[0], place, f"{len(broken)} of {len(sessions)} real sessions")
            return verdict if late is None else too_late(verdict, starved=late.starved)
        if late is not None:
            raise late
        return self.holds(f"{explored} schedules and {len(sessions)} sessions on {len(self.servers)} real servers")

    async def _play(self, answer: Any, sessions: list[Session]) -> None:
        """Play every session; stop after one in which somebody waited in vain, for all others would wait as long."""
        for case, server, ending in itertools.product(self._of_scripts, self.servers, (*ENDINGS, "cut")):
            make = functools.partial(case.mount or self.mount, answer)
            app, session = await run_anew(
                make, case.script, ending=ending, server=server, patience=patience(), path=case.path
            )
            played = (session, *session.others)
            for each in played:
                looking(self.facts)(app, each)
            sessions += played
            if any(each.ended in {"running", "cancelled"} or each.facts["unanswered"] for each in played):
                break


def _held(report: Report) -> Broken | None:
    """Return the first session that held the event loop; another script would hold it as long, and say no more."""
    return next((each for each in report.broken if each.rule == HELD.sentence), None)
