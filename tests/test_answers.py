"""The catalogue of wrong and right answers: a class for each exercise, so that workers share the time."""

from helpers.judging.exercise import Exercise
from tests.answers import ANSWERS_RIGHT, ANSWERS_WRONG, Answer
from tests.test_exercises import EXERCISES, check, every_exercise, source

HELD = [each for each in ANSWERS_WRONG if each.rule == "yields"]  # many seconds each: a class each
WRONG = [each for each in ANSWERS_WRONG if each.rule != "yields"]


class HeldLoop:
    """Answers of one exercise that hold the event loop; nothing of them may reach the next check."""

    exercise: Exercise

    def test_the_next_check_is_as_if_nothing_had_been(self, held, monkeypatch):
        """The check rejects the answer, and the solution passes directly after it."""
        monkeypatch.setattr("helpers.judging.patience.DEADLINE", 2.0)
        verdict = held.exercise.check(held.answer)
        assert (verdict.outcome, verdict.rule) == ("fail", "yields"), verdict
        after = check(held.exercise, source(held.exercise, "solution"))
        assert after.passed, after


class Catalogue:
    """The answers of one exercise."""

    exercise: Exercise

    def test_a_wrong_answer_fails_for_its_reason(self, wrong):
        """The check rejects the answer, and names the rule that the catalogue names."""
        verdict = wrong.exercise.check(wrong.answer)
        assert (verdict.outcome, verdict.rule) == ("fail", wrong.rule), verdict

    def test_a_right_answer_passes(self, right):
        """The check accepts other styles than that of the solution."""
        verdict = right.exercise.check(right.answer)
        assert verdict.passed, verdict


def _own(answers: list[Answer], exercise: Exercise) -> list[Answer]:
    return [each for each in answers if each.exercise is exercise]


for each in EXERCISES:  # a class for each, such as TestDoubleReceive1
    name = each.name.title().replace(" ", "").replace("-", "")
    globals()[f"Test{name}"] = type(f"Test{name}", (Catalogue,), {"exercise": each, "__doc__": each.title})
    if _own(HELD, each):
        globals()[f"TestHeld{name}"] = type(f"TestHeld{name}", (HeldLoop,), {"exercise": each, "__doc__": each.title})


def pytest_generate_tests(metafunc):
    """Give a class's tests the answers of its exercise."""
    for name, answers in (("held", HELD), ("wrong", WRONG), ("right", ANSWERS_RIGHT)):
        if name in metafunc.fixturenames:
            own = _own(answers, metafunc.cls.exercise)
            metafunc.parametrize(name, own, ids=[each.id for each in own])


@every_exercise
def test_every_exercise_has_its_answers(exercise):
    """An exercise has at least 12 wrong and 4 right answers."""
    assert len(_own(ANSWERS_WRONG, exercise)) >= 12
    assert len(_own(ANSWERS_RIGHT, exercise)) >= 4
