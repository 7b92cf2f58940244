"""How many sessions a second the client's explorer plays: `python -m benchmarks.client_explorer`.

Beside it, the same client and server on the same kind of loop with nothing between them: what websockets itself costs.
"""

import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from hangup.explorer.clients.explore import explore_client
from hangup.servers.serve import HOST
from hangup.time.loopback import in_virtual_time

QUIET: dict[str, Any] = {"compression": None, "ping_interval": None}


async def echo(websocket: Any) -> None:
    """Say everything back."""
    async for message in websocket:
        await websocket.send(message)


async def ask(url: str) -> None:
    """Ask twice."""
    async with connect(url, proxy=None, compression=None) as websocket:
        for word in ("one", "two"):
            await websocket.send(word)
            await websocket.recv()


async def alone(rounds: int) -> None:
    """Let the client talk to the server directly."""
    for _ in range(rounds):
        async with serve(echo, HOST, 0, **QUIET) as server:
            await ask(f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}")


if __name__ == "__main__":
    explore_client(ask, lambda: echo)
    for _ in range(3):
        began = time.perf_counter()
        explored = explore_client(ask, lambda: echo).explored
        fast = explored / (time.perf_counter() - began)
        began = time.perf_counter()
        in_virtual_time(lambda: alone(200))
        bare = 200 / (time.perf_counter() - began)
        print(f"client explorer {fast:4.0f}/s, the same without faults {bare:4.0f}/s: {bare / fast:.1f} times faster")
