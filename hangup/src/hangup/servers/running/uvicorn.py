"""A real uvicorn on the running loop."""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hangup.record.recorder import Recorder
from hangup.servers.running.listening import Run, lifespan_error
from hangup.servers.stalls import pending

if TYPE_CHECKING:
    import uvicorn


def runs(ws: str) -> Run:
    """Return what runs uvicorn with this WebSocket implementation (its option `--ws`)."""

    @asynccontextmanager
    async def run(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
        import uvicorn

        config = uvicorn.Config(recorder, ws=ws, log_config=None, access_log=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ws="websockets" is deprecated and taught on purpose
            config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        try:
            await server.startup(sockets=[sock])
        except SystemExit:
            raise lifespan_error(recorder) from None
        await server.on_tick(0)
        try:
            yield
        finally:
            await _stop(server, graceful_timeout)

    return run


async def _stop(server: "uvicorn.Server", graceful_timeout: float) -> None:
    """Do what Server.shutdown does, waiting for events where it polls ten times a second."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await asyncio.sleep(0)
    left = await pending(server.server_state.tasks, graceful_timeout)
    for task in left:
        task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
    await pending(left, graceful_timeout)
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await server.lifespan.shutdown()
