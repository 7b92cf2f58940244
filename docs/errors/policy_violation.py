"""A server lets a client in, looks at its token, and closes with 1008; another refuses it before the accept."""

import asyncio

import websockets
from starlette.websockets import WebSocket

from hangup import connect, serve


async def lets_in(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    await websocket.close(1008)


async def refuses(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.close(1008)


async def what_the_client_sees(app):
    async with serve(app) as url:
        try:
            async with connect(url) as client:
                await client.recv()
        except (websockets.ConnectionClosed, websockets.InvalidStatus) as error:
            return str(error)


async def main():
    return "\n".join([await what_the_client_sees(app) for app in (lets_in, refuses)])


if __name__ == "__main__":
    print(asyncio.run(main()))
