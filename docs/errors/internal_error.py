"""The app raises after the accept: what the client is told, by each server."""

import asyncio

import websockets

from hangup import SERVERS, connect, serve


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    raise ValueError("a bug")


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
