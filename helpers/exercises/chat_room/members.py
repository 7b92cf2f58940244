"""Exercise 2 of lesson 07: a room that survives the death of a member, also in the midst of a broadcast."""

import asyncio
import functools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current
from hangup.record.recorder import Send as ASGISend
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Script, Send, Wait
from hangup.servers.sessions import run_anew
from hangup.time.virtual import time_is_virtual
from helpers.exercises.chat_room.around import LESSON, TALK, TRIP, WORDS, Around, said, up_to, what_is_left
from helpers.exercises.chat_room.leaving import LONG_SILENCE, ONE_AFTER_THE_OTHER, SecondLeaves
from helpers.exercises.chat_room.packet import packets, what_was_lost
from helpers.exercises.race import ends_quietly, racing
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.patience import patience
from helpers.judging.values import texts

LAST_WORDS = (
    Send("hello", by="b"),
    Expect("hello", by="b"),
    Expect("hello"),
    Send("1"),
    Send("2"),
    Send("3"),
    Leave(),
    Expect("1", by="b"),
    Expect("2", by="b"),
    Expect("3", by="b"),
    Send("alone", by="b"),
    Expect("alone", by="b"),
)
"""Client a closes while what it said lies unread. In memory, who leaves takes that along, so real servers play it."""
SOON = 0.05  # seconds that the first client waits for another one
SLOW = 40.0  # virtual seconds that a message to a slow client takes
MANY = 24  # messages that are said meanwhile
TO_A_SLOW_ONE: Script = (
    Send("one"),
    Wait(2 * SLOW),
    *(Expect("one", by=each) for each in "abc"),
    *(Send(str(number), by="b") for number in range(MANY)),
    Leave(),
    Wait((MANY + 1) * SLOW),
    *(Expect(str(number), by=each) for number in range(MANY) for each in "bc"),
)
"""Client c takes long for each message; meanwhile b says many, and a leaves."""
DEAD_AND_SLOW: Script = (
    Send("one"),
    Wait(2 * SLOW),
    *(Expect("one", by=each) for each in "abc"),
    Send("my last"),
    Wait(SLOW / 4),
    Leave(),
    Send("alone", by="b"),
    Wait(4 * SLOW),
    *(Expect(text, by=each) for text in ("my last", "alone") for each in "bc"),
)
"""Client a speaks, and is gone while its handler waits for the slow c; to b's handler, a is dead and c is slow."""


class Hall(Around):
    """What is sent to the first client takes `TRIP` seconds, as with full buffers.

    Meanwhile that client may go and its handler end. In virtual time the hall notes what a member was not sent before
    it left, though the handler that had read it was done, and had not been cancelled; and what it was sent more often
    than it was said. With `turned`, the first client becomes a member after another one, if one comes soon: then it is
    not the first of the list that leaves. The client that comes as number `slow` waits `SLOW` seconds for each message,
    unless it is gone.
    """

    def __init__(self, answer: Any, *, turned: bool = False, slow: int = 0) -> None:
        super().__init__(answer)
        self.turned, self.slow, self.coming = turned, slow, 0
        self.said: Counter[str] = Counter()
        self.came = asyncio.Event()
        self.owed: dict[int, list[tuple[int, str]]] = {}  # to a member: who read it, and the text
        self.done: set[int] = set()

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        me, sent = id(scope), Counter[str]()
        self.coming += 1
        slow, gone = self.coming == self.slow, asyncio.Event()

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                gone.set()
                self._leaves(me)
            elif message["type"] == "websocket.receive":
                self._owe(me, message.get("text") or "")
            return message

        async def tell(message: Message) -> None:
            if slow and message["type"] == "websocket.send":
                await up_to(SLOW, gone)
            self._tell(me, message.get("text"), sent)
            try:
                await send(message)
            finally:
                if scope is self.first and message["type"] == "websocket.send":
                    await asyncio.sleep(TRIP)
            if message["type"] == "websocket.accept":
                self.owed[me] = []
                await self._take_turns(scope)

        await self.enter(scope, hear, tell)
        session = current()
        if session is not None and not session.cancelled_by:
            self.done.add(me)

    async def _take_turns(self, scope: Scope) -> None:
        """Let the first client wait until another one is accepted."""
        if scope is not self.first:
            self.came.set()
        elif self.turned:
            await up_to(SOON, self.came)

    def _owe(self, reader: int, text: str) -> None:
        self.said[text] += 1
        for member, owed in self.owed.items():
            if member != reader:
                owed.append((reader, text))

    def _tell(self, member: int, text: str | None, sent: Counter[str]) -> None:
        """Take note of what is sent to a member."""
        if member in self.owed:
            self.owed[member] = [each for each in self.owed[member] if each[1] != text]
        if text is not None:
            sent[text] += 1
            session = current()
            if sent[text] > self.said[text] and session is not None:
                session.facts["again"] = text

    def _leaves(self, member: int) -> None:
        missed = [text for reader, text in self.owed.pop(member, []) if reader in self.done]
        session = current()
        if missed and session is not None and time_is_virtual():
            session.facts["missed"] = missed[0]


def _excusing(answer: Any) -> ASGIApp:
    """Mount a room; what it lets out since Starlette refuses to read is excused: the words that it loses say more."""
    room = Around(answer)
    room.app = racing(room.app)
    return room


@dataclass(kw_only=True)
class Survive(AppExercise):
    """An exercise for a room in which last words are heard, on every real server."""

    async def _play(self, answer: Any, sessions: list[Session]) -> None:
        """Play all sessions, and if nobody waited in vain, the last words."""
        await super()._play(answer, sessions)
        if self.first_broken(sessions):
            return
        for server in self.servers:
            make = functools.partial(self.mount, answer)
            app, session = await run_anew(make, LAST_WORDS, ending="close", server=server, patience=patience())
            for each in (session, *session.others):
                self.facts(app, each)
                each.facts["last words"], each.facts["unanswered"] = each.facts["unanswered"], []
                sessions.append(each)
            if hears_everything.test(sessions[-1]):
                break


@rule
def hears_everything(session: Session) -> str | None:
    """Who stays hears all that was said, once, also the last words of somebody who is gone."""
    missed, again = session.facts.get("missed"), session.facts.get("again")
    if (words := what_was_lost(session)) is not None:
        return words
    if again is not None:
        return f"{again!r} was sent to one client more often than it was said"
    if session.facts.get("last words"):
        said = ", ".join(str(step.text) for step in LAST_WORDS if isinstance(step, Send) and step.by == "a")
        return f"client a said {said} and closed; client {session.letter} waited for them, and did not hear them all"
    return f"{missed!r} was read, and never sent to client {session.letter}" if missed is not None else None


@rule
def leaves_the_room(session: Session) -> str | None:
    """When all handlers have ended, `members` is empty."""
    left = session.facts.get("left", 0)
    return f"members left: {left}" if left else None


ex2 = Survive(
    lesson=LESSON,
    number=2,
    title="Survive",
    kind="handler",
    parameters=("websocket", "members"),
    mount=Hall,
    mounts=(Hall, functools.partial(Hall, turned=True), Hall),  # in the second, who leaves is not the first
    facts=what_is_left,
    scripts=(
        TALK,
        (
            Send("one"),
            Expect("one"),
            Expect("one", by="b"),
            Expect("one", by="c"),
            Send("two", by="b"),
            Expect("two"),
            Expect("two", by="b"),
            Expect("two", by="c"),
            Leave(),
            Send("three", by="b"),
            Expect("three", by="c"),
            Expect("three", by="b"),
            Send("four", by="c"),
            Expect("four", by="b"),
            Expect("four", by="c"),
        ),
        (),
    ),
    without=(rules.ends_quietly,),
    also=(
        Case(said((*texts(), *WORDS)), most=0),
        Case(TO_A_SLOW_ONE, most=20, mount=functools.partial(Hall, slow=3)),
        Case(DEAD_AND_SLOW, most=0, mount=functools.partial(Hall, slow=3)),
        Case(LONG_SILENCE, most=0),
        Case(ONE_AFTER_THE_OTHER, most=0, mount=lambda answer: SecondLeaves(Around(answer))),
        *packets(_excusing),
    ),
    rules=(
        rules.answers_everything,
        ends_quietly,
        rules.ends,
        leaves_the_room,
        rules.hears_goodbye_once,
        rules.leaves_no_task,
        hears_everything,
        rules.hides_no_error,
    ),
    hints=(
        "Two places remove the same member. And which member comes next in a `for`, when the list has become shorter?",
        "A send to you has failed, whoever sent it, and `receive_text()` refuses from then on (*Need to call "
        '"accept" first*). What you said before lies unread, and the others wait for it: `await websocket.receive()` '
        "still reads, until a message whose type is `websocket.disconnect`. And a task that cannot send lets the "
        "reader read on.",
        "Loop over a copy, `list(members)`, and remove only who is still there.",
        "Leave the removing to the one who knows best: each member's own handler, in `finally`. Whoever cannot send to "
        "a member passes over it.",
    ),
    why="Who has left is taken out, whoever notices it, and nobody is passed over because the "
    "list has changed meanwhile.",
    helps={rules.answers_everything: 1, ends_quietly: 2, hears_everything: 2, leaves_the_room: 4},
)
