"""Three handlers read without a connection: one has not accepted, one has closed, one has failed to send."""

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup import Expect, run


async def too_early(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.receive_text()


async def too_late(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    await websocket.close()
    await websocket.receive_text()


async def gone_meanwhile(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.01)
    await websocket.receive_text()


async def main():
    sessions = [await run(app, []) for app in (too_early, too_late)]
    sessions.append(await run(gone_meanwhile, [Expect()]))
    return "\n".join(str(session.error) for session in sessions)


if __name__ == "__main__":
    print(asyncio.run(main()))
