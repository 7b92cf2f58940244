"""A message's text is taken where there are no bytes; one server gives both keys, and the bytes are None.

ASGI allows that: one of the two is not None, and the other key may be there all the same ("Receive - receive event").

Seen in microdot 2.7.0 (microdot.asgi.WebSocket.receive), on hypercorn: a handler gets None for each text that its
client says, and an echo answers with nothing.
Not found reported.
"""

from hangup import Expect, Send


async def app(scope, receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        said = message.get("bytes", message.get("text"))
        key = "text" if isinstance(said, str) else "bytes"
        try:
            await send({"type": "websocket.send", key: said})
        except OSError:
            return


SCRIPT = [Send("hi"), Expect("hi")]
RULE = "while the peer is there, every message gets its answer"
SCHEDULE = "hypercorn/close@end"
