"""Whether sound apps stay sound in every ending and in other orders of tasks: `python -m tests.sound`.

They are the right answers of the catalogue that are ASGI apps. An exercise asks for the usual endings; here each is
tried in all that there are, and then in other orders. What is said of a sound app then is a false accusation, but for
what is true and no exercise asks for: a room that sends to one member after the other waits for who does not read.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hangup.explorer.apps.explore import explore
from hangup.explorer.apps.schedules import EVERY, USUAL
from hangup.explorer.report import Broken, Report
from hangup.record.rules import GENERAL, answers_everything
from helpers.exercises.cancelled_cleanup.drain import ex3 as registry
from helpers.exercises.cancelled_cleanup.drain import older_put_aside
from helpers.exercises.chat_room import ex2 as room
from helpers.judging.app_exercise import AppExercise, Case
from tests.answers import ANSWERS_RIGHT, Answer, import_all

SCHEDULES, ORDERS = 150, 50  # of each exploration, at most


@dataclass(frozen=True)
class Sound:
    """One script of an exercise with one right answer to it."""

    answer: Answer
    exercise: AppExercise
    number: int

    @property
    def case(self) -> Case:
        """The script, and who mounts the answer."""
        return self.exercise._cases[self.number]

    def explored(self, endings: tuple[str, ...], schedules: int, orders: int) -> Report:
        """Explore the answer."""
        exercise, case = self.exercise, self.case
        without = {rule.name for rule in exercise.without}
        return explore(
            make=functools.partial(case.mount or exercise.mount, self.answer.answer),
            script=case.script,
            rules=tuple(rule for rule in GENERAL if rule.name not in without),
            probe=exercise.facts,
            endings=endings,
            limit=min(schedules, case.most),
            order=orders,
            lifespan=exercise.lifespan,
            path=case.path,
            excuse=exercise.excuse,
        )

    def accused(self, schedules: int = SCHEDULES, orders: int = ORDERS) -> tuple[Report, list[Broken]]:
        """Return the report, and what in it accuses the answer of what the usual endings do not show."""
        with older_put_aside() if self.exercise is registry else contextlib.nullcontext():
            report = self.explored(EVERY, schedules, orders)
            broken = [each for each in report.broken if not self._is_true(each)]
            if broken:  # the exercise itself may keep connections, for what it judges
                usual = {each.rule for each in self.explored(USUAL, schedules, 0).broken}
                broken = [each for each in broken if each.rule not in usual]
            return report, broken

    def _is_true(self, broken: Broken) -> bool:
        """Whether somebody waits for a member who does not read, in a room that sends to one after the other."""
        waits = "/unread@" in broken.schedule and broken.rule == answers_everything.sentence and broken.client != "a"
        return waits and self.exercise is room


def sound() -> Iterator[Sound]:
    """Yield every right answer that is an app, with each of its exercise's scripts."""
    import_all()
    for answer in ANSWERS_RIGHT:
        if isinstance(answer.exercise, AppExercise):
            for number in range(len(answer.exercise._cases)):
                yield Sound(answer, answer.exercise, number)


def main() -> int:
    """Explore them all and print what accuses; return the exit status."""
    began, count, sessions, bad = time.process_time(), 0, 0, 0
    for each in sound():
        report, broken = each.accused()
        count, sessions = count + 1, sessions + report.explored + report.orders.played
        unsure = [*map(str, report.unknown), *[f"{report.orders.unsure} orders"] * bool(report.orders.unsure)]
        bad += bool(broken or unsure)
        for words in (*(f"{one.schedule} {one.client}: {one.rule}: {one.got}" for one in broken), *unsure):
            sys.stdout.write(f"{each.answer.id}, script {each.number}: {words}\n")
            sys.stdout.flush()
    seconds = time.process_time() - began
    found = f"{bad} accuse or are not sure"
    sys.stdout.write(f"{count} explorations, {sessions:,} sessions, {seconds:.0f} s of CPU: {found}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
