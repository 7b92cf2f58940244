"""How many sessions a second the explorer plays, beside two others: `python -m benchmarks.explorer`.

The Starlette echo handler says one message and ends. Ratios count; single numbers depend on the machine.
"""

import asyncio
import contextlib
import time
import warnings
from collections.abc import Callable, Sequence

from starlette.websockets import WebSocketDisconnect

from hangup.explorer.apps.explore import explore
from hangup.record.recorder import Message
from support.apps import app, echo

warnings.filterwarnings("ignore")
ONE = app(echo)


def explored(rounds: int) -> int:
    """Explore the app and return how many sessions that were."""
    return sum(explore(ONE).explored for _ in range(rounds))


def on_the_installed_server(rounds: int) -> int:
    """Explore the app on the code of uvicorn that is installed, and return how many sessions that were."""
    return sum(explore(ONE, models=["installed:uvicorn"]).explored for _ in range(rounds))


def test_client(rounds: int) -> int:
    """Play the session with starlette's TestClient."""
    from starlette.testclient import TestClient

    client = TestClient(ONE)
    for _ in range(rounds):
        with client.websocket_connect("/") as session:
            session.send_text("hello")
            session.receive_text()
    return rounds


def bare(rounds: int, endings: Sequence[int] = (3,)) -> int:
    """Await the app with stub callables: what Starlette itself costs.

    An ending of n lets the n-th receive() tell of the disconnect, one of -n the n-th send() raise OSError.
    """

    async def one(ending: int) -> None:
        received = sent = 0

        async def receive() -> Message:
            nonlocal received
            received += 1
            if received == ending or received == 3:
                return {"type": "websocket.disconnect", "code": 1001}
            return {"type": "websocket.connect"} if received == 1 else {"type": "websocket.receive", "text": "hello"}

        async def send(message: Message) -> None:
            nonlocal sent
            sent += 1
            if sent == -ending:
                raise OSError

        with contextlib.suppress(WebSocketDisconnect, OSError):
            await ONE({"type": "websocket", "path": "/", "headers": []}, receive, send)

    async def all_of_them() -> None:
        for number in range(rounds):
            await asyncio.ensure_future(one(endings[number % len(endings)]))

    asyncio.run(all_of_them())
    return rounds


def bare_and_ended(rounds: int) -> int:
    """Do that, and end the connection as often before each receive and during each send as the explorer does."""
    return bare(rounds, (2, 3, 3, -1, -2))


def rate(play: Callable[[int], int], rounds: int) -> float:
    """Return sessions a second of CPU, in all threads, after a warm-up."""
    play(max(rounds // 10, 1))
    began = time.process_time()
    return play(rounds) / (time.process_time() - began)


if __name__ == "__main__":
    for _ in range(3):
        fast, slow = rate(explored, 20), rate(test_client, 300)
        code = rate(on_the_installed_server, 20)
        stub, same = rate(bare, 3000), rate(bare_and_ended, 3000)
        print(
            f"explorer {fast:6.0f}/s, TestClient {slow:5.0f}/s, bare app {stub:6.0f}/s, bare and ended {same:6.0f}/s: "
            f"{fast / slow:.1f} times TestClient; on the installed uvicorn {code:.0f}/s, {code / slow:.1f} times "
            f"TestClient, {fast / code:.1f} times slower than on models; the "
            f"bare app is {same / fast:.1f} times faster, "
            f"{stub / fast:.1f} if nothing but its happy end is awaited"
        )
