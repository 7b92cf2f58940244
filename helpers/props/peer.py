"""A server that a client talks to, and the wire between them, on one event loop: for lessons on the client's side.

`peer(handler)` serves a plain websockets handler behind hangup's proxy. `end(how)` ends it: the server
closes, or the wire breaks, or it goes silent. On a LoopbackLoop, hours of silence take milliseconds.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve

from hangup.network.ports import traces
from hangup.network.proxy import proxy
from hangup.network.toxics import BlackHole, Close, Latency, Reset, Toxic, When
from hangup.trace.trace import Trace

HOST = "127.0.0.1"
ENDINGS = {
    "close": "the server closes with 1001",
    "fin": "the server's process dies (TCP FIN)",
    "reset": "the network resets the connection (TCP RST)",
    "silence": "the wire goes silent",
}
Handler = Callable[[ServerConnection], Awaitable[None]]
_quiet = logging.getLogger("helpers.props.peer")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Peer:
    """What `peer` yields: the URL to connect to, and a way to end the connection."""

    def __init__(self) -> None:
        self.url = ""
        self.opened = self.now_open = 0
        """How many connections there were, and are."""
        self.got: list[str | bytes] = []
        """What has come to the server, if it has no handler of its own."""
        self.ended_at: float | None = None
        """When `end` was called, in the loop's seconds."""
        self._code = 1001
        self._cuts = {how: asyncio.Event() for how in ENDINGS}

    @property
    def since_end(self) -> float | None:
        """Seconds since `end` was called."""
        return None if self.ended_at is None else asyncio.get_running_loop().time() - self.ended_at

    async def collect(self, websocket: ServerConnection) -> None:
        """Read into `got`."""
        async for message in websocket:
            self.got.append(message)

    def end(self, how: str = "silence", *, after: float = 0.0, code: int = 1001) -> None:
        """End the connection in one of the ways of `ENDINGS`, now or so many seconds later; `code` is for "close"."""
        loop = asyncio.get_running_loop()
        if after:
            loop.call_later(after, functools.partial(self.end, how, code=code))
        else:
            self.ended_at, self._code = loop.time(), code
            self._cuts[how].set()

    def toxics(self, seconds: float) -> list[Toxic]:
        """Return what the proxy does to the wire, each on request, and from the beginning a delay each way."""
        fin, reset, silence = (When(self._cuts[how]) for how in ("fin", "reset", "silence"))
        slow: list[Toxic] = [Latency(seconds), Latency(seconds, stream="downstream")] if seconds else []
        cuts = [Close(at=fin), Reset(at=reset), BlackHole(at=silence), BlackHole(at=silence, stream="downstream")]
        return [*slow, *cuts]

    async def run(self, handler: Handler, websocket: ServerConnection) -> None:
        """Run the handler until it returns or `end("close")` was called; an end of the connection is no error."""
        self.opened += 1
        work = asyncio.ensure_future(handler(websocket))
        told = asyncio.ensure_future(self._cuts["close"].wait())
        try:
            await asyncio.wait([work, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, told):
                task.cancel()
            await asyncio.wait([work, told])
        if self._cuts["close"].is_set():
            await websocket.close(self._code)  # nobody reads any more
        if not work.cancelled():
            with contextlib.suppress(websockets.ConnectionClosed):
                work.result()


@asynccontextmanager
async def peer(
    handler: Handler | None = None, *, trace: Trace | None = None, seconds: float = 0.0
) -> AsyncIterator[Peer]:
    """Serve `handler` behind a proxy while the block runs; everything takes `seconds` each way.

    Without a handler, the server reads into `got`. What happens on the wire is drawn in `trace`. Keepalive is the
    client's business: the server sends no pings.
    """
    here = Peer()

    async def run(websocket: ServerConnection) -> None:
        here.now_open += 1
        try:
            await here.run(handler or here.collect, websocket)
        finally:
            here.now_open -= 1

    options: dict[str, Any] = {
        "compression": None,
        "ping_interval": None,
        "close_timeout": 1,
        "open_timeout": None,
        "logger": _quiet,
    }
    async with serve(run, HOST, 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        traces[port] = Trace() if trace is None else trace
        try:
            async with proxy(f"ws://{HOST}:{port}", *here.toxics(seconds)) as url:
                here.url = url
                yield here
        finally:
            del traces[port]
