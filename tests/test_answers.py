"""The catalogue of wrong and right answers: a class per exercise, so that workers share the time."""

import importlib
import pkgutil

import tests.answers
from helpers.exercises import double_receive, start_here
from helpers.exercises.exercise import Exercise
from tests.answers import ANSWERS_RIGHT, ANSWERS_WRONG
from tests.test_exercises import check, every_exercise, source

for module in pkgutil.iter_modules(tests.answers.__path__):
    importlib.import_module(f"tests.answers.{module.name}")  # which registers its answers
HELD = [each for each in ANSWERS_WRONG if each.rule == "yields"]  # many seconds each: a class each
WRONG = [each for each in ANSWERS_WRONG if each.rule != "yields"]


class HeldLoop:
    """Answers of one exercise that hold the event loop; nothing of them may reach the next check."""

    exercise: Exercise

    def test_the_next_check_is_as_if_nothing_had_been(self, held, monkeypatch):
        """The check rejects the answer, and the solution passes directly after it."""
        monkeypatch.setattr("helpers.exercises.exercise.DEADLINE", 2.0)
        verdict = held.exercise.check(held.answer)
        assert (verdict.outcome, verdict.rule) == ("fail", "yields"), verdict
        after = check(held.exercise, source(held.exercise, "solution"))
        assert after.passed, after


class TestHeldInShout(HeldLoop):
    """Lesson 00."""

    exercise = start_here.ex1


class TestHeldInSit(HeldLoop):
    """Lesson 02, exercise 3."""

    exercise = double_receive.ex3


class Catalogue:
    """The answers of one exercise."""

    exercise: Exercise

    def test_a_wrong_answer_fails_for_its_reason(self, wrong, monkeypatch):
        """The check rejects the answer, and names the rule that the catalogue names."""
        if wrong.rule == "yields":  # nothing but the deadline ends it: do not wait as long as a learner
            monkeypatch.setattr("helpers.exercises.exercise.DEADLINE", 1.0)
        verdict = wrong.exercise.check(wrong.answer)
        assert (verdict.outcome, verdict.rule) == ("fail", wrong.rule), verdict

    def test_a_right_answer_passes(self, right):
        """The check accepts other styles than that of the solution."""
        verdict = right.exercise.check(right.answer)
        assert verdict.passed, verdict


class TestShout(Catalogue):
    """Lesson 00."""

    exercise = start_here.ex1


class TestCount(Catalogue):
    """Lesson 02, exercise 1."""

    exercise = double_receive.ex1


class TestAnswer(Catalogue):
    """Lesson 02, exercise 2."""

    exercise = double_receive.ex2


class TestSit(Catalogue):
    """Lesson 02, exercise 3."""

    exercise = double_receive.ex3


def pytest_generate_tests(metafunc):
    """Give a class's tests the answers of its exercise."""
    for name, answers in (("held", HELD), ("wrong", WRONG), ("right", ANSWERS_RIGHT)):
        if name in metafunc.fixturenames:
            own = [each for each in answers if each.exercise is metafunc.cls.exercise]
            metafunc.parametrize(name, own, ids=[each.id for each in own])


@every_exercise
def test_every_exercise_has_its_answers(exercise):
    """An exercise has at least 8 wrong and 3 right answers, and classes here that try them."""
    assert sum(each.exercise is exercise for each in ANSWERS_WRONG) >= 8
    assert sum(each.exercise is exercise for each in ANSWERS_RIGHT) >= 3
    assert sum(each.exercise is exercise for each in Catalogue.__subclasses__()) == 1
    held = any(each.exercise is exercise for each in HELD)
    assert sum(each.exercise is exercise for each in HeldLoop.__subclasses__()) == held
