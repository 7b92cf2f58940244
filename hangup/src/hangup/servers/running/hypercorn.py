"""A real hypercorn on the running loop: its worker for asyncio."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hangup.record.recorder import Recorder
from hangup.servers.running.listening import until_listening


@asynccontextmanager
async def run(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    """Serve on the socket while the block runs; what the loop would log of each connection that is cut is not said."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    port = sock.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = graceful_timeout
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loud = loop.get_exception_handler()

    def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), asyncio.CancelledError):  # said of each connection it cuts
            loud(loop, context) if loud else loop.default_exception_handler(context)

    loop.set_exception_handler(quiet)
    serving = serve(recorder, config, shutdown_trigger=stop.wait, mode="asgi")  # type: ignore[arg-type]
    try:
        async with until_listening(asyncio.ensure_future(serving), port, recorder, graceful_timeout, stop.set):
            yield
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(loud)
