"""The model of anycorn, which is hypercorn on anyio."""

from hangup.servers.models.hypercorn import UnexpectedMessageError
from hangup.servers.models.model import ENDED, SAME, Early, Model, Raises, Seen

_STATE = Raises(UnexpectedMessageError, "Unexpected message type, {type} given the state ASGIWebsocketState.CLOSED")

ANYCORN = Model(
    "anycorn",
    package="anycorn",
    since="0.20.1",
    measured="0.20.1",
    further=False,
    told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "own": (SAME,)},
    send_closed=_STATE,
    early={"fin": Early((1006,)), "reset": Early((1006,)), "own": Early((1000,))},
    ends=dict.fromkeys(ENDED, Seen(500, 1011)),
    shuts_down=Seen(1006, 1006),
    cancels="always",
)
"""anycorn, with its worker for asyncio."""
