"""A handler runs in a task of its own; who serves it is cancelled while it waits for that task, which runs on.

asyncio.wait() does not cancel what it waits for. At a server's shutdown the cleanup runs after everything else is gone.

Seen in Quart 0.22.0 (ASGIWebsocketConnection), on hypercorn when it stops and clients are there: handlers still run
when the lifespan is over, so that their `finally` blocks come after whatever after_serving has closed.
Not found reported.
"""

import asyncio

from hangup import Expect, Send


async def app(scope, receive, send) -> None:
    async def handle() -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "welcome"})
        await asyncio.Event().wait()  # for news

    await asyncio.wait([asyncio.create_task(handle())])


SCRIPT = [Send("hi"), Expect("welcome")]
RULE = "no task of the handler runs on for ever"
SCHEDULE = "hypercorn/shutdown@end"
