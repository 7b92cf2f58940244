"""What happens after a check: the verdict and the answer are remembered, and written to a log if one is asked for.

Only a learner's checks are remembered: those in a kernel (or another IPython) that does not run in solutions/. Whatever
goes wrong here is one sentence, once; a verdict is never lost for it.
"""

import functools
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from helpers import lessons
from helpers.progress import record
from helpers.progress.source import get_shell, source_of
from helpers.workspace import files

VERDICTS = "AFTER_THE_DISCONNECT_VERDICTS"
"""The environment's name for a file to which every verdict is added as a line of JSON."""


class Exercise(Protocol):
    """What is asked of an exercise here: its name, `double-receive 1`."""

    @property
    def name(self) -> str: ...  # noqa: D102


class Verdict(Protocol):
    """What is asked of a verdict here."""

    @property
    def outcome(self) -> Any: ...  # noqa: D102
    @property
    def headline(self) -> str: ...  # noqa: D102
    @property
    def rule(self) -> str: ...  # noqa: D102


E = TypeVar("E", bound=Exercise)
V = TypeVar("V", bound=Verdict)
P = ParamSpec("P")


def remembered(check: Callable[Concatenate[E, P], V]) -> Callable[Concatenate[E, P], V]:
    """Decorate an exercise's `check`, so that what it says is remembered."""

    @functools.wraps(check)
    def checking(exercise: E, /, *answers: P.args, **options: P.kwargs) -> V:
        verdict = check(exercise, *answers, **options)
        try:
            remember(exercise, verdict, answers[0] if answers else None)
        except Exception as error:
            _say(f"This verdict could not be remembered: {error}")
        return verdict

    return checking


def remember(exercise: Exercise, verdict: Verdict, answer: Any) -> None:
    """Remember a verdict on an answer, if it passed or failed. Raises OSError, TimeoutError."""
    if log := os.environ.get(VERDICTS):
        told = {"name": exercise.name, "outcome": verdict.outcome, "headline": verdict.headline, "rule": verdict.rule}
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
    memory = record.path()
    if verdict.outcome in {"pass", "fail"} and memory is not None and _by_a_learner():
        _say(record.add(memory, exercise.name, verdict.outcome, verdict.rule, source_of(answer)))


def _by_a_learner() -> bool:
    if os.environ.get(record.PROGRESS):
        return True  # somebody asked for it
    return get_shell() is not None and not Path.cwd().resolve().is_relative_to(lessons.SOLUTIONS)


_said: set[str] = set()


def _say(sentence: str) -> None:
    if sentence and sentence not in _said:
        _said.add(sentence)
        sys.stderr.write(f"{sentence}\n")


@dataclass(frozen=True)
class Brought:
    """An answer brought back, as a cell shows it."""

    words: str
    source: str

    def __str__(self) -> str:
        return f"{self.words}\n\n```python\n{self.source}\n```" if self.source else self.words

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/markdown": str(self), "text/plain": str(self)}


def mine(exercise: Exercise, back: int = 0) -> Brought:
    """Bring back your answer that passed last, also as a new cell below; `mine(1)` is the different one before it.

    If none has passed yet, it is the last one that you tried.
    """
    file = record.path()
    try:
        entry = record.Entry() if file is None else record.read(file).get(exercise.name, record.Entry())
    except (OSError, ValueError) as error:
        return Brought(f"{files.shown(file) if file else ''} cannot be read: {error}", "")
    answers = entry.passes or ((entry.tried,) if entry.tried else ())
    if not 0 <= back < len(answers):
        return Brought(f"{len(answers)} answers to {exercise.name} are remembered.", "")
    answer = answers[-1 - back]
    what = "passed" if entry.passes else "has not passed yet"
    more = f" There are {len(answers)} that did: mine({back + 1}) is the one before." if back + 1 < len(answers) else ""
    shell = get_shell()
    if shell is not None and answer.source:
        shell.set_next_input(answer.source, replace=False)
    return Brought(f"Your answer of {answer.at[:16].replace('T', ' ')}, which {what}.{more}", answer.source)
