"""Exercise 2, Notice: a push that ends when its peer leaves, and sources that are slow, rush, fail or say nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.record.rules import rule
from hangup.servers.script import Client, Expect, Leave, Send, StopReading, Wait, beside, by
from hangup.time.virtual import time_is_virtual
from helpers.exercises.race import ends_quietly, leaves_no_task, racing
from helpers.exercises.slow import READING, behind_many, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import texts

LETTING_GO = 12.0  # seconds of a source that is cancelled: longer than the ten that one would wait by eye
MANY = 1_100  # texts that are ignored: more than the thousand that one would choose by eye


class PricesFailed(Exception):
    """No more prices will come."""


class Prices:
    """An async iterator over these prices, and then nothing, for ever.

    Before the last of them is a `pause` of so many seconds, before each if they are `slow`, and if they are `rushing`
    not even a turn of the loop; one that is `failing` raises PricesFailed in place of nothing. Who cancels it has to
    wait for the seconds in which it lets go of its feed.
    """

    def __init__(
        self,
        prices: Sequence[str],
        *,
        pause: float = 2.0,
        slow: bool = False,
        rushing: bool = False,
        failing: bool = False,
    ) -> None:
        self._prices = prices
        self._pause, self._slow, self._rushing, self._failing = pause, slow, rushing, failing
        self._told = 0

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        """Wait for the next price."""
        self._told += 1
        virtual = time_is_virtual()  # there time costs nothing
        try:
            for _ in range(0 if self._rushing else 3):
                await anyio.lowlevel.checkpoint()
            if virtual and (self._slow or self._told == len(self._prices)):
                await anyio.sleep(self._pause)
            if self._told > len(self._prices):
                await self._end()
        except asyncio.CancelledError:
            await anyio.sleep(LETTING_GO if virtual else 0)
            raise
        return self._prices[self._told - 1]

    async def _end(self) -> None:
        """Fail, or give nothing for ever."""
        if not self._failing:
            await anyio.sleep_forever()
        session = current()
        if session is not None:
            session.facts["failed"] = True
            note("prices fails")
        raise PricesFailed("the exchange is closed")


THREE = ("price 1", "price 2", "price 3")
RUSH = tuple(f"{number}.{number % 7}" for number in range(200))
SOURCES: dict[str, Callable[[], Prices]] = {
    "/": lambda: Prices(THREE),
    "/any": lambda: Prices(texts()),
    "/slow": lambda: Prices(THREE, pause=60.0, slow=True),
    "/rare": lambda: Prices(THREE, pause=4_000.0),
    "/rush": lambda: Prices(RUSH, rushing=True),
    "/fails": lambda: Prices(THREE[:2], pause=0.0, failing=True),
    "/none": lambda: Prices(()),
}


def _pushing(answer: Any) -> ASGIApp:
    app = Starlette(
        routes=[WebSocketRoute(path, partial(_with_prices, answer, make)) for path, make in SOURCES.items()]
    )
    return racing(app)


async def _with_prices(answer: Any, make: Callable[[], Prices], websocket: WebSocket) -> None:
    await answer(websocket, make())


def _may_fail(_: Any, session: Session) -> None:
    session.facts |= {"allowed": (PricesFailed,), "sends may raise": True}


@rule
def ends_because_it_was_told(session: Session) -> str | None:
    """The handler ends because it was told of the end, and not before."""
    told = session.codes or session.refusals or session.cancelled_by or session.facts.get("failed")
    return None if told or session.ended != "returned" else "it returned, and nobody had told it that the peer is gone"


ex2 = AppExercise(
    lesson="01-three-endings",
    number=2,
    title="Notice",
    kind="handler",
    parameters=("websocket", "prices"),
    mount=_pushing,
    scripts=(
        (Expect("price 1"), Expect("price 2"), Expect("price 3")),
        (Send("nice"), Expect("price 1"), Send("so"), Send("cheap"), Expect("price 2"), Send("!"), Expect("price 3")),
        (),
    ),
    also=(
        Case([step for text in texts() for step in (Send(text), Expect(text))], "/any"),
        Case([step for price in THREE for step in (Wait(60.5), Expect(price))], "/slow"),
        Case((Send("nothing?"), Wait(90), Wait(200)), "/none"),
        Case((*map(Expect, THREE[:2]), Wait(4_001), Expect(THREE[2])), "/rare", most=0),
        Case([Expect(price) for price in RUSH], "/rush", most=20),
        Case((Wait(READING + 5), *map(Expect, THREE)), mount=slow(_pushing), most=0),
        Case((*[Send("cheap")] * MANY, *map(Expect, THREE)), most=5),
        Case((Expect("price 1"), Expect("price 2"), Wait(30)), "/fails"),
        Case([*beside([Expect(price) for price in THREE], [Expect(price) for price in THREE]), Leave(), Wait(30)]),
        Case([Client("b", "/"), *beside([Wait(5)], [Expect(price) for price in THREE])], "/none"),
        Case((Expect("price 1"), Leave(), *by("b", list(map(Expect, THREE))), Wait(30)), mount=turned(_pushing)),
        Case((StopReading(), *by("b", list(map(Expect, THREE)))), most=8),
        Case(behind_many((), list(map(Expect, THREE))), most=0),
    ),
    facts=_may_fail,
    without=(rules.ends_quietly, rules.leaves_no_task),
    rules=(
        rules.answers_everything,
        ends_because_it_was_told,
        rules.ends,
        ends_quietly,
        rules.hears_goodbye_once,
        leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Who is told of the end on every server? The one who receives. So somebody has to, all the time.",
        "Two things at once: one task sends prices, the other receives until the disconnect, whatever else comes.",
        "With an anyio task group, start the push with `group.start_soon(...)`; in the block, call "
        '`websocket.receive()` until the type is "websocket.disconnect"; then call `group.cancel_scope.cancel()`. '
        "`send_text` may be told of the end first, and raise: catch that. (The check lets it pass: there a server may "
        "raise.)",
    ),
    why="Somebody receives all the time, and so is told of the end on every server; who only sends may never be.",
    helps={
        rules.ends: 1,
        ends_because_it_was_told: 1,
        rules.answers_everything: 2,
        ends_quietly: 3,
        leaves_no_task: 3,
    },
)
