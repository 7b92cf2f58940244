"""The models tell the truth of misuse, of a peer that is silent or does not read, and of a message that is too big."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from hangup import SERVERS
from hangup.servers.memory import MemoryConnection
from hangup.servers.memory.lasting import KEPT, UNREAD
from hangup.servers.models import MODELS
from hangup.servers.models.words import LIMIT
from hangup.time.virtual import VirtualLoop
from support import further
from support.probes import Logged

SHORT = {"ws_ping_interval": 1.0, "ws_ping_timeout": 1.0}  # seconds; uvicorn's defaults are 20 and 20


def in_memory(server: str, ending: str, work: Callable[[Logged, MemoryConnection], Awaitable[None]]) -> list[str]:
    """Play a case on the model and return its log."""

    async def play() -> list[str]:
        connection = MemoryConnection(MODELS[server], ending)
        app = Logged(connection.receive, connection.send)
        app.leave()
        await connection.receive()
        await work(app, connection)
        connection.unlink()
        return app.lines

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play())


@pytest.fixture(scope="module")
def real() -> dict[tuple[str, str], list[str]]:
    """Play all cases on all servers, at once."""
    pings: ContextVar[dict[str, float]] = ContextVar("pings")
    cases = (
        further.second_accept,
        further.second_reader,
        further.too_big,
        further.too_big_and_sends_at_once,
        further.unread,
        further.silent,
    )

    async def log(case: further.Case, server: str) -> list[str]:
        pings.set(SHORT if case is further.silent else {})  # of no other: on a busy machine a pong may take a second
        return await case(server)

    async def all_of_them() -> dict[tuple[str, str], list[str]]:
        pairs = [(case, server) for server in SERVERS for case in cases]
        logs = await asyncio.gather(*(log(case, server) for case, server in pairs))
        return {(case.__name__, server): each for (case, server), each in zip(pairs, logs, strict=True)}

    import uvicorn

    with pytest.MonkeyPatch.context() as patch:
        made: Any = uvicorn.Config.__init__
        patch.setattr(
            uvicorn.Config, "__init__", lambda self, *args, **named: made(self, *args, **named, **pings.get())
        )
        return asyncio.run(all_of_them())


@pytest.mark.parametrize("server", SERVERS)
def test_a_second_accept_raises(real, server):
    async def work(app, _):
        for kind in ("accept", "accept", "send"):
            await app.send(kind)

    assert in_memory(server, "close", work) == real["second_accept", server]


@pytest.mark.parametrize("server", SERVERS)
def test_a_second_reader_waits_or_raises(real, server):
    async def work(app, connection):
        await app.send("accept")
        first = asyncio.ensure_future(app.receive())
        await asyncio.sleep(0)
        second = asyncio.ensure_future(app.receive())
        await asyncio.sleep(0)
        await app.send("send")
        for text in ("one", "two"):
            connection.say(text)
        await asyncio.wait([first, second])

    assert in_memory(server, "close", work) == real["second_reader", server]


@pytest.mark.parametrize("server", [name for name in SERVERS if MODELS[name].early_closing is not None])
def test_an_accept_tells_nothing_while_the_connection_is_closing(server):
    async def work(app, connection):
        connection.leave()
        for kind in ("accept", "send"):
            await app.send(kind)

    assert in_memory(server, "closing", work) == asyncio.run(further.closing(server))


@pytest.mark.parametrize("server", SERVERS)
def test_who_is_called_for_a_client_that_was_reset(server):
    lines = {"called for nobody"} if MODELS[server].loses_client else {"called for somebody", "not called"}
    assert set(asyncio.run(further.client_of_one_who_was_reset(server))) <= lines


@pytest.mark.parametrize("server", SERVERS)
def test_a_silent_peer_is_noticed_by_who_pings(real, server):
    """With pings of 1 s and a second for the pong, in place of the defaults.

    A real server may be late on a busy machine, never early; test_installed has what its code does, to the second.
    """
    model = MODELS[server]
    *lines, after = real["silent", server]
    if "silence" not in model.told:
        assert (lines, after) == (["accept returns"], "not told")
        return

    async def work(app, connection):
        await app.send("accept")
        connection.leave()
        for _ in range(2):
            await asyncio.sleep(model.after["silence"] if not app.lines[1:] else 0)
            await app.receive()
        await app.send("send")

    assert in_memory(server, "silence", work) == lines
    assert float(after.split()[1]) >= model.after["silence"] - 38


def test_uvicorns_pings_have_the_defaults_that_the_models_say():
    import uvicorn

    config = uvicorn.Config("")
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (20.0, 20.0)
    pinging = [model for model in MODELS.values() if model.package == "uvicorn"]
    assert {model.pings_every for model in pinging} == {20.0}
    assert [model.after["silence"] for model in pinging] == [40.0, 50.0, 40.0]


@pytest.mark.parametrize("server", SERVERS)
def test_a_message_above_the_limit_ends_the_connection(real, server):
    model = MODELS[server]

    async def work(app, connection):
        await app.send("accept")
        connection.leave()
        await asyncio.sleep(model.after.get("too-big", 0.1))
        for _ in range(2):
            await app.receive()
        await app.send("send")

    seen = f"client sees {model.big_seen.open}"
    assert [*in_memory(server, "too-big", work), seen] == real["too_big", server]


@pytest.mark.parametrize("server", SERVERS)
def test_a_send_in_the_breath_in_which_the_app_is_told_of_it(real, server):
    model = MODELS[server]

    async def work(app, connection):
        await app.send("accept")
        asyncio.get_running_loop().call_later(0.001, connection.leave)
        app.lines.append(further.shown(await connection.receive()))
        await app.send("send")

    modelled = in_memory(server, "too-big", work)
    assert [*modelled, f"client sees {model.big_seen.open}"] == real["too_big_and_sends_at_once", server]


@pytest.mark.parametrize("server", SERVERS)
def test_a_send_waits_for_a_peer_that_does_not_read(real, server):
    async def work(app, connection):
        await app.send("accept")
        connection.leave()
        waiting = asyncio.ensure_future(app.send("send"))
        await asyncio.sleep(1)
        assert connection.waiting_sends == 1
        app.lines += ["send waits", "the next send waits"]
        connection.lasting._end("reset")  # not a minute later: a log gives up earlier
        await asyncio.wait([waiting])
        assert connection.waiting_sends == 0
        await app.receive()

    assert in_memory(server, "unread", work) == real["unread", server]


# ---- what only time tells: in memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_a_proxy_with_an_idle_limit_ends_the_connection_of_a_server_that_does_not_ping(server):
    async def work(app, connection):
        loop = asyncio.get_running_loop()
        await app.send("accept")
        connection.leave()
        began = loop.time()
        message = await connection.receive()
        kept = MODELS[server].pings_every is not None
        assert loop.time() - began == (KEPT if kept else LIMIT)
        assert connection.lasting.kept == ("pings" if kept else "")
        assert message["type"] == "websocket.disconnect"

    in_memory(server, "idle", work)


def test_an_app_that_sends_now_and_then_keeps_its_connection():
    async def work(app, connection):
        loop = asyncio.get_running_loop()
        await app.send("accept")
        connection.leave()
        began = loop.time()
        while not connection.gone:
            await app.send("send")
            await asyncio.sleep(LIMIT - 1)
        assert loop.time() - began >= KEPT
        assert connection.lasting.kept == "app"

    in_memory("granian", "idle", work)


def test_who_does_not_read_is_reset_in_the_end():
    async def work(app, connection):
        loop = asyncio.get_running_loop()
        await app.send("accept")
        connection.leave()
        began = loop.time()
        assert await connection.receive() == {"type": "websocket.disconnect", "code": 1005}
        assert loop.time() - began == UNREAD

    in_memory("uvicorn", "unread", work)
