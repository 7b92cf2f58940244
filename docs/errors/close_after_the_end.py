"""The app closes, or sends, though it has been told that the peer is gone."""

import asyncio

from hangup import run


def app_that_ends_with(last):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        await send(last)

    return app


async def main():
    lines = []
    for last in ({"type": "websocket.close"}, {"type": "websocket.send", "text": "bye"}):
        session = await run(app_that_ends_with(last), ["hello"], server="uvicorn-websockets")
        lines.append(str(session.error))
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(main()))
