"""proxy(): every fault, byte by byte between two raw sockets, and between a real client and real servers."""

import asyncio
import contextlib
import selectors
import socket
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import websockets
from websockets.frames import Frame as Wire
from websockets.frames import Opcode

from hangup import Trace, connect, serve
from hangup.network.proxy import BrokenUrl, ProxyError, proxy
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
    Stream,
    Toxic,
    When,
)
from hangup.record.recorder import Session
from support.apps import app, echo

STREAMS: tuple[Stream, ...] = ("upstream", "downstream")
both_streams = pytest.mark.parametrize("stream", STREAMS)


# ---- two raw sockets with a proxy between them ---------------------------------------------------------------------


@dataclass
class End:
    """One end of a TCP connection; `read` and `rest` tell a FIN from an RST."""

    sock: socket.socket

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.sock, 1 << 20)

    async def exactly(self, data: bytes) -> None:
        got = b""
        while len(got) < len(data):
            got += await self.read()
        assert got == data

    async def rest(self) -> tuple[bytes, str]:
        """Return everything that still comes, and how it ends."""
        got = b""
        try:
            while data := await self.read():
                got += data
        except ConnectionResetError:
            return got, "RST"
        return got, "FIN"

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class Line:
    """A connection through a proxy: `sender` is where the faulty stream begins, `receiver` where it leads."""

    sender: End
    receiver: End
    url: BrokenUrl


@asynccontextmanager
async def line(*toxics: Toxic, stream: Stream = "upstream") -> AsyncIterator[Line]:
    """Lead a connection through a proxy; the two ends outlive it by as much as the test wants."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        async with proxy(f"ws://127.0.0.1:{listener.getsockname()[1]}", *toxics) as url:
            probe, _ = await loop.sock_accept(listener)  # proxy() has looked whether somebody listens
            probe.close()
            await loop.sock_connect(client, ("127.0.0.1", int(url.rpartition(":")[2])))
            server, _ = await loop.sock_accept(listener)
            with server:
                server.setblocking(False)
                near, far = End(client), End(server)
                yield Line(near, far, url) if stream == "upstream" else Line(far, near, url)


class VirtualSelector(selectors.DefaultSelector):
    """Waits for sockets as long as a packet takes on the loopback; then the clock jumps instead."""

    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0) or super().select(timeout if timeout is None else min(timeout, 0.02))
        if not ready and timeout is not None:
            self.now += timeout
        return ready


def virtually(work: Coroutine[None, None, None]) -> None:
    """Run `work` on a loop on which `asyncio.sleep` takes no time, and which always knows what time it would be."""
    selector = VirtualSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)


@both_streams
def test_without_a_fault_bytes_and_both_ends_pass(stream):
    async def work() -> None:
        async with line(stream=stream) as end:
            await end.sender.send(b"abc")
            await end.receiver.exactly(b"abc")
            end.sender.sock.shutdown(socket.SHUT_WR)
            assert await end.receiver.rest() == (b"", "FIN")
            await end.receiver.send(b"still")
            await end.sender.exactly(b"still")
            end.receiver.sock.close()
            assert await end.sender.rest() == (b"", "FIN")

    asyncio.run(work())


@both_streams
def test_a_reset_by_a_peer_passes_after_what_it_had_sent(stream):
    async def work() -> None:
        async with line(stream=stream) as end:
            await end.receiver.send(b"hi")
            await end.sender.exactly(b"hi")
            await end.sender.send(b"abc")
            end.sender.reset()
            assert await end.receiver.rest() == (b"abc", "RST")

    asyncio.run(work())


@both_streams
def test_close_ends_both_directions_after_what_was_forwarded(stream):
    async def work() -> None:
        async with line(Close(stream=stream, at=Bytes(3)), stream=stream) as end:
            await end.sender.send(b"abcdef")
            assert await end.receiver.rest() == (b"abc", "FIN")
            assert await end.sender.rest() == (b"", "FIN")
            assert end.url.fired == 1

    asyncio.run(work())


@both_streams
def test_half_close_leaves_the_other_direction_open(stream):
    async def work() -> None:
        async with line(HalfClose(stream=stream, at=Bytes(3)), stream=stream) as end:
            await end.sender.send(b"abcdef")
            assert await end.receiver.rest() == (b"abc", "FIN")
            await end.receiver.send(b"xyz")
            await end.sender.exactly(b"xyz")

    asyncio.run(work())


@both_streams
@pytest.mark.parametrize(
    ("to", "client", "server"), [("both", *2 * ["RST"]), ("client", "RST", "FIN"), ("server", "FIN", "RST")]
)
def test_reset_reaches_the_sides_that_it_is_for_after_what_was_forwarded(stream, to, client, server):
    async def work() -> None:
        async with line(Reset(stream=stream, at=Bytes(3), to=to), stream=stream) as end:
            await end.sender.send(b"abcdef")
            up = stream == "upstream"
            assert await end.receiver.rest() == (b"abc", server if up else client)
            assert await end.sender.rest() == (b"", client if up else server)

    asyncio.run(work())


@both_streams
def test_a_black_hole_drops_data_and_end_and_keeps_the_connection(stream):
    async def work() -> None:
        async with line(BlackHole(stream=stream, at=Bytes(3)), stream=stream) as end:
            await end.sender.send(b"abcdef")
            await end.url.happened.wait()
            await end.sender.send(b"ghi")
            end.sender.sock.shutdown(socket.SHUT_WR)
            await end.receiver.send(b"xyz")
            await end.sender.exactly(b"xyz")
            await end.receiver.exactly(b"abc")
            with pytest.raises(BlockingIOError):
                end.receiver.sock.recv(1)

    asyncio.run(work())


@both_streams
def test_latency_delays_each_piece_and_not_the_next_one(stream):
    async def work() -> None:
        clock = asyncio.get_running_loop().time
        async with line(Latency(5, stream=stream), stream=stream) as end:
            for piece in (b"a", b"b"):
                await end.sender.send(piece)
                await asyncio.sleep(1)
            arrivals = [(await end.receiver.read(), round(clock())) for _ in range(2)]
            assert arrivals == [(b"a", 5), (b"b", 6)]
            await end.receiver.send(b"back")
            await end.sender.exactly(b"back")
            assert round(clock()) == 6
            end.sender.sock.shutdown(socket.SHUT_WR)
            assert await end.receiver.rest() == (b"", "FIN")
            assert round(clock()) == 11

    virtually(work())


@both_streams
def test_a_slicer_sends_pieces_that_are_read_one_by_one(stream):
    async def work() -> None:
        async with line(Slicer(3, stream=stream, at=Bytes(2)), stream=stream) as end:
            reading = asyncio.create_task(read_each(end.receiver))
            await end.sender.send(b"ababcdefg")
            end.sender.sock.shutdown(socket.SHUT_WR)
            assert (await reading)[-2:] == [b"def", b"g"]

    async def read_each(receiver: End) -> list[bytes]:
        pieces = []
        while piece := await receiver.read():
            pieces.append(piece)
        assert b"".join(pieces) == b"ababcdefg"
        return pieces

    asyncio.run(work())


@both_streams
def test_a_slicer_with_a_delay_takes_its_time(stream):
    async def work() -> None:
        async with line(Slicer(2, 10, stream=stream), stream=stream) as end:
            await end.sender.send(b"abcde")
            arrivals = [(await end.receiver.read(), round(asyncio.get_running_loop().time())) for _ in range(3)]
            assert arrivals == [(b"ab", 10), (b"cd", 20), (b"e", 30)]

    virtually(work())


@both_streams
def test_bandwidth_lets_so_many_bytes_a_second_pass(stream):
    async def work() -> None:
        async with line(Bandwidth(10, stream=stream), stream=stream) as end:
            await end.sender.send(b"x" * 30)
            await end.receiver.exactly(b"x" * 30)
            assert round(asyncio.get_running_loop().time()) == 3

    virtually(work())


@both_streams
def test_a_fault_on_request_cuts_an_idle_connection(stream):
    async def work() -> None:
        now = asyncio.Event()
        async with line(Reset(stream=stream, at=When(now)), stream=stream) as end:
            await end.sender.send(b"abc")
            await end.receiver.exactly(b"abc")
            assert end.url.fired == 0
            now.set()
            assert await end.receiver.rest() == (b"", "RST")
            assert end.url.fired == 1

    asyncio.run(work())


@both_streams
def test_a_fault_without_a_moment_comes_before_the_first_byte(stream):
    async def work() -> None:
        async with line(Close(stream=stream), stream=stream) as end:
            await end.sender.send(b"abc")
            assert await end.receiver.rest() == (b"", "FIN")

    asyncio.run(work())


def test_faults_of_both_streams_act_together():
    async def work() -> None:
        async with line(BlackHole(at=Bytes(1)), HalfClose(stream="downstream", at=Bytes(2))) as end:
            await end.sender.send(b"abc")
            await end.receiver.exactly(b"a")
            await end.receiver.send(b"xyz")
            assert await end.sender.rest() == (b"xy", "FIN")
            assert end.url.fired == 2

    asyncio.run(work())


# ---- frames ----------------------------------------------------------------------------------------------------------

HEADS = {
    "upstream": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "downstream": b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n",
}


def frame(size: int, stream: Stream) -> bytes:
    """Return a binary frame with a payload of `size` bytes, masked if it comes from a client."""
    return Wire(Opcode.BINARY, b"p" * size).serialize(mask=stream == "upstream")


@both_streams
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_is_cut_at_its_first_byte_or_in_its_middle(stream, inside, size):
    async def work() -> None:
        head, first, second = HEADS[stream], frame(size, stream), frame(size, stream)
        passes = head + first + (second[: len(second) // 2] if inside else b"")
        async with line(Close(stream=stream, at=Frame(2, inside=inside)), stream=stream) as end:
            sending = asyncio.create_task(end.sender.send(head + first + second + first))
            assert await end.receiver.rest() == (passes, "FIN")
            await sending

    asyncio.run(work())


@both_streams
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("size", [0, 1, 126])
def test_a_frame_that_comes_byte_by_byte_is_cut_at_the_same_byte(stream, inside, size):
    async def work() -> None:
        wire = frame(size, stream)
        passes = HEADS[stream] + (wire[: len(wire) // 2] if inside else b"")
        async with line(Close(stream=stream, at=Frame(1, inside=inside)), stream=stream) as end:
            for byte in HEADS[stream] + wire:
                await end.sender.send(bytes([byte]))
                await asyncio.sleep(0)
            assert await end.receiver.rest() == (passes, "FIN")

    asyncio.run(work())


def test_a_frame_moment_waits_for_the_frame():
    async def work() -> None:
        async with line(Reset(at=Frame(2))) as end:
            first = HEADS["upstream"] + frame(3, "upstream")
            await end.sender.send(first)
            await end.receiver.exactly(first)
            assert end.url.fired == 0
            await end.sender.send(b"\x81")
            assert await end.receiver.rest() == (b"", "RST")

    asyncio.run(work())


def test_a_refused_handshake_has_no_frames():
    async def work() -> None:
        refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden"
        async with line(Close(stream="downstream", at=Frame(1)), stream="downstream") as end:
            await end.sender.send(refusal)
            await end.receiver.exactly(refusal)
            assert end.url.fired == 0

    asyncio.run(work())


# ---- real servers ----------------------------------------------------------------------------------------------------


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


# ---- what goes wrong, and what is left -------------------------------------------------------------------------------

WRONG: Any = "wrong"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Bytes(-1), "Bytes takes a number of bytes, 0 or more, not -1."),
        (lambda: Frame(0), "Frame takes the number of a frame, 1 or more, not 0."),
        (lambda: Latency(-0.1), "Latency takes seconds, 0 or more, not -0.1."),
        (lambda: Slicer(0), "Slicer takes a size in bytes, 1 or more, not 0."),
        (lambda: Slicer(1, -1), "Slicer takes a delay in seconds, 0 or more, not -1."),
        (lambda: Bandwidth(0), "Bandwidth takes bytes per second, above 0, not 0."),
        (lambda: Reset(to=WRONG), "to is 'client', 'server' or 'both', not 'wrong'."),
        (lambda: Close(stream=WRONG), "A stream is 'upstream' or 'downstream', not 'wrong'."),
        (lambda: Close(at=WRONG), "A fault happens at Bytes(n), Frame(n), When(event) or None, not at 'wrong'."),
    ],
)
def test_a_fault_that_cannot_be_is_one_sentence(make, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        make()
    assert str(caught.value) == sentence


async def enter(url: object, *toxics: object) -> None:
    async with proxy(url, *toxics):  # type: ignore[arg-type]  # wrong on purpose
        pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ws://example.com:1", "ws://127.0.0.1:99999", "127.0.0.1", 3])
def test_a_url_that_is_not_of_this_machine_is_one_sentence(url):
    with pytest.raises(ValueError, match=r"^A proxy leads to a server of this machine, such as ws://127.0.0.1:8000; "):
        asyncio.run(enter(url))


def test_a_fault_class_is_no_fault():
    with pytest.raises(TypeError, match=r"^A proxy takes faults such as Reset\(at=Frame\(2\)\); <class .*> is none\.$"):
        asyncio.run(enter("ws://127.0.0.1:1", Reset))


def test_a_target_where_nobody_listens_is_one_sentence():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ProxyError, match=rf"^Nobody listens at {url}: start the server first\.$"):
            asyncio.run(enter(url))


def test_when_the_server_has_stopped_the_client_is_reset():
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                broken = proxy(f"ws://127.0.0.1:{port}")
                url = await broken.__aenter__()
            await loop.sock_connect(client, ("127.0.0.1", int(url.rpartition(":")[2])))
            assert await End(client).rest() == (b"", "RST")
            await broken.__aexit__(None, None, None)

    asyncio.run(work())


FAULTS = (Reset(at=Frame(1)), Close(at=Frame(1)), BlackHole(at=Frame(1)), Latency(60, at=Frame(1)))


@pytest.mark.parametrize("toxics", [(), *((fault,) for fault in FAULTS)])
def test_a_block_that_raises_leaves_nothing(leaves_nothing, toxics):
    async def fails() -> None:
        async with serve(app(echo)) as url, proxy(url, *toxics) as broken:
            async with connect(broken, close_timeout=0.01) as client:
                await client.send("x")
                await client.send("y")
                raise ZeroDivisionError

    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            await fails()

    leaves_nothing(work)


def test_open_connections_are_closed_with_the_proxy(leaves_nothing):
    async def work() -> None:
        async with serve(app(echo)) as url:
            async with proxy(url) as broken:
                client = await connect(broken)
                await client.send("x")
                await client.recv()
            await client.wait_closed()
            assert client.close_code == 1006
        assert url.sessions[0].codes == [1005]

    leaves_nothing(work)
