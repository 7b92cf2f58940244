"""The exercises of lesson 07: a room with Broadcaster, one that survives its members, one with limits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from broadcaster import Broadcast
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current, note
from hangup.record.recorder import Send as ASGISend
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send
from hangup.time.virtual import VirtualLoop
from helpers.judging.exercise import Exercise
from helpers.props.redis_room import mounted

LESSON = "07-chat-room"
FAREWELL = "one has left"
TRIP = 0.002  # seconds; what a trip to Redis and back may take, and time enough for a member to die meanwhile


# ---- 1: the room -----------------------------------------------------------------------------------------------------


class Radio(Broadcast):
    """A Broadcast in memory that knows who subscribed and who said farewell; publishing takes a moment, as over Redis.

    What a session did is in its facts: "subscribed" and "farewells" are counts.
    """

    def __init__(self) -> None:
        super().__init__("memory://")
        self._arrived: dict[object, int] = {}

    async def _listener(self) -> None:
        """Hand messages to subscribers in the order in which they came; Broadcast's order changes from run to run."""
        while True:
            event = await self._backend.next_published()
            queues = self._subscribers.get(event.channel, set())
            for queue in sorted(queues, key=lambda queue: self._arrived.get(queue, 0)):
                await queue.put(event)

    async def publish(self, channel: str, message: Any) -> None:
        """Wait `TRIP` seconds, then hand the message to everybody who has subscribed to the channel."""
        await asyncio.sleep(TRIP)
        if message == FAREWELL:
            _count("farewells")
            note(f"publish: {FAREWELL}")
        await super().publish(channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Any]:
        """Subscribe for the length of a block, as Broadcast does."""
        async with super().subscribe(channel) as events:
            _count("subscribed")
            self._arrived[events._queue] = len(self._arrived) + 1
            yield events


def _count(name: str) -> None:
    session = current()
    if session is not None:
        session.facts[name] = session.facts.get(name, 0) + 1


def _room(answer: Any) -> ASGIApp:
    radio = Radio()
    return mounted(lambda websocket: answer(websocket, radio), radio)


def _subscriptions(app: Any, session: Session) -> None:
    session.facts["subscriptions"] = sum(len(queues) for queues in app.state.broadcast._subscribers.values())


@rule
def says_farewell(session: Session) -> str | None:
    """When somebody who has subscribed is gone, the others hear "one has left", once; of nobody else they hear it."""
    farewells: int = session.facts.get("farewells", 0)
    members: int = session.facts.get("subscribed", 0)
    if members > 1:
        return f"one connection subscribed {members} times"
    if session.facts.get("interrupted") == "while it cleaned up":
        return None  # who is cancelled while it says farewell may stop there
    if farewells and not members:
        return (
            f"{FAREWELL!r} was published, but this connection never subscribed: it is no member, or its listener was "
            "cancelled before it began"
        )
    if farewells != members:
        return f"{FAREWELL!r} was published {farewells} times for {members} member" + "s" * (members != 1)
    return None


@rule
def gives_back_its_subscription(session: Session) -> str | None:
    """When all handlers have ended, no subscription is left."""
    left = session.facts.get("subscriptions", 0)
    return f"subscriptions left: {left}" if left else None


TALK = (
    Send("hi"),
    Send("you"),
    Expect("hi"),
    Expect("you"),
    Expect("hi", by="b"),
    Expect("you", by="b"),
    Send("hello", by="b"),
    Expect("hello"),
    Expect("hello", by="b"),
    Leave(),
    Send("alone", by="b"),
    Expect("alone", by="b"),
)

ex1 = Exercise(
    lesson=LESSON,
    number=1,
    title="The room",
    kind="handler",
    parameters=("websocket", "broadcast"),
    mount=_room,
    facts=_subscriptions,
    lifespan=True,
    scripts=(TALK, ()),
    rules=(
        rules.answers_everything,
        rules.leaves_no_task,
        gives_back_its_subscription,
        says_farewell,
        rules.ends,
        rules.ends_quietly,
        rules.hides_no_error,
        rules.hears_goodbye_once,
    ),
    hints=(
        "Who waits for the listener? `cancel()` is a request; the subscription is given back when the task has ended.",
        "A task group cancels, waits and looks: `async with broadcast.subscribe(...) as events, "
        "anyio.create_task_group() as group:`, and `group.cancel_scope.cancel()` when there is nothing left to read.",
        "When a send has failed, Starlette refuses to read on that connection too: let the listener's last act be "
        "`group.cancel_scope.cancel()` as well.",
        "The farewell goes into a `finally` around all of it. Inside of a scope that has been cancelled, "
        "`await broadcast.publish(...)` would be cancelled as well.",
    ),
)


# ---- 2: a member's death ---------------------------------------------------------------------------------------------


class Around:
    """An ASGI app around a room whose handlers share a list. `serve` runs the room for one connection."""

    def __init__(self, answer: Any) -> None:
        self.shared: list[Any] = []
        self.app = Starlette(routes=[WebSocketRoute("/", lambda websocket: answer(websocket, self.shared))])
        self.first: Scope | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Serve a WebSocket connection, and remember which was the first; leave all else to the app."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        self.first = self.first or scope
        await self.serve(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        raise NotImplementedError


def _what_is_left(app: Any, session: Session) -> None:
    session.facts["left"] = len(app.shared)


class Hall(Around):
    """What is sent to the first client takes `TRIP` seconds, as with full buffers.

    Meanwhile that client may go and its handler end. In virtual time the hall notes what a member was not sent before
    it left, though the handler that had read it was done, and had not been cancelled.
    """

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.owed: dict[int, list[tuple[int, str]]] = {}  # to a member: who read it, and the text
        self.done: set[int] = set()

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        me = id(scope)

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._leaves(me)
            else:
                self._owe(me, message.get("text") or "")
            return message

        async def tell(message: Message) -> None:
            if me in self.owed:
                self.owed[me] = [each for each in self.owed[me] if each[1] != message.get("text")]
            try:
                await send(message)
            finally:
                if scope is self.first and message["type"] == "websocket.send":
                    await asyncio.sleep(TRIP)
            if message["type"] == "websocket.accept":
                self.owed[me] = []

        await self.app(scope, hear, tell)
        session = current()
        if session is not None and not session.cancelled_by:
            self.done.add(me)

    def _owe(self, reader: int, text: str) -> None:
        for member, owed in self.owed.items():
            if member != reader:
                owed.append((reader, text))

    def _leaves(self, member: int) -> None:
        missed = [text for reader, text in self.owed.pop(member, []) if reader in self.done]
        session = current()
        if missed and session is not None and isinstance(asyncio.get_running_loop(), VirtualLoop):
            session.facts["missed"] = missed[0]


@rule
def hears_everything(session: Session) -> str | None:
    """Who stays hears all that was said, also the last words of somebody who is gone."""
    missed = session.facts.get("missed")
    return f"{missed!r} was read, and never sent to client {session.letter}" if missed else None


@rule
def leaves_the_room(session: Session) -> str | None:
    """When all handlers have ended, `members` is empty."""
    left = session.facts.get("left", 0)
    return f"members left: {left}" if left else None


ex2 = Exercise(
    lesson=LESSON,
    number=2,
    title="Survive",
    kind="handler",
    parameters=("websocket", "members"),
    mount=Hall,
    facts=_what_is_left,
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
    rules=(
        rules.answers_everything,
        rules.ends_quietly,
        rules.ends,
        leaves_the_room,
        rules.hears_goodbye_once,
        rules.leaves_no_task,
        hears_everything,
        rules.hides_no_error,
    ),
    hints=(
        "Two places remove the same member. And which member comes next in a `for`, when the list has become shorter?",
        'Does it say *Need to call "accept" first*? Somebody\'s send to you has failed, so you may not read again. '
        "Ask whether you are still a member before you read, or let that RuntimeError end your loop.",
        "Loop over a copy, `list(members)`, and remove only who is still there.",
        "Leave the removing to the one who knows best: each member's own handler, in `finally`. Whoever cannot send to "
        "a member passes over it.",
    ),
)


# ---- 3: limits -------------------------------------------------------------------------------------------------------

SLOW_FROM = "now a is slow"
AWAKE_AFTER = "6"
KEPT = ("1", "4", "5", "6")  # what a is sent when it is awake: the one that was on its way, and the newest three


class Tunnel(Around):
    """From `SLOW_FROM` on, sends to the first client wait until `AWAKE_AFTER` was said.

    So would a client's full buffers let them wait. A client that is gone lets nobody wait. `late` is what the first
    client was sent when it was awake again.
    """

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.slow = self.awake = False
        self.passed = asyncio.Event()
        self.late: list[str] = []

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        heard: list[tuple[float, str]] = []

        async def hear() -> Message:
            _took(heard)
            message = await receive()
            if message["type"] == "websocket.disconnect" and scope is self.first:
                self.passed.set()
            elif message["type"] == "websocket.receive":
                heard.append((asyncio.get_running_loop().time(), message.get("text") or ""))
                self.awake = False  # whoever speaks now takes room in the inbox of a, who is gone
            return message

        async def tell(message: Message) -> None:
            if scope is self.first and self.slow and message["type"] == "websocket.send":
                await self._hold(message.get("text") or "")
            await send(message)
            if scope is self.first and message.get("text") == SLOW_FROM:
                self.slow = True
            if scope is not self.first and message.get("text") == AWAKE_AFTER:
                asyncio.get_running_loop().call_later(0.05, self._wake)

        try:
            await self.app(scope, hear, tell)
        finally:
            _took(heard)

    async def _hold(self, text: str) -> None:
        """Wait until the first client is awake, or gone."""
        if not self.passed.is_set():
            note(f"{text!r} to a is held")
            await self.passed.wait()
            note(f"{text!r} to a is let go")
        if self.awake:
            self.late.append(text)

    def _wake(self) -> None:
        self.awake = True
        self.passed.set()


def _took(heard: list[tuple[float, str]]) -> None:
    """Take note of what kept a handler busy longest, in virtual time: real time depends on others."""
    loop, session = asyncio.get_running_loop(), current()
    if heard and session is not None and isinstance(loop, VirtualLoop):
        since, text = heard.pop()
        session.facts["waited"] = max(session.facts.get("waited", (0.0, "")), (loop.time() - since, text))


def _late(app: Any, session: Session) -> None:
    _what_is_left(app, session)
    if session.letter == "a":
        session.facts["late"] = tuple(app.late)


@rule
def takes_its_inbox_along(session: Session) -> str | None:
    """When all handlers have ended, `inboxes` is empty."""
    left = session.facts.get("left", 0)
    return f"inboxes left: {left}" if left else None


@rule
def never_waits(session: Session) -> str | None:
    """Who speaks never waits for who listens."""
    waited, text = session.facts.get("waited", (0.0, ""))
    if waited <= 0.1:
        return None
    return f"client {session.letter} said {text!r}, and its handler read nothing more for {waited:.1f} s"


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


ex3 = Exercise(
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
            *_said_by_b("1", "2", "3", "4", "5", AWAKE_AFTER),
            *(Expect(text) for text in KEPT),
            Leave(),
            *_said_by_b("alone"),
        ),
        (),
    ),
    rules=(
        never_waits,
        keeps_the_newest,
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
        "`inboxes.remove(inbox)`.",
    ),
)
