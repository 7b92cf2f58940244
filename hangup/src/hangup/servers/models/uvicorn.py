"""The models of uvicorn: one for each of its three WebSocket implementations (`--ws`)."""

from dataclasses import replace

from hangup.servers.models.model import ENDED, SAME, Early, Model, Raises, Seen


class ClientDisconnected(OSError):
    """Stands for uvicorn's exception of this name."""


_LEFT = Raises(ClientDisconnected)
_LATE = Raises(RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close'.")
_DONE = Raises(
    RuntimeError, "Unexpected ASGI message '{type}', after sending 'websocket.close' or response already completed."
)
_HALF = Raises(RuntimeError, "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{type}'.")
_BODY = Raises(RuntimeError, "Expected ASGI message 'websocket.http.response.body' but got '{type}'.")
_BUG = Raises(AttributeError, "'WebSocketProtocol' object has no attribute 'transfer_data_task'")
_TWICE = Raises(RuntimeError, "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{type}'.")
_UNACCEPTED = Raises(
    RuntimeError,
    "Expected ASGI message 'websocket.accept', 'websocket.close' or 'websocket.http.response.start' but got '{type}'.",
)
_READER = Raises(RuntimeError, "cannot call recv while another coroutine is already waiting for the next message")
_EARLY = Early((1006,), accept=_LEFT, reject=_LEFT, send=_LEFT, close=_LEFT)

SANSIO = Model(
    "uvicorn",
    package="uvicorn",
    since="0.52.1",
    measured="0.54.0",
    told={
        "close": (SAME, 1005),
        "fin": (1005,),
        "reset": (1005,),
        "shutdown": (1012, 1005),
        "own": (SAME, 1005),
        "silence": (1005,),
        "too-big": (1009, 1005),
        "closing": (1005,),
    },
    reason=("close", "own", "too-big"),
    send_gone=_LEFT,
    send_read=_LEFT,
    close_gone=_LEFT,
    close_read=_LEFT,
    close_closing=None,
    send_closed=_LATE,
    close_closed=_LATE,
    accept_again=_TWICE,
    early={
        "fin": _EARLY,
        "reset": _EARLY,
        "shutdown": _EARLY,
        "closing": _EARLY,
        "own": Early((1006, 1005), send=_LATE, close=_LATE),
    },
    early_closing=_UNACCEPTED,
    loses_client=True,
    pings_every=20.0,
    after={"silence": 40.0},  # a ping, and the time in which its pong must come
    big_reason="frame with 16777217 bytes exceeds limit of 16777216 bytes",
    big_at_once=_LATE,
    big_seen=Seen(None, 1009),
    ends=dict.fromkeys(ENDED, Seen(500, 1006)),
    shuts_down=Seen(500, 1012),
    cancels="lifespan",
)
"""uvicorn with `--ws websockets-sansio`, its default since 0.50."""

WSPROTO = replace(
    SANSIO,
    name="uvicorn-wsproto",
    close_closing=_LEFT,
    late_close="breath",
    big_reason="Message exceeds the maximum size (16777216 bytes)",
)
"""uvicorn with `--ws wsproto`."""

WEBSOCKETS = Model(
    "uvicorn-websockets",
    package="uvicorn",
    since="0.39.0",
    measured="0.54.0",
    told={
        "close": (SAME,),
        "fin": (1006,),
        "reset": (1006,),
        "shutdown": (1012,),
        "own": (),
        "silence": (1006,),
        "too-big": (1006,),
    },
    forever=1005,
    turns=2,  # recv() waits for a message or the end with asyncio.wait(), even when the end has been there before
    reason=("close", "fin", "reset", "silence", "too-big"),
    send_gone=_LEFT,
    send_read=_DONE,
    close_read=_DONE,
    close_closing=_DONE,
    late_close="instead",
    send_closed=_DONE,
    close_closed=_DONE,
    accept_again=_TWICE,
    receive_again=_READER,
    early={
        "fin": Early(forever=1006, send=_LEFT, close=_BUG),
        "reset": Early(forever=1006, send=_LEFT, close=_BUG),
        "shutdown": Early(forever=1006, accept=_HALF, reject=_BUG, send=_LEFT, close=_BUG),
        "own": Early(forever=1006, send=_BODY, close=_BODY),
    },
    loses_client=True,
    pings_every=20.0,
    after={"silence": 50.0, "too-big": 10.0},  # it gives the client 10 s to close
    big_at_once=_DONE,
    big_seen=Seen(None, 1009),
    ends=dict.fromkeys(ENDED, Seen(500, 1006)),  # before 0.39.0, of an app that returns, nothing
    shuts_down=Seen(500, 1012),
    cancels="lifespan",
)
"""uvicorn with `--ws websockets`, its default before 0.50, on websockets' legacy implementation."""
