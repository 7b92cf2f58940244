"""Plays a script on a real server: its clients, on real connections, say their lines one after the other."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import websockets

from hangup.network.client import Connection, connect
from hangup.network.proxy import BrokenUrl, proxy
from hangup.network.toxics import Frame, Reset
from hangup.record.session import Session
from hangup.servers.clients.answers import Values, as_expected, names_of
from hangup.servers.clients.handshake import Jar, handshake, request
from hangup.servers.clients.lost import lost
from hangup.servers.clients.response import fetched
from hangup.servers.script import (
    CLOSED,
    SILENT,
    Client,
    Expect,
    Leave,
    Request,
    Send,
    Step,
    Wait,
    at_first,
    before_all,
)
from hangup.servers.stalls import patience
from hangup.trace.events import Event
from hangup.trace.trace import Trace

End = Callable[[Connection], Awaitable[None]]
"""What client a does to leave."""
LONGEST = 10.0  # seconds that a pause of a script lasts at most, where seconds are real
_REFUSED = (websockets.InvalidHandshake, websockets.InvalidMessage, TimeoutError)


class Clients:
    """The clients of a script, on real connections; `end` is how client a's ends, None a cut inside a message.

    `missed` is what went wrong for each client, in words, `lost` what the server had not handed on by then; `fired` is
    whether client a's connection ended as it should, `names` what the trace calls each client. `sessions` grows, one
    for each connection.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        end: End | None,
        patience: float,
        trace: Trace,
        path: str,
        sessions: Sequence[Session] = (),
    ) -> None:
        self.steps = [step for step in steps if not isinstance(step, Client)]
        self.missed: dict[str, list[str]] = {"a": []}
        self.lost: list[str] = []
        self.names: dict[str, str] = {}
        self.fired = False
        self._end = end
        self._patience = patience
        self._trace = trace
        self._sessions = sessions
        self._path = path
        self._clients = {step.by: step for step in steps if isinstance(step, Client)}
        self._open: dict[str, Connection] = {}
        self._left: Connection | None = None
        self._broken: BrokenUrl | None = None
        self._values = Values(names_of(steps))
        self._jars: dict[str, Jar] = {}

    async def play(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        """Say every line, end client a's connection where the script says so, and let the others leave."""
        ends = next((n for n, step in enumerate(self.steps) if isinstance(step, Leave)), len(self.steps))
        opens = before_all(self.steps)
        done = await self._say(self.steps[:opens], url, stack, exact=True)
        for letter in at_first(self.steps):
            if not await self._join(letter, url, stack):
                return
        done = done and await self._say(self.steps[opens:ends], url, stack, exact=True)
        await self._leave(self._open["a"])
        if done:
            await self._say(self.steps[ends:], url, stack, exact=False)

    async def _leave(self, client: Connection) -> None:
        """End client a's connection, and see whether it did end that way."""
        self._left = client
        if self._broken is None:
            assert self._end is not None
            await self._ended(client, self._end)
            self.fired = True
            return
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.send("of this message only one half arrives")
            await client.wait_closed()
        self.fired = self._broken.fired == 1

    async def _ended(self, client: Connection, end: End) -> None:
        """Let a client end its connection, and give up as websockets does if the server does not end it, too."""
        try:
            async with patience(self._patience):
                await end(client)
        except TimeoutError:
            client.transport.abort()
            await client.wait_closed()

    async def _join(self, letter: str, url: str, stack: contextlib.AsyncExitStack) -> bool:
        """Let a client connect; return whether it is let in."""
        self.missed.setdefault(letter, [])
        asked = handshake(self._clients.get(letter), self._path, self._jar(letter), self._values)
        target = url
        if letter == "a" and self._end is None:
            self._broken = await stack.enter_async_context(proxy(url, Reset(at=Frame(self._said + 1, inside=True))))
            target = self._broken
        target += asked.path if asked.path != "/" else ""
        options: dict[str, Any] = {"additional_headers": asked.headers, "subprotocols": asked.subprotocols or None}
        opening = connect(target, open_timeout=None, close_timeout=None, **options)
        try:
            async with patience(self._patience):
                self._open[letter] = client = await stack.enter_async_context(opening)
        except _REFUSED as error:
            words = "timed out during opening handshake" if isinstance(error, TimeoutError) else error
            self.missed[letter].append(f"the connection was not accepted: {words}")
            return False
        stack.push_async_callback(self._ended, client, Connection.close)
        self.names[client._letter] = letter
        if len(self._open) > 1:
            for each in self._open.values():
                each.chain = ("script",)
        return True

    @property
    def _said(self) -> int:
        """How many messages client a sends before it leaves."""
        before = self.steps[: next((n for n, step in enumerate(self.steps) if isinstance(step, Leave)), None)]
        return sum(isinstance(step, Send) and step.by == "a" for step in before)

    def _jar(self, letter: str) -> Jar:
        return self._jars.setdefault(letter, Jar())

    # ---- one step --------------------------------------------------------------------------------------------

    async def _say(self, steps: Sequence[Step], url: str, stack: contextlib.AsyncExitStack, *, exact: bool) -> bool:
        """Play these steps; return whether all went well."""
        for step in steps:
            if isinstance(step, Wait):
                await asyncio.sleep(min(step.seconds, LONGEST))
            if not isinstance(step, Send | Expect | Request):
                continue
            new = step.by not in self._open and not isinstance(step, Request)
            if new and not await self._join(step.by, url, stack):
                return False
            problem = await (self._ask(step, url) if isinstance(step, Request) else self._talk(step, exact=exact))
            if problem:
                self.missed.setdefault(step.by, []).append(problem)
                self.lost += self._lost()
                line = f"client {self._open[step.by]._letter if step.by in self._open else step.by}"
                self._trace.record(Event(line, "note", problem), chains=(line,), rank=(2, step.by))
                return False
        return True

    def _lost(self) -> list[str]:
        """Say what the server has not handed on between the clients that stay and their apps."""
        clients = {client._letter: client for client in self._open.values() if client is not self._left}
        found = (lost(each, clients[each.letter]) for each in self._sessions if each.letter in clients)
        return [words for words in found if words]

    async def _talk(self, step: Send | Expect, *, exact: bool) -> str:
        """Do one step and return what went wrong, or nothing; unless `exact`, pass over messages not expected."""
        client = self._open[step.by]
        try:
            if isinstance(step, Send):
                said = self._values.filled(step.by, step.text) if isinstance(step.text, str) else step.text
                if said is not None:
                    await client.send(said)
                return ""
            async with patience(self._patience):
                while True:
                    got = await client.recv()
                    problem = as_expected(step, got) or self._values.keep(step, got)
                    if exact or not problem:
                        return problem
        except TimeoutError:
            return SILENT
        except websockets.ConnectionClosed:
            with contextlib.suppress(websockets.ConnectionClosed):
                await client.wait_closed()
            return CLOSED

    async def _ask(self, step: Request, url: str) -> str:
        """Make a request and return what was wrong with the response, or nothing."""
        asked = request(step, self._jar(step.by), self._values)
        if asked is None:
            return ""
        client = f"client {step.by}"
        self._draw(Event(client, asked.method, asked.path, "server"), client)
        host, _, port = url.removeprefix("ws://").partition(":")
        response = await fetched(host, int(port), asked, self._patience)
        shown = ("TCP FIN", response.problem) if response.problem else (str(response.status), response.words)
        self._draw(Event("server", *shown, client), client)
        self._jar(step.by).keep(response.headers)
        return response.wrong(step) or self._values.keep(step, response.text)

    def _draw(self, event: Event, client: str) -> None:
        self._trace.record(event, chains=(client,), rank=(2, client[-1:]))
