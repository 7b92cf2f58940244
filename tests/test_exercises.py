"""What check(), hint() and solution() of every exercise say to a starter, a solution, and what cannot be an answer."""

import importlib
import pkgutil

import pytest
from starlette.endpoints import WebSocketEndpoint

import helpers.exercises
from helpers import lessons
from helpers.exercises import double_receive, start_here
from helpers.judging.exercise import Exercise
from tests.answers import CHANGES, import_all

MODULES = [
    importlib.import_module(f"helpers.exercises.{m.name}") for m in pkgutil.iter_modules(helpers.exercises.__path__)
]
FOUND = [value for module in MODULES for value in vars(module).values() if isinstance(value, Exercise)]
EXERCISES = sorted(FOUND, key=lambda exercise: exercise.name)
import_all()
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name.replace(" ", "-"))


def source(exercise: Exercise, *tags: str) -> str:
    """Return the code of an exercise's cells with these tags; a check is one only if asked for."""
    cells = lessons.cells(exercise.lesson, f"ex{exercise.number}", *tags)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    kept = [cell for cell in code if ("check" in lessons.tags(cell)) == ("check" in tags)]
    return lessons.source_of(kept[0])


def check(exercise: Exercise, code: str):
    """Execute the notebook's first code cell, this code, and the notebook's own check of it; return the verdict."""
    namespace: dict[str, object] = {"__name__": "__main__"}  # as in a notebook; Litestar looks names up there
    first = next(cell for cell in lessons.cells(exercise.lesson) if cell["cell_type"] == "code")
    exec(lessons.source_of(first), namespace)
    exec(code, namespace)
    return eval(source(exercise, "check"), namespace)


@every_exercise
class TestNotebook:
    """Starter and solution, as the solutions notebook has them."""

    def test_the_starter_is_not_attempted(self, exercise):
        """The starter, executed as it stands, is no attempt."""
        assert check(exercise, source(exercise, "starter")).outcome == "not attempted"

    def test_one_changed_line_is_an_attempt(self, exercise):
        """A starter with one line changed is judged like any other answer."""
        starter = source(exercise, "starter")
        old, new = CHANGES[exercise.name]
        assert starter.count(old) == 1
        assert check(exercise, starter.replace(old, new)).outcome == "fail"

    def test_the_solution_passes(self, exercise):
        """The solution keeps every rule."""
        verdict = check(exercise, source(exercise, "solution"))
        assert verdict.passed, verdict

    def test_the_solution_is_shown(self, exercise):
        """solution() shows the answer's code, and why, but not its check."""
        shown = str(exercise.solution())
        assert f"```python\n{source(exercise, 'solution')}\n```" in shown
        assert ".check(" not in shown
        assert not shown.endswith("```")

    def test_hints_come_one_by_one_and_the_last_one_stays(self, exercise, monkeypatch):
        """hint() shows each hint once, says that there are more, and stays at the last one."""
        monkeypatch.setattr(exercise, "_hinted", [])
        monkeypatch.setattr(exercise, "_broke", "")
        total = len(exercise.hints)
        for stage, hint in enumerate(exercise.hints, start=1):
            shown = str(exercise.hint())
            assert shown.startswith(f"**Hint {stage} of {total}.** {hint}")
            assert (f"ex{exercise.number}.hint()" in shown.removeprefix(hint)) == (stage < total)
        last = str(exercise.hint())
        assert last == str(exercise.hint()) == f"**Hint {total} of {total}.** {exercise.hints[-1]}"


async def handler(websocket):
    """What exercises of kind handler want."""


async def two(websocket, words):
    """What exercise 2 of lesson 02 wants."""


async def takes_nothing():
    """Takes nothing."""


async def yields(websocket):
    """Is a generator, by accident."""
    yield


def sync(websocket):
    """Is not async."""


class Endpoint(WebSocketEndpoint):
    """What exercises of kind endpoint want."""


class Plain:
    """Is no endpoint."""


FUNCTION = "this exercise wants an async function"
CLASS = "this exercise wants a WebSocketEndpoint class"
EITHER = f"{FUNCTION} or a WebSocketEndpoint class"
CALLED = "This is a coroutine, because you called the function: pass the function itself, without ()."
GENERATOR = "yields has a yield in it, which makes it a generator"
shout, counter, answer, sit = start_here.ex1, double_receive.ex1, double_receive.ex2, double_receive.ex3


@pytest.mark.parametrize(
    ("exercise", "answers", "sentence"),
    [
        (shout, (), "check() takes one answer, an async function; it got 0."),
        (sit, (handler, handler), f"check() takes one answer, {EITHER.partition('wants ')[2]}; it got 2."),
        (shout, ("shout",), f"This is a str; {FUNCTION}."),
        (counter, ("Counter",), f"This is a str; {CLASS}."),
        (shout, (None,), f"This is None; {FUNCTION}."),
        (shout, (sync,), "sync is not async: write async def sync(…)."),
        (shout, (takes_nothing,), "takes_nothing() must take exactly what it is given: (websocket)."),
        (answer, (handler,), "handler(websocket) must take exactly what it is given: (websocket, words)."),
        (sit, (two,), "two(websocket, words) must take exactly what it is given: (websocket)."),
        (shout, (Endpoint,), f"Endpoint is a class; {FUNCTION}."),
        (answer, (Plain,), f"Plain is a class; {FUNCTION}."),
        (counter, (handler,), f"handler is a function; {CLASS}."),
        (counter, (Plain,), f"Plain does not inherit from WebSocketEndpoint; {CLASS}."),
        (sit, (Plain,), f"Plain does not inherit from WebSocketEndpoint; {EITHER}."),
        (shout, (yields,), f"{GENERATOR}; {FUNCTION}."),
        (sit, (yields,), f"{GENERATOR}; {EITHER}."),
    ],
)
def test_what_cannot_be_an_answer_gets_a_sentence(exercise, answers, sentence):
    """check() says in one sentence why this cannot be an answer, and how to call it."""
    verdict = exercise.check(*answers)
    assert (verdict.outcome, verdict.headline) == ("no answer", sentence)
    assert sentence.endswith(".")
    assert f"ex{exercise.number}.check(" in verdict.note


@pytest.mark.parametrize("exercise", [shout, counter, answer, sit], ids=lambda exercise: exercise.name)
def test_a_coroutine_is_no_answer(exercise):
    """check() says that the function was called, and Python does not warn of a coroutine that nobody awaited."""
    verdict = exercise.check(handler(None))
    assert (verdict.outcome, verdict.headline) == ("no answer", CALLED)
