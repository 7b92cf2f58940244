"""The model of hypercorn."""

from dataclasses import replace

from hangup.servers.models.model import ENDED, Early, Model, Raises, Seen


class UnexpectedMessageError(Exception):
    """Stands for hypercorn's exception of this name."""


_STATE = Raises(UnexpectedMessageError, "Unexpected message type, {type} given the state ASGIWebsocketState.CLOSED")
_TWICE = replace(_STATE, words=_STATE.words.replace("CLOSED", "CONNECTED"))
_REFUSED = replace(_STATE, words=_STATE.words.replace("CLOSED", "HTTPCLOSED"))
_STREAM = Raises(AttributeError, "'WSStream' object has no attribute 'connection'")

HYPERCORN = Model(
    "hypercorn",
    package="hypercorn",
    since="0.17.3",
    measured="0.18.0",
    told={"close": (1006,), "fin": (1006,), "reset": (1006,), "own": (1000,), "too-big": (1006,)},
    both_keys=True,
    send_closed=_STATE,
    accept_again=_TWICE,
    big_seen=Seen(None, 1009),
    early={
        "fin": Early((1006,)),
        "reset": Early((1006,)),
        "own": Early((1000,), send=_REFUSED, close=_STREAM),
    },
    ends=dict.fromkeys(ENDED, Seen(500, 1011)),
    cancels="always",  # with Python 3.12 and newer not before the clients have left: asyncio waits for them
)
"""hypercorn, with its worker for asyncio."""
