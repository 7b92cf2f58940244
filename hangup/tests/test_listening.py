"""A server that cannot start says why in one sentence."""

import asyncio
import contextlib
import importlib.util
import socket

import pytest
from starlette.applications import Starlette

from hangup import SERVERS, serve
from hangup.servers.serve import ServerError
from support.apps import app, echo


@pytest.mark.parametrize("server", SERVERS)
def test_an_app_that_fails_in_its_lifespan_is_one_sentence(server):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        raise ValueError("no database")
        yield

    async def work():
        async with serve(Starlette(lifespan=lifespan), server=server):
            pass

    with pytest.raises(
        ServerError, match=r"^The app did not start: in its lifespan it raised ValueError: no database$"
    ):
        asyncio.run(work())


def test_a_taken_port_is_one_sentence():
    async def work():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            async with serve(app(echo), port=taken.getsockname()[1]):
                pass

    with pytest.raises(ServerError, match=r"^Port \d+ on 127\.0\.0\.1 is taken: choose another, or leave it out"):
        asyncio.run(work())


def test_an_unknown_server_is_one_sentence():
    async def work():
        async with serve(app(echo), server="unicorn"):
            pass

    with pytest.raises(ServerError, match=r"^There is no server called 'unicorn': choose one of uvicorn, "):
        asyncio.run(work())


@pytest.mark.parametrize(
    ("server", "missing", "extra"),
    [
        ("uvicorn", "websockets", "uvicorn"),
        ("uvicorn-wsproto", "wsproto", "uvicorn"),
        ("granian", "granian", "granian"),
        ("hypercorn", "hypercorn", "hypercorn"),
    ],
)
def test_a_server_that_is_not_installed_is_one_sentence(server, missing, extra, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else find(name))

    async def work():
        async with serve(app(echo), server=server):
            pass

    with pytest.raises(ServerError) as caught:
        asyncio.run(work())
    words = f"{server} needs the package {missing}, which is not installed: pip install 'hangup[{extra}]'"
    assert str(caught.value) == words
