"""How many sessions a second the explorer plays, beside two others: `python -m tests.benchmarks.explorer`.

The Starlette echo handler says one message and ends. Ratios count; single numbers depend on the machine.
"""

import asyncio
import time
import warnings
from collections.abc import Callable

from helpers.explore import explore
from helpers.recorder import Message
from tests.apps import app, echo

warnings.filterwarnings("ignore")
ONE = app(echo)


def explored(rounds: int) -> int:
    """Explore the app and return how many sessions that were."""
    return sum(explore(ONE).explored for _ in range(rounds))


def test_client(rounds: int) -> int:
    """Play the session with starlette's TestClient."""
    from starlette.testclient import TestClient

    client = TestClient(ONE)
    for _ in range(rounds):
        with client.websocket_connect("/") as session:
            session.send_text("hello")
            session.receive_text()
    return rounds


def bare(rounds: int) -> int:
    """Await the app with stub callables: what Starlette itself costs."""

    async def one() -> None:
        inbox: list[Message] = [
            {"type": "websocket.disconnect", "code": 1001},
            {"type": "websocket.receive", "text": "hello"},
        ]
        inbox.append({"type": "websocket.connect"})

        async def receive() -> Message:
            return inbox.pop()

        async def send(message: Message) -> None:
            pass

        await ONE({"type": "websocket", "path": "/", "headers": []}, receive, send)

    async def all_of_them() -> None:
        for _ in range(rounds):
            await asyncio.ensure_future(one())

    asyncio.run(all_of_them())
    return rounds


def rate(play: Callable[[int], int], rounds: int) -> float:
    """Return sessions a second, after a warm-up."""
    play(max(rounds // 10, 1))
    began = time.perf_counter()
    return play(rounds) / (time.perf_counter() - began)


if __name__ == "__main__":
    for _ in range(3):
        fast, slow, stub = rate(explored, 20), rate(test_client, 300), rate(bare, 3000)
        print(
            f"explorer {fast:6.0f}/s   TestClient {slow:5.0f}/s   bare {stub:6.0f}/s   "
            f"{fast / slow:.1f} times TestClient, bare is {stub / fast:.1f} times faster"
        )
