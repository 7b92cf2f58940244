"""Two tasks read the same connection: in an app under uvicorn --ws websockets, and in a client."""

import asyncio

import websockets

from hangup import connect, run, serve


async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.gather(receive(), receive())


async def patient(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


async def client():
    async with serve(patient) as url, connect(url) as client:
        try:
            await asyncio.gather(client.recv(), client.recv())
        except websockets.ConcurrencyError as error:
            return str(error)


async def main():
    session = await run(app, [], server="uvicorn-websockets")
    return f"{session.error}\n{await client()}"


if __name__ == "__main__":
    print(asyncio.run(main()))
