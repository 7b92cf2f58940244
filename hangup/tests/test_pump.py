"""proxy(), byte by byte: what each toxic lets pass between two raw sockets, and how the two ends find out."""

import asyncio
import socket

import pytest

from hangup.network.toxics import (
    Bandwidth,
    BlackHole,
    Bytes,
    Close,
    HalfClose,
    Latency,
    Reset,
    Slicer,
    When,
)
from support.lines import End, both_streams, line, virtually


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
