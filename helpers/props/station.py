"""A server that a client comes back to: it closes, resets, restarts, turns away, and takes note of who came when.

`station(handler)` serves a plain websockets handler behind hangup's proxy, which draws one picture of
all the connections that a client makes. While the server is away its host resets whoever comes. For a LoopbackLoop:
an outage of an hour takes milliseconds. `visit` runs a whole client against one, there.

`deploy` stops a real server, in real time, while a client listens; `for_good` reads the code that a client then hears.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request

from hangup.network.client import Connection, connect
from hangup.network.ports import traces
from hangup.network.proxy import proxy
from hangup.network.toxics import Frame, Reset, Toxic
from hangup.record.recorder import Receive, Scope, Send
from hangup.servers import serve as servers
from hangup.time.loopback import in_virtual_time, now
from hangup.trace.events import Event
from hangup.trace.trace import Trace

T = TypeVar("T")
HOST = "127.0.0.1"
FOR_GOOD = {1002, 1003, 1007, 1008, 1009, 1010, *range(4000, 5000)}
BY_THE_BOOK = "by the book"  # a server that says 1001 when it goes down (RFC 6455 section 7.4.1)
Handler = Callable[[ServerConnection], Awaitable[None]]
_quiet = logging.getLogger("helpers.props.station")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def for_good(code: int | None) -> bool:
    """Return whether it is in vain to come back after this close code (RFC 6455 section 7.4)."""
    return code in FOR_GOOD


class Station:
    """What `station` yields: the URL to connect to, when somebody came, and ways to end every connection."""

    def __init__(self, trace: Trace, *, away: bool) -> None:
        self.url = ""
        self.trace = trace
        self.came: list[float] = []
        """When somebody asked for a connection, in the loop's seconds; also those that got none."""
        self.away = away
        """Whether the server is away: then its host resets whoever comes."""
        self.connections: set[ServerConnection] = set()

    async def close(self, code: int) -> None:
        """Close every connection with this code."""
        await asyncio.gather(*(each.close(code) for each in self.connections))

    def reset(self) -> None:
        """Reset every connection, as a host does whose process was killed."""
        for each in self.connections:
            _reset(each)

    async def restart(self, seconds: float, code: int | None = 1012) -> None:
        """Close every connection with this code (None: reset it), be away for so many seconds, and come back."""
        self.note("goes away")
        self.away = True
        await self.close(code) if code else self.reset()
        await asyncio.sleep(seconds)
        self.note(f"is back after {seconds:g} s")
        self.away = False

    def note(self, text: str) -> None:
        """Write onto the server's lifeline."""
        self.trace.record(Event("server", "note", text))

    def _door(self, connection: ServerConnection, request: Request) -> None:
        self.came.append(now())
        if self.away:
            _reset(connection)


@asynccontextmanager
async def station(
    handler: Handler, *toxics: Toxic, trace: Trace | None = None, away: bool = False
) -> AsyncIterator[Station]:
    """Serve `handler` while the block runs; the proxy before it has these toxics and draws in `trace`.

    An exception of the handler closes its connection with 1011. Keepalive is the client's business.
    """
    here = Station(Trace(ordered=True) if trace is None else trace, away=away)
    here.trace.ordered = True

    async def run(websocket: ServerConnection) -> None:
        here.connections.add(websocket)
        try:
            await handler(websocket)
        finally:
            here.connections.discard(websocket)

    options: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1, "logger": _quiet}
    async with serve(run, HOST, 0, process_request=here._door, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        traces[port] = here.trace
        try:
            async with proxy(f"ws://{HOST}:{port}", *toxics, tapped=True) as here.url:
                yield here
        finally:
            del traces[port]


def _reset(connection: ServerConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def visit(
    client: Callable[[str], Awaitable[object]],
    handler: Handler,
    reset_at: int | None = None,
    trace: Trace | None = None,
    seconds: float = 3_600.0,
    most: int = 10_000,
) -> list[float]:
    """Let a client visit a station in virtual time, and return the seconds at which it came.

    The network resets the first connection before the server's frame number `reset_at` (from 1) comes through.
    After so many seconds, or when it has come so often, it is cancelled. What it raises is raised.
    """
    __tracebackhide__ = True

    async def session() -> list[float]:
        __tracebackhide__ = True
        enough = asyncio.Event()

        async def count(websocket: ServerConnection) -> None:
            if len(server.came) >= most:
                enough.set()
            await handler(websocket)

        cut = [Reset(at=Frame(reset_at), stream="downstream", connections=1)] if reset_at else []
        async with station(count, *cut, trace=trace) as server:
            visiting, counting = asyncio.ensure_future(client(server.url)), asyncio.create_task(enough.wait())
            await asyncio.wait({visiting, counting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in (visiting, counting):
                task.cancel()
            await asyncio.wait({visiting, counting})
            if not visiting.cancelled():
                await visiting
            return server.came[:most]

    return in_virtual_time(session)


async def deploy(server: str, client: Callable[[Connection], Awaitable[T]]) -> T:
    """Stop this server with a connection open, and return what `client` makes of its end; the book has a server too."""
    async with AsyncExitStack() as stack:
        if server == BY_THE_BOOK:
            here = await stack.enter_async_context(station(lambda websocket: websocket.close(1001)))
            return await client(await stack.enter_async_context(connect(here.url)))
        async with servers.serve(_listens, server=server) as url:
            websocket = await stack.enter_async_context(connect(url))
        return await client(websocket)


async def _listens(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
