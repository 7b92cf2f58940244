"""Wrong and right answers to the course's exercises, a module per lesson, each registered with its exercise."""

import importlib
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
        name = getattr(self.answer, "__name__", type(self.answer).__name__)
        return f"{self.exercise.name}-{name}".replace(" ", "-")


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
