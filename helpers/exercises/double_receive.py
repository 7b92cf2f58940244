"""The exercises of lesson 02: a counter in callbacks, one reader for an answering machine, a seat in a hall."""

import inspect
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send, beside
from helpers.judging.app_exercise import AppExercise

LESSON = "02-double-receive"


# ---- 1: the endpoint -----------------------------------------------------------------------------------------------


def _watched(answer: type[WebSocketEndpoint]) -> ASGIApp:
    """Mount an endpoint class, and write down what its on_disconnect is told."""

    class Watched(answer):  # type: ignore[valid-type, misc]
        async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
            session = current()
            if session is not None:
                session.facts.setdefault("told", []).append(close_code)
                note(f"on_disconnect({close_code})")
            await super().on_disconnect(websocket, close_code)

    Watched.__name__ = answer.__name__
    return Starlette(routes=[WebSocketRoute("/", Watched)])


@rule
def tells_the_true_code(session: Session) -> str | None:
    """on_disconnect runs once and is told the code that the server reported."""
    told: list[int] = session.facts.get("told", [])
    if not session.codes:
        return None
    if not told:
        return "on_disconnect was never called"
    if len(told) > 1:
        return f"on_disconnect was called {len(told)} times"
    if told != session.codes[:1]:
        return f"the server reported {session.codes[0]}, on_disconnect was told {told[0]}"
    return None


COUNTS = (
    Send('"hello"'),
    Expect('{"count": 1, "echo": "hello"}'),
    Send('"again"'),
    Expect('{"count": 2, "echo": "again"}'),
)
ex1 = AppExercise(
    lesson=LESSON,
    number=1,
    title="Count",
    kind="endpoint",
    parameters=(),
    mount=_watched,
    scripts=(COUNTS, beside(COUNTS, COUNTS), ()),
    rules=(
        rules.answers_everything,
        rules.ends_quietly,
        rules.ends,
        tells_the_true_code,
        rules.hears_goodbye_once,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Who calls `receive()` after your `on_connect` has returned? A loop in `on_connect` reads in its place.",
        "Let `on_connect` accept and return. `on_receive(self, websocket, data)` is called for each message, decoded.",
        "The count has to outlive one call: the endpoint is made anew for each connection, so keep it on `self`.",
    ),
    why="Each message is read in one place, and each connection has a count of its own.",
    helps={rules.ends_quietly: 1, tells_the_true_code: 1, rules.hears_goodbye_once: 1, rules.answers_everything: 3},
)


# ---- 2: the task group -----------------------------------------------------------------------------------------------


async def words(question: str) -> AsyncIterator[str]:
    """Yield one word for "one", two for "two", three for "three", with a pause before each; "forever" never ends."""
    for number in range(1, {"one": 1, "two": 2, "three": 3}.get(question, 2) + 1):
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        if (question, number) == ("forever", 2):
            await anyio.sleep_forever()
        yield f"{question} {number}"


def _answering(answer: Any) -> ASGIApp:
    return Starlette(routes=[WebSocketRoute("/", partial(_with_words, answer))])


async def _with_words(answer: Any, websocket: WebSocket) -> None:
    await answer(websocket, words)


async def _call(answer: Any, websocket: WebSocket) -> None:
    """Call an answer that may be any callable; for Starlette an object that is no function is an ASGI app."""
    await answer(websocket)


ex2 = AppExercise(
    lesson=LESSON,
    number=2,
    title="Answer",
    kind="handler",
    parameters=("websocket", "words"),
    mount=_answering,
    scripts=(
        (
            Send("one"),
            Send("three"),
            Send("two"),
            Expect("one 1"),
            Expect("three 1"),
            Expect("three 2"),
            Expect("three 3"),
            Expect("two 1"),
            Expect("two 2"),
            Send("forever"),
            Expect("forever 1"),
            Send("late"),
            Send("later"),
            Send("latest"),
        ),
        beside((Send("one"), Expect("one 1")), (Send("two"), Expect("two 1"), Expect("two 2"))),
        (),
    ),
    rules=(
        rules.answers_everything,
        rules.ends_quietly,
        rules.ends,
        rules.hears_goodbye_once,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Two places read here. A message goes to one of them: count what each of them gets.",
        "Let one task do all the reading. It hands questions on (an `asyncio.Queue` will do) and is the first to know "
        "that the peer has left.",
        "When the reader is done, nobody needs the answers: the reader's last act is `group.cancel_scope.cancel()`.",
    ),
    why="One reader hears of the end even while an answer is on its way, and ends what is left of that answer.",
    helps={
        rules.answers_everything: 1,
        rules.hears_goodbye_once: 1,
        rules.ends_quietly: 2,
        rules.ends: 3,
        rules.leaves_no_task: 3,
    },
)


# ---- 3: the seat -----------------------------------------------------------------------------------------------------


class HallOnFire(Exception):
    """The hall cannot answer any more."""


class Hall:
    """A place with numbered seats: `await enter()` takes one and returns its number, `await leave(seat)` frees it."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.returned: list[int] = []
        self.takers: list[Session | None] = []

    async def enter(self) -> int:
        """Take a seat; its number is yours until you leave."""
        await anyio.lowlevel.checkpoint()
        self.taken.append(len(self.taken) + 1)
        self.takers.append(current())
        note(f"enter: seat {self.taken[-1]}")
        return self.taken[-1]

    def seats_of(self, session: Session) -> list[int]:
        """Return the seats that were taken in a session."""
        return [seat for seat, taker in zip(self.taken, self.takers, strict=True) if taker is session]

    async def answer(self, seat: int, text: str) -> str:
        """Return what the hall says to `text`. Raises HallOnFire for "fire", and ValueError for a seat not taken."""
        await anyio.lowlevel.checkpoint()
        if seat not in self.taken or seat in self.returned:
            raise ValueError(f"seat {seat!r} is not taken")
        if text == "fire":
            raise HallOnFire("everybody out")
        return f"seat {seat} says {text}"

    async def leave(self, seat: int) -> None:
        """Give a seat back, at once. Raises ValueError for one that is not taken."""
        known = seat in self.taken and seat not in self.returned
        self.returned.append(seat)
        note(f"leave: seat {seat}" + ("" if known else ", which is not taken"))
        if not known:
            raise ValueError(f"seat {seat!r} is not taken")
        await anyio.lowlevel.checkpoint()


def _hall(answer: Any) -> ASGIApp:
    app = Starlette(routes=[WebSocketRoute("/", answer if inspect.isclass(answer) else partial(_call, answer))])
    app.state.hall = Hall()
    return app


def _seats(app: Any, session: Session) -> None:
    session.facts["hall"] = app.state.hall
    session.facts["allowed"] = (HallOnFire,)


@rule
def takes_one_seat(session: Session) -> str | None:
    """A connection takes one seat."""
    taken = len(session.facts["hall"].seats_of(session))
    if taken > 1 or (taken == 0 and session.codes):
        return f"hall.enter() was called {taken} times"
    return None


@rule
def gives_it_back(session: Session) -> str | None:
    """The seat is given back, once, whatever happened."""
    hall = session.facts["hall"]
    own = hall.seats_of(session)
    taken, returned = len(own), sum(hall.returned.count(seat) for seat in own)
    if returned < taken:
        return "the session is over and the seat is still taken"
    return f"hall.leave() was called {returned} times for one seat" if returned > taken else None


ex3 = AppExercise(
    lesson=LESSON,
    number=3,
    title="Sit",
    kind="either",
    parameters=("websocket",),
    mount=_hall,
    facts=_seats,
    scripts=(
        (Send("hello"), Expect("seat 1 says hello"), Send("again"), Expect("seat 1 says again")),
        (Send("hello"), Expect("seat 1 says hello"), Send("fire")),
        (
            *(Send("hello"), Expect("seat 1 says hello")),
            *(Send("hello", by="b"), Expect("seat 2 says hello", by="b")),
            Leave(),
            *(Send("again", by="b"), Expect(by="b")),
        ),
        (),
    ),
    rules=(
        takes_one_seat,
        rules.answers_everything,
        gives_it_back,
        rules.ends_quietly,
        rules.ends,
        rules.leaves_no_task,
        rules.hides_no_error,
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
