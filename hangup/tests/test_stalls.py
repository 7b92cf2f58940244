"""A machine that stands still for seconds: whoever waits has seen nothing of them, and blames nobody for them."""

import asyncio

import pytest

from hangup import SERVERS, connect, run, serve
from hangup.servers import sessions
from hangup.servers.matrix.asked import PAUSE, WAITS, Logged
from hangup.servers.script import Expect, Send
from hangup.servers.stalls import patience, pending, rest
from support.apps import app, echo

STALL = 30.0  # seconds


class StallingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: so it looks to a process that did not run meanwhile."""

    stood_still = 0.0

    def time(self):
        return super().time() + self.stood_still


def stalls():
    """Stand still: from here on all that is due within the next seconds is due now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StallingLoop)
    loop.stood_still += STALL


async def a_few_turns():
    """Take as many turns of the loop as what comes through a server to an app, and back."""
    for _ in range(10):
        await asyncio.sleep(0)


def on_a_stalling_loop(work):
    with asyncio.Runner(loop_factory=StallingLoop) as runner:
        return runner.run(work)


def test_what_comes_after_a_stall_is_waited_for():
    async def work():
        async with patience(WAITS):
            stalls()
            await a_few_turns()
            return "came"

    assert on_a_stalling_loop(work()) == "came"


def test_after_a_stall_there_is_rest_still():
    async def work():
        resting = asyncio.ensure_future(rest(PAUSE))
        await asyncio.sleep(0)
        stalls()
        await a_few_turns()
        done = resting.done()
        await resting
        return done

    assert not on_a_stalling_loop(work())


def test_who_waits_in_vain_waits_so_long_and_no_longer():
    async def work():
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with patience(0.01):
                await asyncio.Event().wait()
        return loop.time() - began

    assert on_a_stalling_loop(work()) >= 0.01


@pytest.mark.parametrize("leaves", ["before", "meanwhile"])
def test_a_receive_that_a_stall_delays_does_not_wait_for_ever(leaves):
    async def work():
        async def receive():
            await asyncio.sleep(0)
            if leaves == "meanwhile":
                log.leave()
            stalls()
            await a_few_turns()
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(message):
            raise AssertionError(message)

        log = Logged(receive, send)
        if leaves == "before":
            log.leave()
        await log.receive()
        return log.lines

    assert on_a_stalling_loop(work()) == ["websocket.disconnect {'code': 1006}"]


def test_who_ends_in_a_stall_is_not_cancelled():
    async def work():
        async def ends():
            stalls()
            await a_few_turns()

        return await pending([asyncio.ensure_future(ends())], 0.5)

    assert on_a_stalling_loop(work()) == []


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("moment", ["before accept", "before the answer", "before the end"])
def test_a_session_on_a_real_server_is_what_it_is_without_a_stall(server, moment):
    def told(now):
        if now == moment:
            stalls()

    async def handler(websocket):
        told("before accept")
        await websocket.accept()
        async for text in websocket.iter_text():
            told("before the answer")
            await websocket.send_text(text)
        told("before the end")
        await a_few_turns()

    session = on_a_stalling_loop(run(app(handler), [Send("x"), Expect("x")], server=server))
    assert (session.ended, session.facts["unanswered"]) == ("returned", [])


@pytest.mark.parametrize("server", SERVERS)
def test_a_goodbye_that_a_stall_delays_is_drawn(server, monkeypatch):
    async def close(client):
        asyncio.get_running_loop().call_soon(stalls)
        await client.close(1001)

    monkeypatch.setitem(sessions.ENDINGS, "close", ("the client closes with 1001", close))
    session = on_a_stalling_loop(run(app(echo), [Send("x"), Expect("x")], server=server))
    assert [event.label for event in session.trace if event.to == "client"][-1] == "close 1001"


@pytest.mark.parametrize("server", SERVERS)
def test_an_app_that_a_stall_delays_while_its_server_stops_ends_by_itself(server):
    async def handler(websocket):
        await websocket.accept()
        await websocket.receive()
        stalls()
        await a_few_turns()

    async def work():
        async with serve(app(handler), server=server) as url:
            async with connect(url) as client:
                await client.fin()
        return url.sessions[0].ended

    assert on_a_stalling_loop(work()) == "returned"
