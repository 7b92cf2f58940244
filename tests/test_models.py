"""The models tell the truth: the same probes on each real server and on its model log the same, line by line."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from helpers import SERVERS, connect, serve
from helpers.conversation import Conversation
from helpers.memory import MemoryConnection, VirtualLoop
from helpers.models import ENDINGS, MODELS
from helpers.recorder import Message, Receive, Send
from helpers.sessions import ENDINGS as LEAVE

Call = Callable[[], Awaitable[None]]
Probe = Callable[["Logged"], Awaitable[None]]
PAUSE = 0.1  # seconds in which a server on this machine notices what its peer has done
WAITS = 0.4  # seconds after which a receive() is said to wait for ever


class Logged:
    """What a probe calls instead of receive and send; each call is a line of the log."""

    def __init__(self, receive: Receive, send: Send, left: asyncio.Event) -> None:
        self._receive = receive
        self._send = send
        self.left = left
        self.lines: list[str] = []

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(WAITS):
                message = await self._receive()
        except TimeoutError:
            self.lines.append("receive waits")
            return {"type": ""}
        except Exception as error:
            self.lines.append(f"receive raises {_words(error)}")
            return {"type": ""}
        said = {key: int(v) if isinstance(v, int) else v for key, v in message.items() if key != "type"}
        self.lines.append(f"{message['type']} {said}")
        return message

    async def send(self, kind: str) -> None:
        message: dict[str, object] = {"type": f"websocket.{kind}"}
        message |= {"text": "x"} if kind == "send" else {"code": 1000} if kind == "close" else {}
        try:
            await self._send(message)
            self.lines.append(f"{kind} returns")
        except Exception as error:
            self.lines.append(f"{kind} raises {_words(error)}")

    async def pause(self) -> None:
        """Wait until the client has left, and until the server has seen it."""
        await self.left.wait()
        await asyncio.sleep(PAUSE)


def _words(error: Exception) -> str:
    return f"{type(error).__name__} ({'OSError' if isinstance(error, OSError) else 'not OSError'}): {error}"


async def reads_on(app: Logged) -> None:
    """Receive until and after the disconnect."""
    await app.send("accept")
    for _ in range(4):
        await app.receive()


async def sends_late(app: Logged) -> None:
    """Send after the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.pause()
    await app.send("send")
    await app.send("send")


async def closes_late(app: Logged) -> None:
    """Close after the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.pause()
    await app.send("close")


async def closes_at_once(app: Logged) -> None:
    """Close in the same breath in which the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.send("close")


async def only_sends(app: Logged) -> None:
    """Send without ever receiving, when the peer has left."""
    await app.send("accept")
    await app.pause()
    await app.send("send")
    await app.send("send")


async def closes_itself(app: Logged) -> None:
    """Close, and then send, close and receive."""
    await app.send("accept")
    await app.send("close")
    await app.send("send")
    await app.send("close")
    await app.receive()
    await app.receive()


PROBES: dict[Probe, tuple[str, ...]] = {
    reads_on: ("close", "fin", "reset", "shutdown"),
    sends_late: ("close", "fin", "reset"),
    closes_late: ("close", "fin", "reset"),
    closes_at_once: ("close", "fin", "reset"),
    only_sends: ("close", "fin", "reset"),
    closes_itself: ("own",),
}
CASES = [
    (server, probe, ending)
    for server in SERVERS
    for probe, endings in PROBES.items()
    for ending in endings
    if (server, ending) != ("granian", "shutdown")  # it says nothing, and its process ends: there is no log to compare
]


async def on_the_server(server: str, probe: Probe, ending: str) -> list[str]:
    """Run a probe on a real server and return its log."""
    left = asyncio.Event()
    logs: list[Logged] = []
    done = asyncio.Event()

    async def app(scope, receive, send):
        assert scope["type"] == "websocket"
        await receive()
        logs.append(Logged(receive, send, left))
        try:
            await probe(logs[-1])
        finally:
            done.set()

    async with serve(app, server=server, graceful_timeout=4 * WAITS + 1) as url:
        client: Any = await connect(url, close_timeout=WAITS)
        if ending in LEAVE:
            await LEAVE[ending][1](client)
        left.set()
        if ending == "own":
            await client.wait_closed()
        if ending != "shutdown":
            await done.wait()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(client.wait_closed(), 2)
    return logs[0].lines


async def on_the_model(model: str, probe: Probe, ending: str) -> list[str]:
    """Run a probe on a model in memory and return its log."""
    left = asyncio.Event()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    connection = MemoryConnection(MODELS[model], ending)
    if ending == "own":
        left.set()  # the app closes, not the client
    else:
        conversation = Conversation([], lambda _: connection, left.set, loop)
        loop.alarms = conversation.alarms
        conversation.start()
    await connection.receive()
    app = Logged(connection.receive, connection.send, left)
    task = asyncio.ensure_future(probe(app))
    idle = loop.create_future()

    def finish() -> None:
        if not idle.done():
            idle.set_result(None)

    loop.on_idle = finish
    task.add_done_callback(lambda _: finish())
    await idle
    task.cancel()
    return app.lines


@pytest.mark.parametrize(("server", "probe", "ending"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_a_model_does_what_its_server_does(server, probe, ending):
    real = asyncio.run(on_the_server(server, probe, ending))
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        modelled = runner.run(on_the_model(server, probe, ending))
    assert modelled == real


def test_every_server_has_a_model_and_every_model_a_server():
    assert tuple(MODELS) == SERVERS


def test_every_ending_is_probed():
    assert set(ENDINGS) <= {ending for endings in PROBES.values() for ending in endings}
