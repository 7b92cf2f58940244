"""The installed uvicorn: each of its three WebSocket protocols, started on a transport in memory."""

import asyncio
import functools
import logging
import warnings
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config, WSProtocolType
from uvicorn.server import ServerState

from hangup.servers.installed.app import App
from hangup.servers.installed.transport import MemoryTransport

_QUIET = logging.Logger("hangup.installed", logging.CRITICAL + 1)


def start(ws: WSProtocolType, app: App, transport: MemoryTransport) -> Callable[[], None]:
    """Start uvicorn with `--ws ws`; return its shutdown, which it calls on each connection."""
    config = _config(ws)
    make: Any = config.ws_protocol_class
    loop = asyncio.get_running_loop()
    protocol = make(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    protocol.app = app
    protocol.logger = _QUIET
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    shutdown: Callable[[], None] = protocol.shutdown
    return shutdown


@functools.cache
def _config(ws: WSProtocolType) -> Config:
    """Return uvicorn's own defaults for this protocol, loaded once."""
    config = Config(_no_app, ws=ws, http="h11", lifespan="off", log_config=None, access_log=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of --ws websockets, which is asked for by its name
        config.load()
    return config


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    """Stand for the app, of which each connection has its own."""
