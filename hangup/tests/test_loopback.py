"""Virtual time on real sockets: nothing is in flight when the clock jumps."""

import asyncio
from typing import Any

import pytest
from websockets import ConnectionClosedError
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop, in_virtual_time, now


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


def url_of(server):
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_hours_take_no_time_and_timers_keep_their_order():
    """Two sleepers wake at their virtual times, in their order, and nobody waits."""

    async def session():
        loop, woken = asyncio.get_running_loop(), []

        async def sleep(seconds):
            await asyncio.sleep(seconds)
            woken.append(loop.time())

        await asyncio.gather(sleep(7200), sleep(3600))
        return woken

    assert in_virtual_time(session) == pytest.approx([3600, 7200])


def test_no_time_passes_while_bytes_are_on_their_way():
    """A hundred messages go there and back, small and large, each under a timeout that the smallest jump would end."""

    async def session():
        loop = asyncio.get_running_loop()
        async with (
            serve(echo, "127.0.0.1", 0, max_size=None) as server,
            connect(url_of(server), max_size=None) as client,
        ):
            for number in range(100):
                async with asyncio.timeout(1e-6):
                    await client.send(bytes(number * 2_000))
                    assert len(await client.recv()) == number * 2_000
            return loop.time()

    assert in_virtual_time(session) == pytest.approx(0, abs=1e-3)


def test_equal_sessions_are_equal():
    """The library's own keepalive, against a server that never answers, takes the same virtual time in every run."""

    async def session():
        loop = asyncio.get_running_loop()

        async def silent(websocket):
            websocket.transport.pause_reading()
            await asyncio.sleep(100)

        options: dict[str, Any] = {"ping_interval": 3, "ping_timeout": 4, "close_timeout": 5}
        async with serve(silent, "127.0.0.1", 0, close_timeout=1) as server:
            async with connect(url_of(server), **options) as client:
                with pytest.raises(ConnectionClosedError):
                    await client.recv()
                return loop.time()

    assert {round(in_virtual_time(session), 3) for _ in range(50)} == {12.0}


def test_what_can_never_end_is_stopped():
    """Nothing is set, nothing is on its way: the run is given up."""
    with pytest.raises(Stuck):
        in_virtual_time(asyncio.Event().wait, seconds=0.2)


def test_the_loop_closes_its_sockets():
    """The pair by which a loop makes sure that all has arrived is closed with it."""
    loop = LoopbackLoop()
    loop.settle()
    loop.close()
    assert (loop._out.fileno(), loop._in.fileno()) == (-1, -1)


def test_a_traceback_begins_inside_the_coroutine():
    async def breaks():
        raise KeyError("here")

    with pytest.raises(KeyError) as caught:
        in_virtual_time(breaks)
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "breaks"
    assert "run_in_thread" not in names


def test_a_session_is_called_with_what_is_given():
    """What stands behind the function is handed on; `now` is the loop's own time."""

    async def session(seconds):
        await asyncio.sleep(seconds)
        return now()

    assert in_virtual_time(session, 3600) == 3600
