"""One scripted session on a real server: the client says its lines, then the connection ends in a way you choose.

A script is a list of steps, as data, so that the same script can be played in memory as well.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import websockets

from hangup.network.client import Connection, connect
from hangup.network.proxy import BrokenUrl, proxy
from hangup.network.toxics import Frame, Reset
from hangup.record.recorder import ASGIApp, Session
from hangup.servers.script import (
    CLOSED,
    HELLO,
    SILENT,
    Expect,
    Leave,
    Script,
    Send,
    Step,
    StopReading,
    as_expected,
    letters,
    steps_of,
)
from hangup.servers.serve import SERVERS, serve
from hangup.trace.events import Event
from hangup.trace.table import Table
from hangup.trace.trace import Trace

CUT = "the network is cut in the middle of the client's next message"
"""The ending `cut`: a proxy resets the connection when half of a frame has passed."""

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
    """Play `script` against `app` on a real server, end client a's connection, and return the app's Session of it.

    `ending` is a key of `ENDINGS`, or `cut`: one message more is sent, and a proxy resets the connection in the middle
    of it. `server` is one of `SERVERS`, `patience` how many seconds a client waits for an expected message, and the app
    for its own end. What a client missed is in its `session.facts["unanswered"]`; the
    sessions of other clients are in `session.others`.
    """
    if ending not in (*ENDINGS, "cut"):
        raise ValueError(f"There is no ending called {ending!r}: choose one of {', '.join(ENDINGS)}, cut.")
    trace = Trace()
    clients = _Clients(steps_of(script), ending, patience, trace)
    async with serve(app, server=server, trace=trace, graceful_timeout=patience) as url:
        async with contextlib.AsyncExitStack() as stack:
            await clients.play(str(url), stack)
    sessions = {session.letter: session for session in url.sessions}
    for letter in {*clients.missed, *sessions}:
        session = sessions.setdefault(letter, Session(trace, letter))
        session.schedule = f"{server}/{ending}"
        session.facts |= {"unanswered": clients.missed.get(letter, []), "fired": clients.fired}
    first = sessions.pop("a")
    first.others = [sessions[letter] for letter in sorted(sessions)]
    return first


class _Clients:
    """The clients of a script, on real connections."""

    def __init__(self, steps: Sequence[Step], ending: str, patience: float, trace: Trace) -> None:
        self.steps = steps
        self.ending = ending
        self.patience = patience
        self.trace = trace
        self.open: dict[str, Connection] = {}
        self.missed: dict[str, list[str]] = {"a": []}
        self.fired = False
        self.broken: BrokenUrl | None = None

    async def play(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        """Say every line, end client a's connection where the script says so, and let the others leave."""
        before, after = self.before, self.steps[len(self.before) + 1 :]
        try:
            await self._join(url, letters(before), stack)
            done = await self._say(before, exact=True)
            await self._end(self.open["a"])
            if done and after:
                await self._join(url, letters(after), stack)
                await self._say([step for step in after if not isinstance(step, Leave)], exact=False)
        except (websockets.InvalidHandshake, websockets.InvalidMessage, TimeoutError) as error:
            self.missed[max(self.missed)].append(f"the connection was not accepted: {error}")

    @property
    def before(self) -> Sequence[Step]:
        """The steps before client a leaves."""
        marks = [n for n, step in enumerate(self.steps) if isinstance(step, Leave)] or [len(self.steps)]
        return self.steps[: marks[0]]

    async def _end(self, client: Connection) -> None:
        """End client a's connection, and see whether it did end that way."""
        if self.broken is None:
            await ENDINGS[self.ending][1](client)
            self.fired = True
            return
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.send("of this message only one half arrives")
            await client.wait_closed()
        self.fired = self.broken.fired == 1

    async def _join(self, url: str, who: Sequence[str], stack: contextlib.AsyncExitStack) -> None:
        for letter in who:
            if letter not in self.open:
                self.missed[letter] = []
                if letter == "a" and self.ending == "cut":
                    said = sum(isinstance(step, Send) and step.by == "a" for step in self.before)
                    self.broken = await stack.enter_async_context(proxy(url, Reset(at=Frame(said + 1, inside=True))))
                target = self.broken if letter == "a" and self.broken else url
                opening = connect(target, open_timeout=self.patience, close_timeout=self.patience)
                self.open[letter] = await stack.enter_async_context(opening)
        if len(self.open) > 1:
            for client in self.open.values():
                client.chain = ("script",)

    async def _say(self, steps: Sequence[Step], *, exact: bool) -> bool:
        """Play these steps; return whether all went well."""
        for step in steps:
            assert not isinstance(step, Leave)
            if isinstance(step, StopReading):
                continue  # this client reads only what it expects
            if problem := await _play(self.open[step.by], step, self.patience, exact=exact):
                self.missed[step.by].append(problem)
                line = f"client {step.by}"
                self.trace.record(Event(line, "note", problem), chains=(line,), rank=(2, step.by))
                return False
        return True


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


async def _play(client: Connection, step: Send | Expect, patience: float, *, exact: bool) -> str:
    """Do one step and return what went wrong, or nothing; unless `exact`, pass over messages that are not expected."""
    try:
        if isinstance(step, Send):
            await client.send(step.text)
            return ""
        async with asyncio.timeout(patience):
            while problem := as_expected(step, await client.recv()):
                if exact:
                    return problem
        return ""
    except TimeoutError:
        return SILENT
    except websockets.ConnectionClosed:
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.wait_closed()
        return CLOSED
