"""How long a check waits, longer on a machine that others want too; and what had broken when its time was up.

A deadline is a moment of `hangup.record.processor.served`, a clock that stands still while a check waits its turn.
"""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hangup.explorer.report import Broken
from hangup.record.processor import served
from hangup.record.recorder import Session, describe
from hangup.record.rules import Rule

DEADLINE = 20.0  # seconds that a check may take; then the answer is stopped, which takes 2 more at most
PATIENCE = 1.5  # seconds a session waits for an answer or an end. Both are longer where a machine is busy


def deadline() -> float:
    """Return the moment, of `served`, until which a check that begins now may take."""
    return served() + DEADLINE * slow()


def patience() -> float:
    """Return the seconds that a session on a real server waits for an answer or an end."""
    return PATIENCE * slow()


def slow() -> float:
    """Return how many times slower than usual this machine is now, because others want it too; 5 at most."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return min(max(load / (os.cpu_count() or 1), 1.0), 5.0)


def left(until: float) -> float:
    """Return how many seconds are left until a moment, and never less than a quick stage needs."""
    return max(until - served(), 0.5)


class RuleFailed(Exception):
    """A rule that cannot judge a session: no answer is to blame for that."""


def asked(rule: Rule, session: Session) -> str | None:
    """Return what a rule says of a session; raise RuleFailed for what it raises."""
    try:
        return rule.test(session)
    except Exception as error:
        raise RuleFailed(f"its rule {rule.sentence!r} raised {describe(error)}") from error


def looking(facts: Callable[[Any, Session], None]) -> Callable[[Any, Session], None]:
    """Return a function that adds facts for rules to a session; it raises RuleFailed for what `facts` raises."""

    def look(app: Any, session: Session) -> None:
        try:
            facts(app, session)
        except Exception as error:
            raise RuleFailed(f"what looks at its sessions raised {describe(error)}") from error

    return look


class Noticed:
    """Rules that take note of each failure, so that a check which runs out of time can tell it.

    An exploration that time cuts off returns no report; this is what it had found by then.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = [replace(rule, test=functools.partial(self._test, rule)) for rule in rules]
        self.schedules: set[str] = set()
        self.broken: list[Broken] = []

    def _test(self, rule: Rule, session: Session) -> str | None:
        self.schedules.add(session.schedule)
        got = asked(rule, session)
        if got is not None:
            self.broken.append(Broken(rule.sentence, session.schedule, got, session.letter))
        return got

    def breaking(self, sentence: str) -> int:
        """Return how many schedules broke the rule with this sentence."""
        return len({broken.schedule for broken in self.broken if broken.rule == sentence})
