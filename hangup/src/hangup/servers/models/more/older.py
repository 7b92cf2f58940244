"""Rows of older releases, and the row that is true of one release: `model_for("granian==2.7.2")`.

`servers/matrix/measured` has the answers of the releases that were asked. Where two endings differ in what a late call
does, a row has it in `Model.by_ending`. What no column can say, the rows leave out, so that they rather miss a raise
than make one up: granian's second send to a peer that closed or died, and its sends after an accept that came too late.
"""

from collections.abc import Iterable
from dataclasses import replace

from hangup.servers.models.doubts import order
from hangup.servers.models.granian import GRANIAN
from hangup.servers.models.model import Early, Model, Raises
from hangup.servers.models.uvicorn import SANSIO, WEBSOCKETS, ClientDisconnected

# ---- uvicorn ---------------------------------------------------------------------------------------------------------

_LEFT = Raises(ClientDisconnected)
_HALF = Raises(RuntimeError, "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{type}'.")
_LOST = {"send_gone": None, "send_read": None, "close_gone": None, "close_read": None, "close_closing": None}
_EARLY = Early((1006,), accept=_HALF, send=_LEFT)

SANSIO_0_50 = replace(
    SANSIO,
    since="0.50.0",
    measured="0.52.0",
    close_gone=None,
    close_read=None,
    by_ending={"fin": _LOST, "reset": _LOST},
    early=dict(SANSIO.early) | {"fin": _EARLY, "reset": _EARLY},
)
"""uvicorn by default, from 0.50.0, when `--ws auto` became websockets-sansio, to 0.52.0."""

DEFAULT_0_39 = replace(WEBSOCKETS, name="uvicorn", measured="0.49.0")
"""uvicorn by default while `--ws auto` was websockets."""

# ---- granian ---------------------------------------------------------------------------------------------------------

_FLOW = Raises(RuntimeError, "ASGI flow error: Transport not initialized or closed")
_SHUT = Raises(RuntimeError, "ASGI flow error: Transport closed")
_UPGRADED = Raises(RuntimeError, "ASGI flow error: Connection already upgraded")

GRANIAN_2_8_2 = replace(
    GRANIAN,
    since="2.8.2",
    measured="2.8.3",
    send_read=_SHUT,
    send_closed=_SHUT,
    by_ending={"reset": {"send_gone": _FLOW}},
    early={"own": Early((1005,), send=_SHUT)},
)
"""granian 2.8.2 and 2.8.3: a send to a peer that has left raises, after a close or FIN from the second on."""

GRANIAN_2_7_3 = replace(GRANIAN_2_8_2, since="2.7.3", measured="2.8.0", send_read=None, send_closed=_FLOW)
GRANIAN_2_7_3 = replace(GRANIAN_2_7_3, early={"own": Early((1005,), send=_FLOW)})
"""granian 2.7.3 to 2.8.0: a send after the disconnect was received returns."""

_NOT_IN = Early(accept=_UPGRADED, send=_FLOW)
GRANIAN_2_7_2 = replace(
    GRANIAN_2_7_3,
    since="2.7.2",
    measured="2.7.2",
    early={"fin": _NOT_IN, "reset": _NOT_IN, "own": Early((1005,), send=_FLOW)},
)
"""granian 2.7.2: an accept raises if the peer has left before."""

OLDER = (SANSIO_0_50, DEFAULT_0_39, GRANIAN_2_8_2, GRANIAN_2_7_3, GRANIAN_2_7_2)
"""The rows of older releases, all probed; of uvicorn-wsproto up to 0.52.0 there is none: it tells an app of its own
late close, for which there is no column."""


def row_for(requirement: str, rows: Iterable[Model]) -> Model:
    """Return the row, of these and the older ones, that is true of a release such as `granian==2.7.2`.

    Raises ValueError with a sentence if no row is known for it: it was never measured, or lies between two that were.
    """
    name, _, release = requirement.partition("==")
    known = sorted((row for row in (*rows, *OLDER) if row.name == name), key=lambda row: order(row.since))
    if not known:
        raise ValueError(f"There is no model {name!r}.")
    for row in known:
        if release and order(row.since) <= order(release) <= order(row.measured):
            return row
    of = ", ".join(row.releases for row in known)
    raise ValueError(f"No row is known for {name} {release or '(which release?)'}: there are rows for {of}.")
