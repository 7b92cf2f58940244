"""What each server does once the peer is gone, as data: a row is a Model, the table is `MODELS`.

`helpers.memory` plays a connection by a row. tests/test_models.py runs the same probes on the real servers and on the
rows and compares what they log, line by line. The specification leaves most of this open: see www.rst, "Disconnect -
receive event" and "Disconnected Client - send exception" (new in 2.4, "not guaranteed").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

ENDINGS = ("close", "fin", "reset", "shutdown")
"""How a connection ends: the client closes with 1001, its process dies, the network resets, the server shuts down."""

SAME = 0
"""In `Model.told`: the code that the closing side gave."""


class ClientDisconnected(OSError):
    """Stands for uvicorn's exception of this name."""


class UnexpectedMessageError(Exception):
    """Stands for hypercorn's exception of this name."""


@dataclass(frozen=True)
class Raises:
    """A call raises this exception with these words, in which `{type}` is the message's type."""

    error: type[Exception]
    words: str = ""

    def __call__(self, kind: str) -> Exception:
        """Return the exception for a message of type `kind`."""
        return self.error(self.words.format(type=kind)) if self.words else self.error()


Call = Raises | None
"""What a call does: raise, or (None) return as if nothing had happened."""


@dataclass(frozen=True)
class Model:
    """One server once a connection has ended.

    told: for each ending, and "own" for the app's own close, the codes of websocket.disconnect in order; an ending that
    is missing is one that the app is never told of. forever: the code that every later receive() gives, or None: it
    waits for ever. The other fields say what send() does: in the field's name stand the message (`accept`, `send`,
    `close`) and the moment: `gone`, the peer has left; `read`, and the app has received the disconnect; `closing`, it
    has, but the loop has not run since; `closed`, after the app's own close.
    `accept_gone` was seen on the real servers, but no probe of tests/test_models.py holds it yet.
    cancels: whether the server cancels an app that runs on after its graceful shutdown.
    """

    name: str
    told: Mapping[str, tuple[int, ...]]
    forever: int | None = None
    accept_gone: Call = None
    send_gone: Call = None
    send_read: Call = None
    close_gone: Call = None
    close_read: Call = None
    close_closing: Call = None
    send_closed: Call = None
    close_closed: Call = None
    cancels: bool = False
    reason: Mapping[str, str] = field(default_factory=lambda: {"close": "", "own": ""})


_LEFT = Raises(ClientDisconnected)
_LATE = Raises(RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close'.")
_DONE = Raises(
    RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close' or response already completed."
)
_STATE = Raises(UnexpectedMessageError, "Unexpected message type, {type} given the state ASGIWebsocketState.CLOSED")

_UVICORN = Model(
    "uvicorn",
    told={
        "close": (SAME, 1005),
        "fin": (1005,),
        "reset": (1005,),
        "shutdown": (1012, 1005),
        "own": (SAME, 1005),
    },
    accept_gone=_LEFT,
    send_gone=_LEFT,
    send_read=_LEFT,
    close_gone=_LEFT,
    close_read=_LEFT,
    close_closing=None,
    send_closed=_LATE,
    close_closed=_LATE,
    cancels=True,
)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        _UVICORN,
        Model(
            "uvicorn-websockets",
            told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "shutdown": (1012,), "own": ()},
            forever=1005,
            send_gone=_LEFT,
            send_read=_DONE,
            close_gone=_LEFT,
            close_read=_DONE,
            close_closing=_DONE,
            send_closed=_DONE,
            close_closed=_DONE,
            cancels=True,
            reason={"close": "", "fin": "", "reset": ""},
        ),
        replace(_UVICORN, name="uvicorn-wsproto", close_closing=_LEFT),
        Model(
            "granian",
            told={"close": (SAME,), "fin": (), "reset": (), "own": ()},
            forever=1005,
            reason={},
        ),
        Model(
            "hypercorn",
            told={"close": (1006,), "fin": (1006,), "reset": (1006,), "own": (1000,)},
            send_closed=_STATE,
            cancels=True,
            reason={},
        ),
    )
}
