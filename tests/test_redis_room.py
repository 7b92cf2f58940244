"""The room over Redis: heard in other processes, and heard again after an outage. Skipped without a redis-server."""

import asyncio
import os
import shutil

import nbformat
import pytest
from broadcaster import Broadcast
from starlette.websockets import WebSocket

from hangup import connect, serve
from helpers import lessons
from helpers.props.elsewhere import serve_elsewhere
from helpers.props.redis_room import OUTAGE, Hearing, Lasting, chat, fate, heard, mounted
from helpers.props.redis_server import MISSING, redis_server

FOUND = shutil.which("redis-server") is not None
with_redis = pytest.mark.skipif(not FOUND and os.environ.get("REDIS") != "required", reason=MISSING)


@with_redis
@pytest.mark.parametrize("backend", [Hearing, Lasting])
def test_two_processes_share_a_room(backend):
    async def work() -> None:
        async with (
            redis_server() as redis,
            serve(chat(redis.url, backend)) as here,
            serve_elsewhere("helpers.props.redis_room:chat", redis.url) as there,
            connect(here) as a,
            connect(there) as b,
        ):
            await redis.until_listeners(2, "room")
            await b.send("hello")
            assert await a.recv() == await b.recv() == "hello"

    asyncio.run(work())


@with_redis
@pytest.mark.parametrize(
    ("backend", "listeners", "state"),
    [(Hearing, 0, "ended with ConnectionError, and nobody asked"), (Lasting, 1, "listens")],
)
def test_after_an_outage_only_who_listens_again_hears(backend, listeners, state):
    async def work() -> None:
        async with redis_server() as redis:
            app = chat(redis.url, backend)
            async with serve(app) as url, connect(url) as a:
                await redis.until_listeners(1, "room")
                await redis.stop()
                await redis.start()
                await redis.until_listeners(listeners, "room")
                assert fate(app) == state
                if listeners:
                    await a.send("again")
                    assert await a.recv() == "again"

    asyncio.run(work())


def test_in_memory_it_is_a_room_as_well():
    async def work() -> None:
        app = chat("memory://", Lasting)
        async with serve(app) as url, connect(url) as a:
            await a.send("hello")
            assert await a.recv() == "hello"
            assert fate(app) == "listens"

    asyncio.run(work())


def test_an_app_empties_its_members_when_it_starts():
    members = ["somebody of the last run"]

    async def silent(websocket: WebSocket) -> None:
        await websocket.accept()

    async def work() -> None:
        async with serve(mounted(silent, Broadcast("memory://"), members)):
            assert members == []

    asyncio.run(work())


def test_what_a_member_hears():
    async def says_hi(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hi")
        await websocket.receive_text()

    async def work() -> None:
        async with serve(mounted(says_hi, Broadcast("memory://"))) as url, connect(url) as a:
            assert await heard(a) == "hears 'hi'"
            assert await heard(a, 0.01) == "hears nothing"
            await a.send("go on")
            assert await heard(a) == "is thrown out"

    asyncio.run(work())


@pytest.mark.parametrize("backend", OUTAGE)
def test_what_is_shown_without_a_redis_is_what_the_lesson_printed_with_one(backend):
    notebook = nbformat.read(lessons.source("07-chat-room"), as_version=4)
    cell = next(each for each in notebook.cells if f"await outage(rooms.{backend.__name__}," in each.source)
    assert str(cell.outputs[-1].text).endswith(OUTAGE[backend] + "\n")
