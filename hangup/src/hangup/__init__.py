"""hangup ends the connections of your WebSocket app at every moment, in every way, and shows what becomes of it.

`explore` ends an app's connections at every moment, in memory, as every server would; `replay` shows one of these
schedules. A script may have several clients: `Send("hi", by="b")`; client a leaves at `Leave()`, or at its end.
`serve` an app on a real server, `connect` to it, look at the `Trace`; `note` writes into it from inside an app.
`run` plays one scripted session on a real server and returns its Session; `compare` does so on every server.
`explore_client` and `replay_client` explore a client of yours; `proxy` breaks real connections with what is in
`hangup.network`.

Exploring an app needs Python and nothing else. What needs more is imported when you ask for it, and says what to
install.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hangup.explorer.apps.explore import explore, replay
    from hangup.explorer.clients.explore import explore_client, replay_client
    from hangup.network.client import connect
    from hangup.network.proxy import proxy
    from hangup.record.recorder import note
    from hangup.servers.script import Client, Expect, Leave, Request, Send, StopReading, Wait
    from hangup.servers.serve import SERVERS, serve
    from hangup.servers.sessions import ENDINGS, compare, run
    from hangup.trace.trace import Trace

__all__ = [
    "ENDINGS",
    "SERVERS",
    "Client",
    "Expect",
    "Leave",
    "Request",
    "Send",
    "StopReading",
    "Trace",
    "Wait",
    "compare",
    "connect",
    "explore",
    "explore_client",
    "note",
    "proxy",
    "replay",
    "replay_client",
    "run",
    "serve",
]

_HOMES = {
    "hangup.explorer.apps.explore": ("explore", "replay"),
    "hangup.explorer.clients.explore": ("explore_client", "replay_client"),
    "hangup.network.client": ("connect",),
    "hangup.network.proxy": ("proxy",),
    "hangup.record.recorder": ("note",),
    "hangup.servers.script": ("Client", "Expect", "Leave", "Request", "Send", "StopReading", "Wait"),
    "hangup.servers.serve": ("SERVERS", "serve"),
    "hangup.servers.sessions": ("ENDINGS", "compare", "run"),
    "hangup.trace.trace": ("Trace",),
}
"""Where each name is: pytest loads this package in every run, so nothing is imported before it is asked for."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what somebody asks for; what needs websockets says, without it, what to install."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as missing:
        if missing.name not in {"websockets", "wsproto"}:
            raise
        why = f"hangup.{name} needs the package {missing.name}: pip install 'hangup[client]'"
        raise ModuleNotFoundError(why, name=missing.name) from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the names that there are, imported already or not."""
    return sorted({*globals(), *__all__})
