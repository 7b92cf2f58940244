"""How an answer of lesson 04 becomes a Litestar app, and what is said of one that cannot.

One app serves every session of a check: building one takes longer than exploring it.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, websocket_listener
from litestar.handlers import BaseRouteHandler
from litestar.handlers.websocket_handlers import WebsocketListener
from litestar.handlers.websocket_handlers._utils import ListenerHandler

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, current, describe
from hangup.time.virtual import time_is_virtual
from helpers.exercises.in_text import note_bytes
from helpers.exercises.listener_lifespan.catching import caught
from helpers.exercises.listener_lifespan.clock import reply, stopped
from helpers.judging.answers import Kind


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
    problem = _does_not_build(echoing, answer, name)
    if problem and not inspect.isfunction(answer):
        kind = "a class" if inspect.isclass(answer) else f"a {type(answer).__name__}"
        return f"Litestar does not take {kind} here: wrap it in a function with `socket: WebSocket`."
    return problem


def _no_handler(answer: Any) -> str:
    """Say what is wrong with an answer that should be a Litestar handler, or nothing."""
    name = _name(answer)
    listens = inspect.isclass(answer) and issubclass(answer, WebsocketListener)
    if not isinstance(answer, BaseRouteHandler) and not listens:
        return f'{name} is no Litestar handler: put @websocket("/"), or one of its relatives, on the line before it.'
    return _does_not_build(routed, answer, name)


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


def _once(answer: Any, handler: Callable[[Any], Any]) -> Litestar:
    """Return a Litestar app for an answer, the same one as long as the answer is the same.

    `handler` makes what goes into it.
    """
    if not _built or _built[0][0] is not answer:
        _built[:] = [(answer, Litestar([handler(answer)], logging_config=None, after_exception=[caught]))]
    return _built[0][1]


def _listener(lifespan: Any) -> Any:
    """Return a listener that replies, within a lifespan."""

    @websocket_listener("/", connection_lifespan=lifespan)
    async def listener(data: str) -> str:
        return await reply(data)

    return listener


def echoing(answer: Any) -> ASGIApp:
    """Mount a lifespan around a listener that replies."""
    return _noting(_once(answer, _listener))


def routed(answer: Any) -> ASGIApp:
    """Mount a handler that says itself where it is."""
    return _noting(_once(answer, lambda handler: handler))


def _noting(litestar: Any) -> ASGIApp:
    """Note in a session's facts what an app sends as "bytes", when it was told that the peer had "left", and its end.

    The end is in the fact "over", in virtual time.
    """
    app: ASGIApp = litestar  # which has types of its own for ASGI

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        session = current()
        facts: dict[str, Any] = {} if session is None else session.facts
        now = asyncio.get_running_loop().time
        sent = 0

        async def hearing() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                facts.setdefault("left", now())
                if sent >= _ALL:  # what is sent while the goodbye is held up would come too late, by nobody's mistake
                    await _break_meanwhile(facts.get("together", 0))
            return message

        async def saying(message: Message) -> None:
            nonlocal sent
            note_bytes(session, message)
            await send(message)
            sent += 1

        try:
            await app(scope, hearing, saying)
        finally:
            if time_is_virtual():
                facts["over"] = now()

    return within


_ALL = 4  # an accept, two ticks, an answer


async def _break_meanwhile(turns: int) -> None:
    """Stop this session's clock, if there are turns of the loop for it: the goodbye comes after so many."""
    if turns:
        stopped().set()
    for _ in range(turns):
        await asyncio.sleep(0)


def given(mount: Callable[[Any], ASGIApp], **facts: Any) -> Callable[[Any], ASGIApp]:
    """Return a way to mount an answer whose sessions begin with these facts."""

    def mounted(answer: Any) -> ASGIApp:
        app = mount(answer)

        async def within(scope: Scope, receive: Receive, send: Send) -> None:
            if (session := current()) is not None:
                session.facts |= facts
            await app(scope, receive, send)

        return within

    return mounted
