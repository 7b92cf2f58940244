"""The exercises of lesson 03: a loop, a reload, a guard that keeps the state."""

import inspect
from typing import Any

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Receive, Scope, Session
from hangup.record.recorder import Send as SendCall
from hangup.record.rules import Rule, rule
from hangup.servers.script import Expect, Leave, Send, beside
from helpers.exercises.beside import BesideExercise
from helpers.exercises.flow_error import guard
from helpers.exercises.flow_error.around import LESSON, LOOP, PARAMETERS
from helpers.exercises.flow_error.guard import Gone, Misuse
from helpers.exercises.flow_error.loop import adding, said
from helpers.exercises.flow_error.reload import ex2
from helpers.exercises.flow_error.scenes import play
from helpers.exercises.race import ends_quietly, racing
from helpers.judging.answers import Kind
from helpers.judging.values import texts

__all__ = ["Gone", "Misuse", "ex1", "ex2", "ex3"]


# ---- 1: the loop ---------------------------------------------------------------------------------------------------


def _as_it_is(answer: Any) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: SendCall) -> None:
        await answer(scope, receive, send)

    return racing(app)


NUMBERS = ("0", " 7 ", "+5", "007", "1_000", "٣", "²", "2.7", "1e3", "inf", "-0", "10", "10", "9" * 40, "-" + "9" * 40)
"""Numbers, and what looks like one; `int` decides."""


def _adding(*says: str) -> list[Send | Expect]:
    """Return the steps of a client that says texts and knows the answers."""
    return [step for text, answer in zip(says, adding(says), strict=True) for step in (Send(text), Expect(answer))]


@rule
def ends_with_the_page(session: Session) -> str | None:
    """The app ends when the page leaves, whatever its code, and not before, however long it is silent."""
    return session.facts.get("beside") or None


async def _pages(answer: Any) -> tuple[Rule, str] | None:
    problem = await said(answer)
    return (ends_with_the_page, problem) if problem else None


ex1 = BesideExercise(
    lesson=LESSON,
    number=1,
    title="Add up",
    kind="handler",
    parameters=PARAMETERS,
    mount=_as_it_is,
    scripts=(
        _adding("4", "three", "-1", ""),
        _adding(*NUMBERS),
        _adding(*texts()),
        (*beside(_adding("10"), _adding("10")), Leave(), Send("1", by="b"), Expect("11", by="b")),
        (),
    ),
    without=(rules.ends_quietly,),
    rules=(*(ends_quietly if each is rules.ends_quietly else each for each in LOOP), ends_with_the_page),
    beside=_pages,
    hints=(
        "What does the loop do with `websocket.disconnect`? And what ends it when the text is `three`?",
        "Write down what comes first: connect, accept. Then loop for as long as the message is `websocket.receive`.",
        "One line can fail for a reason that you know: `int(text)`. Put `try` and `except ValueError` around it alone.",
    ),
    why="A peer that leaves ends the loop, and is no error; a text that is no number does not end it.",
    helps={
        rules.ends: 1,
        rules.does_not_spin: 1,
        rules.hears_goodbye_once: 2,
        ends_quietly: 2,
        rules.answers_everything: 3,
    },
)


# ---- 3: the guard --------------------------------------------------------------------------------------------------


@rule
def lets_the_rest_through(session: Session) -> str | None:
    """What the app may do passes unchanged, on every connection and in every scope."""
    return session.facts.get("earlier") or None


@rule
def tells_the_app(session: Session) -> str | None:
    """What the app must not do raises Gone or Misuse."""
    for what, due, got in session.facts.get("tried", []):
        if got != due:
            return f"{what} raised {got} instead of {due}"
    return None


@rule
def keeps_it_from_the_server(session: Session) -> str | None:
    """What the app must not do does not reach the server."""
    reached: list[str] = session.facts.get("reached", [])
    return f"the server got {reached[0]}" if reached else None


def _no_guard(answer: Any) -> str:
    if not callable(answer):
        return f"This is {type(answer).__name__} and cannot be called; this exercise wants a function: def guard(app)."
    if inspect.iscoroutinefunction(answer):
        return "guard is async, so calling it gives a coroutine and no app: write def guard(app)."
    try:
        inspect.signature(answer).bind("app")
    except TypeError:
        return f"guard{inspect.signature(answer)} must take one argument, the app."
    return ""


async def _scenes(answer: Any) -> tuple[Rule, str] | None:
    found = await play(answer)
    broken = {"passes": lets_the_rest_through, "reaches": keeps_it_from_the_server, "raises": tells_the_app}
    return (broken[found[0]], found[1]) if found else None


ex3 = BesideExercise(
    lesson=LESSON,
    number=3,
    title="Guard",
    kind=Kind("a function that takes an app and returns one", _no_guard),
    parameters=("app",),
    mount=guard.mount,
    scripts=((Send("one"), Expect("one"), Send("two"), Expect("two"), Send("bye")), (Send("one"), Expect("one")), ()),
    rules=(
        lets_the_rest_through,
        keeps_it_from_the_server,
        tells_the_app,
        rules.answers_everything,
        rules.ends,
        rules.ends_quietly,
    ),
    aside=(lets_the_rest_through,),
    beside=_scenes,
    hints=(
        "Give the app a `receive` and a `send` of yours. They know what the app was told, and what it sent.",
        "Four states will do: connecting, open, closed, gone. A small table says what the app may send in each. "
        "Where does the variable live, if two connections are open at the same time?",
        "`websocket.disconnect` still comes after the app's own close. So a close stops `send()`, and only the "
        "disconnect stops `receive()`. And a lifespan scope is none of your business.",
    ),
    why="Each connection has a state of its own, which decides what the app may still send and receive.",
    helps={tells_the_app: 2, keeps_it_from_the_server: 2, lets_the_rest_through: 3, rules.answers_everything: 3},
)
