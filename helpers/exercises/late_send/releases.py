"""What lesson 06 asks of other releases of websockets: how many sends raise after the server has hung up."""

import asyncio
from typing import Any


async def late_sends() -> list[str]:
    """Send ten messages to a server that has hung up, under any release of websockets; say how many raise.

    First to a far server, in a thread of its own, that hangs up after one message; then to one on the client's loop
    that hangs up directly after the handshake.
    """
    import concurrent.futures
    import select
    import threading

    import websockets

    async def serve(far: bool, port: concurrent.futures.Future[Any], over: threading.Event) -> None:
        async def listen(websocket: Any) -> None:
            if far:
                await websocket.recv()

        async with websockets.serve(listen, "127.0.0.1", 0) as server:
            port.set_result(next(iter(server.sockets)).getsockname()[1])
            await asyncio.to_thread(over.wait)

    async def raised(url: str, far: bool) -> str:
        count = 0
        async with websockets.connect(url) as client:
            if far:
                await client.send("one")
                select.select([client.transport.get_extra_info("socket")], [], [])  # until its close frame has come
            for _ in range(10):
                try:
                    await client.send("late")
                except websockets.ConnectionClosed:
                    count += 1
        return f"{count} of 10"

    results = []
    for far in (True, False):
        port: concurrent.futures.Future[Any] = concurrent.futures.Future()
        over = threading.Event()
        serving = serve(far, port, over)
        server = asyncio.create_task(asyncio.to_thread(asyncio.run, serving) if far else serving)
        results.append(await raised(f"ws://127.0.0.1:{await asyncio.wrap_future(port)}", far))
        over.set()
        await server
    return results
