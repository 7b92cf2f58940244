"""A reader fills a queue, the handler empties it; when the reader has ended, the handler takes from an empty one.

The handler waits until there is something, or until the reader is done, and looks at the queue in both cases.

Seen in an app written after Falcon's documentation (parallel loops, Falcon 4.4.0), on every server: its users find
"Unhandled exception in ASGI app" with an IndexError in their log for each client that goes away, and alarms that mean
nothing.
Not found reported.
"""

import asyncio
import collections

from hangup import Expect, Send


async def app(scope, receive, send) -> None:
    heard: collections.deque[str] = collections.deque()

    async def read() -> None:
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])

    await receive()
    await send({"type": "websocket.accept"})
    reader = asyncio.create_task(read())
    while not reader.done():
        while not heard and not reader.done():
            await asyncio.sleep(0.01)
        try:
            await send({"type": "websocket.send", "text": heard.popleft()})
        except OSError:
            break
    reader.cancel()


SCRIPT = [Send("hi"), Expect("hi")]
RULE = "the handler ends quietly when the peer leaves"
SCHEDULE = "uvicorn/close@end"
