"""An exercise: a scripted client, rules, and hints; `check(answer)` plays the script against the answer and judges.

The answer runs in a thread of its own with its own event loop, so that nothing it does to that loop reaches the
notebook's. `check` stops at the first rule that some session breaks.
"""

import functools
import itertools
import os
import re
import site
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import hangup
from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.report import HELD, Report
from hangup.record.recorder import ASGIApp, Session, describe
from hangup.record.rules import GENERAL, Rule
from hangup.record.threads import Escaped, Stuck
from hangup.servers.script import HELLO, Script
from hangup.servers.serve import SERVERS
from hangup.servers.sessions import CUT, ENDINGS, run
from hangup.time.shared import run_on_loop
from helpers import lessons
from helpers.judging.answers import Kind, Named, is_starter, no_answer
from helpers.judging.verdict import Verdict

DEADLINE = 7.0  # seconds that a check may take; then the answer is stopped, which takes 2 more at most
PATIENCE = 1.5  # seconds a session waits for an answer or an end. Both are longer where a machine is busy


@dataclass(frozen=True)
class Page:
    """Markdown that a cell shows."""

    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/markdown": self.text, "text/plain": self.text}

    def __str__(self) -> str:
        return self.text


@dataclass(kw_only=True)
class Exercise:
    """One exercise of a lesson.

    `kind` and `parameters` say what an answer is; `mount` makes an ASGI app of it, anew for each session. With
    `lifespan` the app is started before each session and shut down after it. `without` lists general rules that do not
    hold here. `facts` may add facts to a session, for `rules` to judge; of a script with several clients every one's
    session is judged.
    """

    lesson: str
    number: int
    title: str
    kind: Kind | Named
    parameters: tuple[str, ...]
    mount: Callable[[Any], ASGIApp]
    rules: Sequence[Rule]
    hints: Sequence[str]
    scripts: Sequence[Script] = (HELLO,)
    facts: Callable[[ASGIApp, Session], None] = lambda *_: None
    servers: Sequence[str] = SERVERS
    lifespan: bool = False
    without: Sequence[Rule] = ()
    _hinted: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        """Lesson and number, as verdicts say them: `double-receive 1`."""
        return f"{self.lesson.partition('-')[2]} {self.number}"

    def check(self, *answers: Any) -> Verdict:
        """Judge an answer on every server under every ending; never raises for anything an answer does."""
        if problem := no_answer(answers, self.kind, self.parameters):
            return Verdict(self.name, "no answer", problem, note=f"Try: ex{self.number}.check({self._starter_name})")
        try:
            return self._judge(answers[0], time.monotonic() + DEADLINE * _slow())
        except Stuck as stuck:
            if stuck.ended:
                headline = f"your answer takes too long: {DEADLINE:g} seconds were not enough to try every ending"
                return Verdict(self.name, "fail", headline, note=self._stuck, rule="in_time")
            if stuck.loop_runs:
                headline = "your answer does not end, not even when it is cancelled"
                return Verdict(self.name, "fail", headline, note=self._stuck, rule="cancellable")
            headline = "your answer holds the event loop: nothing else can run"
            return Verdict(self.name, "fail", headline, note=self._stuck, rule="yields")
        except Exception as error:  # an answer may exit, or raise what stops an event loop
            raised = error.error if isinstance(error, Escaped) else error
            headline = f"your answer raised {describe(raised)}, which ends the whole server"
            return Verdict(self.name, "fail", headline, note=self._stuck, rule="survives")

    def _judge(self, answer: Any, until: float) -> Verdict:
        """Explore every script, then play them on real servers."""
        reports = [self._explore(answer, script, until) for script in self.scripts]
        if any(report.broken for report in reports):
            return self._explored(answer, reports, until)
        if not any(report.fired for report in reports):
            return self._never_fired
        # on the loop of the exploration, to which locks and queues of the answer's module belong
        sessions = run_on_loop(functools.partial(self._sessions, answer), seconds=_left(until), real=True)
        if not all(session.facts["fired"] or session.facts["unanswered"] for session in sessions):
            return self._never_fired
        return self._judge_real(answer, sessions, sum(report.explored for report in reports))

    @property
    def _never_fired(self) -> Verdict:
        return Verdict(
            self.name, "fail", "this exercise is broken: a connection did not end as it should", rule="fires"
        )

    def hint(self) -> Page:
        """Show the next hint; the last one stays."""
        stage = min(self._hinted, len(self.hints) - 1)
        self._hinted += 1
        more = "" if stage + 1 == len(self.hints) else f" Stuck still? Call ex{self.number}.hint() again."
        return Page(f"**Hint {stage + 1} of {len(self.hints)}.** {self.hints[stage]}{more}")

    def solution(self) -> Page:
        """Show the answer and its explanation, as they stand in the solutions notebook."""
        found = lessons.cells(self.lesson, "solution", f"ex{self.number}")
        shown = [cell for cell in found if "check" not in cell.metadata.tags]
        return Page("\n\n".join(f"```python\n{c.source}\n```" if c.cell_type == "code" else c.source for c in shown))

    # ---- exploring -------------------------------------------------------------------------------------------

    def _explore(self, answer: Any, script: Script, until: float) -> Report:
        """Explore the answer in memory, at every moment and on every model."""
        make = functools.partial(self.mount, answer)
        return explore(
            make=make,
            script=script,
            rules=self._rules,
            probe=self.facts,
            seconds=_left(until),
            lifespan=self.lifespan,
        )

    @property
    def _rules(self) -> list[Rule]:
        return [*self.rules, *(rule for rule in GENERAL if rule not in (*self.rules, *self.without))]

    def _explored(self, answer: Any, reports: Sequence[Report], until: float) -> Verdict:
        """Tell the first broken rule, with a replay of the schedule that broke it."""
        held = next((each for report in reports for each in report.broken if each.rule == HELD.sentence), None)
        if held is not None:
            headline = "your answer holds the event loop: nothing else can run"
            facts = (("when", held.schedule), ("got", held.got))
            return Verdict(self.name, "fail", headline, facts, note=self._stuck, rule=HELD.name)
        order = [rule.sentence for rule in self._rules]
        number, broken = min(
            ((n, report.broken[0]) for n, report in enumerate(reports) if report.broken),
            key=lambda found: order.index(found[1].rule),
        )
        app, script = self.mount(answer), self.scripts[number]
        first = replay(app, broken.schedule, script, probe=self.facts, seconds=_left(until), lifespan=self.lifespan)
        session = next(each for each in (first, *first.others) if each.letter == broken.client)
        count = sum(len(report.schedules_breaking(broken.rule)) for report in reports)
        total = sum(report.explored for report in reports)
        return self._broken(answer, session, broken.got, order.index(broken.rule), f"{count} of {total} schedules")

    # ---- judging ---------------------------------------------------------------------------------------------

    async def _sessions(self, answer: Any) -> list[Session]:
        """Play every session; stop after one in which somebody waited in vain, for all others would wait as long."""
        sessions: list[Session] = []
        for script, server, ending in itertools.product(self.scripts, self.servers, (*ENDINGS, "cut")):
            app = self.mount(answer)
            session = await run(app, script, ending=ending, server=server, patience=PATIENCE * _slow())
            played = (session, *session.others)
            for each in played:
                self.facts(app, each)
            sessions += played
            if any(each.ended in {"running", "cancelled"} or each.facts["unanswered"] for each in played):
                break
        return sessions

    def _judge_real(self, answer: Any, sessions: Sequence[Session], explored: int) -> Verdict:
        """Judge real sessions, when the exploration has found nothing."""
        for place, rule in enumerate(self._rules):
            broken = [(session, got) for session in sessions if (got := rule.test(session)) is not None]
            if broken:
                session, got = broken[0]
                return self._broken(answer, session, got, place, f"{len(broken)} of {len(sessions)} real sessions")
        played = f"{len(sessions)} sessions on {len(self.servers)} real servers"
        headline = f"all {len(self._rules)} rules hold in {explored} schedules and {played}"
        return Verdict(self.name, "pass", headline)

    def _broken(self, answer: Any, session: Session, got: str, place: int, count: str) -> Verdict:
        rule = self._rules[place]
        if isinstance(session.error, NotImplementedError):
            return Verdict(self.name, "not attempted", "not attempted: the starter still raises NotImplementedError")
        headline = f"rule {place + 1} of {len(self._rules)}: {rule.sentence}"
        outcome: Literal["fail", "not attempted"] = "fail"
        if is_starter(answer, self._starter):
            outcome, headline = "not attempted", f"not attempted: this is the starter. It breaks {headline}"
        facts = [("when", self._when(session)), ("got", got)]
        if where := _where(session):
            facts.append(("where", where))
        verb = "breaks" if count.startswith("1 of") else "break"
        note = f"{count} {verb} this rule · {self._stuck}"
        return Verdict(self.name, outcome, headline, tuple(facts), note, rule.name, session.trace)

    def _when(self, session: Session) -> str:
        """Return server, ending and moment in words, and the schedule's name if there is one to replay."""
        return _when(session)

    @property
    def _stuck(self) -> str:
        return f"stuck? ex{self.number}.hint()"

    @property
    def _starter(self) -> str:
        return "\n".join(cell.source for cell in lessons.cells(self.lesson, "starter", f"ex{self.number}"))

    @property
    def _starter_name(self) -> str:
        names = re.findall(r"^(?:class|async def) (\w+)", self._starter, re.MULTILINE)
        return names[-1] if names else "your_answer"


def _slow() -> float:
    """Return how many times slower than usual this machine is now, because others want it too; 5 at most."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return min(max(load / (os.cpu_count() or 1), 1.0), 5.0)


def _left(until: float) -> float:
    """Return how many seconds are left, and never less than a quick stage needs."""
    return max(until - time.monotonic(), 0.5)


def _when(session: Session) -> str:
    server, _, rest = session.schedule.partition("/")
    ending, _, moment = rest.partition("@")
    call, _, number = moment.partition("#")
    if call == "await":
        return f"{server} · your handler is cancelled at its await number {number} ({session.schedule})"
    if ending == "close" and session.facts.get("gone") == "fin":
        ending = "fin"  # before it is accepted, a client cannot close
    words = CUT if ending == "cut" else ENDINGS.get(ending, ("the server shuts down", None))[0]
    if number:
        return f"{server} · {words} before {call}() number {number} ({session.schedule})"
    speaker = ("client", "client a")  # the one whose connection ends
    said = [event.detail for event in session.trace if event.actor in speaker and event.action == "text"]
    return f"{server} · {words}" + (f" after {said[-1]}" if said else " at once")


def _where(session: Session) -> str:
    """Return the learner's own line that the exception passed through, or who called from outside it."""
    if session.error is None or session.ended != "raised":
        return ""
    frames = session.where
    own = [frame for frame in frames if not _is_library(frame.filename)]
    if own:
        return f"line {own[-1].lineno} of your {own[-1].name}: {own[-1].line}" if own[-1].line else own[-1].name
    others = [frame for frame in frames if not Path(frame.filename).is_relative_to(_HANGUP)]
    if len(others) < 2:
        return ""
    caller, called = others[-2], others[-1]
    return f"not in your code: {Path(caller.filename).parent.name}'s {caller.name}() called {called.name}()"


_HANGUP = Path(hangup.__file__).resolve().parent


@functools.cache
def _libraries() -> tuple[str, ...]:
    paths = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), str(Path(__file__).resolve().parent.parent), str(_HANGUP)}
    return tuple(str(Path(path).resolve()) for path in paths)


def _is_library(filename: str) -> bool:
    return filename.startswith("<frozen") or str(Path(filename).resolve()).startswith(_libraries())
