"""Exercise 3, Sit: a seat that is given back however the connection ends, in a hall that burns, is slow, or is full."""

import asyncio
import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope
from starlette.types import Send as ASGISend
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.internals import will_be_cancelled
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send, Step, StopReading, Wait, by
from hangup.time.virtual import time_is_virtual
from helpers.exercises.deaf import asks, goes_on_or_ends, may_end
from helpers.exercises.double_receive.closed import closed
from helpers.exercises.race import ends_quietly, racing
from helpers.exercises.slow import READING, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import codes, texts


class HallOnFire(Exception):
    """The hall cannot answer any more."""


class HallIsFull(Exception):
    """There is no seat."""


class Hall:
    """A place with seats, numbered from 0: `await enter()` takes one and returns its number, `leave(seat)` frees it."""

    def __init__(self) -> None:
        self.full = False
        self.queue = False
        self.taken: list[int] = []
        self.returned: list[int] = []
        self.interrupted: list[int] = []
        """The seats whose return has been cut short, if the session was cancelled: by somebody else than the answer."""
        self.queuing: list[Session | None] = []
        """The sessions that were cancelled while they waited for a seat."""
        self.heard: list[tuple[int, str]] = []
        self.takers: list[Session | None] = []
        self.askers: list[Session | None] = []

    async def enter(self) -> int:
        """Take a seat; its number is yours until you leave. Raises HallIsFull if there is none."""
        self.askers.append(current())
        await anyio.lowlevel.checkpoint()
        if self.queue:
            try:
                await _pause(ENTERING)
            except asyncio.CancelledError:
                self.queuing.append(current())
                raise
        if self.full:
            note("enter: the hall is full")
            raise HallIsFull("come back tomorrow")
        self.taken.append(len(self.taken))
        self.takers.append(current())
        note(f"enter: seat {self.taken[-1]}")
        return self.taken[-1]

    def seats_of(self, session: Session) -> list[int]:
        """Return the seats that were taken in a session."""
        return [seat for seat, taker in zip(self.taken, self.takers, strict=True) if taker is session]

    def _has(self, seat: int) -> bool:
        return seat in self.taken and seat not in self.returned

    async def answer(self, seat: int, text: str) -> str:
        """Return what the hall says to `text`, after a while if that is "slow", and another time another for OFTEN.

        Raises HallOnFire for "fire", and ValueError for a seat not taken.
        """
        session = current()
        if session is not None:
            asks(session, text)
            if not self._has(seat):
                session.facts.setdefault("seatless", seat)
        await anyio.lowlevel.checkpoint()
        if text == "slow":
            await _pause(SLOW)
        if not self._has(seat):
            raise ValueError(f"seat {seat!r} is not taken")
        if text == "fire":
            if session is not None:
                session.facts["failed"] = True
            raise HallOnFire("everybody out")
        self.heard.append((seat, text))
        return reply(seat, text, self.heard.count((seat, text)))

    async def leave(self, seat: int) -> None:
        """Give a seat back, which takes a moment: who is cancelled meanwhile has it still.

        Raises ValueError for one that is not taken.
        """
        session = current()
        task = asyncio.current_task()
        before = session is not None and _was_cancelled(session) and not (task and will_be_cancelled(task))
        if not self._has(seat):
            self.returned.append(seat)
            if session is not None and seat not in self.seats_of(session):
                session.facts.setdefault("of nobody", seat)
            note(f"leave: seat {seat}, which is not taken")
            raise ValueError(f"seat {seat!r} is not taken")
        try:
            await _pause(LEAVING)
        except asyncio.CancelledError:
            late = session is not None and session.ended != "running"  # a task that the handler's end has outrun
            if late or not before:  # a task of its own is cancelled before the handler that waits for it
                self.interrupted.append(seat)
            note(f"leave: seat {seat}, and was cancelled")
            raise
        self.returned.append(seat)
        note(f"leave: seat {seat}")


ENTERING = 90.0  # seconds until a seat is free, for those who come by `/queue`
LEAVING = 11.0  # seconds to give a seat back: longer than the ten that one would wait by eye
MANY = 300  # texts of one connection: more than a bound that one would choose by eye
OFTEN = "how often?"  # a text whose answer is never the same
SLOW = 17.0  # seconds of an answer: with LEAVING, less than a server waits for an app that has been told to end


def _was_cancelled(session: Session) -> bool:
    """Return whether a cancellation has come in the handler: one that a schedule asks for comes a turn later."""
    return bool(session.facts.get("interrupted") if session.cancelled_by == "schedule" else session.cancelled_by)


def reply(seat: int, text: str, time: int = 1) -> str:
    """Return what the hall says to a text: to an empty one, nothing; to OFTEN, which time this is."""
    said = f"seat {seat} says {text}" if text else ""
    return f"{said} {time}" if text == OFTEN else said


async def _pause(seconds: float) -> None:
    """Wait: on a real server for one turn only."""
    await anyio.sleep(seconds if time_is_virtual() else 0)


class _Hosting(Starlette):
    """An app with a hall, which is full for those who come by `/full`, and slow to let in those by `/queue`."""

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        self.state.hall.full = scope.get("path") == "/full"
        self.state.hall.queue = scope.get("path") == "/queue"
        await racing(super().__call__, turns=math.inf)(scope, receive, send)


async def _call(answer: Any, websocket: WebSocket) -> None:
    """Call an answer that may be any callable; for Starlette an object that is no function is an ASGI app."""
    await answer(websocket)


def _hall(answer: Any) -> ASGIApp:
    endpoint = answer if inspect.isclass(answer) else partial(_call, answer)
    app = _Hosting(routes=[WebSocketRoute(path, endpoint) for path in ("/", "/full", "/queue")])
    app.state.hall = Hall()
    return app


def _seats(app: Any, session: Session) -> None:
    app = getattr(app, "app", app)  # that of a Turned, a Slow, or a Closed
    session.facts["hall"] = app.state.hall
    session.facts["allowed"] = (HallOnFire, HallIsFull)
    may_end(session)
    if app.state.hall.full:
        session.facts["unanswered"] = []  # nobody is let in


def _seated(said: Sequence[str]) -> list[Step]:
    """Return what a client says who has seat 0."""
    return [step for text in said for step in (Send(text), Expect(reply(0, text)))]


@rule
def takes_one_seat(session: Session) -> str | None:
    """A connection takes one seat."""
    asked = sum(each is session for each in session.facts["hall"].askers)
    if asked > 1 or (asked == 0 and session.codes):
        return f"hall.enter() was called {asked} times"
    return None


def _ends(session: Session) -> str | None:
    """Let a session be that has come to its end in hall.enter(), which takes longer than a server waits."""
    return None if session in session.facts["hall"].queuing else rules.ends.test(session)


ends = replace(rules.ends, test=_ends)


@rule
def gives_it_back(session: Session) -> str | None:
    """The seat is given back, once, whatever happened."""
    hall = session.facts["hall"]
    own = hall.seats_of(session)
    taken, returned = len(own), sum(hall.returned.count(seat) for seat in own)
    if returned < taken:
        if session.cancelled_by and any(seat in hall.interrupted for seat in own):
            return None  # a cancellation from outside came in the middle of leave()
        return "the session is over and the seat is still taken"
    if returned > taken:
        return f"hall.leave() was called {returned} times for one seat"
    if "of nobody" in session.facts:
        return f"hall.leave() was called with seat {session.facts['of nobody']!r}, which was never taken"
    if "seatless" in session.facts:
        return f"hall.answer() was called with seat {session.facts['seatless']!r}, which is not taken"
    return None


ex3 = AppExercise(
    lesson="02-double-receive",
    number=3,
    title="Sit",
    kind="either",
    parameters=("websocket",),
    mount=_hall,
    facts=_seats,
    scripts=(
        _seated(["hello", "again"]),
        (*_seated(["hello"]), Send("fire")),
        (
            *_seated(["hello"]),
            *(Send("hello", by="b"), Expect("seat 1 says hello", by="b")),
            Leave(),
            *(Send("again", by="b"), Expect(by="b")),
        ),
        (),
    ),
    also=(
        Case(_seated(texts())),
        Case((Send("one"), Send(""), Send("one"), *(Expect(reply(0, text)) for text in ("one", "", "one")))),
        Case((*_seated(["hello"]), Send("slow"), Wait(SLOW + 1), Expect(reply(0, "slow")), Send("slow"))),
        Case((Wait(90), *_seated(["late"]), Wait(200))),
        Case((Wait(4_000), *_seated(["late"])), most=0),
        Case((Send("hello"), Wait(READING + 1), Expect(reply(0, "hello"))), mount=slow(_hall), most=0),
        Case((StopReading(), Send("hello"), Wait(5), Send("b?", by="b"), Expect(by="b")), most=0),
        Case((Send("b?", by="b"), Expect(by="b"), Send("fire", by="b"), Wait(1), *_seated(["smoke?"]))),
        Case((*_seated(["hello"]), Send("fire"), Wait(5), Send("smoke?"), Wait(5)), most=0),
        Case((*_seated(["hello"]), Send("fire"), Send("smoke?"), Wait(5)), mount=closed(_hall), most=0),
        Case((*_seated([OFTEN]), Send(OFTEN), Expect(reply(0, OFTEN, 2)))),
        Case((*_seated(["hello"]), Send("slow"), Send("quick?", by="b"), Expect("seat 1 says quick?", by="b"))),
        Case(_seated([f"number {number}" for number in range(MANY)]), most=10),
        *(Case((*_seated(["hello"]), Leave(code)), most=20) for code in (*codes(), None)),
        Case(
            (Send("a"), Expect("seat 1 says a"), *by("b", _seated(["b"])), Leave(), *by("b", _seated(["still"]))),
            mount=turned(_hall),
        ),
        Case((), "/full"),
        Case((Send("anybody?"), Wait(5)), "/full", most=0),
        Case((Wait(ENTERING + 1), *_seated(["at last"])), "/queue", most=10),
    ),
    excuse=("leave",),
    without=(rules.ends_quietly, rules.ends),
    rules=(
        takes_one_seat,
        rules.answers_everything,
        gives_it_back,
        ends_quietly,
        ends,
        rules.leaves_no_task,
        rules.hides_no_error,
        goes_on_or_ends,
    ),
    hints=(
        "Whatever you take before a `try` you can give back in its `finally`.",
        "`hall = websocket.app.state.hall`; then `seat = await hall.enter()`, and directly after it the `try`.",
        "In function style the whole session fits between `try` and `finally`: accept, and "
        "`async for text in websocket.iter_text()`. A WebSocketEndpoint can do it around `super().dispatch()`.",
    ),
    why="Nothing that can fail stands between taking the seat and the code that gives it back, and no error is hidden.",
    helps={gives_it_back: 1, takes_one_seat: 2, rules.answers_everything: 3},
)
