"""connect(): websockets' client, with its frames drawn and two rude ways to leave."""

import asyncio

import pytest
import websockets

from hangup import SERVERS, Trace, connect, note, run, serve
from hangup.servers.script import Expect, Send
from support.apps import app, echo, failing


def test_the_frames_of_a_plain_server_are_drawn_in_the_given_trace():
    async def work() -> Trace:
        trace = Trace()

        async def handler(connection):
            await connection.send("welcome")
            await connection.close(4000, "enough")

        async with websockets.serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/x", trace=trace) as client:
                assert await client.recv() == "welcome"
                await client.wait_closed()
        return trace

    assert str(asyncio.run(work())).splitlines() == [
        "client → server   GET /x",
        "server → client   101 Switching Protocols",
        "server → client   text 'welcome'",
        "server → client   close 4000 enough",
        "client → server   close 4000 enough",
    ]


def test_a_refusal_is_drawn():
    async def refuse(websocket):
        await websocket.close()

    async def work() -> Trace:
        trace = Trace()
        with pytest.raises(websockets.InvalidStatus):
            async with serve(app(refuse), trace=trace) as url, connect(url):
                pass
        return trace

    assert [event.label for event in asyncio.run(work())] == [
        "GET /",
        "websocket.close code=1000",
        "403 Forbidden",
        "returns",
    ]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("ending", "drawn"), [("close", "close 1001"), ("fin", "TCP FIN"), ("reset", "TCP RST")])
def test_every_ending_reaches_the_app_and_the_picture(server, ending, drawn):
    session = asyncio.run(run(app(echo), [Send("x"), Expect("x")], server=server, ending=ending))
    assert session.ended == "returned"
    assert len(session.codes) == 1
    assert drawn in [event.label for event in session.trace if event.actor == "client"]


def test_leaving_twice_is_leaving_once():
    async def work() -> Trace:
        trace = Trace()
        async with serve(app(echo), trace=trace) as url, connect(url) as client:
            await client.reset()
            await client.reset()
            await client.fin()
        return trace

    assert sum(event.cut for event in asyncio.run(work())) == 1


def test_a_server_that_ends_without_a_close_frame_is_drawn_as_a_cut():
    async def quits(websocket):
        await websocket.accept()

    async def work() -> Trace:
        trace = Trace()
        async with serve(app(quits), trace=trace) as url, connect(url) as client:
            await client.wait_closed()
            assert client.close_code == 1006
        return trace

    assert str(asyncio.run(work())).splitlines()[-2:] == [
        "app                 returns",
        "uvicorn → client  ✗ TCP FIN",
    ]


def test_a_note_lands_on_the_task_that_writes_it_and_nowhere_outside():
    async def handler(websocket):
        await websocket.accept()
        async with asyncio.TaskGroup() as group:
            group.create_task(inner(), name="inner")
        note("outer")
        await websocket.close()

    async def inner():
        note("inner")

    note("nobody sees this")
    session = asyncio.run(run(app(handler), []))
    notes = [(event.actor, event.detail) for event in session.trace if event.action == "note"]
    assert notes == [("app · inner", "inner"), ("app", "outer")]


def test_two_connections_have_a_lifeline_each():
    async def work() -> Trace:
        trace = Trace()
        async with serve(app(echo), trace=trace) as url, connect(url) as one, connect(url) as other:
            for client in (one, other, one):
                await client.send("x")
                await client.recv()
        return trace

    assert asyncio.run(work()).lifelines == ("client a", "client b", "server", "app a", "app b")


def test_an_ending_that_does_not_exist_is_one_sentence():
    with pytest.raises(ValueError, match=r"^There is no ending called 'explode': choose one of close, fin, .*\.$"):
        asyncio.run(run(app(echo), ending="explode"))


def test_what_the_client_missed_is_a_fact_of_the_session():
    session = asyncio.run(run(app(failing), [Send("x"), Expect()]))
    assert session.facts["unanswered"] == ["the connection was closed before the client had finished"]
    session = asyncio.run(run(app(echo), [Send("x"), Expect("y")]))
    assert session.facts["unanswered"] == ["expected 'y', got 'x'"]


def test_a_recording_has_an_end():
    async def chatter(websocket):
        await websocket.accept()
        for _ in range(5_000):
            note("again")
        await websocket.close()

    session = asyncio.run(run(app(chatter), []))
    assert len(session.trace) < 2_100
    assert "the recording stops here, after 2,000 events" in str(session.trace)
    assert "returns" in [event.action for event in session.trace]
