"""The app ends, and has not closed. Two servers close for it, with a code of their own; uvicorn cuts the connection."""

import asyncio

import websockets

from hangup import SERVERS, connect, serve


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def what_the_client_sees(server):
    async with serve(app, server=server) as url, connect(url) as client:
        try:
            await client.recv()
        except websockets.ConnectionClosed as closed:
            return f"{server}: {closed}"


async def main():
    return "\n".join([await what_the_client_sees(server) for server in SERVERS])


if __name__ == "__main__":
    print(asyncio.run(main()))
