"""One scripted session on a real server: the client says its lines, then the connection ends in a way you choose.

A script is a list of steps, as data, so that the same script can be played in memory as well.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import websockets

from helpers.client import Connection, connect
from helpers.recorder import ASGIApp, Session
from helpers.servers import SERVERS, serve
from helpers.table import Table
from helpers.trace import Event, Trace


@dataclass(frozen=True)
class Send:
    """The client sends a text message."""

    text: str


@dataclass(frozen=True)
class Expect:
    """The client waits until a message arrives; with `text`, it must be this one, or the same JSON."""

    text: str | None = None


Script = Sequence[Send | Expect | str]
"""A script's steps; a plain string is short for `Send` of it."""
HELLO: Script = (Send('"hello"'), Expect())

ENDINGS: dict[str, tuple[str, Callable[[Connection], Awaitable[None]]]] = {
    "close": ("the client closes with 1001", lambda client: client.close(1001)),
    "fin": ("the client's process dies (TCP FIN)", lambda client: client.fin()),
    "reset": ("the network resets the connection (TCP RST)", lambda client: client.reset()),
}
"""How a connection ends: a short name, its description, and what the client does."""


async def run(
    app: ASGIApp,
    script: Script = HELLO,
    *,
    ending: str = "close",
    server: str = "uvicorn",
    patience: float = 1.0,
) -> Session:
    """Play `script` against `app` on a real server, end the connection, and return the app's Session.

    `ending` is a key of `ENDINGS`, `server` one of `SERVERS`. `patience` is how many seconds the client waits for an
    expected message, and the app for its own end. What the client missed is in `session.facts["unanswered"]`.
    """
    if ending not in ENDINGS:
        raise ValueError(f"There is no ending called {ending!r}: choose one of {', '.join(ENDINGS)}.")
    for step in script:
        if not isinstance(step, Send | Expect | str):
            raise TypeError(f"A script is a list of Send(text), Expect() and strings; {step!r} is none of these.")
    trace = Trace()
    missed: list[str] = []
    async with serve(app, server=server, trace=trace, graceful_timeout=patience) as url:
        try:
            async with connect(url, open_timeout=patience, close_timeout=patience) as client:
                for step in script:
                    if problem := await _play(client, step, patience):
                        missed.append(problem)
                        trace.record(Event("client a", "note", problem), chains=("client a",), rank=(2, "a"))
                        break
                await ENDINGS[ending][1](client)
        except (websockets.InvalidHandshake, websockets.InvalidMessage, TimeoutError) as error:
            missed.append(f"the connection was not accepted: {error}")
    session = url.sessions[0] if url.sessions else Session(trace, "a")
    session.schedule = f"{server}/{ending}"
    session.facts["unanswered"] = missed
    return session


async def compare(
    app: ASGIApp,
    script: Script = HELLO,
    *,
    what: Callable[[Session], object] | None = None,
    servers: Sequence[str] = SERVERS,
    endings: Sequence[str] = tuple(ENDINGS),
) -> Table:
    """Run the same session on every server under every ending, and put what came of it into a table.

    `what` takes a Session and returns what its field of the table says; by default, how the app ended.
    """
    rows = []
    for server in servers:
        sessions = [await run(app, script, ending=ending, server=server) for ending in endings]
        rows.append((server, *(str((what or how_it_ended)(session)) for session in sessions)))
    return Table(("server", *endings), tuple(rows))


def how_it_ended(session: Session) -> str:
    """Return a few words on how the app ended, with a mark: quietly, with an exception, or not at all."""
    if session.ended == "returned":
        return "✓ returns"
    if session.ended == "raised":
        error = session.error
        inner = f" [{type(error.exceptions[0]).__name__}]" if isinstance(error, BaseExceptionGroup) else ""
        return f"✗ {type(error).__name__}{inner}"
    return "✗ never ends"


async def _play(client: Connection, step: Send | Expect | str, patience: float) -> str:
    """Do one step and return what went wrong, or nothing."""
    try:
        if not isinstance(step, Expect):
            await client.send(step if isinstance(step, str) else step.text)
            return ""
        async with asyncio.timeout(patience):
            got = await client.recv()
        return as_expected(step, got)
    except TimeoutError:
        return "waited for an answer that did not come"
    except websockets.ConnectionClosed:
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.wait_closed()
        return "the connection was closed before the client had finished"


def as_expected(step: Expect, got: str | bytes) -> str:
    """Return what is wrong with a message that came for an Expect, or nothing."""
    same = step.text is None or got == step.text or _json(got) == _json(step.text) != ""
    return "" if same else f"expected {step.text!r}, got {got!r}"


def _json(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return ""
