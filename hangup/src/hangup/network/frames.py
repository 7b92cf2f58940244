"""What a stream of bytes says: the opening handshake's first line, then WebSocket frames, read by wsproto.

A reader only listens. It never answers and never fails: bytes that are no WebSocket become one message that says so.
"""

from dataclasses import dataclass

from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed


@dataclass(frozen=True)
class WireMessage:
    """One message on the wire. `kind`: GET, a status code, text, binary, close, ping, pong, or `not a frame`."""

    kind: str
    detail: str = ""

    @property
    def data(self) -> bool:
        """Whether the app sees this message (a data frame, RFC 6455 section 5.6)."""
        return self.kind in {"text", "binary"}


class FrameReader:
    """Reads one direction of a connection, handshake first; `feed` returns what the new bytes completed."""

    def __init__(self, *, from_client: bool) -> None:
        self._head = b""
        self._open = False
        self._dead = False
        self._protocol = FrameProtocol(client=not from_client, extensions=[])
        self._parts: list[str | bytes] = []

    def feed(self, data: bytes) -> list[WireMessage]:
        """Return the messages that end within `data`, in order; a message in several frames counts once."""
        if self._dead:
            return []
        found = []
        if not self._open:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return []
            self._open = True
            found.append(_first_line(head))
            self._dead = found[0].kind not in {"GET", "101"}
        return found if self._dead or not data else found + self._frames(data)

    def _frames(self, data: bytes) -> list[WireMessage]:
        found = []
        try:
            self._protocol.receive_bytes(data)
            for frame in self._protocol.received_frames():
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION):
                    assert isinstance(frame.payload, (str, bytes))
                    self._parts.append(frame.payload)
                    if frame.message_finished:
                        found.append(_message(self._parts))
                        self._parts = []
                elif frame.opcode is Opcode.CLOSE:
                    assert isinstance(frame.payload, tuple)
                    code, reason = frame.payload
                    words = f"{int(code)} {reason}".rstrip()
                    found.append(WireMessage("close", "without a code" if code == 1005 else words))
                else:
                    found.append(WireMessage(frame.opcode.name.lower()))
        except (ParseFailed, UnicodeDecodeError) as error:
            self._dead = True
            found.append(WireMessage("not a frame", str(error)))
        return found


def _first_line(head: bytes) -> WireMessage:
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if words[0].startswith("HTTP/"):
        return WireMessage(words[1], words[2] if len(words) > 2 else "")
    return WireMessage(words[0], words[1] if len(words) > 1 else "")


def _message(parts: list[str | bytes]) -> WireMessage:
    if isinstance(parts[0], str):
        return WireMessage("text", repr("".join(p for p in parts if isinstance(p, str))))
    return WireMessage("binary", repr(b"".join(bytes(p) for p in parts if not isinstance(p, str))))
