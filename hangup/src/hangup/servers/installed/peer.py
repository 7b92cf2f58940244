"""The client of a connection in memory: websockets' Sans-I/O protocol, which speaks as a client on a network does.

What it says by heart is the handshake, each frame that it has written once, and what it has made of bytes that it has
read once: it is the same each time, and to write and read it anew would cost a third of the session.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, CLOSED, CLOSING, OPEN, Protocol, State

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""The opening handshake of a client, with the key of RFC 6455 section 1.3."""
SHORT = 1024  # bytes up to which what was said, or heard, is kept for the next time
MANY = 256  # how much of it is kept


@dataclass(frozen=True)
class Heard:
    """What a client sees: `kind` is "101", "status", "text", "bytes", "close" or "end" of the stream.

    `code` is an HTTP status or a close code, 1005 where there is none (RFC 6455 section 7.1.5).
    """

    kind: str
    text: str = ""
    code: int = 0
    data: bytes = b""


_LET_IN, _END = Heard("101", code=101), Heard("end")
_read: dict[tuple[State, bytes], tuple[Sequence[Heard], Sequence[bytes], bool]] = {}
"""For a state and bytes: what the client sees, its answers, and whether it has seen a close frame."""


class Peer:
    """Turns what a client does into bytes, and bytes into what it sees. `bytes_out` is what it has to send, in order.

    Its answers to a ping and to a close are among them, by themselves; "FIN" is the end of its half of the stream.
    """

    def __init__(self) -> None:
        self._state: State | None = None
        """The protocol's, for as long as all goes by heart; None before the handshake is over."""
        self._deaf = False
        """Whether it has seen a close frame: after that, nothing but the end of the stream."""
        self._closed_with: tuple[int | None, str] | None = None
        """With which code and reason it has closed, if it has."""
        self._open: Protocol | None = None
        """The protocol, once something must be read that is not known by heart."""
        self._out: list[bytes] = []
        self._response = b""
        self._ended = self._hangs_up = False

    def bytes_out(self) -> Sequence[bytes | str]:
        """Return what there is to send, "FIN" for the end of the stream."""
        if self._open is not None:
            self._out += self._open.data_to_send()
        if self._hangs_up:  # its handshake was refused
            self._hangs_up = False
            self._out.append(b"")
        if not self._out:
            return ()
        out, self._out = self._out, []
        return [data or "FIN" for data in out]

    def message(self, said: str | bytes) -> None:
        """Send a text or binary message."""
        if self._open is None and self._state is OPEN:
            self._out.append((_frame if len(said) <= SHORT else _frame.__wrapped__)(said))
        elif (protocol := self._protocol()) is not None:
            if isinstance(said, str):
                protocol.send_text(said.encode())
            else:
                protocol.send_binary(said)

    def close(self, code: int | None, reason: str) -> None:
        """Send a close frame; None is one without a code."""
        if self._open is None and self._state is OPEN:
            self._out.append(_close_frame(code, reason))
            self._state, self._closed_with = CLOSING, (code, reason)
        elif (protocol := self._protocol()) is not None:
            protocol.send_close(code, reason)

    def message_of(self, length: int) -> bytes:
        """Return a text message of so many zero bytes, in one frame with a mask of zeros (RFC 6455 section 5.2)."""
        return b"\x81\xff" + length.to_bytes(8, "big") + bytes(4 + length)

    def hear(self, data: bytes | None) -> list[Heard]:
        """Return what the client sees in these bytes, or (None) at the end of the stream."""
        if self._ended:
            return []
        self._ended = data is None
        heard = []
        if self._state is None and data is not None:
            self._response += data
            head, whole, data = self._response.partition(b"\r\n\r\n")
            if not whole:
                return []
            self._response = b""
            status = int(head.split(None, 2)[1])
            if status != 101:
                self._ended = self._hangs_up = True
                return [Heard("status", code=status)]
            self._state = OPEN
            heard.append(_LET_IN)
        if self._state is not None and data != b"":
            heard += self._frames(data)
        return [*heard, _END] if data is None else heard

    def _frames(self, data: bytes | None) -> Sequence[Heard]:
        """Return what the client sees once it has been let in."""
        if self._open is not None:
            return _reads(self._open, data)
        if data is None:
            self._state = CLOSED
            self._out.append(b"")
            return ()
        if self._deaf:
            return ()
        assert self._state is not None
        key = self._state, data
        if key not in _read:
            self._open = protocol = self._begun()
            heard = _reads(protocol, data)
            if len(data) <= SHORT and _is_whole(data) and protocol.parser_exc is None:
                answers = protocol.data_to_send()
                self._out += answers
                if len(_read) >= MANY:
                    _read.clear()
                _read[key] = heard, answers, protocol.close_rcvd is not None
            return heard
        heard, out, self._deaf = _read[key]
        self._out += out
        if self._deaf:
            self._state = CLOSING
        return heard

    def _protocol(self) -> Protocol | None:
        """Return the protocol in its state, None before the handshake is over."""
        return self._begun() if self._open is None and self._state is not None else self._open

    def _begun(self) -> Protocol:
        """Return a protocol that has done all that this client has done by heart."""
        if self._closed_with is None:
            return Protocol(CLIENT, state=self._state or OPEN)
        protocol = Protocol(CLIENT, state=OPEN)
        protocol.send_close(*self._closed_with)
        protocol.data_to_send()
        return protocol


def _reads(protocol: Protocol, data: bytes | None) -> Sequence[Heard]:
    """Let the protocol read bytes, or the end of the stream; return what the client sees."""
    if data is None:
        protocol.receive_eof()
    else:
        protocol.receive_data(data)
    return [seen for event in protocol.events_received() if (seen := _seen(event, protocol.close_rcvd)) is not None]


def _seen(event: object, close: Close | None) -> Heard | None:
    if not isinstance(event, Frame):
        return None
    if event.opcode is Opcode.TEXT:
        return Heard("text", bytes(event.data).decode())
    if event.opcode is Opcode.BINARY:
        return Heard("bytes", data=bytes(event.data))
    return Heard("close", close.reason, close.code) if event.opcode is Opcode.CLOSE and close is not None else None


def _is_whole(data: bytes) -> bool:
    """Return whether these bytes are whole frames, each a message of its own (RFC 6455 section 5.2)."""
    place = 0
    while place + 2 <= len(data) and data[place] & 0x80:
        length, size = data[place + 1], {126: 2, 127: 8}.get(data[place + 1], 0)
        if size:
            length = int.from_bytes(data[place + 2 : place + 2 + size], "big")
        place += 2 + size + length
    return place == len(data)


@functools.lru_cache(maxsize=MANY)
def _frame(said: str | bytes) -> bytes:
    """Return the frame of a message, with a mask that is drawn once."""
    if isinstance(said, str):
        return Frame(Opcode.TEXT, said.encode()).serialize(mask=True)
    return Frame(Opcode.BINARY, said).serialize(mask=True)


@functools.lru_cache(maxsize=MANY)
def _close_frame(code: int | None, reason: str) -> bytes:
    """Return a close frame; raise websockets' ProtocolError for a code that none may have."""
    protocol = Protocol(CLIENT, state=OPEN)
    protocol.send_close(code, reason)
    return protocol.data_to_send()[0]
