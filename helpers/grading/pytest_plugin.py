"""For pytest: one item for each exercise of a notebook in work/ or notebooks/, which nbval would compare with nothing.

A right answer passes, a wrong one fails with the rule's sentence, and what nobody touched is skipped. A notebook runs
once for all its items. Notebooks elsewhere, such as those in solutions/, are left to nbval.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import lessons
from helpers.catalogue import Lesson, Task, catalogue
from helpers.workspace import files


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
    """Take the notebooks that learners answer away from nbval."""
    collected = yield
    if file_path.suffix != ".ipynb" or file_path.parent not in (files.work(), lessons.NOTEBOOKS):
        return collected
    lesson = next((each for each in catalogue() if file_path.stem.partition("-")[2] == each.name), None)
    return [] if lesson is None else [Answers.from_parent(parent, path=file_path, lesson=lesson)]


class Answers(pytest.File):
    """A learner's notebook."""

    def __init__(self, *, lesson: Lesson, **options: Any) -> None:
        super().__init__(**options)
        self.lesson = lesson
        self._results: dict[Task, Any] = {}

    def collect(self) -> Iterator["Answer"]:
        """Yield an item for each exercise."""
        for task in self.lesson.tasks:
            yield Answer.from_parent(self, name=f"ex{task.number}", task=task)

    def result(self, task: Task) -> Any:
        """Return what became of an exercise; the first that asks lets the notebook run."""
        from helpers.grading.attempts import attempt

        if not self._results:
            found = attempt(self.lesson, self.path, remember=False)
            self._results = {each.task: each for each in found}
        return self._results[task]


class WrongAnswer(Exception):
    """An answer broke a rule."""


class Answer(pytest.Item):
    """An exercise as pytest counts it."""

    parent: Answers

    def __init__(self, *, task: Task, **options: Any) -> None:
        super().__init__(**options)
        self.task = task

    def runtest(self) -> None:
        """Judge the answer."""
        result = self.parent.result(self.task)
        if result.outcome == "not attempted":
            pytest.skip("not attempted")
        if result.outcome == "fail":
            raise WrongAnswer(result.sentence)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentence alone: the traceback would be this plugin's."""
        return str(excinfo.value) if excinfo.errisinstance(WrongAnswer) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where the exercise is and what it is called."""
        return self.path, None, f"{self.parent.lesson.name} {self.task.number}: {self.task.title}"
