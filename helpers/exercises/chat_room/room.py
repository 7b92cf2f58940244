"""Exercise 1 of lesson 07: a room with Broadcaster, whose members say farewell and give back their subscriptions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from broadcaster import Broadcast

from hangup.record import rules
from hangup.record.errors import describe
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Script, Send
from helpers.exercises.chat_room.around import LESSON, TALK, TRIP, WORDS, said
from helpers.exercises.chat_room.leaving import LONG_SILENCE, SLOW_TO_HEAR, ThirdIsSlow
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import texts
from helpers.props.redis_room import mounted

FAREWELL = "one has left"
BRIEFLY = 80  # schedules that are played in a room in which subscribing takes the moment, and publishing none

PARTING: Script = (
    Send("hi"),
    *(Expect("hi", by=each) for each in "abc"),
    Leave(4000),
    *(Expect(FAREWELL, by=each) for each in "bc"),
    Send("still here", by="b"),
    *(Expect("still here", by=each) for each in "bc"),
)
"""Client a leaves when it has been heard, so that it was a member: each of the others hears the farewell."""


BRIEF: Script = (Send("hi"), Expect("hi"), Leave())


class Radio(Broadcast):
    """A Broadcast in memory that knows who subscribed and who said farewell.

    Publishing, or else subscribing, takes a moment, as over Redis; what takes none lets nobody else run, as in memory.
    What a session did is in its facts: "subscribed" and "farewells" are counts.
    """

    def __init__(self, *, publishing: float = 0.0, subscribing: float = 0.0) -> None:
        super().__init__("memory://")
        self.publishing, self.subscribing = publishing, subscribing
        self._arrived: dict[object, int] = {}

    async def _listener(self) -> None:
        """Hand messages to subscribers in the order in which they came; Broadcast's order changes from run to run."""
        while True:
            event = await self._backend.next_published()
            queues = self._subscribers.get(event.channel, set())
            for queue in sorted(queues, key=lambda queue: self._arrived.get(queue, 0)):
                await queue.put(event)

    async def publish(self, channel: str, message: Any) -> None:
        """Wait for the moment that it takes, then hand the message to everybody who has subscribed to the channel."""
        try:
            if self.publishing:
                await asyncio.sleep(self.publishing)
        except asyncio.CancelledError:
            if message == FAREWELL:
                _count("cut")
            raise
        if message == FAREWELL:
            _count("farewells")
            note(f"publish: {FAREWELL}")
        await super().publish(channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Any]:
        """Wait for the moment that it takes, then subscribe for the length of a block, as Broadcast does."""
        if self.subscribing:
            await asyncio.sleep(self.subscribing)
        async with super().subscribe(channel) as events:
            _count("subscribed")
            self._arrived[events._queue] = len(self._arrived) + 1
            yield events


def _count(name: str) -> None:
    session = current()
    if session is not None:
        session.facts[name] = session.facts.get(name, 0) + 1


def _mounted(answer: Any, radio: Radio) -> ASGIApp:
    return mounted(lambda websocket: answer(websocket, radio), radio)


def _room(answer: Any) -> ASGIApp:
    return _mounted(answer, Radio(publishing=TRIP))


def _parting(answer: Any) -> ASGIApp:
    app = _room(answer)
    app.state.parting = True  # type: ignore[attr-defined]  # it is Starlette's
    return app


def _slow_to_join(answer: Any) -> ASGIApp:
    return _mounted(answer, Radio(subscribing=TRIP))


def _subscriptions(app: Any, session: Session) -> None:
    if hasattr(app.state, "parting"):
        session.facts["unheard"], session.facts["unanswered"] = session.facts["unanswered"], []
    session.facts["subscriptions"] = sum(len(queues) for queues in app.state.broadcast._subscribers.values())


@rule
def says_farewell(session: Session) -> str | None:
    """When somebody who has subscribed is gone, the others hear "one has left", once; of nobody else they hear it."""
    farewells: int = session.facts.get("farewells", 0)
    members: int = session.facts.get("subscribed", 0)
    if members > 1:
        return f"one connection subscribed {members} times"
    interrupted = session.facts.get("interrupted")
    if interrupted == "while it cleaned up" or (interrupted and session.facts.get("cut")):
        return None  # who had heard the end, or was saying farewell, may stop there
    if farewells and not members:
        return (
            f"{FAREWELL!r} was published, but this connection never subscribed: it is no member, or its listener was "
            "cancelled before it began"
        )
    if farewells != members:
        return f"{FAREWELL!r} was published {farewells} times for {members} member" + "s" * (members != 1)
    return None


@rule
def hears_farewell(session: Session) -> str | None:
    """Who stays hears "one has left"."""
    if not session.facts.get("unheard"):
        return None
    return f"client a was heard, and left; client {session.letter} waited for {FAREWELL!r}, and did not hear it"


@rule
def gives_back_its_subscription(session: Session) -> str | None:
    """When all handlers have ended, no subscription is left."""
    left = session.facts.get("subscriptions", 0)
    return f"subscriptions left: {left}" if left else None


@rule
def lets_nothing_out(session: Session) -> str | None:
    """Once it has accepted, nothing but a cancellation leaves the handler, a group of exceptions neither."""
    raised = session.error if session.ended == "raised" and session.facts.get("subscribed") else None
    return describe(raised) if raised is not None else None


ex1 = AppExercise(
    lesson=LESSON,
    number=1,
    title="The room",
    kind="handler",
    parameters=("websocket", "broadcast"),
    mount=_room,
    facts=_subscriptions,
    lifespan=True,
    scripts=(TALK, ()),
    also=(
        Case(said((*texts(), *WORDS)), most=0),
        Case(PARTING, most=0, mount=_parting),
        Case(LONG_SILENCE, most=0),
        Case(SLOW_TO_HEAR, most=0, mount=lambda answer: ThirdIsSlow(_room(answer))),
        Case(BRIEF, most=BRIEFLY, mount=_slow_to_join),
    ),
    rules=(
        rules.answers_everything,
        rules.leaves_no_task,
        gives_back_its_subscription,
        says_farewell,
        rules.ends,
        rules.ends_quietly,
        lets_nothing_out,
        hears_farewell,
        rules.hides_no_error,
        rules.hears_goodbye_once,
    ),
    hints=(
        "Who waits for the listener? `cancel()` is a request; the subscription is given back when the task has ended.",
        "A task group cancels, waits and looks: `async with broadcast.subscribe(...) as events, "
        "anyio.create_task_group() as group:`, and `group.cancel_scope.cancel()` when there is nothing left to read.",
        "When a send has failed, Starlette refuses to read on that connection too: let the listener's last act be "
        "`group.cancel_scope.cancel()` as well. The reader may be quicker: it passes over that `RuntimeError`.",
        "The farewell goes into a `finally` around all of it. Inside of a scope that has been cancelled, "
        "`await broadcast.publish(...)` would be cancelled as well.",
    ),
    why="Who has subscribed says farewell, where no cancelled scope reaches it, and the listener is waited for.",
    helps={
        gives_back_its_subscription: 1,
        rules.leaves_no_task: 1,
        rules.ends: 2,
        rules.ends_quietly: 3,
        lets_nothing_out: 3,
        says_farewell: 4,
    },
)
