"""The client of an installed server: what it says and hears by heart is what websockets says and hears."""

import pytest
from websockets.exceptions import InvalidState
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import SERVER, Protocol

from hangup.servers.installed import peer as module
from hangup.servers.installed.peer import Heard, Peer

HEAD = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def opened(heart: bool) -> Peer:
    """Return a client that has been let in; one that knows nothing by heart has a protocol from the beginning."""
    peer = Peer()
    assert peer.hear(HEAD) == [Heard("101", code=101)]
    if not heart:
        peer._open = peer._begun()
    return peer


def told(out: list[bytes | str]) -> list[tuple[Opcode, bytes] | str]:
    """Return what a server reads in what a client has sent, for its masks are others each time."""
    read: list[tuple[Opcode, bytes] | str] = []
    server = Protocol(SERVER)
    for data in out:
        if isinstance(data, str):
            read.append(data)
        else:
            server.receive_data(data)
    frames = [event for event in server.events_received() if isinstance(event, Frame)]
    return [*((each.opcode, bytes(each.data)) for each in frames), *read]


TEXT, CLOSE = frame(Opcode.TEXT, b"hello"), frame(Opcode.CLOSE, Close(1001, "bye").serialize())
STREAMS = {
    "a message": [TEXT],
    "two in one": [TEXT + frame(Opcode.BINARY, b"\x00\x01")],
    "a message in two pieces": [TEXT[:3], TEXT[3:], TEXT],
    "a message and half of the next": [TEXT + TEXT[:4], TEXT[4:]],
    "two frames": [frame(Opcode.TEXT, b"he", fin=False), frame(Opcode.CONT, b"llo"), TEXT],
    "a ping": [frame(Opcode.PING, b"1234"), TEXT],
    "a close, and more": [CLOSE, TEXT, None],
    "a close without a code": [frame(Opcode.CLOSE, b""), None],
    "a message and a close": [TEXT + CLOSE, None],
    "no frame": [b"\x83\x00", TEXT, None],
    "a masked frame": [Frame(Opcode.TEXT, b"hello").serialize(mask=True), TEXT],
    "the end": [None, None],
    "a long one": [frame(Opcode.TEXT, b"x" * 70_000), TEXT],
}


@pytest.mark.parametrize("closes", [False, True], ids=["open", "closing"])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_what_is_known_by_heart_is_what_the_protocol_makes_of_it(stream: list[bytes | None], closes: bool) -> None:
    def lived(heart: bool) -> tuple[list[list[Heard]], list[tuple[Opcode, bytes] | str]]:
        peer = opened(heart)
        out: list[bytes | str] = []
        if closes:
            peer.close(1000, "done")
        heard = []
        for data in stream:
            heard.append(peer.hear(data))
            out += peer.bytes_out()
        return heard, told(out)

    module._read.clear()
    right = lived(heart=False)
    assert not module._read
    assert [lived(heart=True) for _ in range(3)] == [right] * 3


def test_once_read_it_is_known() -> None:
    module._read.clear()
    first, second = opened(heart=True), opened(heart=True)
    assert first.hear(TEXT) == second.hear(TEXT) == [Heard("text", "hello")]
    assert first._open is not None
    assert second._open is None


@pytest.mark.parametrize("heart", [True, False])
def test_messages_and_closes(heart: bool) -> None:
    peer = opened(heart)
    for said in ("hello", b"\x00", "ü" * 2_000, "hello"):
        peer.message(said)
    peer.close(None, "")
    assert told(list(peer.bytes_out())) == [
        (Opcode.TEXT, b"hello"),
        (Opcode.BINARY, b"\x00"),
        (Opcode.TEXT, "ü".encode() * 2_000),
        (Opcode.TEXT, b"hello"),
        (Opcode.CLOSE, b""),
    ]
    with pytest.raises(InvalidState):
        peer.message("too late")
    with pytest.raises(InvalidState):
        peer.close(1000, "")


def test_nothing_is_kept_without_bound() -> None:
    module._read.clear()
    for number in range(3 * module.MANY):
        opened(heart=True).hear(frame(Opcode.TEXT, str(number).encode()))
    assert len(module._read) <= module.MANY
