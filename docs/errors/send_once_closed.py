"""The first send after the loss raises WebSocketDisconnect. Whoever passes over it gets another error at the second."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup import Expect, run


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    for _ in range(100):
        try:
            await websocket.send_text("tick")
        except WebSocketDisconnect:
            pass  # "it will come back"
        await asyncio.sleep(0.01)


async def main():
    session = await run(app, [Expect()])
    return str(session.error)


if __name__ == "__main__":
    print(asyncio.run(main()))
