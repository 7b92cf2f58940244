"""`iter_text` ends quietly when the peer leaves. Starlette remembers the disconnect, and refuses to ask again."""

import asyncio

from starlette.websockets import WebSocket

from hangup import run


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
    await websocket.receive_text()  # the peer has left


async def main():
    session = await run(app, ending="close")
    return str(session.error)


if __name__ == "__main__":
    print(asyncio.run(main()))
