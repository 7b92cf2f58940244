"""An exercise: what an answer is, the rules that it must keep, hints; `check(answer)` judges, `solution()` shows.

How an answer is judged is told by subclasses: AppExercise and ClientExercise. It runs in a thread of its own with its
own event loop, so that nothing it does to that loop reaches the notebook's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hangup.record.recorder import Session, describe
from hangup.record.rules import Rule
from hangup.record.threads import Escaped, Stuck
from helpers import lessons
from helpers.judging import patience
from helpers.judging.answers import Kind, Named, is_starter, no_answer
from helpers.judging.moment import where
from helpers.judging.verdict import Verdict


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
    that do not hold here.
    """

    lesson: str
    number: int
    title: str
    kind: Kind | Named
    parameters: tuple[str, ...]
    rules: Sequence[Rule]
    hints: Sequence[str]
    without: Sequence[Rule] = ()
    _hinted: int = field(default=0, repr=False)

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

    def check(self, *answers: Any) -> Verdict:
        """Judge an answer under every ending; never raises for anything an answer does."""
        if problem := no_answer(answers, self.kind, self.parameters):
            return Verdict(self.name, "no answer", problem, note=f"Try: ex{self.number}.check({self._starter_name})")
        try:
            return self.judge(answers[0], patience.deadline())
        except Stuck as stuck:
            if stuck.ended:
                seconds = patience.DEADLINE
                headline = f"your answer takes too long: {seconds:g} seconds were not enough to try every ending"
                return Verdict(self.name, "fail", headline, note=self.stuck, rule="in_time")
            if stuck.loop_runs:
                headline = "your answer does not end, not even when it is cancelled"
                return Verdict(self.name, "fail", headline, note=self.stuck, rule="cancellable")
            headline = "your answer holds the event loop: nothing else can run"
            return Verdict(self.name, "fail", headline, note=self.stuck, rule="yields")
        except Exception as error:  # an answer may exit, or raise what stops an event loop
            raised = error.error if isinstance(error, Escaped) else error
            headline = f"your answer raised {describe(raised)}, which ends the whole server"
            return Verdict(self.name, "fail", headline, note=self.stuck, rule="survives")

    def judge(self, answer: Any, until: float) -> Verdict:
        """Return the verdict on an answer; `until` is the moment, of `time.monotonic`, at which the check is over."""
        raise NotImplementedError

    def hint(self) -> Page:
        """Show the next hint; the last one stays."""
        stage = min(self._hinted, len(self.hints) - 1)
        self._hinted += 1
        more = "" if stage + 1 == len(self.hints) else f" Stuck still? Call ex{self.number}.hint() again."
        return Page(f"**Hint {stage + 1} of {len(self.hints)}.** {self.hints[stage]}{more}")

    def solution(self) -> Page:
        """Show the answer and its explanation, as they stand in the solutions notebook."""
        found = lessons.cells(self.lesson, "solution", f"ex{self.number}")
        shown = [cell for cell in found if "check" not in cell.tags]
        return Page("\n\n".join(f"```python\n{c.source}\n```" if c.kind == "code" else c.source for c in shown))

    # ---- what subclasses say -----------------------------------------------------------------------------------

    def when(self, session: Session) -> str:
        """Return in words when a session ended, and how, with the schedule's name if there is one to replay."""
        raise NotImplementedError

    def holds(self, tried: str) -> Verdict:
        """Return the verdict that every rule holds in all that was tried."""
        return Verdict(self.name, "pass", f"all {len(self.all_rules)} rules hold in {tried}")

    def broken(self, answer: Any, session: Session, got: str, place: int, count: str) -> Verdict:
        """Return the verdict that a session broke the rule at this place, as so many (`count`: "3 of 8 scenes") did."""
        rules = self.all_rules
        rule = rules[place]
        if isinstance(session.error, NotImplementedError):
            return Verdict(self.name, "not attempted", "not attempted: the starter still raises NotImplementedError")
        headline = f"rule {place + 1} of {len(rules)}: {rule.sentence}"
        outcome: Literal["fail", "not attempted"] = "fail"
        if is_starter(answer, self._starter):
            outcome, headline = "not attempted", f"not attempted: this is the starter. It breaks {headline}"
        facts = [("when", self.when(session)), ("got", got)]
        if line := where(session):
            facts.append(("where", line))
        verb = "breaks" if count.startswith("1 of") else "break"
        note = f"{count} {verb} this rule · {self.stuck}"
        return Verdict(self.name, outcome, headline, tuple(facts), note, rule.name, session.trace)

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
        return "\n".join(cell.source for cell in lessons.cells(self.lesson, "starter", f"ex{self.number}"))

    @property
    def _starter_name(self) -> str:
        names = re.findall(r"^(?:class|async def) (\w+)", self._starter, re.MULTILINE)
        return names[-1] if names else "your_answer"
