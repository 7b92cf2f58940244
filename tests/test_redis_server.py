"""redis_server(): a real redis-server, for the length of a block. Skipped without one, unless REDIS=required."""

import asyncio
import os
import shutil
import socket

import pytest
from redis.asyncio import Redis as Client
from redis.exceptions import ConnectionError as RedisConnectionError

from helpers.props import redis_server as module
from helpers.props.redis_server import MISSING, RECORDED, NoRedis, redis_or_memory, redis_or_recorded, redis_server

FOUND = shutil.which("redis-server") is not None
with_redis = pytest.mark.skipif(not FOUND and os.environ.get("REDIS") != "required", reason=MISSING)


async def ask(url: str) -> bool:
    """Whether a Redis answers at this URL."""
    async with Client.from_url(url) as client:
        try:
            return bool(await client.ping())
        except RedisConnectionError:
            return False


@with_redis
def test_it_answers_inside_the_block_only():
    async def work() -> None:
        async with redis_server() as redis:
            url = redis.url
            assert url.startswith("redis://127.0.0.1:")
            assert await ask(url)
        assert not await ask(url)

    asyncio.run(work())


@with_redis
def test_it_goes_away_and_comes_back_on_the_same_port_with_nothing_kept():
    async def work() -> None:
        async with redis_server() as redis:
            url = redis.url
            async with Client.from_url(url) as client:
                await client.set("a", "1")
            await redis.stop()
            await redis.stop()
            assert not await ask(url)
            await redis.start()
            assert redis.url == url
            async with Client.from_url(url) as client:
                assert await client.get("a") is None

    asyncio.run(work())


@with_redis
def test_it_counts_who_listens():
    async def work() -> None:
        async with redis_server() as redis, Client.from_url(redis.url) as client:
            assert await redis.listeners("room") == 0
            async with client.pubsub() as channel:
                await channel.subscribe("room")
                await redis.until_listeners(1, "room")
                assert await redis.listeners("lobby") == 0
            await redis.until_listeners(0, "room")

    asyncio.run(work())


@with_redis
@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
def test_nothing_is_left_when_the_block_fails(error):
    seen = []

    async def work() -> None:
        async with redis_server() as redis:
            seen.append(redis)
            raise error

    with pytest.raises(error):
        asyncio.run(work())
    assert not asyncio.run(ask(seen[0].url))
    assert not seen[0].folder.exists()


@with_redis
def test_nothing_is_left_when_it_is_cancelled_while_it_starts(monkeypatch):
    seen = []

    async def work() -> None:
        this = asyncio.current_task()
        assert this is not None

        async def never(redis: module.Redis) -> bool:
            seen.append(redis._process)
            this.cancel()
            await asyncio.Event().wait()
            return True

        monkeypatch.setattr(module.Redis, "_answers", never)
        async with redis_server():
            pass

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    assert seen[0] is not None
    assert seen[0].returncode is not None


@with_redis
def test_it_leaves_no_task_thread_or_file(leaves_nothing):
    async def work() -> None:
        async with redis_server() as redis:
            await redis.stop()
            await redis.start()

    leaves_nothing(work)


@with_redis
def test_a_taken_port_is_no_trouble(monkeypatch):
    """Another process may take the port that was found: then the next one is tried."""
    tried = []
    start = module.Redis.start

    async def unlucky(redis: module.Redis) -> None:
        tried.append(redis.port)
        if len(tried) == 1:
            with socket.create_server(("127.0.0.1", redis.port)):
                await start(redis)
        else:
            await start(redis)

    async def work() -> None:
        monkeypatch.setattr(module.Redis, "start", unlucky)
        async with redis_server() as redis:
            assert await ask(redis.url)

    asyncio.run(work())
    assert len(tried) == 2


def test_without_one_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    async def work() -> None:
        async with redis_server():
            pass

    with pytest.raises(NoRedis, match="apt install redis-server, or brew install redis, or conda"):
        asyncio.run(work())


def test_without_one_the_lesson_says_so_and_takes_memory(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))

    async def work() -> None:
        async with redis_or_memory() as redis:
            await redis.until_listeners(2, "room")
            assert redis.url == "memory://"

    asyncio.run(work())
    assert capsys.readouterr().out == MISSING + "\n"


def test_without_one_that_could_go_away_the_lesson_shows_what_was_recorded(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))

    async def work() -> None:
        async with redis_or_recorded("what happened") as redis:
            raise AssertionError(redis.url)

    asyncio.run(work())
    assert capsys.readouterr().out == f"{RECORDED}\nwhat happened\n"


@with_redis
def test_one_that_can_go_away_does():
    async def work() -> None:
        async with redis_or_recorded("what happened") as redis:
            await redis.stop()
            assert not await ask(redis.url)

    asyncio.run(work())


def test_one_that_does_not_work_is_said_to_be_so(monkeypatch, tmp_path):
    """A redis-server that ends at once, as with a wrong library."""
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    async def work() -> None:
        async with redis_server():
            pass

    with pytest.raises(NoRedis, match="ended at once"):
        asyncio.run(work())
