"""How long each server takes to start and stop: `python -m benchmarks.start_and_stop`.

Not a test: machines are shared. The first start, which imports the server, is told apart.
"""

import asyncio
import statistics
import time

from hangup import SERVERS, serve
from support.apps import app, echo


async def once(server: str) -> float:
    """Return the milliseconds from the start of a server to the end of its stop."""
    began = time.perf_counter()
    async with serve(app(echo), server=server):
        pass
    return (time.perf_counter() - began) * 1000


async def main(rounds: int = 30) -> None:
    """Print first, median and slowest for each server."""
    print(f"{'server':20}{'first':>8}{'median':>8}{'slowest':>9}  ms")
    for server in SERVERS:
        first, *others = [await once(server) for _ in range(rounds)]
        print(f"{server:20}{first:8.1f}{statistics.median(others):8.1f}{max(others):9.1f}")


if __name__ == "__main__":
    asyncio.run(main())
