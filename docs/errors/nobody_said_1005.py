"""A close frame without a code: what the client calls it, and what the app is told."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup import connect, serve


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    try:
        await websocket.receive_text()
    except WebSocketDisconnect as gone:
        scope["told"].append(f"WebSocketDisconnect: code {gone.code}")


async def main():
    told = []
    async with serve(lambda scope, receive, send: app(scope | {"told": told}, receive, send)) as url:
        async with connect(url) as client:
            client.protocol.send_close()  # a close frame, and nothing in it
            client.send_data()
            await client.wait_closed()
    return "\n".join([*told, f"the client: {client.protocol.close_exc}"])


if __name__ == "__main__":
    print(asyncio.run(main()))
