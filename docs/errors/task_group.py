"""The disconnect is raised in a task of a group, and comes out in a group of exceptions: `except` does not match it."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup import run


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(websocket.receive_text())
    except WebSocketDisconnect:
        print("the peer has left")  # never printed


async def main():
    session = await run(app, [])
    return str(session.error)


if __name__ == "__main__":
    print(asyncio.run(main()))
