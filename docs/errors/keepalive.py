"""A peer that does not answer a ping in time is given up: by the one who pings, whoever is to blame."""

import asyncio
import threading

import websockets

from hangup import connect, proxy, serve
from hangup.network import BlackHole, Frame


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def the_network_is_silent():
    async with serve(echo) as url, proxy(url, BlackHole(at=Frame(2))) as broken:
        async with connect(broken, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.05) as client:
            await client.send("hello")
            await client.recv()
            try:
                await client.recv()
            except websockets.ConnectionClosed as closed:
                return str(closed)


async def i_block_my_own_loop():
    ports, given_up, stop = asyncio.Queue(), threading.Event(), threading.Event()
    mine = asyncio.get_running_loop()

    async def handler(connection):
        await connection.wait_closed()
        given_up.set()

    async def elsewhere():
        pings = {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05}
        async with websockets.serve(handler, "127.0.0.1", 0, **pings) as server:
            mine.call_soon_threadsafe(ports.put_nowait, server.sockets[0].getsockname()[1])
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    try:
        async with websockets.connect(f"ws://127.0.0.1:{await ports.get()}") as client:
            given_up.wait()  # blocks the loop: no ping is answered, until the server has given up
            await client.recv()
    except websockets.ConnectionClosed as closed:
        return str(closed)
    finally:
        stop.set()
        thread.join()


async def main():
    return f"{await the_network_is_silent()}\n{await i_block_my_own_loop()}"


if __name__ == "__main__":
    print(asyncio.run(main()))
