"""The exercises of lesson 03: a loop, a reload, a guard that keeps the state."""

import inspect
import itertools
from dataclasses import dataclass, replace
from typing import Any

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current
from hangup.record.recorder import Send as SendCall
from hangup.record.rules import Rule, rule
from hangup.servers.script import Expect, Leave, Send
from helpers.exercises.flow_error import guard
from helpers.exercises.flow_error.guard import Gone, Misuse
from helpers.judging.answers import Kind
from helpers.judging.app_exercise import AppExercise
from helpers.judging.verdict import Verdict

__all__ = ["Gone", "Misuse", "ex1", "ex2", "ex3"]

LESSON = "03-flow-error"
LOOP = (rules.answers_everything, rules.ends, rules.does_not_spin, rules.ends_quietly, rules.hears_goodbye_once)
"""What must hold for any loop over receive()."""


@dataclass(kw_only=True)
class _AsideExercise(AppExercise):
    """An exercise with a rule that is judged beside the sessions: its verdict has no moment and no picture."""

    aside: Rule

    def broken(
        self, answer: Any, session: Session, got: str, place: int, count: str, *, replayed: bool = False
    ) -> Verdict:
        verdict = super().broken(answer, session, got, place, count, replayed=replayed)
        if verdict.rule != self.aside.name:
            return verdict
        facts = tuple(fact for fact in verdict.facts if fact[0] not in {"when", "where"})
        return replace(verdict, facts=facts, note=self.stuck, trace=None)


# ---- 1: the loop ---------------------------------------------------------------------------------------------------

PARAMETERS = ("scope", "receive", "send")


def _as_it_is(answer: Any) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: SendCall) -> None:
        await answer(scope, receive, send)

    return app


ex1 = AppExercise(
    lesson=LESSON,
    number=1,
    title="Add up",
    kind="handler",
    parameters=PARAMETERS,
    mount=_as_it_is,
    scripts=(
        (
            Send("4"),
            Expect("4"),
            Send("three"),
            Expect("no number"),
            Send("-1"),
            Expect("3"),
            Send(""),
            Expect("no number"),
        ),
        (Send("10"), Expect("10")),
        (),
    ),
    rules=LOOP,
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
        rules.ends_quietly: 2,
        rules.answers_everything: 3,
    },
)


# ---- 2: the reload -------------------------------------------------------------------------------------------------


class _Page:
    """A connection's send(), numbered so that a set of them has the same order in every run."""

    def __init__(self, send: SendCall, number: int) -> None:
        self._send = send
        self._number = number

    def __hash__(self) -> int:
        return self._number

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        await self._send(message)


def _shared(answer: Any) -> ASGIApp:
    """Make an app whose connections share one set, empty at first."""
    pages: set[Any] = set()
    numbers = itertools.count()

    async def app(scope: Scope, receive: Receive, send: SendCall) -> None:
        page = _Page(send, next(numbers))
        await answer(scope, receive, page, pages)
        if (session := current()) is not None and session.letter == "a":
            session.facts["hidden"] = await _beside_a_bug(answer, scope)

    app.pages = pages  # type: ignore[attr-defined]  # for _still_listed
    return app


async def _beside_a_bug(answer: Any, scope: Scope) -> str:
    """Let a page open and leave in memory, beside one whose send() raises TypeError; return where that went."""
    raised = 0
    coming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

    async def receive() -> Message:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: Message) -> None:
        """Drop the message: this page is told, and nobody looks."""

    async def buggy(message: Message) -> None:
        nonlocal raised
        raised += 1
        raise TypeError("a bug, and no page that leaves")

    try:
        await answer(scope, receive, _Page(send, 1), {_Page(buggy, 0)})
    except Exception:
        return ""  # whatever came out tells of it
    return "a page's send() raised TypeError, and your app returned as if nothing had happened" if raised else ""


def _still_listed(app: Any, session: Session) -> None:
    """Note how many pages are listed when every connection has ended."""
    if all(each.ended != "running" for each in (session, *session.others)):
        session.facts["listed"] = len(app.pages)


@rule
def forgets_who_left(session: Session) -> str | None:
    """When every page has left, none is in `pages`."""
    listed: int = session.facts.get("listed", 0)
    return f"{listed} still in `pages` when every connection had ended" if listed else None


@rule
def hides_no_bug(session: Session) -> str | None:
    """An error that does not come from a page's leaving comes out."""
    return session.facts.get("hidden") or None


ex2 = _AsideExercise(
    lesson=LESSON,
    number=2,
    title="Reload",
    kind="handler",
    parameters=(*PARAMETERS, "pages"),
    mount=_shared,
    facts=_still_listed,
    scripts=(
        (Expect("1"), Leave(), Expect("1", by="b")),
        (Expect(), Expect("2", by="b"), Leave(), Expect("1", by="b")),
        (Expect(), Expect(by="b"), Expect("3", by="c"), Leave(), Expect("2", by="c"), Expect("2", by="b")),
    ),
    rules=(
        *LOOP,
        forgets_who_left,
        hides_no_bug,
    ),
    aside=hides_no_bug,
    hints=(
        "Which line runs when a page leaves, however it leaves? Nothing may stand between adding the page and `try`.",
        "First take the page out of `pages`, then tell the others: whoever has left gets no message.",
        "A page may leave while you tell it the number: its `send` then raises `OSError`. That alone is no reason to "
        "stop telling the others. And `pages` may change while you wait in a loop over it: loop over `list(pages)`. "
        "Whoever is in that copy may have left since: look whether the page is still in `pages` before you send.",
    ),
    why="At each await pages come and go: who has left is told nothing, and who leaves meanwhile stops nobody.",
    helps={forgets_who_left: 1, rules.answers_everything: 2, rules.ends_quietly: 3, hides_no_bug: 3},
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


ex3 = _AsideExercise(
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
    aside=lets_the_rest_through,
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
