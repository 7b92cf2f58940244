"""A framework closes the connection of every handler that lets the disconnect out, though the peer has closed it.

Most servers take the second close in silence; one raises, and the log says that the app has failed.

Seen in Litestar 2.25.0 (a handler that reads until WebSocketDisconnect), under `uvicorn --ws websockets`, uvicorn's
default before 0.50: its users find "Exception in ASGI application" in their log for each client that goes away.
Reported: https://github.com/litestar-org/litestar/issues/4106 is the same of a listener (closed)
"""

from hangup import Expect, Send


class Left(Exception):
    """The peer has left."""


async def handler(receive, send) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    raise Left


async def app(scope, receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    try:
        await handler(receive, send)
    except Left:
        await send({"type": "websocket.close", "code": 1000})


SCRIPT = [Send("hi"), Expect("hi")]
RULE = "the handler ends quietly when the peer leaves"
SCHEDULE = "uvicorn-websockets/close@end"
