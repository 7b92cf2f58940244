"""The client of a connection in memory: websockets' Sans-I/O protocol, which speaks as a client on a network does.

Only the handshake is said by heart: it is the same each time, and to write and read it anew would cost a third of the
session.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""The opening handshake of a client, with the key of RFC 6455 section 1.3."""


@dataclass(frozen=True)
class Heard:
    """What a client sees: `kind` is "101", "status", "text", "bytes", "close" or "end" of the stream.

    `code` is an HTTP status or a close code, 1005 where there is none (RFC 6455 section 7.1.5).
    """

    kind: str
    text: str = ""
    code: int = 0
    data: bytes = b""


class Peer:
    """Turns what a client does into bytes, and bytes into what it sees. `bytes_out` is what it has to send, in order.

    Its answers to a ping and to a close are among them, by themselves; "FIN" is the end of its half of the stream.
    """

    def __init__(self) -> None:
        self._open: Protocol | None = None
        self._response = b""
        self._ended = self._hangs_up = False

    def bytes_out(self) -> Iterator[bytes | str]:
        """Yield what there is to send, "FIN" for the end of the stream."""
        if self._open is not None:
            for data in self._open.data_to_send():
                yield data or "FIN"
        elif self._hangs_up:  # its handshake was refused
            self._hangs_up = False
            yield "FIN"

    def message(self, said: str | bytes) -> None:
        """Send a text or binary message."""
        if self._open is None:
            return
        if isinstance(said, str):
            self._open.send_text(said.encode())
        else:
            self._open.send_binary(said)

    def close(self, code: int | None, reason: str) -> None:
        """Send a close frame; None is one without a code."""
        if self._open is not None:
            self._open.send_close(code, reason)

    def message_of(self, length: int) -> bytes:
        """Return a text message of so many zero bytes, in one frame with a mask of zeros (RFC 6455 section 5.2)."""
        return b"\x81\xff" + length.to_bytes(8, "big") + bytes(4 + length)

    def hear(self, data: bytes | None) -> list[Heard]:
        """Return what the client sees in these bytes, or (None) at the end of the stream."""
        if self._ended:
            return []
        self._ended = data is None
        heard = []
        if self._open is None and data is not None:
            self._response += data
            head, whole, data = self._response.partition(b"\r\n\r\n")
            if not whole:
                return []
            self._response = b""
            status = int(head.split(None, 2)[1])
            if status != 101:
                self._ended = self._hangs_up = True
                return [Heard("status", code=status)]
            self._open = Protocol(CLIENT, state=OPEN)
            heard.append(Heard("101", code=101))
        if self._open is not None and data != b"":
            if data is None:
                self._open.receive_eof()
            else:
                self._open.receive_data(data)
            heard += [seen for event in self._open.events_received() if (seen := self._seen(event)) is not None]
        return [*heard, Heard("end")] if data is None else heard

    def _seen(self, event: object) -> Heard | None:
        if not isinstance(event, Frame):
            return None
        if event.opcode is Opcode.TEXT:
            return Heard("text", bytes(event.data).decode())
        if event.opcode is Opcode.BINARY:
            return Heard("bytes", data=bytes(event.data))
        close = self._open.close_rcvd if self._open is not None else None
        return Heard("close", close.reason, close.code) if event.opcode is Opcode.CLOSE and close is not None else None
