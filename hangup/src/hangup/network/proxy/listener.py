"""`proxy`: listens while a block runs, and forwards each connection that comes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hangup.network.ports import ProxiedTrace, traces
from hangup.network.proxy.connection import Connection
from hangup.network.proxy.url import HOST, BrokenUrl, parse_target
from hangup.network.toxics import Toxic
from hangup.trace.trace import Trace


class ProxyError(RuntimeError):
    """A proxy that cannot start: nobody listens where it should lead."""


@asynccontextmanager
async def proxy(url: str, *toxics: Toxic, trace: Trace | None = None, tapped: bool = False) -> AsyncIterator[BrokenUrl]:
    """Listen on 127.0.0.1 while the block runs, forward connections to the server at `url`, and break them.

    Yields a BrokenUrl. What happens is drawn in `trace`; without it, in that of the server, if it is one from `serve`.
    With `tapped`, the proxy itself draws all frames, for clients and servers that do not draw themselves.
    When the block ends, connections that are still open are closed. Raises ValueError if `url` is no WebSocket URL of
    this machine, TypeError if a toxic is none, ProxyError if nobody listens at `url`.
    """
    parts, port = parse_target(url)
    for toxic in toxics:
        if not isinstance(toxic, Toxic):
            raise TypeError(f"A proxy takes faults such as Reset(at=Frame(2)); {toxic!r} is none.")
    if port not in traces and not await _listens(port):
        raise ProxyError(f"Nobody listens at {url}: start the server first.")
    behind = traces.get(port, Trace()) if trace is None else trace
    loop = asyncio.get_running_loop()
    with socket.create_server((HOST, 0)) as listener:
        listener.setblocking(False)
        own: int = listener.getsockname()[1]
        broken = BrokenUrl(parts._replace(netloc=f"{HOST}:{own}").geturl())
        broken.target, broken.happened = url, asyncio.Event()
        broken.tapped, broken.frames = tapped, {"upstream": 0, "downstream": 0}
        broken.view = ProxiedTrace(behind)
        broken.trace = broken.view.trace
        traces[own] = Trace(silent=True) if tapped else broken.view
        connections: dict[asyncio.Task[None], Connection] = {}

        def accept() -> None:
            with contextlib.suppress(OSError):  # the client may have gone again
                client, address = listener.accept()
                connection = Connection(client, address[1], port, toxics, broken)
                connections[loop.create_task(connection.run())] = connection

        loop.add_reader(listener, accept)
        try:
            yield broken
        finally:
            del traces[own]
            loop.remove_reader(listener)
            await _stop(connections)


async def _stop(connections: "dict[asyncio.Task[None], Connection]") -> None:
    """Pass on what has come already, which takes a few turns of the loop; then close what is open."""
    for _ in range(10):
        await asyncio.sleep(0)
    for task, connection in connections.items():
        if not task.done():
            connection.stop()
            task.cancel()
    if connections:
        await asyncio.wait(connections)
    for task, connection in connections.items():
        connection.close()
        if not task.cancelled():
            task.result()


async def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(probe, (HOST, port))
        except OSError:
            return False
    return True
