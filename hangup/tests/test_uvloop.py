"""On a running uvloop, whose transports are types in C: connect() draws itself, leaves in every way, and is proxied."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
import websockets

from hangup import SERVERS, Trace, connect, proxy, serve
from hangup.network import Frame, Reset
from hangup.network.client import Connection
from support.apps import app, echo

uvloop = pytest.importorskip("uvloop", reason="uvloop does not exist on Windows")


def drawn(
    leave: Callable[[Connection], Awaitable[None]], new_loop: Callable[[], asyncio.AbstractEventLoop], server: str
) -> str:
    """Return the picture of a client who says hello and leaves, in words."""

    async def work() -> str:
        async with serve(app(echo), server=server) as url, connect(url) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            await leave(client)
        return str(url.trace)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work())


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("leave", "label"),
    [(Connection.close, "close 1000"), (Connection.fin, "✗ TCP FIN"), (Connection.reset, "✗ TCP RST")],
    ids=["close", "fin", "reset"],
)
def test_a_session_on_uvloop_looks_as_on_asyncios_own_loop(server, leave, label):
    text = drawn(leave, uvloop.new_event_loop, server)
    assert text == drawn(leave, asyncio.new_event_loop, server)
    assert label in text


def test_a_proxy_on_uvloop_cuts_where_it_should():
    async def work() -> Trace:
        async with serve(app(echo)) as url, proxy(url, Reset(at=Frame(2))) as broken:
            with contextlib.suppress(websockets.ConnectionClosed):
                async with connect(broken) as client:
                    for word in ("one", "two"):
                        await client.send(word)
                        await client.recv()
        return url.trace

    traces = []
    for new_loop in (uvloop.new_event_loop, asyncio.new_event_loop):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            traces.append(runner.run(work()))
    assert str(traces[0]) == str(traces[1])
    assert "TCP RST" in [event.label for event in traces[0]]


def test_the_transport_of_a_drawn_client_is_the_loops_own_in_all_but_write():
    async def work() -> None:
        async with serve(app(echo)) as url, connect(url) as client:
            sock = client.transport.get_extra_info("socket")
            assert client.local_address == sock.getsockname()
            assert client.remote_address == sock.getpeername()
            client.transport.pause_reading()
            client.transport.resume_reading()
            assert not client.transport.is_closing()
        assert client.transport.is_closing()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
