"""Two places accept the same connection; granian refuses the second."""

import asyncio

from hangup import Expect, run


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})  # a middleware's
    await send({"type": "websocket.accept"})  # the handler's


async def main():
    session = await run(app, [Expect()], server="granian")
    return str(session.error)


if __name__ == "__main__":
    print(asyncio.run(main()))
