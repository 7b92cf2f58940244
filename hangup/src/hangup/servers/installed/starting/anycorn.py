"""The installed anycorn: its TCPServer, with a stream of anyio's shape on a transport in memory."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.abc

from hangup.servers.installed.app import App
from hangup.servers.installed.transport import MemoryTransport


def start(app: App, transport: MemoryTransport) -> Callable[[], None]:
    """Start anycorn; a shutdown does nothing to a connection that is open, until it cancels the app."""
    parts = ("tcp_server", "app_wrappers", "worker_context")
    tcp, wrappers, context = (import_module(f"anycorn.{name}") for name in parts)

    async def called(scope: Any, receive: Any, send: Any) -> None:  # anycorn wants a coroutine function
        await app(scope, receive, send)

    async def serve() -> None:
        server: Any = tcp.TCPServer(wrappers.ASGIWrapper(called), _config(), context.WorkerContext(None), {}, stream)
        with contextlib.suppress(asyncio.CancelledError):
            await server.run()

    stream = _Stream(transport)
    transport.set_protocol(stream)
    stream.task = asyncio.ensure_future(serve())
    return lambda: None


class _Stream(asyncio.Protocol):
    """What anycorn asks of anyio's SocketStream, and the protocol that feeds it."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._data = bytearray()
        self._arrived, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._eof = self._closed = False
        self._error: Exception | None = None
        self.task: asyncio.Task[None] | None = None

    # ---- what the transport calls ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Keep what has arrived."""
        self._data += data
        self._arrived.set()

    def eof_received(self) -> bool:
        """Keep the transport open, as anyio does."""
        self._eof = True
        self._arrived.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        if exc is not None:
            self._error = anyio.BrokenResourceError()
            self._error.__cause__ = exc
        self._eof = True
        self._arrived.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Let senders wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let senders go on."""
        self._writable.set()

    # ---- what anycorn calls ------------------------------------------------------------------------------------

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return what has arrived; raise as anyio does when nothing more will."""
        while not self._data:
            if self._closed:
                raise anyio.ClosedResourceError
            if self._eof:
                raise self._error or anyio.EndOfStream()
            self._arrived.clear()
            await self._arrived.wait()
        data, self._data = bytes(self._data[:max_bytes]), self._data[max_bytes:]
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes."""
        if self._closed:
            raise anyio.ClosedResourceError
        if self._error is not None or self._transport.lost:
            raise self._error or anyio.BrokenResourceError()
        self._transport.write(item)
        await self._writable.wait()

    async def send_eof(self) -> None:
        """End the server's half of the stream."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    async def aclose(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._closed = True
            self._transport.close()
            self._arrived.set()
            await asyncio.sleep(0)

    def extra(self, attribute: Any) -> Any:
        """Return what stands for the socket; there is no TLS."""
        if attribute is not anyio.abc.SocketAttribute.raw_socket:
            raise anyio.TypedAttributeLookupError("Attribute not found")
        address, own = (self._transport.get_extra_info(name) for name in ("peername", "sockname"))
        return SimpleNamespace(family=socket.AF_UNIX, getpeername=lambda: address, getsockname=lambda: own)


@functools.cache
def _config() -> Any:
    config: Any = import_module("anycorn.config").Config()
    config.errorlog = config.accesslog = None
    return config
