"""The model of gunicorn's own worker for ASGI (`-k asgi`), which it has since 24.0."""

from hangup.servers.models.model import SAME, Early, Model, Raises, Seen


class WebSocketDisconnected(OSError, RuntimeError):
    """Stands for gunicorn's exception of this name."""


_CLOSED = Raises(WebSocketDisconnected, "WebSocket closed")
_REFUSED = Raises(RuntimeError, "WebSocket not accepted")
_LOST = Early((1006,), send=_CLOSED)

GUNICORN = Model(
    "gunicorn",
    package="gunicorn",
    since="27.0.1",  # 24.0.0, 25.3.0 and 26.2.0 do otherwise, and tell an app nothing of a close
    measured="27.0.1",
    further=False,
    told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "own": (SAME,)},
    send_gone=_CLOSED,
    send_read=_CLOSED,
    send_closed=_CLOSED,
    early={"fin": _LOST, "reset": _LOST, "own": Early((1006,), send=_REFUSED)},
    ends={"returned": Seen(403, 1011), "raised": Seen(500, 1011), "cancelled": Seen(403, 1011)},
    denies=False,
    shuts_down=Seen(1006, 1006),
)
"""gunicorn with `-k asgi`. Two of its ways have no row: an app whose connection is lost is cancelled 3 seconds later
(`asgi_disconnect_grace_period`), and until then a close on a connection that is lost does not return."""
