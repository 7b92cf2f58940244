"""Exercise 1, Testify: a handler that says truthfully how its connection ended, and the evidence."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current, note
from hangup.record.recorder import Send as ASGISend
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send, Step, StopReading, Wait, beside, by
from helpers.exercises.slow import READING, behind_many, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import codes, texts

NO_CODE = frozenset({1005, 1006, 1015})  # never in a close frame (RFC 6455 section 7.4.1): nobody said them
BYE = "bye"
_WHO = {1012: ", which is the server's own code: the peer is still there"} | dict.fromkeys(
    NO_CODE, ", which no close frame carries"
)
Said = tuple[str, int | None]


def ended(by: str, code: int | None = None) -> None:
    """Report how the connection ended: by "peer", "server" or "app" with a code, or "cancelled", or "unknown".

    Raises ValueError for any other word, or if there should be a code and is none, or the other way round.
    """
    if by not in {"peer", "server", "app", "cancelled", "unknown"}:
        raise ValueError(f"ended() takes peer, server, app, cancelled or unknown, not {by!r}")
    if (code is None) != (by in {"cancelled", "unknown"}):
        raise ValueError(f"ended({by!r}) takes {'no code' if code is not None else 'a code as well'}")
    session = current()
    if session is not None:
        session.facts.setdefault("reports", []).append((by, code))
        note(f"ended({by!r})" if code is None else f"ended({by!r}, {int(code)})")


class _Witness:
    """An ASGI app around another one that keeps, in order, what its app was told and did: the evidence."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        session = current()
        if session is None:
            await self._app(scope, receive, send)
            return
        evidence: list[tuple[str, int]] = session.facts.setdefault("evidence", [])
        told: set[asyncio.Task[object] | None] = set()

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                evidence.append(("told", int(message.get("code", 1005))))
                told.add(asyncio.current_task())
            if message.get("text") == BYE:
                evidence.append(("asked", 0))
            return message

        async def said(message: Message) -> None:
            try:
                await send(message)
            except Exception:
                evidence.append(("refused too late" if asyncio.current_task() in told else "refused", 0))
                raise
            if message.get("text") == BYE:
                evidence.append(("echoed", 0))
            if message["type"] in {"websocket.accept", "websocket.close"}:
                evidence.append((message["type"][10:], int(message.get("code", 1000))))

        await self._app(scope, heard, said)


def _reporting(answer: Any) -> ASGIApp:
    async def endpoint(websocket: WebSocket) -> None:
        await answer(websocket, ended)

    return _Witness(Starlette(routes=[WebSocketRoute("/", endpoint)]))


def _reasoned(answer: Any) -> ASGIApp:
    """Mount an answer where every goodbye has its reason."""
    app = _reporting(answer)

    async def reasoned(scope: Scope, receive: Receive, send: ASGISend) -> None:
        async def heard() -> Message:
            message = await receive()
            return {**message, "reason": "going home"} if message["type"] == "websocket.disconnect" else message

        await app(scope, heard, send)

    return reasoned


def _evidence(session: Session) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for what, code in session.facts.get("evidence", []):
        found.setdefault(what, []).append(code)
    return found


def truths(session: Session) -> dict[Said, str]:
    """Return what a handler may truthfully report of this session, and for each why."""
    true: dict[Said, str] = {}
    if session.cancelled_by:
        true["cancelled", None] = "the handler was cancelled"
    if "refused" in _evidence(session):  # whoever sends need not know what another task was told
        true["unknown", None] = "send() raised, which tells no code"
    over = [(what, code) for what, code in session.facts.get("evidence", []) if what in {"close", "told"}]
    for what, code in over:
        if what == "told":
            true[_said(code)] = f"receive() said {code}" + _WHO.get(code, "")
        else:
            true["app", code] = f"the handler itself closed with {code}"
            break  # what receive() says from now on is an echo of that
    return true


def _said(code: int) -> Said:
    if code in NO_CODE:
        return "unknown", None
    return ("server" if code == 1012 else "peer"), code


@rule
def closes_on_bye(session: Session) -> str | None:
    """After "bye" the handler closes the connection with 4000, and does not echo it."""
    found = _evidence(session)
    if "echoed" in found:
        return 'it echoed "bye"'
    if "asked" in found and "close" in found and found["close"][0] != 4000 and not session.cancelled_by:
        return f"it closed with {found['close'][0]}"
    if (
        "asked" in found
        and not (found.keys() & {"close", "refused", "refused too late"})
        and session.schedule.endswith("@end")
    ):
        return None if session.cancelled_by else 'the peer said "bye", and nothing closed the connection'
    return None


@rule
def reports_once(session: Session) -> str | None:
    """Of every accepted connection the end is reported, once."""
    reports = session.facts.get("reports", [])
    if len(reports) > 1:
        return "it was reported twice: " + ", then ".join(_words(report) for report in reports[:2])
    if not reports and "accept" in _evidence(session):
        return "ended() was never called"
    return None


@rule
def tells_the_truth(session: Session) -> str | None:
    """What is reported is what the handler was told, or did, and no more."""
    true = truths(session)
    for report in session.facts.get("reports", []):
        if report not in true:
            why = "; ".join(true.values()) or "nobody had told the handler of an end"
            return f"{_words(report)}, but {why}"
    return None


def _words(report: Said) -> str:
    by, code = report
    return f"ended({by!r})" if code is None else f"ended({by!r}, {code})"


MANY = 300  # texts of one client: more than a bound that one would choose by eye
RARE = (1010, 1013, 1014)  # codes that a peer may say as well
NEARLY = ("Bye", " bye", "bye\n", "good bye", '"bye"')  # these are to be echoed


def _echoed(said: Sequence[str], *, at_once: bool = False) -> list[Step]:
    """Return what a client says who hears these texts again: one after the other, or all before the first echo."""
    sends, expects = [Send(text) for text in said], [Expect(text) for text in said]
    return [*sends, *expects] if at_once else [step for pair in zip(sends, expects, strict=True) for step in pair]


ex1 = AppExercise(
    lesson="01-three-endings",
    number=1,
    title="Testify",
    kind="handler",
    parameters=("websocket", "ended"),
    mount=_reporting,
    scripts=(
        (Send("hello"), Expect("hello"), Send("again"), Expect("again")),
        (Send("hello"), Expect("hello"), Send("bye")),
        (),
    ),
    also=(
        *(Case((*_echoed(["hello"]), Leave(code)), most=40) for code in (*codes(), None)),
        *(Case((*_echoed(["hello"]), Leave(code)), most=0) for code in RARE),
        Case((*_echoed((*texts(), *NEARLY)), Send("bye"))),
        Case((*_echoed(texts()[:12], at_once=True), Send("bye"))),
        Case((*_echoed([f"number {number}" for number in range(MANY)]), Send("bye")), most=10),
        Case((Send("bye"),)),
        Case((Send("one"), Send("two"), Send("bye"), Expect("one"), Expect("two")), most=0),
        Case((Send("slow"), Wait(READING + 1), Expect("slow"), Send("bye")), mount=slow(_reporting), most=0),
        Case((Wait(2_000), *_echoed(["late"]), Wait(4_000), *_echoed(["later"])), most=0),
        Case(_echoed(["hello"]), mount=_reasoned, most=0),
        Case(_echoed(["hello"]), endings=["cancel-twice"]),
        Case((Wait(90), *_echoed(["late"]), Wait(200), Leave(3000))),
        Case(beside((*_echoed(["hello", "again"]), Leave(3000)), (*_echoed(["one"]), Send("bye")))),
        Case((*_echoed(["hello"]), *by("b", _echoed(["one", "two"])))),
        Case(
            (*_echoed(["hello"]), *by("b", _echoed(["one"])), Leave(), *by("b", _echoed(["two"]))),
            mount=turned(_reporting),
        ),
        Case(beside((*_echoed(["hello"]), Send("bye")), _echoed(["one", "two", "three"]))),
        Case((StopReading(), Send("hello"), Wait(5), *by("b", _echoed(["one", "two"]))), most=0),
        Case(behind_many([Send("hello")], _echoed(["one", "two"])), most=0),
    ),
    rules=(
        rules.answers_everything,
        closes_on_bye,
        rules.ends_quietly,
        tells_the_truth,
        reports_once,
        rules.ends,
        rules.hears_goodbye_once,
    ),
    hints=(
        "Make a list of all the ways out of your function: a `return`, an exception that you catch, and one that you "
        "do not. Each of them needs its word.",
        "Nobody sends 1005 or 1006. And Starlette itself raises `WebSocketDisconnect(1006)` when `send` fails.",
        "Three branches: after `websocket.close(4000)`; `except WebSocketDisconnect as gone`, with `gone.code`; and "
        '`except asyncio.CancelledError`, which reports "cancelled" and raises again.',
    ),
    why="Every way out of the handler has its word, and no word says more than the handler was told.",
    helps={reports_once: 1, tells_the_truth: 2, closes_on_bye: 3, rules.heeds_cancellation: 3},
)
