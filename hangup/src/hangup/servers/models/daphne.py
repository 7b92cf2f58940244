"""The model of daphne, which is built on Twisted and autobahn."""

from hangup.servers.models.model import SAME, Early, Model, Raises, Seen


class Disconnected(Exception):
    """Stands for the exception of this name of autobahn."""


_SHUT = Raises(Disconnected, "Attempt to send on a closed protocol")

DAPHNE = Model(
    "daphne",
    package="daphne",
    since="4.0.0",  # but 4.2.0, whose command does not start
    measured="4.2.3",
    told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "own": (SAME,), "silence": (1006,)},
    no_code=None,
    send_closed=_SHUT,
    accept_again=Raises(AttributeError, "'WebSocketProtocol' object has no attribute 'handshake_deferred'"),
    pings_every=20.0,
    after={"silence": 50.0},  # a ping, and 30 s in which its pong must come
    early={"fin": Early((1006,)), "reset": Early((1006,)), "own": Early((1006,))},
    ends={"returned": Seen(None, None), "raised": Seen(500, 1011), "cancelled": Seen(None, None)},
    shuts_down=Seen(1006, 1006),
    denies=False,
    drops_reason=True,
    cancels="always",
)
"""daphne, which `serve` does not run: it brings Twisted, whose reactor is one for a process."""
