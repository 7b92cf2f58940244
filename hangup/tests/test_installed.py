"""The installed servers in memory: the explorer plays on them as on a model, and on what no model has a row for."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import pytest

from hangup import explore, replay
from hangup.cli import main
from hangup.servers.installed import names
from hangup.servers.installed.names import CODE, PREFIX
from hangup.servers.installed.transport import HIGH_WATER, MemoryTransport
from hangup.servers.memory import MemoryConnection
from hangup.servers.models import MODELS
from hangup.servers.models.doubts import installed
from hangup.servers.players import connection_for
from hangup.time.virtual import VirtualLoop
from support.apps import app, deaf, echo, failing, forgetful
from support.probes import ENDS, ends

HERE = [name for name, code in CODE.items() if not code.missing]
UVICORNS = [name for name in HERE if "uvicorn" in name]


def _cancel(task: "asyncio.Future[Any]") -> None:
    """Let what nothing can end fail."""
    task.cancel()


def on_a_loop(work: Callable[[VirtualLoop], Awaitable[Any]]) -> Any:
    """Run a function of the loop in virtual time."""

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        task = asyncio.ensure_future(work(loop))
        loop.on_idle = functools.partial(_cancel, task)
        return await task

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


async def accepted(name: str, ending: str) -> Any:
    """Return a connection that an app has accepted."""
    connection = connection_for(name, ending)
    assert await connection.receive() == {"type": "websocket.connect"}
    await connection.send({"type": "websocket.accept"})
    while not connection.accepted:
        await asyncio.sleep(0)
    return connection


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("handler", [echo, forgetful, failing, deaf], ids=lambda handler: handler.__name__)
def test_an_exploration_finds_on_a_servers_code_what_it_finds_on_its_model(name, handler):
    def found(model: str) -> set[tuple[str, str, str]]:
        report = explore(app(handler), models=[model], endings=["close", "fin", "reset", "shutdown"])
        return {(each.rule, each.schedule.removeprefix(PREFIX), each.got) for each in report.broken}

    assert found(name) == found(name.removeprefix(PREFIX))


@pytest.mark.parametrize("name", HERE)
def test_the_second_exploration_and_the_replay_are_as_the_first(name):
    first, second = explore(app(forgetful), models=[name]), explore(app(forgetful), models=[name])
    assert first == second
    schedule = first.broken[0].schedule
    pictures = {str(replay(app(forgetful), schedule).trace) for _ in range(2)}
    assert len(pictures) == 1


@pytest.mark.parametrize("accept", [False, True], ids=["before accept", "after accept"])
@pytest.mark.parametrize("how", ENDS, ids=lambda how: how.__name__)
@pytest.mark.parametrize("name", HERE)
def test_a_picture_is_as_on_the_model(name, how, accept):
    def drawn(model: str) -> list[str]:
        trace = replay(ends(how, accept=accept), f"{model}/close@end", []).trace
        return [f"{event.actor} {event.action} {event.detail}" for event in trace]

    assert sorted(drawn(name)) == sorted(drawn(name.removeprefix(PREFIX)))


def test_a_connection_has_all_that_one_on_a_model_has():
    async def names_of(name: str) -> set[str]:
        return {each for each, _ in inspect.getmembers(connection_for(name, "close")) if not each.startswith("_")}

    model, code = (asyncio.run(names_of(name)) for name in ("uvicorn", "installed:uvicorn"))
    assert model - code == set()
    of_a_model, of_code = (inspect.signature(each).parameters for each in (MemoryConnection, names.connect))
    assert list(of_code)[1:] == list(of_a_model)[1:]


@pytest.mark.parametrize("name", ["uvicorn", "installed:uvicorn"])
def test_a_connection_and_its_parts_are_each_of_one_idea(name):
    async def parts() -> list[object]:
        connection = connection_for(name, "close")
        return [connection, connection.calls, connection.client, connection.departure, getattr(connection, "app", None)]

    for part in asyncio.run(parts()):
        fields = [each for kind in type(part).__mro__ for each in getattr(kind, "__slots__", ())]
        assert len(fields) <= 12, fields
        assert not hasattr(part, "__dict__")


# ---- what a model has no row for -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UVICORNS)
def test_a_client_that_does_not_read_lets_an_app_wait(name):
    async def work(loop: VirtualLoop) -> tuple[int, int]:
        connection = await accepted(name, "close")
        connection.stop_reading()
        message = {"type": "websocket.send", "text": "x" * (HIGH_WATER // 4)}

        async def flood() -> None:
            for _ in range(20):
                await connection.send(message)

        task = asyncio.ensure_future(flood())
        await asyncio.sleep(1)
        waits_at = connection.calls.sends
        connection.read_on()
        await task
        return waits_at, len(connection.client.outbox)

    waits_at, got = on_a_loop(work)
    assert waits_at < 10
    assert got == 20


@pytest.mark.parametrize("name", UVICORNS)
def test_of_a_client_whose_network_is_gone_keepalive_tells_when_the_model_says(name):
    async def work(loop: VirtualLoop) -> float:
        connection = await accepted(name, "silence")
        began = loop.time()
        connection.leave()
        assert (await connection.receive())["type"] == "websocket.disconnect"
        return loop.time() - began

    assert on_a_loop(work) == MODELS[name.removeprefix(PREFIX)].after["silence"]


@pytest.mark.parametrize("name", [name for name in HERE if MODELS[name.removeprefix(PREFIX)].pings_every is None])
def test_of_a_client_whose_network_is_gone_nobody_tells_who_does_not_ping(name):
    async def work(loop: VirtualLoop) -> None:
        connection = await accepted(name, "silence")
        connection.leave()
        async with asyncio.timeout(86_400):
            await connection.receive()

    with pytest.raises(TimeoutError):
        on_a_loop(work)


@pytest.mark.parametrize("name", UVICORNS)
def test_a_message_above_the_limit_ends_the_connection_with_1009(name):
    async def work(loop: VirtualLoop) -> list[int]:
        connection = await accepted(name, "too-big")
        connection.leave()
        await connection.receive()
        while not connection.client.closed:
            await asyncio.sleep(0.1)
        closed: list[int] = connection.client.closed
        return closed

    assert on_a_loop(work) == [1009]


@pytest.mark.parametrize("name", HERE)
def test_a_client_that_does_not_read_is_reset_after_a_minute(name):
    async def work(loop: VirtualLoop) -> tuple[str, float]:
        connection = await accepted(name, "unread")
        connection.leave()
        message = await connection.receive()
        return message["type"], loop.time()

    kind, at = on_a_loop(work)
    assert kind == "websocket.disconnect"
    assert at >= 40.0  # uvicorn's keepalive may notice sooner


def test_a_proxy_ends_what_is_idle_unless_the_server_pings():
    async def work(loop: VirtualLoop) -> tuple[str, float]:
        connection = await accepted("installed:hypercorn", "idle")
        connection.leave()
        message = await connection.receive()
        return message["type"], loop.time()

    assert on_a_loop(work) == ("websocket.disconnect", 60.0)


def test_a_session_leaves_no_timer_on_the_loop():
    async def work(loop: VirtualLoop) -> float:
        (await accepted("installed:uvicorn", "close")).unlink()
        over = loop.create_future()
        loop.on_idle = over.cancel  # type: ignore[assignment]
        await asyncio.wait([over])
        return loop.time()

    assert on_a_loop(work) == 0.0


# ---- the transport ---------------------------------------------------------------------------------------------------


class Writes(asyncio.Protocol):
    """Notes what its transport tells it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(f"lost {exc!r}")

    def data_received(self, data: bytes) -> None:
        self.told.append(data.decode())


def test_a_transport_closes_when_all_is_sent_and_delivers_an_event_a_turn():
    async def work(loop: VirtualLoop) -> tuple[list[str], list[bytes | None]]:
        got: list[bytes | None] = []
        transport, protocol = MemoryTransport(loop, got.append, Context()), Writes()
        transport.set_protocol(protocol)
        transport.arrive(b"1")
        transport.arrive(b"2")
        transport.pump()
        await asyncio.sleep(0)
        protocol.told.append("turn")
        await asyncio.sleep(0)
        transport.client_reads = False
        transport.write(b"x" * (HIGH_WATER + 1))
        transport.close()
        await asyncio.sleep(0)
        protocol.told.append("open")
        transport.drain()
        await asyncio.sleep(0)
        return protocol.told, got

    told, got = on_a_loop(work)
    assert told == ["1", "turn", "2", "pause", "open", "resume", "lost None"]
    assert got == [b"x" * (HIGH_WATER + 1), None]


# ---- names -----------------------------------------------------------------------------------------------------------


def test_the_heading_says_which_release_runs(capsys):
    assert main(["explore", "support.running:app", "--server", "installed:uvicorn", "--ending", "fin"]) in {0, 1}
    heading = capsys.readouterr().out.splitlines()[1]
    assert heading == f"installed:uvicorn: uvicorn {installed('uvicorn')}, installed, in memory"


def test_a_server_that_is_not_installed_is_told_with_the_extra(monkeypatch):
    monkeypatch.setattr(names, "installed", lambda _: None)
    with pytest.raises(ValueError, match=r"runs the code of hypercorn and websockets, which is not installed: pip"):
        explore(app(echo), models=["installed:hypercorn"])


def test_a_server_whose_code_is_not_python_is_told_in_a_sentence():
    with pytest.raises(ValueError, match=r"^No code runs in memory as 'installed:granian': choose among installed:uv"):
        explore(app(echo), models=["installed:granian"])
