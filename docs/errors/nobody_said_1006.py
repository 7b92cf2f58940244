"""The same goodbye, a close frame with 1001, as five servers tell it; and a send that comes too late."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup import SERVERS, Expect, run


async def reads(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    await websocket.receive_text()


async def sends(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.01)


async def told(app, server):
    session = await run(app, [Expect()] if app is sends else [], server=server, ending="close")
    assert isinstance(session.error, WebSocketDisconnect)
    return f"{server}, app {app.__name__}: WebSocketDisconnect: code {int(session.error.code)}"


async def main():
    lines = [await told(reads, server) for server in SERVERS]
    return "\n".join([*lines, await told(sends, "uvicorn")])


if __name__ == "__main__":
    print(asyncio.run(main()))
