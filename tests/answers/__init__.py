"""Wrong and right answers to the course's exercises, a module per lesson, each registered with its exercise."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from helpers.judging.exercise import Exercise

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An answer to an exercise; `rule` names the rule that must reject it."""

    exercise: Exercise
    answer: Any
    rule: str = ""

    @property
    def id(self) -> str:
        """The names of exercise and answer, for the id of a test."""
        return f"{self.exercise.name}-{self.name}".replace(" ", "-")

    @property
    def name(self) -> str:
        """The name of the answer's function or class."""
        return str(getattr(self._written, "__name__", type(self.answer).__name__))

    @property
    def sentence(self) -> str:
        """What somebody does who answers so: the first line of the answer's docstring."""
        return (inspect.getdoc(self._written) or "").partition("\n")[0]

    @property
    def _written(self) -> Any:
        """What stands in the catalogue's source: Litestar's handlers wrap a function, its listeners twice."""
        handler = getattr(self.answer, "fn", self.answer)
        return getattr(handler, "_fn", handler)


ANSWERS_WRONG: list[Answer] = []
ANSWERS_RIGHT: list[Answer] = []
CHANGES: dict[str, tuple[str, str]] = {}


def wrong(exercise: Exercise, rule: str) -> Callable[[T], T]:
    """Register an answer that the check rejects, because of this rule."""
    return _register(ANSWERS_WRONG, exercise, rule)


def right(exercise: Exercise) -> Callable[[T], T]:
    """Register an answer that the check accepts."""
    return _register(ANSWERS_RIGHT, exercise)


def attempt(exercise: Exercise, line: str, other: str) -> None:
    """Register what somebody who begins makes of a part of the starter that stands there once: a failing attempt."""
    CHANGES[exercise.name] = (line, other)


def _register(answers: list[Answer], exercise: Exercise, rule: str = "") -> Callable[[T], T]:
    def register(answer: T) -> T:
        answers.append(Answer(exercise, answer, rule))
        return answer

    return register


def import_all() -> None:
    """Import every module of this package, which registers its answers."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
