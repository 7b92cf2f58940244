"""An exercise: what an answer is, the rules that it must keep, hints; `check(answer)` judges, `solution()` shows.

How an answer is judged is told by subclasses: AppExercise and ClientExercise. It runs in a thread of its own with its
own event loop, so that nothing it does to that loop reaches the notebook's.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hangup.explorer.apps.lifespan import NotStarted
from hangup.record.recorder import Session, describe
from hangup.record.rules import Rule
from hangup.record.threads import Escaped, Stuck
from hangup.trace.trace import Trace
from helpers import lessons
from helpers.judging import patience
from helpers.judging.answers import (
    STALE,
    Kind,
    Named,
    clock_of_its_own,
    is_stale,
    is_starter,
    no_answer,
    on_virtual_clocks,
)
from helpers.judging.moment import mistake, raised_at, slip, where
from helpers.judging.verdict import MARKS, Verdict
from helpers.progress.remember import mine, remembered

BUSY = "not known: the machine was too busy to try every ending; check again"


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

    `kind` and `parameters` say what an answer is. `rules` come before the general ones; `without` lists general rules
    that do not hold here. `helps` says which of the `hints`, counted from 1, helps when a rule is broken; `why` is a
    sentence on why all rules hold for whoever has passed.
    """

    lesson: str
    number: int
    title: str
    kind: Kind | Named
    parameters: tuple[str, ...]
    rules: Sequence[Rule]
    hints: Sequence[str]
    why: str
    helps: Mapping[Rule, int] = field(default_factory=dict)
    without: Sequence[Rule] = ()
    _hinted: list[int] = field(default_factory=list, repr=False)
    """The hints that were shown, counted from 1."""
    _broke: str = field(default="", repr=False)
    """The name of the rule that the last check found broken, or nothing."""
    _chance: object = field(default=None, repr=False)
    """The state of `random` when the check began."""

    @property
    def name(self) -> str:
        """Lesson and number, as verdicts say them: `double-receive 1`."""
        return f"{self.lesson.partition('-')[2]} {self.number}"

    @property
    def general(self) -> Sequence[Rule]:
        """What holds for every answer of this kind."""
        raise NotImplementedError

    @property
    def all_rules(self) -> list[Rule]:
        """The rules in the order in which they are judged: the exercise's own, then the general ones."""
        return [*self.rules, *(rule for rule in self.general if rule not in (*self.rules, *self.without))]

    @remembered
    def check(self, *answers: Any) -> Verdict:
        """Judge an answer under every ending; never raises for anything an answer does.

        Raises KeyboardInterrupt when the interrupt button is pressed; a notebook shows one line of it.
        """
        try:
            verdict = self._verdict(answers)
        except KeyboardInterrupt:
            raise _interrupted() from None
        if verdict.outcome == "fail" and (words := clock_of_its_own(answers[0])):
            verdict = Verdict(self.name, "not known", words)
        if verdict.outcome != "no answer" and is_stale(answers[0]):
            verdict = replace(verdict, facts=(("note", STALE), *verdict.facts))
        self._broke = verdict.rule
        return verdict

    def _verdict(self, answers: tuple[Any, ...]) -> Verdict:
        self._chance = random.getstate()
        if problem := no_answer(answers, self.kind, self.parameters):
            return Verdict(self.name, "no answer", problem, note=f"Try: ex{self.number}.check({self._starter_name})")
        try:
            with on_virtual_clocks(answers[0]):
                return self.judge(answers[0], patience.deadline())
        except Stuck as stuck:
            if stuck.starved:
                return self.not_known
            if stuck.ended:
                return Verdict(self.name, "fail", too_long(), note=self.stuck, rule="in_time")
            if stuck.loop_runs:
                headline = "your answer does not end, not even when it is cancelled"
                return Verdict(self.name, "fail", headline, note=self.stuck, rule="cancellable")
            headline = "your answer holds the event loop: nothing else can run"
            return Verdict(self.name, "fail", headline, note=self.stuck, rule="yields")
        except patience.RuleFailed as failed:
            return Verdict(self.name, "not known", f"not known: this exercise is broken, {failed}")
        except Exception as error:  # an answer may exit, or raise what stops an event loop
            return self._ended(error.error if isinstance(error, Escaped) else error)

    def _ended(self, error: BaseException) -> Verdict:
        """Return the verdict on an answer with which nothing goes on: it ends its server, or keeps it from starting."""
        if isinstance(error, NotStarted) and error.__cause__ is not None:
            error = error.__cause__
            if own := slip(error, told=False):
                return self._slipped(*own)
            headline = f"your answer raised {describe(error)}, and so the app did not start"
        else:
            headline = f"your answer raised {describe(error)}, which ends the whole server"
        facts = (("where", line),) if (line := raised_at(error)) else ()
        return Verdict(self.name, "fail", headline, facts, self.stuck, "survives")

    def _slipped(self, error: str, line: str, *facts: tuple[str, str], trace: Trace | None = None) -> Verdict:
        """Return the verdict on an answer with an error of its own, given in words, and the line that raised it."""
        headline = f"your answer has an error of its own: {error}"
        told = (*facts, ("where", line))
        return Verdict(self.name, "fail", headline, told, f"✗ {error} · {line}", "own_error", trace)

    def judge(self, answer: Any, until: float) -> Verdict:
        """Return the verdict on an answer; `until` is the moment, of `served`, at which the check is over."""
        raise NotImplementedError

    mine = mine  # brings back the answer that passed

    def hint(self) -> Page:
        """Show the hint for the rule that the last check found broken, then the others in order.

        When all have been shown, the one for that rule stays, or the last one.
        """
        stages = range(1, len(self.hints) + 1)
        helps = next((stage for rule, stage in self.helps.items() if rule.name == self._broke), 0)
        unseen = [stage for stage in stages if stage not in self._hinted]
        stage = helps if helps in unseen else (*unseen, helps or stages[-1])[0]
        self._hinted.append(stage)
        more = "" if set(stages) <= set(self._hinted) else f" Stuck still? Call ex{self.number}.hint() again."
        return Page(f"**Hint {stage} of {len(self.hints)}.** {self.hints[stage - 1]}{more}")

    def solution(self) -> Page:
        """Show the answer and its explanation, as they stand in the solutions notebook."""
        found = lessons.cells(self.lesson, "solution", f"ex{self.number}")
        shown = [cell for cell in found if "check" not in lessons.tags(cell)]
        return Page("\n\n".join(_shown(cell) for cell in shown))

    # ---- what subclasses say -----------------------------------------------------------------------------------

    def when(self, session: Session) -> str:
        """Return in words when a session ended, and how, with the schedule's name if there is one to replay."""
        raise NotImplementedError

    def holds(self, tried: str) -> Verdict:
        """Return the verdict that every rule holds in all that was tried."""
        return Verdict(self.name, "pass", f"all {len(self.all_rules)} rules hold in {tried}", note=self.why)

    def told(self, session: Session) -> bool:
        """Return whether the answer had been told of an end, or might have been."""
        raise NotImplementedError

    def more(self, session: Session) -> str:
        """Return what else there is to say of a session, after what a rule says of it."""
        return ""

    def first_broken(self, sessions: Sequence[Session]) -> tuple[int, list[tuple[Session, str]]] | None:
        """Return the place of the first rule that some session breaks, and with what words each of them does."""
        for place, rule in enumerate(self.all_rules):
            broken = [(session, got) for session in sessions if (got := patience.asked(rule, session)) is not None]
            if broken:
                return place, broken
        return None

    def broken(
        self, answer: Any, session: Session, got: str, place: int, count: str, *, replayed: bool = False
    ) -> Verdict:
        """Return the verdict that a session broke the rule at this place, as so many (`count`: "3 of 8 scenes") did.

        With `replayed`, `got` is what the exploration said, and the session was played after it for the picture.
        """
        rules = self.all_rules
        rule = rules[place]
        if isinstance(session.error, NotImplementedError):
            return Verdict(self.name, "not attempted", "not attempted: the starter still raises NotImplementedError")
        headline = f"rule {place + 1} of {len(rules)}: {rule.sentence}"
        outcome: Literal["fail", "not attempted"] = "fail"
        trace = None if session.trace.silent else session.trace
        if is_starter(answer, self._starter):
            outcome, headline = "not attempted", f"not attempted: this is the starter. It breaks {headline}"
        elif own_error := mistake(session, told=self.told(session)):
            return self._slipped(*own_error, ("when", self.when(session)), trace=trace)
        facts = [("when", self.when(session))]
        if replayed and trace is not None:
            shown = patience.asked(rule, session)
            difference = self._difference(got, shown)
            facts += [("got", _short(shown or got) + self.more(session)), *difference]
            trace = trace if shown else None
        else:
            facts.append(("got", _short(got) + self.more(session)))
        if line := where(session):
            facts.append(("where", line))
        verb = "breaks" if count.startswith("1 of") else "break"
        note = f"{MARKS[outcome]} {count} {verb} this rule: {rule.sentence} · {self.stuck}"
        return Verdict(self.name, outcome, headline, tuple(facts), note, rule.name, trace)

    def _difference(self, explored: str, shown: str | None) -> list[tuple[str, str]]:
        """Say in a fact why a replay does not say what the exploration said, if it does not."""
        if shown is not None and _plain(shown) == _plain(explored):
            return []
        keeps = random.getstate() == self._chance  # whoever asks `random` may do something else each time
        then = f"before, the same schedule gave: {explored}" if shown else "played again, this schedule breaks no rule"
        if keeps:
            return [("state", f"your answer keeps state between connections: {then}")]
        return [] if shown else [("state", f"your answer leaves something to chance: {then}")]

    @property
    def not_known(self) -> Verdict:
        """The verdict of a check that did not get the processor."""
        return Verdict(self.name, "not known", BUSY)

    @property
    def never_fired(self) -> Verdict:
        """The verdict on an exercise whose connections did not end as they should have."""
        return Verdict(
            self.name, "fail", "this exercise is broken: a connection did not end as it should", rule="fires"
        )

    @property
    def stuck(self) -> str:
        """How to go on after a failed check."""
        return f"stuck? ex{self.number}.hint()"

    @property
    def _starter(self) -> str:
        return "\n".join(map(lessons.source_of, lessons.cells(self.lesson, "starter", f"ex{self.number}")))

    @property
    def _starter_name(self) -> str:
        names = re.findall(r"^(?:class|async def) (\w+)", self._starter, re.MULTILINE)
        return names[-1] if names else "your_answer"


def too_long() -> str:
    """Say that time was up."""
    return f"your answer takes too long: {patience.DEADLINE:g} seconds were not enough to try every ending"


def too_late(verdict: Verdict, *, starved: bool = False) -> Verdict:
    """Return a verdict on what had broken when time was up, and say that it was, or that others had it."""
    return replace(verdict, facts=(*verdict.facts, ("then", BUSY if starved else too_long())))


def _shown(cell: lessons.Cell) -> str:
    source = lessons.source_of(cell)
    return f"```python\n{source}\n```" if cell["cell_type"] == "code" else source


def _interrupted() -> KeyboardInterrupt:
    """Return what check() raises for the interrupt button, with IPython's hook for what it shows in place of frames."""
    error = KeyboardInterrupt("the check was interrupted; it says nothing about your answer")
    vars(error)["_render_traceback_"] = lambda: [f"KeyboardInterrupt: {error}"]
    return error


def _short(words: str) -> str:
    """Return words without the middle of what is very long, such as a text that was said."""
    return re.sub(r"(\S.{79}).{200,}?(.{20}'?(?:, got |$))", r"\1 … \2", words, flags=re.DOTALL)


def _plain(words: str) -> str:
    """Return words without the addresses of objects, which are others in every session."""
    return re.sub(r"0x[0-9a-f]+", "0x", words)
