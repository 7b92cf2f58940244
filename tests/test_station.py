"""A station ends connections as it is told, and one picture shows all of a client's connections."""

import asyncio

import pytest
from websockets import ConnectionClosed, InvalidMessage

from hangup import Trace, connect
from hangup.network.toxics import Frame, Reset
from hangup.time.loopback import in_virtual_time
from helpers.props.station import BY_THE_BOOK, deploy, for_good, station, visit


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


def test_a_visit_tells_when_the_client_came():
    async def twice(url):
        for _ in range(2):
            await last_word(url)
            await asyncio.sleep(5)

    async def close(websocket):
        await websocket.send("hello")
        await websocket.close()

    assert visit(twice, close) == [0.0, 5.0]


@pytest.mark.parametrize(("limits", "times"), [({"most": 3}, 3), ({"seconds": 9.5}, 10)])
def test_a_visit_has_an_end(limits, times):
    async def comes_each_second(url):
        while True:
            async with connect(url):
                await asyncio.sleep(1)

    assert visit(comes_each_second, greet, **limits) == [float(number) for number in range(times)]


def test_a_visit_raises_what_the_client_raises():
    async def fails(url):
        raise KeyError(url[:3])

    with pytest.raises(KeyError, match="ws:"):
        visit(fails, greet)


def test_a_server_that_is_away_from_the_start_lets_nobody_in():
    async def work():
        async with station(greet, away=True) as server:
            with pytest.raises((OSError, InvalidMessage)):
                await last_word(server.url)
            return server.came

    assert in_virtual_time(work) == [0.0]


@pytest.mark.parametrize(("server", "code"), [("uvicorn", 1012), (BY_THE_BOOK, 1001)])
def test_a_deploy_is_heard_by_who_listens(server, code):
    async def hears(websocket):
        await websocket.wait_closed()
        return websocket.close_code

    assert asyncio.run(deploy(server, hears)) == code


@pytest.mark.parametrize(("code", "lasting"), [(1000, False), (1006, False), (1008, True), (1012, False), (4999, True)])
def test_some_codes_are_for_good(code, lasting):
    assert for_good(code) == lasting


def test_nothing_is_left(leaves_nothing):
    async def work():
        async with station(greet) as server, connect(server.url) as websocket:
            await websocket.recv()

    leaves_nothing(work)


def test_a_visit_can_be_reset_at_a_frame_and_only_the_first_connection_is():
    said = []

    async def comes_back(url):
        async for websocket in connect(url):
            try:
                async for text in websocket:
                    said.append(text)
                return
            except ConnectionClosed:
                said.append("lost")

    async def counts(websocket):
        for text in ("one", "two"):
            await websocket.send(text)

    assert visit(comes_back, counts, reset_at=2) == [0.0, 0.0]
    assert said == ["one", "lost", "one", "two"]
