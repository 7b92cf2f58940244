"""proxy(): where it may lead, and what it leaves behind."""

import asyncio
import socket

import pytest

from hangup import connect, serve
from hangup.network.proxy import ProxyError, proxy
from hangup.network.toxics import (
    BlackHole,
    Close,
    Frame,
    Latency,
    Reset,
)
from support.apps import app, echo
from support.lines import End


async def enter(url: object, *toxics: object) -> None:
    async with proxy(url, *toxics):  # type: ignore[arg-type]  # wrong on purpose
        pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ws://example.com:1", "ws://127.0.0.1:99999", "127.0.0.1", 3])
def test_a_url_that_is_not_of_this_machine_is_one_sentence(url):
    with pytest.raises(ValueError, match=r"^A proxy leads to a server of this machine, such as ws://127.0.0.1:8000; "):
        asyncio.run(enter(url))


def test_a_fault_class_is_no_fault():
    with pytest.raises(TypeError, match=r"^A proxy takes faults such as Reset\(at=Frame\(2\)\); <class .*> is none\.$"):
        asyncio.run(enter("ws://127.0.0.1:1", Reset))


def test_a_target_where_nobody_listens_is_one_sentence():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ProxyError, match=rf"^Nobody listens at {url}: start the server first\.$"):
            asyncio.run(enter(url))


def test_when_the_server_has_stopped_the_client_is_reset():
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                broken = proxy(f"ws://127.0.0.1:{port}")
                url = await broken.__aenter__()
            await loop.sock_connect(client, ("127.0.0.1", int(url.rpartition(":")[2])))
            assert await End(client).rest() == (b"", "RST")
            await broken.__aexit__(None, None, None)

    asyncio.run(work())


FAULTS = (Reset(at=Frame(1)), Close(at=Frame(1)), BlackHole(at=Frame(1)), Latency(60, at=Frame(1)))


@pytest.mark.parametrize("toxics", [(), *((fault,) for fault in FAULTS)])
def test_a_block_that_raises_leaves_nothing(leaves_nothing, toxics):
    async def fails() -> None:
        async with serve(app(echo)) as url, proxy(url, *toxics) as broken:
            async with connect(broken, close_timeout=0.01) as client:
                await client.send("x")
                await client.send("y")
                raise ZeroDivisionError

    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            await fails()

    leaves_nothing(work)


def test_open_connections_are_closed_with_the_proxy(leaves_nothing):
    async def work() -> None:
        async with serve(app(echo)) as url:
            async with proxy(url) as broken:
                client = await connect(broken)
                await client.send("x")
                await client.recv()
            await client.wait_closed()
            assert client.close_code == 1006
        assert url.sessions[0].codes == [1005]

    leaves_nothing(work)
