"""The exercise of lesson 00: two lines, to see how check, hint and solution work."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp
from hangup.servers.script import Expect, Leave, Script, Send, StopReading, Wait, beside, by
from helpers.exercises.race import ends_quietly, racing
from helpers.exercises.slow import READING, behind_many, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import codes, texts

SHOUTS = (Send("hello"), Expect("HELLO"), Send("is it loud?"), Expect("IS IT LOUD?"))
ASIDES = (Send("who are you?"), Expect("WHO ARE YOU?"), Send("who?"), Expect("WHO?"))
MANY = 300  # texts of one client: more than a bound that one would choose by eye


def shouted(said: Sequence[str], *, at_once: bool = False) -> Script:
    """Return what a client says who shouts for these texts: one after the other, or all before the first answer."""
    sends, expects = [Send(text) for text in said], [Expect(text.upper()) for text in said]
    return [*sends, *expects] if at_once else [step for pair in zip(sends, expects, strict=True) for step in pair]


def mount(answer: Any) -> ASGIApp:
    """Make an app whose only route is the answer."""

    async def endpoint(websocket: WebSocket) -> None:
        await answer(websocket)  # a callable object is no endpoint for Starlette; this function is

    return racing(Starlette(routes=[WebSocketRoute("/", endpoint)]))


ex1 = AppExercise(
    lesson="00-start-here",
    number=1,
    title="Shout",
    kind="handler",
    parameters=("websocket",),
    mount=mount,
    scripts=(SHOUTS, beside(SHOUTS, ASIDES), ()),
    also=(
        Case(shouted(texts())),
        Case(shouted(texts()[:12], at_once=True)),
        Case(beside(shouted(texts()[6:12]), shouted(texts()[12:]))),
        Case(shouted([f"number {number}" for number in range(MANY)]), most=10),
        Case(shouted(["loud " * 210_000]), most=0),
        Case((*SHOUTS[:2], *by("b", ASIDES))),
        Case((StopReading(), SHOUTS[0], Wait(5), *by("b", ASIDES)), most=0),
        Case(behind_many(SHOUTS[:1], ASIDES), most=0),
        Case((*SHOUTS[:2], *by("b", ASIDES[:2]), Leave(), *by("b", ASIDES[2:])), mount=turned(mount)),
        Case((Wait(2_000), *SHOUTS[:2], Wait(4_000), *SHOUTS[2:]), most=0),
        Case((Wait(90), *SHOUTS[:2], Wait(200), *SHOUTS[2:], Wait(90))),
        Case((SHOUTS[0], Wait(READING + 1), *SHOUTS[1:]), mount=slow(mount), most=0),
        *(Case((*SHOUTS[:2], Leave(code)), most=10) for code in (*codes(), None)),
    ),
    without=(rules.ends_quietly,),
    rules=(rules.answers_everything, ends_quietly, rules.ends, rules.leaves_no_task),
    hints=(
        "The handler must do something for *every* message, so it needs a loop.",
        "`async for text in websocket.iter_text():` loops until the peer leaves, and then ends without an exception.",
        "Inside the loop: `await websocket.send_text(text.upper())`.",
    ),
    why="Whoever reads until the end is told of it: the loop ends, and nothing is left to clean up.",
    helps={rules.answers_everything: 1, rules.ends: 2, ends_quietly: 2},
)
