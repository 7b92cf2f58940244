"""The URL of a proxy, which also tells what has happened there, and the URL that it may lead to."""

import asyncio
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from hangup.network.ports import ProxiedTrace
from hangup.network.toxics import Stream
from hangup.trace.events import Event
from hangup.trace.trace import Trace

HOST = "127.0.0.1"


class BrokenUrl(str):
    """The URL of a proxy, to connect to where you would use the server's, which is `target`.

    `fired` counts the faults that have happened, in all connections; `happened` is an event, set by the first.
    `opened` counts connections, and `frames` those of the first connection in each stream, the handshake not included.
    """

    target: str
    trace: Trace
    """The trace in which the proxy draws."""
    view: ProxiedTrace
    """That trace, as the clients of this proxy write into it."""
    happened: asyncio.Event
    frames: dict[Stream, int]
    tapped: bool = False
    """Whether the proxy draws the frames."""
    fired: int = 0
    opened: int = 0
    on_open: Callable[[], None] = staticmethod(lambda: None)
    """What is called for each connection."""

    def note(self, text: str) -> None:
        """Write onto the network's lifeline, after everything that has been recorded."""
        self.trace.record(Event("network", "note", text))


def parse_target(url: str) -> tuple[SplitResult, int]:
    """Return the parts of a WebSocket URL of this machine, and its port."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "ws" and parts.hostname in {HOST, "localhost"}:
            return parts, 80 if parts.port is None else parts.port
    except (ValueError, AttributeError):
        pass  # a port that is no number, a url that is no string
    raise ValueError(f"A proxy leads to a server of this machine, such as ws://{HOST}:8000; {url!r} is no such URL.")
