"""A WebSocket server in a thread of its own, which hangs up when you say so: as far from your event loop as a peer is.

`hang_up` blocks on purpose. When it returns, the server's close frame lies in the client's socket, and the client's
event loop has had no chance to look: what a client does next, it does not knowing, in every run.
"""

import asyncio
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from helpers.trace import Event, Trace

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds


class Listener:
    """What `listener` yields. `got` holds the messages that the server's handler was given, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[str | bytes] = []
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._hang_up: asyncio.Event
        self._ready, self._read, self._written = threading.Event(), threading.Event(), threading.Event()

    def hang_up(self, client: ClientConnection, trace: Trace | None = None) -> None:
        """Let the server read one message and close with 1000; return when its close frame has come to `client`.

        Until then nothing else runs on the caller's event loop. Draws the moment in `trace`.
        """
        _wait(self._read, "the server has not got a message yet")
        self._loop.call_soon_threadsafe(self._hang_up.set)
        _wait(self._written, "the server did not close")
        select.select([client.transport.get_extra_info("socket")], [], [], PATIENCE)
        if trace is not None:
            trace.record(Event("server", "note", "has written its close frame"), chains=("client a",))

    async def run(self) -> None:
        """Serve until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._over, self._hang_up = asyncio.Event(), asyncio.Event()
        async with serve(self._handle, HOST, 0, compression=None, ping_interval=None, close_timeout=1) as server:
            self.url = f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}"
            self._ready.set()
            await self._over.wait()

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._loop.call_soon_threadsafe(self._over.set)

    async def _handle(self, websocket: ServerConnection) -> None:
        """Read until it is time to hang up."""
        reading = asyncio.ensure_future(self._collect(websocket))
        told = asyncio.ensure_future(self._hang_up.wait())
        await asyncio.wait([reading, told], return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, told):
            task.cancel()
        await asyncio.wait([reading, told])
        closing = asyncio.ensure_future(websocket.close())
        await asyncio.sleep(0)  # now its close frame is written, and it waits for the client's
        self._written.set()
        await closing

    async def _collect(self, websocket: ServerConnection) -> None:
        async for message in websocket:
            self.got.append(message)
            self._read.set()


@contextmanager
def listener() -> Iterator[Listener]:
    """Run a Listener while the block runs; afterwards its thread has ended."""
    server = Listener()
    thread = threading.Thread(target=lambda: asyncio.run(server.run()), name="listener", daemon=True)
    thread.start()
    try:
        _wait(server._ready, "the server did not start")
        yield server
    finally:
        server.stop()
        thread.join(PATIENCE)


def _wait(event: threading.Event, otherwise: str) -> None:
    if not event.wait(PATIENCE):
        raise TimeoutError(otherwise)
