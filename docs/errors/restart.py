"""The server stops while a client is connected: what the client is told."""

import asyncio

import websockets

from hangup import connect, serve


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


async def what_the_client_sees(server):
    async with serve(app, server=server, graceful_timeout=0.3) as url:
        client = await connect(url)
    try:
        await client.recv()
    except websockets.ConnectionClosed as closed:
        return f"{server}: {closed}"


async def main():
    return "\n".join([await what_the_client_sees(server) for server in ("uvicorn", "hypercorn")])


if __name__ == "__main__":
    print(asyncio.run(main()))
