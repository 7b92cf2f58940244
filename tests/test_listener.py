"""A server in a thread of its own, whose close frame has come before the client looks."""

import asyncio
import threading

import pytest
import websockets

from hangup import Trace, connect
from helpers.props import listener as module
from helpers.props.listener import in_thread, until_unread


async def one(websocket):
    """Take one message and hang up."""
    await websocket.recv()


async def late_sends() -> tuple[int, str]:
    """Send one message, then ten more after the server has hung up; return how many succeeded, and the state."""
    with in_thread(one) as url:
        async with connect(url) as client:
            await client.send("first")
            until_unread(client)
            for number in range(10):
                await client.send(str(number))
            return number + 1, client.state.name


def test_every_late_send_succeeds():
    """In each of ten runs, whatever else the machine does."""
    assert {asyncio.run(late_sends()) for _ in range(10)} == {(10, "OPEN")}


def test_no_thread_is_left():
    """Also when the block raises, the thread ends and nobody listens any more."""
    before = threading.active_count()
    with pytest.raises(ValueError, match="mine"), in_thread(one) as url:
        raise ValueError("mine")
    assert threading.active_count() == before

    async def connects():
        async with connect(url, open_timeout=30):
            pass

    with pytest.raises(OSError, match="Connect"):
        asyncio.run(connects())


def test_the_moment_is_drawn():
    """The picture has a note where the client's code holds the loop."""
    trace = Trace()

    async def session():
        with in_thread(one) as url:
            async with connect(url, trace=trace) as client:
                await client.send("first")
                until_unread(client)
                with pytest.raises(websockets.ConnectionClosedOK):
                    await client.recv()

    asyncio.run(session())
    words = [event.label for event in trace]
    assert words[2:5] == ["text 'first'", "computes; meanwhile bytes come from the server", "close 1000"]


def test_nothing_unread_is_said(monkeypatch):
    """A server that sends nothing makes it a TimeoutError, not a wait for ever."""

    async def session():
        with in_thread(one) as url:
            async with connect(url) as client:
                with monkeypatch.context() as patch:
                    patch.setattr(module, "PATIENCE", 0.05)  # not for the thread, which may take longer to start
                    with pytest.raises(TimeoutError, match="has sent nothing"):
                        until_unread(client)

    asyncio.run(session())
