"""A message above the receiver's limit: the client's is 1 MiB (websockets), uvicorn's 16 MiB."""

import asyncio

import websockets
from starlette.websockets import WebSocket

from hangup import connect, serve


async def app(scope, receive, send):
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    size = int(await websocket.receive_text())
    await websocket.send_text("x" * size)
    await websocket.receive_text()


async def asks_for_too_much(client):
    await client.send(str(2**20 + 1))
    await client.recv()


async def sends_too_much(client):
    await client.send("x" * (2**24 + 1))
    await client.recv()


async def main():
    lines = []
    for act in (asks_for_too_much, sends_too_much):
        async with serve(app) as url, connect(url) as client:
            try:
                await act(client)
            except websockets.ConnectionClosed as closed:
                lines.append(str(closed))
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(main()))
