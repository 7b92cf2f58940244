"""Exercise 3 of lesson 07: a room in which each member has an inbox of three, so that nobody waits for the slow."""

import asyncio
import contextlib
from collections import deque
from typing import Any

from hangup.record import rules
from hangup.record.recorder import Message, Receive, Scope, Session, current, note
from hangup.record.recorder import Send as ASGISend
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Script, Send, Wait
from hangup.time.virtual import time_is_virtual
from helpers.exercises.chat_room.around import LESSON, Around, said, what_is_left
from helpers.exercises.chat_room.leaving import LONG_SILENCE, ONE_AFTER_THE_OTHER, SecondLeaves
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import texts

SLOW_FROM = "now a is slow"
ONE_AFTER, AWAKE_AFTER = "6", "9"
LAST = "6"
KEPT = ("1", "4", "8", "8", "9")  # what a is sent: what was on its way each time, and the newest three
SOON = 0.05  # seconds that a message is waited for
MOST = 4  # messages in an inbox: three, and one that may be on its way
AT_ONCE = 1e-6  # seconds, for what is no wait in virtual time
LONG = 0.6  # virtual seconds for which a is slow


class Tunnel(Around):
    """From `SLOW_FROM` on, sends to the first client wait: one until `ONE_AFTER` was said, all until `AWAKE_AFTER` was.

    So would a client's full buffers let them wait. A client that is gone lets nobody wait. `late` is what the first
    client was sent late.
    """

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.slow = self.awake = False
        self.known = True
        """Whether it can be told what is in the first client's inbox."""
        self.one, self.passed, self.holding = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.late: list[str] = []
        self.most = 0
        """How many messages the fullest inbox has held, where that can be told."""

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        heard: list[tuple[float, str]] = []

        async def hear() -> Message:
            _took(heard)
            self.most = max(self.most, *map(_held_by, self.shared), 0)
            message = await receive()
            if message["type"] == "websocket.disconnect" and scope is self.first:
                self._wake(self.one)
                self._wake(self.passed)
                self.known = False  # to whom is gone, anything may be sent
            elif message["type"] == "websocket.receive":
                await self._next_one_is_held()
                heard.append((asyncio.get_running_loop().time(), message.get("text") or ""))
            return message

        async def tell(message: Message) -> None:
            if scope is self.first and self.slow and message["type"] == "websocket.send":
                await self._hold(message.get("text") or "")
            await send(message)
            if scope is self.first and message.get("text") == SLOW_FROM:
                self.slow = True
            gate = {ONE_AFTER: self.one, AWAKE_AFTER: self.passed}.get(message.get("text") or "")
            if scope is not self.first and gate is not None:
                asyncio.get_running_loop().call_later(LONG if time_is_virtual() else 0.05, self._wake, gate)

        try:
            await self.enter(scope, hear, tell)
        finally:
            _took(heard)

    async def _hold(self, text: str) -> None:
        """Wait until the first client is awake, or gone."""
        gate = self.passed if self.late else self.one
        if not gate.is_set():
            note(f"{text!r} to a is held")
            self.holding.set()
            await gate.wait()
            note(f"{text!r} to a is let go")
        if self.awake and self.known:
            self.late.append(text)

    async def _next_one_is_held(self) -> None:
        """Once a message was let go, wait a moment for the next one: until it is held, it has a place in the inbox."""
        if self.one.is_set() and not self.holding.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON):
                    await self.holding.wait()
            self.known = self.known and self.holding.is_set()

    def _wake(self, gate: asyncio.Event) -> None:
        self.awake = True
        self.holding.clear()
        gate.set()


class TwoTunnels(Around):
    """Holds what is sent to the first and third client from `SLOW_FROM` on, until the second one heard `LAST`."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.slow, self.coming, self.passed = False, 0, asyncio.Event()

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        self.coming += 1
        held = self.coming != 2

        async def tell(message: Message) -> None:
            text = message.get("text")
            if held and self.slow and text not in {None, SLOW_FROM}:
                await self.passed.wait()
            await send(message)
            self.slow = self.slow or text == SLOW_FROM
            if not held and text == LAST:
                asyncio.get_running_loop().call_later(LONG, self.passed.set)

        await self.enter(scope, receive, tell)


def _held_by(inbox: Any) -> int:
    """Return how many messages lie in an inbox, if it is of a kind that is known."""
    if isinstance(inbox, asyncio.Queue):
        return inbox.qsize()
    return len(inbox) if isinstance(inbox, list | deque) else 0


def _took(heard: list[tuple[float, str]]) -> None:
    """Take note of what kept a handler busy longest, in virtual time: real time depends on others."""
    loop, session = asyncio.get_running_loop(), current()
    if heard and session is not None and time_is_virtual():
        since, text = heard.pop()
        session.facts["waited"] = max(session.facts.get("waited", (0.0, "")), (loop.time() - since, text))


def _late(app: Any, session: Session) -> None:
    what_is_left(app, session)
    if session.letter == "a" and isinstance(app, Tunnel):
        session.facts["late"] = tuple(app.late)
        session.facts["most"] = app.most


@rule
def takes_its_inbox_along(session: Session) -> str | None:
    """When all handlers have ended, `inboxes` is empty."""
    left = session.facts.get("left", 0)
    return f"inboxes left: {left}" if left else None


@rule
def never_waits(session: Session) -> str | None:
    """Who speaks never waits for who listens."""
    waited, text = session.facts.get("waited", (0.0, ""))
    if waited <= AT_ONCE:
        return None
    return f"client {session.letter} said {text!r}, and its handler read nothing more for {waited:.3g} s"


@rule
def holds_three(session: Session) -> str | None:
    """An inbox holds three messages that wait."""
    most: int = session.facts.get("most", 0)
    return f"an inbox held {most} messages" if most > MOST else None


@rule
def keeps_the_newest(session: Session) -> str | None:
    """A full inbox drops the oldest message: the newest three wait, in their order."""
    late: tuple[str, ...] = session.facts.get("late", ())
    for number, (got, wanted) in enumerate(zip(late, KEPT, strict=False)):
        if got != wanted:
            told = ", ".join(map(repr, late[: number + 1]))
            return f"when a was no longer slow, it was sent {told}; in place of the {got!r} it should hear {wanted!r}"
    return None


def _said_by_b(*texts: str) -> list[Send | Expect]:
    return [step for text in texts for step in (Send(text, by="b"), Expect(text, by="b"))]


TWO_SLOW: Script = (
    Send(SLOW_FROM),
    *(Expect(SLOW_FROM, by=each) for each in "abc"),
    *_said_by_b("1"),
    Wait(1),
    *_said_by_b("2", "3", "4", "5", LAST),
    *(Expect(text, by=each) for text in ("1", "4", "5", LAST) for each in "ac"),
)


ex3 = AppExercise(
    lesson=LESSON,
    number=3,
    title="Limits",
    kind="handler",
    parameters=("websocket", "inboxes"),
    mount=Tunnel,
    facts=_late,
    scripts=(
        (
            Send(SLOW_FROM),
            Expect(SLOW_FROM),
            Expect(SLOW_FROM, by="b"),
            *_said_by_b("1", "2", "3", "4"),
            Send("5"),  # the slow one speaks, and its own inbox is full
            Expect("5", by="b"),
            *_said_by_b(ONE_AFTER),
            Expect(KEPT[0]),
            *_said_by_b("7", "8", "8", AWAKE_AFTER),
            *(Expect(text) for text in KEPT[1:]),
            Leave(),
            *_said_by_b("alone"),
        ),
        (),
    ),
    also=(
        Case(said(texts()), most=0),
        Case(TWO_SLOW, most=0, mount=TwoTunnels),
        Case(LONG_SILENCE, most=0),
        Case(ONE_AFTER_THE_OTHER, most=0, mount=lambda answer: SecondLeaves(Around(answer))),
    ),
    rules=(
        never_waits,
        keeps_the_newest,
        holds_three,
        rules.answers_everything,
        rules.ends_quietly,
        rules.ends,
        takes_its_inbox_along,
        rules.leaves_no_task,
        rules.hides_no_error,
        rules.hears_goodbye_once,
    ),
    hints=(
        "Two jobs, two tasks: one reads and puts into every inbox, one takes from its own inbox and sends.",
        "`asyncio.Queue(3)`, and never `await put()`: that would let the speaker wait. When `inbox.full()`, take one "
        "out with `get_nowait()`, then `put_nowait(text)`.",
        "The rest is the task group of the lesson: `inboxes.append(inbox)`, in `try` the group, in `finally` "
        "`inboxes.remove(inbox)`. When a send has failed, Starlette refuses to read, too, with a `RuntimeError`.",
    ),
    why="Whoever speaks puts into inboxes and waits for nobody; a full inbox loses its oldest message.",
    helps={never_waits: 1, keeps_the_newest: 2, holds_three: 2}
    | dict.fromkeys((takes_its_inbox_along, rules.ends, rules.ends_quietly, rules.leaves_no_task), 3),
)
