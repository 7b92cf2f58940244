"""The exercises of lesson 04: a lifespan that ends with its connection, a stream of data, a ticker beside a reader.

Litestar catches what a handler raises and sends a websocket.close, so that the server hears nothing of it: `caught`, an
after_exception hook, writes it into the trace and into the session. What the exercises lend to answers (`ticks`,
`reply`, `readings`) keeps its state in the session that calls it, so that one Litestar app can serve every session of a
check: building one takes longer than exploring it.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
from litestar import Litestar, websocket_listener
from litestar.handlers import BaseRouteHandler
from litestar.handlers.websocket_handlers import WebsocketListener
from litestar.handlers.websocket_handlers._utils import ListenerHandler
from litestar.types import Scope

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current, describe, leaves, note
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Send
from helpers.judging.answers import Kind
from helpers.judging.exercise import Exercise

LESSON = "04-listener-lifespan"
HOUR = 3600.0  # seconds; virtual ones, unless an answer waits on a real server for a tick


class Broken(Exception):
    """A clock that ticks no more, or a reply that cannot be given."""


# ---- what Litestar catches -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caught:
    """An exception that a handler let out to Litestar, in words: it must not keep the handler's frames alive.

    refused: send() had told the app of the end with it, which it may let out; late: the app had received the disconnect
    by then; broken: it tells of what is Broken.
    """

    words: str
    refused: bool
    late: bool
    broken: bool


async def caught(error: Exception, scope: Scope) -> None:
    """Write an exception that Litestar catches into the trace; an after_exception hook."""
    note(f"Litestar catches {describe(error)}")
    session = current()
    if session is None:
        return
    inner = leaves(error)
    refused = all(each in session.refusals for each in inner)
    broken = any(isinstance(each, Broken) for each in inner)
    session.facts.setdefault("caught", []).append(Caught(describe(error), refused, bool(session.codes), broken))


@rule
def keeps_its_cancellation(session: Session) -> str | None:
    """A handler that nobody cancelled does not end with CancelledError."""
    if session.ended == "cancelled" and not session.cancelled_by:
        return "CancelledError left the handler"
    return None


@rule
def leaves_nothing_to_catch(session: Session) -> str | None:
    """When the peer leaves, no exception reaches Litestar, which would send a close."""
    found: list[Caught] = session.facts.get("caught", [])
    for each in found:
        if not each.broken and (each.late or not each.refused):
            return f"Litestar caught {each.words}, and sent websocket.close" + " after the disconnect" * each.late
    return None


@rule
def raises_only_what_send_raised(session: Session) -> str | None:
    """When the peer leaves, nothing reaches Litestar but what send() raised."""
    found: list[Caught] = session.facts.get("caught", [])
    others = [each.words for each in found if not each.refused]
    return f"Litestar caught {others[0]}, and sent websocket.close" if others else None


@rule
def hides_nothing_from_litestar(session: Session) -> str | None:
    """When ticks() or reply() fails, the handler fails: Litestar hears of it."""
    found: list[Caught] = session.facts.get("caught", [])
    cancelled = session.cancelled_by  # then there is nobody left to tell
    if session.facts.get("broke") and not cancelled and not any(each.broken for each in found):
        return f"{session.facts['broke']} raised Broken, and Litestar heard nothing of it"
    return None


RULES = (leaves_nothing_to_catch, *rules.STRICT)
"""What `explore` is to judge in this lesson."""


def _after_a_failure(app: Any, session: Session) -> None:
    """Allow what follows when something broke: Litestar's close, and that a task group prefers its own failure."""
    if session.facts.get("broke"):
        session.facts["allowed"] = (Exception,)
        session.facts["interrupted"] = False


def _after_a_lost_send(app: Any, session: Session) -> None:
    """Allow Litestar's close after what send() raised: @websocket_stream lets that out, in a group."""
    if session.facts.get("caught"):
        session.facts["allowed"] = (Exception,)


# ---- what answers may use ------------------------------------------------------------------------------------------


async def ticks() -> AsyncGenerator[str, None]:
    """Yield "tick 1", "tick 2", and the next one after an hour. Raises Broken when `reply` gets "stop"."""
    for number in range(1, 3):
        await _pause()
        yield f"tick {number}"
    try:
        async with asyncio.timeout(HOUR):
            await _stopped().wait()
    except TimeoutError:
        yield "tick 3"
        return
    raise _breaks("ticks()")


async def reply(text: str) -> str:
    """Return `text` in capitals, after a little thought: the shorter it is, the longer that takes.

    "stop" stops the clock that ticks; raises Broken for "crash".
    """
    if text == "crash":
        raise _breaks("reply()")
    if text == "stop":
        _stopped().set()
    await _pause(12 - 2 * min(len(text), 5))
    return text.upper()


@dataclass(frozen=True)
class Reading:
    """What one thermometer says."""

    place: str
    celsius: float


async def readings() -> AsyncGenerator[Reading, None]:
    """Yield three Readings, and the next one after an hour."""
    for reading in (Reading("roof", 21.5), Reading("cellar", 12.0), Reading("stairs", 19.25)):
        await _pause()
        yield reading
    await asyncio.sleep(HOUR)
    yield Reading("roof", 20.0)


async def _pause(times: int = 3) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


def _stopped() -> anyio.Event:
    """Return the event of this session that stops its clock."""
    session = current()
    event: anyio.Event = anyio.Event() if session is None else session.facts.setdefault("stopped", anyio.Event())
    return event


def _breaks(what: str) -> Broken:
    """Take note that something breaks in this session, and return the exception."""
    session = current()
    if session is not None:
        session.facts["broke"] = what
    return Broken(what)


# ---- answers and apps ----------------------------------------------------------------------------------------------


def _no_lifespan(answer: Any) -> str:
    """Say what is wrong with an answer that should be a connection_lifespan, or nothing."""
    name = _name(answer)
    if isinstance(answer, AbstractAsyncContextManager):
        return "This is what the function returned: pass the function itself, without ()."
    if isinstance(answer, BaseRouteHandler) or not callable(answer):
        return f"{name} is no function; this exercise wants {LIFESPAN.wants}."
    if inspect.isasyncgenfunction(answer):
        return f"{name} is a generator: put @asynccontextmanager on the line before its def."
    if inspect.iscoroutinefunction(answer):
        return f"{name} is an async function without a yield; this exercise wants {LIFESPAN.wants}."
    return _does_not_build(_echoing, answer, name)


def _no_handler(answer: Any) -> str:
    """Say what is wrong with an answer that should be a Litestar handler, or nothing."""
    name = _name(answer)
    listens = inspect.isclass(answer) and issubclass(answer, WebsocketListener)
    if not isinstance(answer, BaseRouteHandler) and not listens:
        return f'{name} is no Litestar handler: put @websocket("/"), or one of its relatives, on the line before it.'
    return _does_not_build(_routed, answer, name)


def _name(answer: Any) -> str:
    """Return the name that an answer has in its source."""
    named = answer
    while isinstance(named, BaseRouteHandler | ListenerHandler):
        named = getattr(named, "_fn", None)  # what its decorator was put on
    return str(getattr(named, "__name__", type(named).__name__))


def _does_not_build(mount: Any, answer: Any, name: str) -> str:
    try:
        mount(answer)
    except Exception as error:  # whatever a signature may do to it
        return f"Litestar does not take {name}: {describe(error)}"
    return ""


LIFESPAN = Kind("an async context manager for connection_lifespan", _no_lifespan)
HANDLER = Kind("a Litestar handler", _no_handler)
_built: list[tuple[Any, Litestar]] = []  # the last one


def _once(answer: Any, handler: Any) -> Litestar:
    """Return a Litestar app for an answer, the same one as long as the answer is the same."""
    if not _built or _built[0][0] is not answer:
        _built[:] = [(answer, Litestar([handler], logging_config=None, after_exception=[caught]))]
    return _built[0][1]


def _echoing(answer: Any) -> ASGIApp:
    """Mount a lifespan around a listener that replies."""

    @websocket_listener("/", connection_lifespan=answer)
    async def listener(data: str) -> str:
        return await reply(data)

    return _once(answer, listener)  # type: ignore[return-value]  # Litestar has types of its own for ASGI


def _routed(answer: Any) -> ASGIApp:
    return _once(answer, answer)  # type: ignore[return-value]


_TICKER = (
    rules.answers_everything,
    keeps_its_cancellation,
    rules.ends,
    leaves_nothing_to_catch,
    rules.ends_quietly,
    rules.leaves_no_task,
    rules.hides_no_error,
    hides_nothing_from_litestar,
)
"""The rules for a ticker beside a reader."""

TICKING = (Expect("tick 1"), Expect("tick 2"))
SCRIPTS = (
    (*TICKING, Send("one"), Expect("ONE"), Send("two"), Send("three"), Expect("TWO"), Expect("THREE")),
    (*TICKING, Send("stop")),
    (
        *(Expect("tick 1"), Expect("tick 1", by="b"), Expect("tick 2", by="b"), Send("crash")),
        Leave(),
        *(Send("still here", by="b"), Expect("STILL HERE", by="b")),
    ),
    (),
)


# ---- 1: the lifespan -----------------------------------------------------------------------------------------------

ex1 = Exercise(
    lesson=LESSON,
    number=1,
    title="End",
    kind=LIFESPAN,
    parameters=("socket",),
    mount=_echoing,
    facts=_after_a_failure,
    scripts=SCRIPTS,
    rules=_TICKER,
    hints=(
        "`await task` raises what the task raised: a cancellation that you asked for, and also an error that you want "
        "to hear of. Which construct tells the two apart?",
        "`asyncio.TaskGroup` cancels its tasks when its block fails, and keeps their cancellations to itself. Put the "
        "`yield` into its block.",
        "What leaves the group is an ExceptionGroup. `except* (WebSocketDisconnect, OSError): pass` around the group "
        "takes the goodbye out of it, and lets everything else through.",
    ),
)


# ---- 2: the stream -------------------------------------------------------------------------------------------------

ex2 = Exercise(
    lesson=LESSON,
    number=2,
    title="Measure",
    kind=HANDLER,
    parameters=(),
    mount=_routed,
    facts=_after_a_lost_send,
    scripts=(
        (
            Expect('{"place": "roof", "celsius": 21.5}'),
            Expect('{"place": "cellar", "celsius": 12.0}'),
            Expect('{"place": "stairs", "celsius": 19.25}'),
        ),
        (),
    ),
    rules=(
        rules.answers_everything,
        rules.ends,
        raises_only_what_send_raised,
        rules.ends_quietly,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Two things are missing: somebody who turns a Reading into text, and somebody who waits for the disconnect "
        "while the thermometers are silent.",
        "`@websocket_stream` does both. It wants a function that yields, with a return annotation "
        "`AsyncGenerator[Reading, None]`.",
        "Its body is `async for reading in readings(): yield reading`. Or keep `@websocket`, and give "
        "`send_websocket_stream` both: `send_handler=WebSocket.send_json, listen_for_disconnect=True`.",
    ),
)


# ---- 3: the ticker -------------------------------------------------------------------------------------------------

ex3 = Exercise(
    lesson=LESSON,
    number=3,
    title="Tick",
    kind=HANDLER,
    parameters=(),
    mount=_routed,
    facts=_after_a_failure,
    scripts=SCRIPTS,
    rules=_TICKER,
    hints=(
        "Who reads here? `listen_for_disconnect` reads too, and throws away what it reads.",
        "Without it, your own loop is the first to know that the client has left: `iter_data` ends then. What becomes "
        "of the ticker at that moment?",
        "Keep the ticker's task: `ticker = group.create_task(…)`, and `ticker.cancel()` after the loop. The group does "
        "not mind. A tick or a reply on its way may raise a goodbye: `except* (WebSocketDisconnect, OSError)`.",
    ),
)
