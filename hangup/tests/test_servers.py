"""serve(): each real server, in this process, and nothing of it afterwards."""

import asyncio
import contextlib
import logging
import socket

import pytest
import websockets
from starlette.applications import Starlette

from hangup import SERVERS, Trace, connect, serve
from support.apps import app, deaf, echo, failing, forgetful

LOGGED = {
    "uvicorn": "Exception in ASGI application",
    "uvicorn-websockets": "Exception in ASGI application",
    "uvicorn-wsproto": "Exception in ASGI application",
    "granian": "Application callable raised an exception",
    "hypercorn": "Error in ASGI Framework",
}


@pytest.mark.parametrize("server", SERVERS)
def test_an_echo_works_twice_and_leaves_nothing(server, leaves_nothing):
    async def work():
        for _ in range(2):
            async with serve(app(echo), server=server) as url, connect(url) as client:
                await client.send("hello")
                assert await client.recv() == "hello"

    leaves_nothing(work)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("handler", [deaf, forgetful, failing])
@pytest.mark.parametrize("leave", ["close", "reset", "stay"])
def test_apps_that_misbehave_leave_nothing_either(server, handler, leave, leaves_nothing):
    async def work():
        with contextlib.suppress(websockets.ConnectionClosed):
            async with serve(app(handler), server=server, graceful_timeout=0.05) as url:
                client = await connect(url, close_timeout=0.05)
                await client.send("hello")
                if leave != "stay":
                    await getattr(client, leave)()
        client.transport.abort()
        await client.wait_closed()

    leaves_nothing(work)


@pytest.mark.parametrize("server", SERVERS)
def test_the_port_is_free_afterwards(server):
    async def work():
        async with serve(app(echo), server=server) as url:
            assert url.startswith("ws://127.0.0.1:")
            port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port)):
            pass
        async with serve(app(echo), server=server, port=port) as again:
            assert again == url

    asyncio.run(work())


def test_several_servers_at_once_each_with_its_own_trace():
    async def work():
        traces = {server: Trace() for server in SERVERS}
        async with contextlib.AsyncExitStack() as stack:
            for server, trace in traces.items():
                url = await stack.enter_async_context(serve(app(failing), server=server, trace=trace))
                client = await stack.enter_async_context(connect(url))
                await client.send(server)
        for server, trace in traces.items():
            raised = [event.detail for event in trace if event.action == "raises"]
            logged = [event.detail for event in trace if event.action == "logs"]
            assert (server, raised, logged) == (server, ["ValueError: a bug"], [LOGGED[server]])

    asyncio.run(work())


@pytest.mark.parametrize("server", SERVERS)
def test_equal_runs_give_equal_traces(server):
    async def once() -> Trace:
        trace = Trace()
        async with serve(app(failing), server=server, trace=trace) as url, connect(url) as client:
            await client.send("hello")
            await client.wait_closed()
        return trace

    async def work():
        first = await once()
        assert len(first) > 6
        for _ in range(5):
            assert await once() == first

    asyncio.run(work())


@pytest.mark.parametrize("server", SERVERS)
def test_lifespan_runs_around_the_connections(server):
    happened = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        happened.append("startup")
        yield {"given": "state"}
        happened.append("shutdown")

    async def handler(websocket):
        await websocket.accept()
        happened.append(websocket.state.given)
        await websocket.close()

    async def work():
        whole = Starlette(routes=app(handler).routes, lifespan=lifespan)  # type: ignore[attr-defined]
        async with serve(whole, server=server) as url, connect(url) as client:
            await client.wait_closed()

    asyncio.run(work())
    assert happened == ["startup", "state", "shutdown"]


@pytest.mark.parametrize("stays", [False, True], ids=["client-leaves", "client-stays"])
@pytest.mark.parametrize("server", SERVERS)
def test_what_outlives_its_handler_lives_until_the_lifespan_ends(server, stays):
    happened = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        stop = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []
        yield {"stop": stop, "tasks": tasks}
        stop.set()
        await asyncio.wait(tasks)

    async def handler(websocket):
        async def settle():
            await websocket.state.stop.wait()
            happened.append("settled")

        await websocket.accept()
        websocket.state.tasks.append(asyncio.create_task(settle()))
        await websocket.send_text("open")
        await websocket.receive_text()

    async def work():
        whole = Starlette(routes=app(handler).routes, lifespan=lifespan)  # type: ignore[attr-defined]
        async with serve(whole, server=server, graceful_timeout=0.1) as url:
            client = await connect(url)
            await client.recv()
            if not stays:
                client.transport.abort()
        await client.close()

    asyncio.run(work())
    assert happened == ["settled"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_raw_app_without_lifespan_is_served(server):
    async def raw(scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            elif message["type"] == "websocket.disconnect":
                return

    async def work():
        async with serve(raw, server=server) as url, connect(url):
            pass
        assert [session.ended for session in url.sessions] == ["returned"]

    asyncio.run(work())


@pytest.mark.parametrize("server", SERVERS)
def test_loggers_are_as_they_were(server):
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "_granian", "hypercorn.error")]
    handler = logging.NullHandler()
    loggers[0].addHandler(handler)

    def state() -> list[object]:
        return [(log.handlers[:], log.level, log.propagate, log.disabled) for log in loggers]

    async def work():
        async with serve(app(failing), server=server) as url, connect(url) as client:
            await client.send("hello")

    try:
        before = state()
        asyncio.run(work())
        assert state() == before
    finally:
        loggers[0].removeHandler(handler)


def test_a_task_factory_of_the_loop_is_kept():
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    async def work():
        asyncio.get_running_loop().set_task_factory(factory)
        async with serve(app(forgetful)) as url, connect(url):
            pass
        assert asyncio.get_running_loop().get_task_factory() is factory
        assert url.sessions[0].left == ["forgotten"]

    asyncio.run(work())
    assert len(made) > 0


def test_a_handler_that_never_ends_is_cancelled_and_the_trace_says_so():
    async def work():
        trace = Trace()
        async with serve(app(deaf), server="granian", trace=trace, graceful_timeout=0.05) as url:
            async with connect(url, close_timeout=0.05):
                pass
        assert [(e.actor, e.action) for e in trace][-3:-1] == [("app", "never returns"), ("app", "is cancelled")]
        assert url.sessions[0].ended == "cancelled"

    asyncio.run(work())


def test_the_server_stops_first_when_the_client_stays():
    async def work():
        trace = Trace()
        async with serve(app(echo), trace=trace) as url:
            client = await connect(url)
        await client.wait_closed()
        assert client.close_code == 1012
        assert url.sessions[0].codes == [1012]
        assert "shuts down" in str(trace)

    asyncio.run(work())
