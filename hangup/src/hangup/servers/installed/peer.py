"""The client of a connection in memory: websockets' Sans-I/O protocol, which speaks as a client on a network does."""

from collections.abc import Iterator
from dataclasses import dataclass

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

_URI = parse_uri("ws://127.0.0.1/")


@dataclass(frozen=True)
class Heard:
    """What a client sees: `kind` is "101", "status", "text", "bytes", "close" or "end" of the stream.

    `code` is an HTTP status or a close code, 1005 where there is none (RFC 6455 section 7.1.5).
    """

    kind: str
    text: str = ""
    code: int = 0


class Peer:
    """Turns what a client does into bytes, and bytes into what it sees. `bytes_out` is what it has to send, in order.

    Its answers to a ping and to a close are among them, by themselves; "FIN" is the end of its half of the stream.
    """

    def __init__(self) -> None:
        self._protocol = ClientProtocol(_URI)
        self._protocol.send_request(self._protocol.connect())
        self._ended = False

    def bytes_out(self) -> Iterator[bytes | str]:
        """Yield what there is to send, "FIN" for the end of the stream."""
        for data in self._protocol.data_to_send():
            yield data or "FIN"

    def text(self, text: str) -> None:
        """Send a text message."""
        self._protocol.send_text(text.encode())

    def close(self, code: int | None, reason: str) -> None:
        """Send a close frame; None is one without a code."""
        self._protocol.send_close(code, reason)

    def message_of(self, length: int) -> bytes:
        """Return a text message of so many zero bytes, in one frame with a mask of zeros (RFC 6455 section 5.2)."""
        return b"\x81\xff" + length.to_bytes(8, "big") + bytes(4 + length)

    def hear(self, data: bytes | None) -> list[Heard]:
        """Return what the client sees in these bytes, or (None) at the end of the stream."""
        if self._ended:
            return []
        if data is None:
            self._ended = True
            if self._protocol.state is not State.CLOSED:
                self._protocol.receive_eof()
        else:
            self._protocol.receive_data(data)
        heard = [seen for event in self._protocol.events_received() if (seen := self._seen(event)) is not None]
        return heard if data is not None else [*heard, Heard("end")]

    def _seen(self, event: object) -> Heard | None:
        if isinstance(event, Response):
            return Heard("101" if event.status_code == 101 else "status", code=event.status_code)
        if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            return Heard("text", bytes(event.data).decode())
        if isinstance(event, Frame) and event.opcode is Opcode.BINARY:
            return Heard("bytes", repr(bytes(event.data)))
        if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            close = self._protocol.close_rcvd
            return Heard("close", close.reason, close.code) if close is not None else None
        return None
