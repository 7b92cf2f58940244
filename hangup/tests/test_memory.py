"""A connection in memory: what an app is told, what its late calls do, and what a picture shows of the client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hangup.servers.memory import MemoryConnection, Moment
from hangup.servers.memory.inbox import SPINS, Inbox
from hangup.servers.models import MODELS, ClientDisconnected
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
HI: dict[str, Any] = {"type": "websocket.send", "text": "hi"}


def in_memory(work: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function in virtual time."""

    async def run() -> None:
        await work()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


def test_each_message_goes_to_the_call_that_waits_longest():
    async def work():
        inbox = Inbox(lambda: None)
        calls = [asyncio.ensure_future(inbox.get()) for _ in range(2)]
        await asyncio.sleep(0)
        for text in ("one", "two"):
            inbox.put({"type": "websocket.receive", "text": text})
        assert [message["text"] for message in await asyncio.gather(*calls)] == ["one", "two"]
        assert not inbox.read

    in_memory(work)


def test_an_app_that_asks_again_and_again_spins_on_a_server_that_always_answers():
    async def work():
        connection = MemoryConnection(MODELS["granian"], "close")
        spins = []
        connection.calls.on_spin = lambda: spins.append(connection.calls.receives)
        await connection.receive()
        await connection.send(ACCEPT)
        connection.leave()
        codes = [(await connection.receive())["code"] for _ in range(SPINS + 2)]
        assert codes == [1001, *[1005] * (SPINS + 1)]
        assert (connection.calls.spun, spins) == (True, [SPINS + 3])  # the connect and the goodbye are no repetitions

    in_memory(work)


def test_at_its_moment_a_client_leaves_and_what_it_said_is_lost():
    async def work():
        connection = MemoryConnection(MODELS["uvicorn"], "reset", Moment("receive", 2))
        await connection.receive()
        await connection.send(ACCEPT)
        connection.say("unheard")
        assert await connection.receive() == {"type": "websocket.disconnect", "code": 1005}
        with pytest.raises(ClientDisconnected):
            await connection.send(HI)
        assert (connection.gone, connection.over, list(connection.client.outbox)) == ("reset", True, [])

    in_memory(work)


@pytest.mark.parametrize(("server", "turns"), [("uvicorn-websockets", 2), ("uvicorn", 0), ("granian", 0)])
def test_the_goodbye_overtakes_nobody_who_answers_what_was_heard_before(server, turns):
    """Websockets' legacy recv() waits, even for an end that has been there before; the others have it in a queue."""

    async def work():
        connection = MemoryConnection(MODELS[server], "close")
        await connection.receive()
        await connection.send(ACCEPT)
        connection.leave()
        turned = 0

        async def turn():
            nonlocal turned
            while True:
                turned += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(turn())
        assert (await connection.receive())["code"] == 1001
        task.cancel()
        assert turned == turns

    in_memory(work)


def test_before_it_is_accepted_a_client_cannot_close():
    async def work():
        connection = MemoryConnection(MODELS["daphne"], "close")
        await connection.receive()
        connection.leave(3001, "bye")
        assert await connection.receive() == {"type": "websocket.disconnect", "code": 1006}
        assert connection.gone == "fin"

    in_memory(work)


def test_the_apps_own_close_is_told_with_its_reason_and_drawn():
    async def work():
        trace = Trace()
        connection = MemoryConnection(MODELS["uvicorn"], "close", trace=trace)
        await connection.receive()
        await connection.send(ACCEPT)
        await connection.send({"type": "websocket.close", "code": 4000, "reason": "why"})
        assert await connection.receive() == {"type": "websocket.disconnect", "code": 4000, "reason": "why"}
        shown = [(event.actor, event.to, event.action, event.detail) for event in trace]
        assert ("server", "client", "close", "4000 why") in shown
        assert ("client", "server", "close", "4000 why") in shown

    in_memory(work)
