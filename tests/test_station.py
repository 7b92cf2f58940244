"""A station ends connections as it is told, and one picture shows all of a client's connections."""

import asyncio

import pytest
from websockets import ConnectionClosed, InvalidMessage

from helpers import Trace, connect
from helpers.loopback import in_virtual_time
from helpers.station import station
from helpers.toxics import Frame, Reset


async def greet(websocket):
    """Say hello and wait."""
    await websocket.send("hello")
    await websocket.wait_closed()


async def last_word(url):
    """Return how a connection ended."""
    async with connect(url) as websocket:
        await websocket.recv()
        try:
            await websocket.recv()
        except ConnectionClosed:
            return websocket.close_code


@pytest.mark.parametrize(("how", "code"), [("close", 1008), ("reset", 1006), ("restart", 1012)])
def test_it_ends_every_connection(how, code):
    async def work():
        async with station(greet) as server:
            client = asyncio.create_task(last_word(server.url))
            await asyncio.sleep(1)
            if how == "reset":
                server.reset()
            else:
                await (server.close(code) if how == "close" else server.restart(1))
            return await client

    assert in_virtual_time(work) == code


def test_while_it_is_away_whoever_comes_is_reset_and_counted():
    async def work():
        async with station(greet) as server:
            away = asyncio.create_task(server.restart(3, None))
            await asyncio.sleep(1)
            with pytest.raises((OSError, InvalidMessage)):
                await last_word(server.url)
            await away
            async with connect(server.url) as websocket:
                return await websocket.recv(), server.came

    assert in_virtual_time(work) == ("hello", [1.0, 3.0])


def test_two_connections_of_a_client_are_one_lifeline():
    trace = Trace()

    async def work():
        cut = Reset(at=Frame(1), stream="downstream", connections=1)
        async with station(greet, cut, trace=trace) as server:
            async for websocket in connect(server.url):
                try:
                    return await websocket.recv()
                except ConnectionClosed:
                    continue
        return None

    assert in_virtual_time(work) == "hello"
    assert trace.lifelines == ("client", "network", "server")
    assert [event.action for event in trace].count("GET") == 2


def test_nothing_is_left(leaves_nothing):
    async def work():
        async with station(greet) as server, connect(server.url) as websocket:
            await websocket.recv()

    leaves_nothing(work)
