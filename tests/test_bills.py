"""billing(): a price service and a database, real, and nothing of them afterwards."""

import asyncio
from contextlib import asynccontextmanager

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient

from hangup.trace.trace import Trace
from helpers.props.bills import after_a_failure, billing, left, stopped, under_test


def test_a_bill_is_written_when_the_door_opens():
    async def work():
        async with billing() as bills:
            task = asyncio.create_task(bills.write(3))
            await asyncio.wait([task], timeout=0.05)
            assert not task.done()
            bills.door.set()
            await task
            assert await bills.rows() == [6]

    asyncio.run(work())


def test_nothing_is_left_when_somebody_still_waits_at_the_door(leaves_nothing):
    async def work():
        async with billing() as bills:
            task = asyncio.create_task(bills.write(3))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await bills.rows() == []

    leaves_nothing(work)


def pays(bills):
    """Return an app that writes a bill when its client has left."""

    async def talk(websocket):
        await websocket.accept()
        count = 0
        async for text in websocket.iter_text():
            count += 1
            await websocket.send_text(text)
        await bills.write(count)

    return Starlette(routes=[WebSocketRoute("/", talk)])


def says_hello(app):
    """Leave at once after hello; the test client then cancels the app."""
    with TestClient(app).websocket_connect("/") as client:
        client.send_text("hello")
        client.receive_text()


def test_three_ends_of_a_session(leaves_nothing):
    """A server lets the handler write its bill; a test cancels it; a server that stops is told of the shutdown late."""

    async def work():
        assert await left(pays, Trace()) == [2]
        assert await under_test(says_hello, pays, Trace()) == []
        assert await stopped(pays, "uvicorn") == ("disconnect", "✗ no bill")

    leaves_nothing(work)


def test_the_service_answers_at_lifespan_shutdown():
    """An app that waits for its bill at the shutdown gets it."""

    def make(bills):
        @asynccontextmanager
        async def lifespan(app):
            yield
            await bills.write(1)

        app = pays(bills)
        app.router.lifespan_context = lifespan
        return app

    assert asyncio.run(stopped(make, "uvicorn")) == ("disconnect", "✓ written")


def test_a_failure_ends_a_group_for_the_sessions_that_follow():
    def owning(bills):
        @asynccontextmanager
        async def lifespan(app):
            async with anyio.create_task_group() as app.state.tasks:
                yield

        async def talk(websocket):
            websocket.app.state.tasks.start_soon(bills.write, 1)
            await websocket.accept()
            async for text in websocket.iter_text():
                await websocket.send_text(text)

        return Starlette(routes=[WebSocketRoute("/", talk)], lifespan=lifespan)

    assert asyncio.run(after_a_failure(owning)) == "✗ refused: HTTP 500"
