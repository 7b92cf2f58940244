"""Plays the probes on a real server. No wait is without an end: what does not happen is a line of the log."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import websockets

from hangup import connect, serve
from hangup.network.client import Connection
from hangup.record.recorder import Receive, Send
from hangup.servers.stalls import patience, pending
from hangup.trace.trace import Trace
from support.probes import NEVER, PROBES, WAITS, Logged, Probe

STAYS = "the client is never sent away"
HUNG = 8 * NEVER  # seconds after which the probes of a server are given up
HANDSHAKE = (
    "GET /{0} HTTP/1.1\r\nHost: {1}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def no_code(client: Connection) -> None:
    """Close with a frame that has no body (RFC 6455 section 5.5.1)."""
    async with client.send_context():
        client.protocol.send_close()
    await client.wait_closed()


LEAVE: dict[str, Callable[[Connection], Awaitable[None]]] = {
    "close": lambda client: client.close(1001),
    "close 1000": lambda client: client.close(1000),
    "close with a reason": lambda client: client.close(3001, "bye"),
    "close without a code": no_code,
    "fin": lambda client: client.fin(),
    "reset": lambda client: client.reset(),
}


class Case:
    """A probe on one connection of a real server."""

    def __init__(self, probe: Probe, ending: str) -> None:
        self.probe = probe
        self.ending = ending
        self.begun, self.open, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.log: Logged | None = None
        self.never: list[str] = []

    @property
    def ready(self) -> asyncio.Event:
        """What must have happened before anything ends: the app is called, and if it accepts at once, the client in."""
        return self.begun if "early" in self.ending or self.ending == "own" else self.open

    @property
    def lines(self) -> list[str]:
        """What the app has logged, and what never happened."""
        return [*(self.log.lines if self.log is not None else []), *self.never]

    async def app(self, receive: Receive, send: Send) -> None:
        """Be the app of this connection."""
        await receive()
        self.log = Logged(receive, send)
        self.begun.set()
        try:
            await self.probe(self.log)
        finally:
            self.done.set()

    def leave(self) -> None:
        """Let the app know that the client has left, or that nothing else will happen."""
        if self.log is not None:
            self.log.leave()

    async def client(self, url: str) -> None:
        """Be the client, until it is sent away; when the app has ended, it does not wait much longer."""
        staying, done = asyncio.ensure_future(self._client(url)), asyncio.ensure_future(self.done.wait())
        await asyncio.wait([staying, done], return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
        if await pending([staying], NEVER):
            self.never.append(STAYS)
            staying.cancel()
            await asyncio.wait([staying])
        else:
            await staying

    async def _client(self, url: str) -> None:
        """Leave in the way of the ending, or stay until the app or the server ends it."""
        if self.ending in ("early fin", "early reset"):
            await self._raw(url, reset=self.ending == "early reset")
            return
        with contextlib.suppress(websockets.InvalidHandshake, websockets.InvalidMessage, OSError):
            async with connect(url, close_timeout=WAITS, open_timeout=None) as client:
                self.open.set()
                if self.ending in LEAVE:
                    await LEAVE[self.ending](client)
                    self.leave()
                await client.wait_closed()

    async def _raw(self, url: str, *, reset: bool) -> None:
        """Ask for a connection, and go away before there is an answer."""
        host, _, path = url.removeprefix("ws://").partition("/")
        _, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(HANDSHAKE.format(path, host).encode())
        await self.begun.wait()
        if reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        self.leave()


async def logs(server: str, *, shutdown: bool) -> dict[tuple[str, str], list[str]]:
    """Run all probes at once on a real server, those of the endings in which it shuts down or the others."""
    cases = {
        f"/{probe.__name__}/{ending.replace(' ', '-')}": Case(probe, ending)
        for probe, endings in PROBES.items()
        for ending in endings
        if ending.endswith("shutdown") == shutdown
    }

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await cases[scope["path"]].app(receive, send)

    async with _limit(server), asyncio.TaskGroup() as clients:
        async with serve(app, server=server, graceful_timeout=4 * NEVER) as url:
            for path, case in cases.items():
                clients.create_task(case.client(url + path))
            await _within(NEVER, (case.ready for case in cases.values()))
            for case in cases.values():
                if not case.begun.is_set():
                    case.never.append("the app is never called")
                    case.done.set()
                elif not case.ready.is_set():
                    case.never.append("the client is never let in")
                if shutdown or case.ending == "own" or not case.ready.is_set():
                    case.leave()
            if not shutdown:
                await _within(4 * NEVER, (case.done for case in cases.values()))
    return {(case.probe.__name__, case.ending): case.lines for case in cases.values()}


@contextlib.asynccontextmanager
async def _limit(server: str) -> AsyncIterator[None]:
    """Give up what is neither over nor bounded otherwise."""
    try:
        async with asyncio.timeout(HUNG):
            yield
    except TimeoutError:
        raise TimeoutError(f"the probes on {server} did not end within {HUNG:.0f} s") from None


async def _within(seconds: float, events: Iterable[asyncio.Event]) -> None:
    """Wait until all of this has happened, or for so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with patience(seconds):
            for event in events:
                await event.wait()


# ---- what the client sees --------------------------------------------------------------------------------------------


def drawn(trace: Trace) -> list[str]:
    """Return what a picture shows, without a server's words: what it logs, and how it calls an HTTP status.

    Where nothing in it sends the client away, the last line says so.
    """
    events = [event for event in trace if event.action != "logs"]
    lines = [" ".join((e.actor, e.to, e.action, "" if e.action.isdecimal() else e.detail)) for e in events]
    to_client = {e.action for e in events if e.to.startswith("client")} - {"101", "text"}
    return lines if to_client else [*lines, STAYS]


async def picture(server: str, app: Any, *, seconds: float = NEVER) -> list[str]:
    """Return the picture of a session on a real server, until the client is sent away or has waited that long."""

    async def client() -> None:
        with contextlib.suppress(websockets.InvalidHandshake, websockets.InvalidMessage):
            async with connect(url, open_timeout=None, close_timeout=WAITS) as connection:
                await connection.wait_closed()

    trace = Trace()
    async with serve(app, server=server, trace=trace) as url:
        waiting = asyncio.ensure_future(client())
        stays = await pending([waiting], seconds)
        so_far = drawn(trace)
        waiting.cancel()
    return so_far if stays else drawn(trace)
