"""Exercise 1, Count: an endpoint whose work moves into callbacks, and what its on_disconnect is told."""

import json
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send, Step, StopReading, Wait, beside, by
from helpers.exercises.in_text import noting_bytes, sends_texts
from helpers.exercises.slow import READING, behind_many, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import LONG, codes, json_values


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
    return noting_bytes(Starlette(routes=[WebSocketRoute("/", Watched)]))


@rule
def tells_the_true_code(session: Session) -> str | None:
    """on_disconnect runs once and is told the code that the server reported."""
    told: list[int] = session.facts.get("told", [])
    if len(told) > 1:
        return f"on_disconnect was called {len(told)} times"
    if not told:  # a class whose on_connect does not come to its end need not call it
        over = session.codes or (session.sent and (session.refusals or session.cancelled_by))
        return "on_disconnect was never called" if over else None
    if session.codes and told != session.codes[:1]:
        return f"the server reported {session.codes[0]}, on_disconnect was told {told[0]}"
    return None


def _counted(values: Sequence[object], *, at_once: bool = False) -> list[Step]:
    """Return what a client says who has these values counted: one after the other, or all before the first answer."""
    sends = [Send(json.dumps(value, ensure_ascii=number % 2 == 0)) for number, value in enumerate(values)]
    expects = [Expect(json.dumps({"count": number + 1, "echo": value})) for number, value in enumerate(values)]
    return [*sends, *expects] if at_once else [step for pair in zip(sends, expects, strict=True) for step in pair]


MANY = 300  # messages of one connection: more than a bound that one would choose by eye
COUNTS = (
    Send('"hello"'),
    Expect('{"count": 1, "echo": "hello"}'),
    Send('"again"'),
    Expect('{"count": 2, "echo": "again"}'),
)
ex1 = AppExercise(
    lesson="02-double-receive",
    number=1,
    title="Count",
    kind="endpoint",
    parameters=(),
    mount=_watched,
    scripts=(COUNTS, beside(COUNTS, COUNTS), ()),
    also=(
        Case(_counted(json_values())),
        Case(_counted(json_values()[:12], at_once=True)),
        Case(beside(_counted(json_values()[3:6]), _counted(json_values()[6:12]))),
        Case(_counted(range(MANY)), most=10),
        Case(_counted(["long " * LONG]), most=0),
        Case((*COUNTS[:2], *by("b", COUNTS[:2]), Leave(), *by("b", COUNTS[2:])), mount=turned(_watched)),
        Case((StopReading(), COUNTS[0], Wait(5), *by("b", COUNTS)), most=0),
        Case(behind_many(COUNTS[:1], COUNTS), most=0),
        Case((Wait(90), *COUNTS[:2], Wait(200), *COUNTS[2:], Wait(90))),
        Case((Wait(2_000), *COUNTS[:2], Wait(4_000), *COUNTS[2:]), most=0),
        Case((COUNTS[0], Wait(READING + 1), *COUNTS[1:]), mount=slow(_watched), most=0),
        *(Case((*COUNTS, Leave(code)), most=40) for code in (*codes(), None)),
    ),
    rules=(
        rules.answers_everything,
        sends_texts,
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
