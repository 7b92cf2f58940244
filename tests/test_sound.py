"""Sound apps stay sound in every ending and in other orders: some of `python -m tests.sound`, one of each exercise."""

import pytest

from tests.sound import Sound, sound

FIRST: dict[str, Sound] = {each.exercise.name: each for each in sound() if each.number == 0}


@pytest.mark.parametrize("each", FIRST.values(), ids=FIRST)
def test_a_right_answer_is_accused_of_nothing_in_any_ending_or_order(each):
    report, broken = each.accused(schedules=60, orders=20)
    assert broken == []
    assert report.unknown == ()
    assert (report.explored, report.orders.played, report.orders.unsure) == (60, 20, 0)
