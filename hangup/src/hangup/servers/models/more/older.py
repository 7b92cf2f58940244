"""Rows of older releases, and the row that is true of one release: `model_for("granian==2.7.2")`.

`servers/matrix/measured` has the answers of the releases that were asked. Where two endings differ in what a late call
does, a row has it in `Model.by_ending`. Between the two releases that a row names, those at which anything could have
changed were probed as well, each line of each log being compared.
"""

from collections.abc import Iterable
from dataclasses import replace

from hangup.servers.models.doubts import order
from hangup.servers.models.granian import GRANIAN
from hangup.servers.models.model import Call, Early, Model, Raises, Seen
from hangup.servers.models.uvicorn import SANSIO, WEBSOCKETS, WSPROTO, ClientDisconnected

# ---- uvicorn ---------------------------------------------------------------------------------------------------------

_LEFT = Raises(ClientDisconnected)
_HALF = Raises(RuntimeError, "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{type}'.")
_LATE = Raises(RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close'.")
_LOST: dict[str, Call] = dict.fromkeys(("send_gone", "send_read", "close_gone", "close_read", "close_closing"))
_CUT: dict[str, Call] = {"send_read": _LATE, "close_read": _LATE}
_BY_ENDING = {"fin": _LOST, "reset": _LOST, "silence": _CUT, "too-big": _CUT}
_EARLY = Early((1006,), accept=_HALF, send=_LEFT)

SANSIO_0_50 = replace(
    SANSIO,
    since="0.50.0",
    measured="0.52.0",
    close_gone=None,
    close_read=None,
    by_ending=_BY_ENDING,
    early=dict(SANSIO.early) | dict.fromkeys(("fin", "reset", "shutdown", "closing"), _EARLY),
    full="takes all",
)
"""uvicorn by default, from 0.50.0, when `--ws auto` became websockets-sansio, to 0.52.0."""

DEFAULT_0_39 = replace(WEBSOCKETS, name="uvicorn", measured="0.49.0")
"""uvicorn by default while `--ws auto` was websockets."""

_REFUSES = replace(_EARLY, reject=_LEFT, close=_LEFT)
WSPROTO_0_46 = replace(
    WSPROTO,
    since="0.46.0",
    measured="0.52.0",
    by_ending=_BY_ENDING,
    late_close="too",
    early=dict(WSPROTO.early) | dict.fromkeys(("fin", "reset", "shutdown", "closing"), _REFUSES),
    full="waits for ever",
)
"""uvicorn-wsproto up to 0.52.0: to a peer that is lost a send returns, and the app is told of its own late close."""

WSPROTO_0_39 = replace(
    WSPROTO_0_46,
    since="0.39.0",
    measured="0.45.0",
    told={how: codes for how, codes in WSPROTO.told.items() if how not in ("silence", "too-big")},
    pings_every=None,
    after={},
)
"""uvicorn-wsproto before it pinged, and before a message could be too big."""

WSPROTO_0_30 = replace(WSPROTO_0_39, since="0.30.6", measured="0.38.0")
WSPROTO_0_30 = replace(WSPROTO_0_30, ends=dict(WSPROTO.ends) | {"returned": Seen(500, None)})
"""uvicorn-wsproto before 0.39.0: an app that returns leaves its client where it is."""

# ---- granian ---------------------------------------------------------------------------------------------------------

_FLOW = Raises(RuntimeError, "ASGI flow error: Transport not initialized or closed")
_SHUT = Raises(RuntimeError, "ASGI flow error: Transport closed")
_UPGRADED = Raises(RuntimeError, "ASGI flow error: Connection already upgraded")
_SHORT = Raises(RuntimeError, "ASGI flow error")


def _second(raises: Raises, early: Raises | None = None) -> dict[str, dict[str, Call]]:
    """Return what a send to a peer that has left raises: the second one, after a reset or a late accept the first."""
    calls: dict[str, dict[str, Call]] = {"close": {"send_next": raises}, "fin": {"send_next": raises}}
    calls["reset"] = {"send_gone": raises}
    for how in ("early fin", "early reset") if early is not None else ():
        calls[how] = {"send_gone": early}
    return calls


GRANIAN_2_8_1 = replace(
    GRANIAN,
    since="2.8.1",
    measured="2.8.3",
    send_read=_SHUT,
    send_closed=_SHUT,
    big_at_once=_SHUT,
    by_ending=_second(_FLOW, _SHUT),
    early={"own": Early((1005,), send=_SHUT)},
)
"""granian 2.8.1 to 2.8.3: a send to a peer that has left raises, after a close or FIN from the second on."""

GRANIAN_2_7_3 = replace(
    GRANIAN_2_8_1,
    since="2.7.3",
    measured="2.8.0",
    send_read=None,
    send_closed=_FLOW,
    big_at_once=None,
    by_ending=_second(_FLOW, _FLOW),
    early={"own": Early((1005,), send=_FLOW)},
)
"""granian 2.7.3 to 2.8.0: a send after the disconnect was received returns."""

_NOT_IN = Early(accept=_UPGRADED, send=_FLOW)
GRANIAN_2_7_2 = replace(
    GRANIAN_2_7_3,
    since="2.7.2",
    measured="2.7.2",
    by_ending=_second(_FLOW),
    early={"fin": _NOT_IN, "reset": _NOT_IN, "own": Early((1005,), send=_FLOW)},
)
"""granian 2.7.2: an accept raises if the peer has left before."""

GRANIAN_2_7_1 = replace(
    GRANIAN_2_7_2, since="2.7.1", measured="2.7.1", early=dict(GRANIAN_2_7_2.early) | {"own": Early(send=_FLOW)}
)
"""granian 2.7.1: an app that has refused is told nothing."""

_ONCE = dict(GRANIAN.told) | dict.fromkeys(("fin", "reset", "too-big"), (1005,))
GRANIAN_2_4 = replace(GRANIAN_2_7_1, since="2.4.0", measured="2.7.0", told=_ONCE, forever=_FLOW, denies=False)
"""granian 2.4.0 to 2.7.0: a receive() after the disconnect raises. (Left out: when a send has raised, an app is told of
the client's close by a second disconnect, before that.)"""

_SHORT_OF_IT = Early(accept=_SHORT, send=_SHORT)
GRANIAN_2_3_2 = replace(
    GRANIAN_2_4,
    since="2.3.2",
    measured="2.3.4",
    forever=_SHORT,
    accept_again=_SHORT,
    send_closed=_SHORT,
    by_ending=_second(_SHORT),
    early={"fin": _SHORT_OF_IT, "reset": _SHORT_OF_IT, "own": Early(send=_SHORT)},
)
"""granian 2.3.2 to 2.3.4: its flow errors do not say what was wrong. (Left out: up to here, whether its process ends at
SIGTERM is chance, in half of the runs it does not.)"""

GRANIAN_2_3_1 = replace(GRANIAN_2_3_2, since="2.3.1", measured="2.3.1", connects_again=True)
"""granian 2.3.1: before an accept, receive() gives websocket.connect for ever."""

GRANIAN_2_1 = replace(
    GRANIAN_2_3_1,
    since="2.1.2",
    measured="2.3.0",
    told=GRANIAN.told,
    by_ending={
        "close": {"send_next": _SHORT},
        "fin": {"send_next": _SHORT, "send_read": _SHORT},
        "reset": {"send_gone": _SHORT, "send_read": _SHORT},
    },
)
"""granian 2.1.2 to 2.3.0: of a FIN or a reset the app is told by an exception, and not by a disconnect."""

OLDER = (
    SANSIO_0_50,
    DEFAULT_0_39,
    WSPROTO_0_46,
    WSPROTO_0_39,
    WSPROTO_0_30,
    GRANIAN_2_8_1,
    GRANIAN_2_7_3,
    GRANIAN_2_7_2,
    GRANIAN_2_7_1,
    GRANIAN_2_4,
    GRANIAN_2_3_2,
    GRANIAN_2_3_1,
    GRANIAN_2_1,
)
"""The rows of older releases, all probed."""


def in_words() -> str:
    """Return of which older releases there are rows, in one line."""
    of: dict[str, list[Model]] = {}
    for row in OLDER:
        of.setdefault(row.name, []).append(row)
    each = (f"{name} {_releases(rows)}" for name, rows in of.items())
    return f"Older releases have rows of their own, for --server NAME==RELEASE: {'; '.join(each)}."


def _releases(rows: Iterable[Model]) -> str:
    return ", ".join(row.releases for row in sorted(rows, key=lambda row: order(row.since)))


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
    missing = f"{name} {release or '(which release?)'}"
    raise ValueError(f"No row is known for {missing}: there are rows for {_releases(known)}.")
