"""Exercise 2 of lesson 03: pages that come and go, and are told how many there are."""

import asyncio
import itertools
from typing import Any

from hangup.record import rules
from hangup.record.recorder import Message, Receive, Scope, Session
from hangup.record.recorder import Send as SendCall
from hangup.record.rules import Rule, rule
from hangup.servers.script import Expect, Leave, Send
from hangup.time.virtual import time_is_virtual
from helpers.exercises.beside import BesideExercise
from helpers.exercises.flow_error.around import LESSON, LOOP, PARAMETERS
from helpers.exercises.flow_error.company import troubled, visited

HASHES = (3, 0, 5)  # a set of pages is not in the order in which they have opened, but it is the same in every run
MOMENT = 0.05  # virtual seconds


class _Page:
    """A connection's send(), which takes note of a number that comes too late, or to somebody who has left."""

    def __init__(self, send: SendCall, place: int, reload: "_Reload | None" = None) -> None:
        self._send = send
        self._place = place
        self._reload = reload

    def __hash__(self) -> int:
        return self._place

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if self._reload is not None and message["type"] == "websocket.send":
            self._reload.told(self)
        await self._send(message)


class _Reload:
    """An app whose connections share one set of pages, empty at first."""

    def __init__(self, answer: Any) -> None:
        self.pages: set[Any] = set()
        self.late = self.gone = False
        self._answer = answer
        self._numbers = itertools.cycle(HASHES)
        self._changed = 0.0
        self._listed: set[_Page] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: SendCall) -> None:
        """Run the answer for one page."""
        page = _Page(send, next(self._numbers), self)
        loop = asyncio.get_running_loop()

        async def timed() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                self._changed = loop.time()
            return message

        await self._answer(scope, timed, page, self.pages)

    def told(self, page: _Page) -> None:
        """Take note of a number that is sent now."""
        loop = asyncio.get_running_loop()
        if time_is_virtual() and loop.time() > self._changed + MOMENT:
            self.late = True
        self._listed |= {each for each in self.pages if isinstance(each, _Page)}
        if page in self._listed and page not in self.pages:
            self.gone = True


def _still_listed(app: Any, session: Session) -> None:
    """Note how many pages are listed when every connection has ended."""
    if all(each.ended != "running" for each in (session, *session.others)):
        session.facts["listed"] = len(app.pages)
    family = [session, *session.others]
    session.facts["told gone"] = app.gone
    session.facts["told late"] = app.late and session.letter == "a" and not any(each.cancelled_by for each in family)


@rule
def forgets_who_left(session: Session) -> str | None:
    """When every page has left, none is in `pages`."""
    listed: int = session.facts.get("listed", 0)
    return f"{listed} still in `pages` when every connection had ended" if listed else None


@rule
def tells_at_once(session: Session) -> str | None:
    """The pages are told at once, without a clock."""
    return "a number was sent some time after a page had opened or left" if session.facts.get("told late") else None


@rule
def looks_before_it_tells(session: Session) -> str | None:
    """A page that is not in `pages` any more is told nothing."""
    return "a number was sent to a page that was no longer in `pages`" if session.facts.get("told gone") else None


@rule
def hides_no_bug(session: Session) -> str | None:
    """An error that does not come from a page's leaving comes out."""
    return session.facts.get("beside") or None


@rule
def tells_everybody(session: Session) -> str | None:
    """Every open page is told, in a text, when a page opens or leaves, and at no other time."""
    return session.facts.get("beside") or None


async def _visited(answer: Any) -> tuple[Rule, str] | None:
    problem, hidden = await troubled(answer)
    if problem:
        return hides_no_bug if hidden else forgets_who_left, problem
    problem = await visited(answer)
    return (tells_everybody, problem) if problem else None


ex2 = BesideExercise(
    lesson=LESSON,
    number=2,
    title="Reload",
    kind="handler",
    parameters=(*PARAMETERS, "pages"),
    mount=_Reload,
    facts=_still_listed,
    scripts=(
        (Expect("1"), Leave(), Expect("1", by="b")),
        (
            *(Expect(), Expect("2", by="b"), Send("hello"), Send(""), Send("hello", by="b"), Send("", by="b")),
            *(Leave(), Expect("1", by="b")),
        ),
        (Expect(), Expect("2", by="b"), Leave(), Expect("1", by="b")),
        (Expect(), Expect(by="b"), Expect("3", by="c"), Leave(), Expect("2", by="c"), Expect("2", by="b")),
    ),
    rules=(
        *LOOP,
        forgets_who_left,
        tells_at_once,
        hides_no_bug,
        looks_before_it_tells,
        tells_everybody,
    ),
    beside=_visited,
    hints=(
        "Which line runs when a page leaves, however it leaves? Nothing may stand between adding the page and `try`.",
        "First take the page out of `pages`, then tell the others: whoever has left gets no message.",
        "A page may leave while you tell it the number: its `send` then raises `OSError`. That alone is no reason to "
        "stop telling the others. And `pages` may change while you wait in a loop over it: loop over `list(pages)`. "
        "Whoever is in that copy may have left since: look whether the page is still in `pages` before you send.",
    ),
    why="At each await pages come and go: who has left is told nothing, and who leaves meanwhile stops nobody.",
    helps={
        forgets_who_left: 1,
        rules.answers_everything: 2,
        rules.ends_quietly: 3,
        looks_before_it_tells: 3,
        hides_no_bug: 3,
        tells_everybody: 3,
    },
)
