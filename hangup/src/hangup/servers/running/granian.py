"""A real granian on the running loop: its embedded server, whose own threads speak with the network."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hangup.record.recorder import Recorder
from hangup.servers.running.listening import HOST, until_listening
from hangup.servers.running.stopping import end_handlers, until_clients_left


@asynccontextmanager
async def run(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    """Serve on the socket's port while the block runs; at the end the apps are ended first, since granian ends none."""
    from granian.net import SocketSpec  # type: ignore[attr-defined]
    from granian.server.embed import Server

    class Embedded(Server):
        """On Linux, Server binds once more, to see whether it can, and never closes that socket. Not so here."""

        def _init_shared_socket(self) -> None:
            if sys.platform == "linux":
                self._ssp: Any = SocketSpec(self.bind_addr, self.bind_port, self.backlog)
            else:
                super()._init_shared_socket()

    port = sock.getsockname()[1]
    if sys.platform != "linux":
        sock.close()  # granian binds by itself; only Linux lets two sockets share a port on which one listens
    async with serving(Embedded, recorder, port, graceful_timeout):
        yield


@asynccontextmanager
async def serving(server_of: Any, recorder: Recorder, port: int, graceful_timeout: float) -> AsyncIterator[None]:
    """Run one of granian's embedded servers, made by a class of its own or of its kind, while the block runs."""
    from granian.constants import Interfaces

    # Its default logging configuration would close every handler of the process; this one changes nothing.
    quiet: dict[str, Any] = {"incremental": True, "handlers": {}, "loggers": {}}
    server = server_of(recorder, address=HOST, port=port, interface=Interfaces.ASGI, log_dictconfig=quiet)
    async with until_listening(asyncio.ensure_future(server.serve()), port, recorder, graceful_timeout, server.stop):
        try:
            yield
        finally:
            # granian leaves open WebSockets open when it stops, and with each of them a thread
            await end_handlers(recorder)
            await until_clients_left(recorder, graceful_timeout)
