"""What each server does once the peer is gone, as data: a row is a Model, the table is `MODELS`.

`hangup.servers.memory` plays a connection by a row. tests/test_models.py runs the same probes on the real servers and
on the rows and compares what they log, line by line. The specification leaves most of this open: see www.rst,
"Disconnect - receive event" and "Disconnected Client - send exception" (new in 2.4, "not guaranteed").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hangup.trace.table import Table

ENDINGS = ("close", "fin", "reset", "shutdown")
"""How a connection ends: the client closes with 1001, its process dies, the network resets, the server shuts down."""

ENDED = ("returned", "raised", "cancelled")
"""How an app ends."""

SAME = 0
"""In `Model.told`: the code that the closing side gave."""


class ClientDisconnected(OSError):
    """Stands for uvicorn's exception of this name."""


class UnexpectedMessageError(Exception):
    """Stands for hypercorn's exception of this name."""


class Disconnected(Exception):
    """Stands for the exception of this name of autobahn, on which daphne is built."""


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
class Seen:
    """What the client sees: `handshake` where the app has not accepted, an HTTP status; `open` else, a close code.

    1006 is the end of the TCP connection without a close frame, 1005 a close frame without a code, None is nothing.
    """

    handshake: int | None
    open: int | None


@dataclass(frozen=True)
class Early:
    """A connection that ends before the app has accepted it.

    told: the codes of websocket.disconnect, in order. forever: the code that every later receive() gives, or None: it
    waits for ever. The others say what a call does: `reject` is a close in place of accept, `close` one after it.
    """

    told: tuple[int, ...] = ()
    forever: int | None = None
    accept: Call = None
    reject: Call = None
    send: Call = None
    close: Call = None


@dataclass(frozen=True)
class Model:
    """One server once a connection has ended. `python -m helpers models` prints all of them side by side, in words."""

    name: str

    # ---- what receive() gives --------------------------------------------------------------------------------------

    told: Mapping[str, tuple[int, ...]]
    """For each ending, and "own" for the app's own close, the codes of websocket.disconnect in order; an ending that is
    missing is one that the app is never told of."""
    forever: int | None = None
    """The code that every later receive() gives, or None: it waits for ever."""
    no_code: int | None = 1005
    """What the app is told of a close frame without a code."""
    reason: tuple[str, ...] = ()
    """The endings whose first disconnect has a reason: what the closing side gave, or ""."""

    # ---- what send() does: the message, then the moment --------------------------------------------------------------

    send_gone: Call = None
    close_gone: Call = None
    """The peer has left."""
    send_read: Call = None
    close_read: Call = None
    """And the app has received the disconnect."""
    close_closing: Call = None
    """It has, but the loop has not run since."""
    send_closed: Call = None
    close_closed: Call = None
    """The app itself has closed."""

    # ---- before the app has accepted ---------------------------------------------------------------------------------

    early: Mapping[str, Early] = field(default_factory=dict)
    """The endings that the app is told of before it accepts; "own" is its own close in place of accept. Of an ending
    that is missing here it learns when it has accepted: then all is as above."""

    # ---- what the client sees ----------------------------------------------------------------------------------------

    ends: Mapping[str, Seen] = field(default_factory=dict)
    """For each way in which the app can end (`ENDED`), what the client sees if it has not closed."""
    shuts_down: Seen | None = None
    """What the client sees when the server shuts down; None: nothing, for as long as the app runs."""
    drops_reason: bool = False
    """Whether the reason of the app's close does not reach the client."""
    cancels: Literal["", "lifespan", "always"] = ""
    """Whether the server, some time after its shutdown began, cancels an app that runs on: never, always, or only if it
    has a lifespan; else the process ends before the app's task runs again."""


_LEFT = Raises(ClientDisconnected)
_LATE = Raises(RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close'.")
_DONE = Raises(
    RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close' or response already completed."
)
_HALF = Raises(RuntimeError, "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{type}'.")
_BODY = Raises(RuntimeError, "Expected ASGI message 'websocket.http.response.body' but got '{type}'.")
_BUG = Raises(AttributeError, "'WebSocketProtocol' object has no attribute 'transfer_data_task'")
_STATE = Raises(UnexpectedMessageError, "Unexpected message type, {type} given the state ASGIWebsocketState.CLOSED")
_REFUSED = replace(_STATE, words=_STATE.words.replace("CLOSED", "HTTPCLOSED"))
_STREAM = Raises(AttributeError, "'WSStream' object has no attribute 'connection'")
_SHUT = Raises(Disconnected, "Attempt to send on a closed protocol")
_EARLY = Early((1006,), accept=_LEFT, reject=_LEFT, send=_LEFT, close=_LEFT)

_UVICORN = Model(
    "uvicorn",
    told={
        "close": (SAME, 1005),
        "fin": (1005,),
        "reset": (1005,),
        "shutdown": (1012, 1005),
        "own": (SAME, 1005),
    },
    reason=("close", "own"),
    send_gone=_LEFT,
    send_read=_LEFT,
    close_gone=_LEFT,
    close_read=_LEFT,
    close_closing=None,
    send_closed=_LATE,
    close_closed=_LATE,
    early={
        "fin": _EARLY,
        "reset": _EARLY,
        "shutdown": _EARLY,
        "own": Early((1006, 1005), send=_LATE, close=_LATE),
    },
    ends=dict.fromkeys(ENDED, Seen(500, 1006)),
    shuts_down=Seen(500, 1012),
    cancels="lifespan",
)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        _UVICORN,
        Model(
            "uvicorn-websockets",
            told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "shutdown": (1012,), "own": ()},
            forever=1005,
            reason=("close", "fin", "reset"),
            send_gone=_LEFT,
            send_read=_DONE,
            close_gone=_LEFT,
            close_read=_DONE,
            close_closing=_DONE,
            send_closed=_DONE,
            close_closed=_DONE,
            early={
                "fin": Early(forever=1006, send=_LEFT, close=_BUG),
                "reset": Early(forever=1006, send=_LEFT, close=_BUG),
                "shutdown": Early(forever=1006, accept=_HALF, reject=_BUG, send=_LEFT, close=_BUG),
                "own": Early(forever=1006, send=_BODY, close=_BODY),
            },
            ends=dict.fromkeys(ENDED, Seen(500, 1006)),
            shuts_down=Seen(500, 1012),
            cancels="lifespan",
        ),
        replace(_UVICORN, name="uvicorn-wsproto", close_closing=_LEFT),
        Model(
            "granian",
            told={"close": (SAME,), "fin": (), "reset": (), "own": ()},
            forever=1005,
            early={"own": Early((1005,))},
            ends=dict.fromkeys(ENDED, Seen(403, 1005)),
            shuts_down=Seen(None, 1006),  # its process ends; until then receive() may give 1005, which is chance
        ),
        Model(
            "hypercorn",
            told={"close": (1006,), "fin": (1006,), "reset": (1006,), "own": (1000,)},
            send_closed=_STATE,
            early={
                "fin": Early((1006,)),
                "reset": Early((1006,)),
                "own": Early((1000,), send=_REFUSED, close=_STREAM),
            },
            ends=dict.fromkeys(ENDED, Seen(500, 1011)),
            cancels="always",  # with Python 3.12 and newer not before the clients have left: asyncio waits for them
        ),
        Model(
            "daphne",
            told={"close": (SAME,), "fin": (1006,), "reset": (1006,), "own": (SAME,)},
            no_code=None,
            send_closed=_SHUT,
            early={"fin": Early((1006,)), "reset": Early((1006,)), "own": Early((1006,))},
            ends={"returned": Seen(None, None), "raised": Seen(500, 1011), "cancelled": Seen(None, None)},
            shuts_down=Seen(1006, 1006),
            drops_reason=True,
            cancels="always",
        ),
    )
}

EXPLORED = tuple(name for name in MODELS if name != "daphne")
"""The models that an exploration goes through unless it is told others: of the servers that are installed here."""


# ---- the table in words ----------------------------------------------------------------------------------------------


def in_words() -> Table:
    """Return the table with a column for each server and a row for each question."""
    columns = [_answers(model) for model in MODELS.values()]
    rows = [(question, *(column[question] for column in columns)) for question in columns[0]]
    return Table(("", *MODELS), tuple(rows))


def _answers(model: Model) -> dict[str, str]:
    said = {
        "the client closes": "close",
        "the client dies (FIN)": "fin",
        "the network resets": "reset",
        "the server shuts down": "shutdown",
        "the app has closed": "own",
    }
    gone, refused = model.early.get("fin", Early()), model.early["own"]
    early = _told(gone.told, gone.forever) if "fin" in model.early else "waits for accept"
    cancels = {"": "never", "lifespan": "with a lifespan", "always": "always"}
    return {
        "the client closes without a code: receive()": _told(model.told["close"], model.forever, model.no_code),
        **{f"{words}: receive()": _told(model.told.get(how), model.forever) for words, how in said.items()},
        "the peer has left: send()": _done(model.send_gone),
        "the peer has left: close()": _done(model.close_gone),
        "the disconnect was received: send()": _done(model.send_read),
        "the disconnect was received: close()": _done(model.close_read),
        "in the same breath: close()": _done(model.close_closing),
        "the app has closed: send()": _done(model.send_closed),
        "the app has closed: close()": _done(model.close_closed),
        "left before accept: receive()": early,
        "left before accept: accept": _done(gone.accept),
        "left before accept: close()": _done(gone.reject),
        "left before accept: accept, send()": _done(gone.send),
        "left before accept: accept, close()": _done(gone.close),
        "the app has refused: receive()": _told(refused.told, refused.forever),
        "the app has refused: send()": _done(refused.send),
        "the app has refused: close()": _done(refused.close),
        **{f"the app ends ({how}): the client sees": _seen(model.ends[how]) for how in ENDED},
        "the server shuts down: the client sees": _seen(model.shuts_down or Seen(None, None)),
        "the server shuts down: the app is cancelled": cancels[model.cancels],
    }


def _told(codes: tuple[int, ...] | None, forever: int | None, same: object = "its code") -> str:
    words = [str(same if code == SAME else code) for code in codes or ()]
    return ", ".join([*words, "waits" if codes is None or forever is None else f"{forever} for ever"])


def _done(call: Call) -> str:
    return call.error.__name__ if call is not None else "returns"


def _seen(seen: Seen) -> str:
    codes = dict.fromkeys((seen.handshake, seen.open))
    return ", ".join("nothing" if code is None else f"HTTP {code}" if code < 600 else str(code) for code in codes)
