"""The model of granian."""

from hangup.servers.models.model import ENDED, SAME, Early, Model, Raises, Seen

GRANIAN = Model(
    "granian",
    package="granian",
    since="2.8.4",
    measured="2.8.9",
    told={"close": (SAME,), "fin": (), "reset": (), "own": (), "too-big": ()},
    forever=1005,
    late_close="instead",
    accept_again=Raises(RuntimeError, "ASGI flow error: Connection already upgraded"),
    big_seen=Seen(None, 1005),
    early={"own": Early((1005,))},
    ends=dict.fromkeys(ENDED, Seen(403, 1005)),
    shuts_down=Seen(None, 1006),  # its process ends; until then receive() may give 1005, which is chance
)
"""granian, with one worker."""
