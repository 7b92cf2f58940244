"""The installed gunicorn: its ASGI worker's protocol (`-k asgi`, since 24.0), on a transport in memory."""

import asyncio
import functools
import logging
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from hangup.servers.installed.app import App
from hangup.servers.installed.transport import MemoryTransport


def start(app: App, transport: MemoryTransport) -> Callable[[], None]:
    """Start gunicorn's protocol; a shutdown tells a connection nothing until it cancels the app."""
    worker = SimpleNamespace(
        cfg=_config(),
        log=_Quiet("hangup.installed", logging.CRITICAL + 1),
        loop=asyncio.get_running_loop(),
        asgi=app,
        alive=True,
        nr=0,
        nr_conns=0,
        max_requests=0,
        state={},
    )
    protocol: Any = import_module("gunicorn.asgi.protocol").ASGIProtocol(worker)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return lambda: None


class _Quiet(logging.Logger):
    """A logger of gunicorn's kind that logs nothing."""

    def access(self, *_: object) -> None:
        """Log no request."""


@functools.cache
def _config() -> Any:
    return import_module("gunicorn.config").Config()
