"""The installed hypercorn: its TCPServer, on asyncio's streams, on a transport in memory."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from hangup.servers.installed.app import App
from hangup.servers.installed.transport import MemoryTransport


def start(app: App, transport: MemoryTransport) -> Callable[[], None]:
    """Start hypercorn; a shutdown does nothing to a connection that is open, until it cancels the app."""
    loop = asyncio.get_running_loop()

    async def called(scope: Any, receive: Any, send: Any) -> None:  # hypercorn wants a coroutine function
        await app(scope, receive, send)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await TCPServer(ASGIWrapper(called), loop, _config(), WorkerContext(None), {}, reader, writer)

    transport.tell(socket=_socket(transport))
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), serve, loop=loop)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return lambda: None


def _socket(transport: MemoryTransport) -> Any:
    """Return what is asked of a socket: its family and its two addresses."""
    address, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return SimpleNamespace(family=socket.AF_INET, getpeername=lambda: address, getsockname=lambda: own)


@functools.cache
def _config() -> Config:
    config = Config()
    config.errorlog = config.accesslog = None
    return config
