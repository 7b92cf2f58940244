"""What lesson 05 says to every handler and asks of it: hold on to your cleanup, and let each cancellation through."""

from hangup.record import rules
from hangup.record.recorder import Session
from hangup.servers.script import Expect, Send, Wait
from helpers.judging.app_exercise import Case
from helpers.props.cleanups import OFTEN

LESSON = "05-cancelled-cleanup"
TALK = (Send("hello"), Expect("hello"), Send("bye"), Expect("bye"))

HANDLER = (
    rules.ends_quietly,
    rules.ends,
    rules.leaves_no_task,
    rules.heeds_every_cancellation,
    rules.hides_no_error,
)
"""The rules for a handler that holds on to its cleanup and lets every cancellation through."""


EACH = 200  # schedules of a script: all of those who wait once, and some of those who look a hundred times a second

HOURS = 3 * 3600.0  # virtual seconds: longer than any deadline that one would choose


def counted(session: Session, count: int) -> bool:
    """Whether so many messages came; the last one may be left out if its answer was cut off."""
    cut = bool(session.cancelled_by or session.refusals)
    return session.received - cut <= count <= session.received


def lingers(session: Session, done: float | None, what: str) -> str | None:
    """Say that a handler ran on when its cleanup was done, where time is virtual and such a second means something."""
    over: float | None = session.facts.get("over")
    if done is None or over is None or over - done < 0.5 or not session.schedule:
        return None
    return f"the handler ended {over - done:.3g} seconds after {what}"


def said(text: str) -> tuple[Send, Expect]:
    """Return the steps of a client that says a text and hears it again."""
    return Send(text), Expect(text)


MANY = tuple(step for number in range(1_100) for step in said(str(number)))

FURTHER = (
    Case((*TALK[:2], Wait(HOURS), *TALK[2:]), most=4),
    Case(MANY, most=1),
    Case((*said("hello"), *said(OFTEN)), most=60),
)
"""What is explored besides: hours of silence, many messages, many cancellations."""
