"""Moments inside a stream of frames: a proxy cuts at the byte that it should, however the bytes come."""

import asyncio

import pytest
from websockets.frames import Frame as Wire
from websockets.frames import Opcode

from hangup.network.toxics import (
    Close,
    Frame,
    Reset,
    Stream,
)
from support.lines import both_streams, line

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
