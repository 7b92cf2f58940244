"""proxy() between a real client and real servers: what the app is told, and what the picture says of the network."""

import asyncio
import contextlib

import pytest
import websockets

from hangup import Trace, connect, serve
from hangup.network.proxy import proxy
from hangup.network.toxics import (
    Bandwidth,
    BlackHole,
    Bytes,
    Close,
    Frame,
    HalfClose,
    Latency,
    Reset,
    Slicer,
    Toxic,
    When,
)
from hangup.record.recorder import Session
from support.apps import app, echo
from support.lines import both_streams


async def session(*toxics: Toxic, server: str = "uvicorn", messages: int = 3) -> tuple[Session, int]:
    """Let a client talk to an echo through a proxy, waiting for each answer; return how many faults fired, too.

    A client that meets a black hole says its second message, leaves, and does not wait for a closing handshake.
    """
    hole = any(isinstance(toxic, BlackHole) for toxic in toxics)
    async with serve(app(echo), server=server) as url, proxy(url, *toxics) as broken:
        with contextlib.suppress(websockets.ConnectionClosed):
            async with connect(broken, close_timeout=0.01 if hole else 10) as client:
                for number in range(messages):
                    await client.send(f"m{number}")
                    if hole and number == 1:
                        await broken.happened.wait()
                        break
                    assert await client.recv() == f"m{number}"
    return url.sessions[0], broken.fired


def timeline(trace: Trace) -> list[str]:
    """Return the end of a trace, from the client's second message on."""
    lines = [" ".join(line.split()) for line in str(trace).splitlines()]
    second = next(n for n, line in enumerate(lines) if line.startswith("client →") and line.endswith("text 'm1'"))
    return lines[second + 1 :]


@both_streams
@pytest.mark.parametrize("moment", [Frame(2), Frame(2, inside=True), Bytes(300)], ids=str)
@pytest.mark.parametrize("fault", [Close, HalfClose, Reset])
def test_uvicorn_tells_the_app_1005_however_the_connection_is_cut(fault, moment, stream):
    met, fired = asyncio.run(session(fault(at=moment, stream=stream), messages=40))
    assert (met.codes, met.ended, fired) == ([1005], "returned", 1)


def test_a_frame_that_is_cut_is_not_received():
    for inside in (False, True):
        met, _ = asyncio.run(session(Reset(at=Frame(2, inside=inside))))
        assert (met.received, met.sent) == (1, 1)


@pytest.mark.parametrize("fault", [Slicer(1), Latency(0.01), Bandwidth(100_000), Slicer(2, stream="downstream")])
def test_a_fault_that_only_slows_changes_nothing_for_the_app(fault):
    met, fired = asyncio.run(session(fault))
    assert (met.codes, met.received, fired) == ([1000], 3, 1)


@both_streams
@pytest.mark.parametrize("moment", [Frame, Bytes, When])
def test_a_moment_that_never_comes_fires_nothing_and_is_not_drawn(moment, stream):
    at = When(asyncio.Event()) if moment is When else moment(10_000)
    met, fired = asyncio.run(session(Reset(at=at, stream=stream)))
    assert (met.codes, fired) == ([1000], 0)
    assert "network" not in met.trace.lifelines


def test_a_reset_is_drawn_towards_both_sides_before_the_app_hears_of_it():
    met, _ = asyncio.run(session(Reset(at=Frame(2))))
    assert timeline(met.trace) == [
        "network before frame 2 upstream: resets the connection (Reset)",
        "network → uvicorn ✗ TCP RST",
        "network → client ✗ TCP RST",
        "uvicorn → app websocket.disconnect code=1005",
        "app returns",
    ]


def test_the_client_that_reads_fin_is_the_cause_of_the_disconnect():
    met, _ = asyncio.run(session(HalfClose(stream="downstream", at=Frame(2))))
    assert timeline(met.trace) == [
        "uvicorn → app websocket.receive text='m1'",
        "app → uvicorn websocket.send text='m1'",
        "network before frame 2 downstream: ends the stream (HalfClose)",
        "network → client ✗ TCP FIN",
        "uvicorn → app websocket.disconnect code=1005",
        "app returns",
    ]


def test_a_server_that_reads_fin_ends_the_other_direction_itself():
    met, _ = asyncio.run(session(HalfClose(at=Frame(2))))
    assert timeline(met.trace) == [
        "network before frame 2 upstream: ends the stream (HalfClose)",
        "network → uvicorn ✗ TCP FIN",
        "uvicorn → client ✗ TCP FIN",
        "uvicorn → app websocket.disconnect code=1005",
        "app returns",
    ]


def test_behind_a_black_hole_the_app_waits_until_the_proxy_stops():
    met, _ = asyncio.run(session(BlackHole(at=Frame(2))))
    assert timeline(met.trace) == [
        "network before frame 2 upstream: drops everything from here on (BlackHole)",
        "client → network close 1000",
        "network the proxy stops",
        "network → uvicorn ✗ TCP FIN",
        "uvicorn → app websocket.disconnect code=1005",
        "app returns",
    ]


def test_a_close_frame_can_be_cut_and_the_app_hears_of_the_cut():
    met, fired = asyncio.run(session(Close(at=Frame(2, inside=True)), messages=1))
    assert (met.codes, fired) == ([1005], 1)
    assert [event.label for event in met.trace][-5:] == [
        "close 1000",
        "inside frame 2 upstream: closes the connection (Close)",
        "TCP FIN",
        "websocket.disconnect code=1005",
        "returns",
    ]


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-wsproto", "granian", "hypercorn"])
@pytest.mark.parametrize(
    "toxics",
    [
        (),
        (Reset(at=Frame(2)),),
        (Close(stream="downstream", at=Frame(2, inside=True)),),
        (HalfClose(at=Frame(2)),),
        (HalfClose(stream="downstream", at=Frame(2)),),
        (Slicer(5), Reset(stream="downstream", to="server", at=Frame(2))),
        (BlackHole(at=Frame(2)),),
    ],
    ids=lambda toxics: "+".join(map(str, toxics)) or "none",
)
def test_equal_runs_are_equal_traces(toxics, server):
    first, fired = asyncio.run(session(*toxics, server=server))
    for _ in range(4):
        assert str(asyncio.run(session(*toxics, server=server))[0].trace) == str(first.trace)
    assert (fired, first.ended) == (len(toxics), "returned")


def test_two_connections_meet_their_own_faults():
    async def work() -> None:
        async with serve(app(echo)) as url, proxy(url, Reset(at=Frame(2))) as broken:
            async with connect(broken) as one, connect(broken) as other:
                for number, client in enumerate([one, other, other], 1):
                    await client.send("x")
                    if number < 3:
                        await client.recv()
                with pytest.raises(websockets.ConnectionClosedError):
                    await other.recv()
                assert broken.fired == 1
                await one.send("y")
                with pytest.raises(websockets.ConnectionClosedError):
                    await one.recv()
                assert broken.fired == 2
        assert [s.codes for s in url.sessions] == [[1005], [1005]]
        assert url.trace.lifelines == ("client a", "client b", "network", "server", "app a", "app b")

    asyncio.run(work())


def test_on_request_the_cut_comes_after_all_that_was_said():
    async def work() -> None:
        now = asyncio.Event()
        async with serve(app(echo)) as url, proxy(url, Close(at=When(now))) as broken, connect(broken) as client:
            await client.send("x")
            await client.recv()
            now.set()
            await client.wait_closed()
            assert client.close_code == 1006
        assert [event.label for event in url.trace][-6:] == [
            "text 'x'",
            "on request upstream: closes the connection (Close)",
            "TCP FIN",
            "TCP FIN",
            "websocket.disconnect code=1005",
            "returns",
        ]

    asyncio.run(work())


def test_a_proxy_before_a_proxy_is_one_network():
    async def work() -> None:
        async with serve(app(echo)) as url, proxy(url, Slicer(2)) as inner, proxy(inner, Reset(at=Frame(1))) as outer:
            async with connect(outer) as client:
                await client.send("x")
                with pytest.raises(websockets.ConnectionClosedError):
                    await client.recv()
        assert url.sessions[0].codes == [1005]
        assert url.trace.lifelines == ("client", "network", "server", "app")

    asyncio.run(work())


def test_a_plain_server_is_drawn_in_the_given_trace_and_the_path_is_kept():
    async def work() -> None:
        trace = Trace()

        async def handler(connection):
            await connection.send(connection.request.path)
            await connection.wait_closed()

        async with websockets.serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with proxy(f"ws://localhost:{port}/a?b=c", trace=trace) as url, connect(url) as client:
                assert await client.recv() == "/a?b=c"
        assert next(event.label for event in trace) == "GET /a?b=c"
        assert url.target == f"ws://localhost:{port}/a?b=c"

    asyncio.run(work())
