"""A peer that ends its connection on request."""

import asyncio
from typing import Any

import pytest
from websockets import ConnectionClosed

from hangup import Trace, connect
from hangup.network.ports import traces
from hangup.time.loopback import in_virtual_time
from helpers.props.peer import ENDINGS, peer


def ending(how: str, trace: Trace | None = None):
    """Send a message, end the connection a second later, and tell what the server has and what the client was told."""

    async def session():
        options: dict[str, Any] = {"ping_interval": 5, "ping_timeout": 5, "close_timeout": 1}
        async with peer(trace=trace) as far, connect(far.url, **options) as client:
            await client.send("hello")
            far.end(how, after=1)
            with pytest.raises(ConnectionClosed) as told:
                await client.recv()
            await client.wait_closed()
            code = told.value.rcvd.code if told.value.rcvd else told.value.sent.code if told.value.sent else None
            return far.got, code, round(far.since_end or 0, 3), far.opened

    return in_virtual_time(session)


@pytest.mark.parametrize(
    ("how", "code", "later"), [("close", 1001, 0.0), ("fin", None, 0.0), ("reset", None, 0.0), ("silence", 1011, 10.0)]
)
def test_each_ending_is_what_it_says(how, code, later):
    """A close carries its code, FIN and RST carry none, and silence is found by a ping."""
    assert ending(how) == (["hello"], code, later, 1)


def test_all_endings_are_tested():
    """The four above are all there are."""
    assert set(ENDINGS) == {"close", "fin", "reset", "silence"}


def test_it_draws_what_happens():
    """The client is drawn without being told where."""
    trace = Trace()
    ending("close", trace)
    assert "server → client   close 1001" in str(trace)


def test_a_handler_of_your_own_and_a_slow_wire():
    """The handler talks; everything takes its time each way; nothing is left."""

    async def talk(websocket):
        await websocket.send("word")

    async def session():
        loop = asyncio.get_running_loop()
        async with peer(talk, seconds=2) as far, connect(far.url) as client:
            connected = loop.time()
            word = await client.recv()
        return connected, word, len(asyncio.all_tasks())  # this one, and who runs it

    assert in_virtual_time(session) == (pytest.approx(4), "word", 2)
    assert not traces


def test_an_error_of_the_handler_comes_out():
    """A bug in a handler closes with 1011, and the log of websockets is kept quiet."""

    async def broken(websocket):
        raise ValueError("a bug")

    async def session():
        async with peer(broken) as far, connect(far.url) as client:
            with pytest.raises(ConnectionClosed) as told:
                await client.recv()
            return str(told.value)

    assert "1011" in in_virtual_time(session)
