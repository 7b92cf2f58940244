"""Frames and handshakes, read from bytes."""

import pytest
from wsproto.frame_protocol import FrameProtocol

from hangup.network.frames import FrameReader, WireMessage

REQUEST = b"GET /chat HTTP/1.1\r\nHost: x\r\n\r\n"
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def test_a_conversation_arrives_byte_by_byte():
    writer = FrameProtocol(client=True, extensions=[])
    data = REQUEST + b"".join(
        bytes(part)
        for part in (
            writer.send_data("hé"),
            writer.ping(b"x"),
            writer.send_data("one ", fin=False),
            writer.send_data("message", fin=True),
            writer.send_data(b"\x00\x01"),
            writer.close(1001, "going"),
        )
    )
    reader = FrameReader(from_client=True)
    assert [wire for n in range(len(data)) for wire in reader.feed(data[n : n + 1])] == [
        WireMessage("GET", "/chat"),
        WireMessage("text", "'hé'"),
        WireMessage("ping"),
        WireMessage("text", "'one message'"),
        WireMessage("binary", r"b'\x00\x01'"),
        WireMessage("close", "1001 going"),
    ]


def test_the_server_side_is_not_masked():
    writer = FrameProtocol(client=False, extensions=[])
    reader = FrameReader(from_client=False)
    assert reader.feed(RESPONSE + bytes(writer.send_data("hi")) + bytes(writer.close())) == [
        WireMessage("101", "Switching Protocols"),
        WireMessage("text", "'hi'"),
        WireMessage("close", "without a code"),
    ]


def test_after_a_refusal_comes_no_frame():
    reader = FrameReader(from_client=False)
    assert reader.feed(b"HTTP/1.1 403 Forbidden\r\n\r\nsome body") == [WireMessage("403", "Forbidden")]
    assert reader.feed(b"\xff\xff") == []


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x83\x00", b"\x88\x01\x00"])
def test_what_is_no_frame_is_said_once_and_never_raised(data):
    reader = FrameReader(from_client=False)
    reader.feed(RESPONSE)
    assert [wire.kind for wire in reader.feed(data)] == ["not a frame"]
    assert reader.feed(data) == []
