"""The scope that an app is called with, as a server makes it of what a client asks for (asgi www.rst)."""

import functools
from typing import Any
from urllib.parse import unquote

from hangup.servers.clients.handshake import Asked

_BASE: dict[str, Any] = {
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "root_path": "",
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
    "extensions": {},
}
_DENIES: dict[str, Any] = {"websocket.http.response": {}}
"""What both kinds have; whoever calls the app adds client and state."""
_HANDSHAKE = (
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
)
"""What a client's handshake has (RFC 6455, section 4.1; the key is that of 1.3), and each server passes on."""


_last: tuple[Asked | None, dict[str, Any]] = (None, {})
"""What was asked for last, and its scope: most sessions ask for the same, and to compare it costs more than a look."""


def websocket_scope(asked: Asked) -> dict[str, Any]:
    """Return the scope of a connection ("WebSocket Connection Scope"), for whoever calls the app to copy."""
    global _last
    last = _last
    if last[0] is not asked:
        last = _last = asked, _websocket_scope(asked)
    return last[1]


@functools.lru_cache(maxsize=64)
def _websocket_scope(asked: Asked) -> dict[str, Any]:
    offered, own = asked.subprotocols, {name for name, _ in asked.headers}
    more = tuple((name, value) for name, value in _HANDSHAKE if name not in own)
    more += (("sec-websocket-protocol", ", ".join(offered)),) if offered else ()
    kind = {"type": "websocket", "scheme": "ws", "subprotocols": list(offered), "extensions": _DENIES}
    return {**_BASE, **kind, **_what(asked, more)}


def http_scope(asked: Asked) -> dict[str, Any]:
    """Return the scope of a request ("HTTP Connection Scope")."""
    return {**_BASE, "type": "http", "scheme": "http", "method": asked.method, **_what(asked)}


def _what(asked: Asked, more: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    raw, _, query = asked.path.partition("?")
    host = [] if any(name == "host" for name, _ in asked.headers) else [("host", "127.0.0.1")]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*host, *asked.headers, *more)]
    return {"path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "headers": headers}
