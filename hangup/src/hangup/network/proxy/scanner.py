"""Finds the frames in a stream of bytes as they pass, whole or not: where each begins, how long it is, what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from hangup.network.toxics import Bytes, Moment, When


@dataclass
class FrameSpan:
    """Where a frame lies in its stream: it begins after `start` bytes; `length` is None until it is known.

    `first` is its first byte, which holds FIN and the opcode (RFC 6455 section 5.2).
    """

    start: int
    first: int
    length: int | None = None

    @property
    def ends_message(self) -> bool:
        """Whether a data message ends with this frame: FIN is set, the opcode is continuation, text or binary."""
        return self.first & 0x80 != 0 and self.first & 0x0F in {0x0, 0x1, 0x2}

    @property
    def closes(self) -> bool:
        """Whether this is a close frame."""
        return self.first & 0x0F == 0x8


class Scanner:
    """Finds where the frames of a stream begin and how long they are, while their bytes pass."""

    def __init__(self) -> None:
        self.frames: list[FrameSpan] = []
        self._at = 0
        self._rest = bytearray()  # what follows the last whole frame
        self._open = self._dead = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._rest += data
        while self._rest and not self._dead:
            length = self._frame() if self._open else self._handshake()
            if length is None or length > len(self._rest):
                return
            self._at += length
            del self._rest[:length]
            self._open = True

    def _handshake(self) -> int | None:
        head, end, _ = self._rest.partition(b"\r\n\r\n")
        refused = head.startswith(b"HTTP/") and not head.startswith(b"HTTP/1.1 101")
        self._dead = bool(end) and refused  # RFC 6455 section 4.1: any other status than 101 is plain HTTP
        return len(head) + len(end) if end else None

    def _frame(self) -> int | None:
        if not self.frames or self.frames[-1].start < self._at:
            self.frames.append(FrameSpan(self._at, self._rest[0]))
        self.frames[-1].length = _frame_length(self._rest)
        return self.frames[-1].length


def _frame_length(data: bytes | bytearray) -> int | None:
    """Return how many bytes the frame that begins `data` has, its header included; None while that is not known."""
    if len(data) < 2:
        return None
    # RFC 6455 section 5.2: "The length of the "Payload data", in bytes: if 0-125, that is the payload length. If 126,
    # the following 2 bytes interpreted as a 16-bit unsigned integer are the payload length. If 127, the following
    # 8 bytes interpreted as a 64-bit unsigned integer [...] are the payload length."
    masked, payload = data[1] >> 7, data[1] & 0x7F
    extended = {126: 2, 127: 8}.get(payload, 0)
    if len(data) < 2 + extended:
        return None
    if extended:
        payload = int.from_bytes(data[2 : 2 + extended], "big")
    return 2 + extended + 4 * masked + payload  # the masking key has 4 bytes


def place_of(moment: Moment | None, frames: Sequence[FrameSpan]) -> int | None:
    """Return how many bytes of the stream pass before the moment, or None while that is not known."""
    if moment is None or isinstance(moment, Bytes):
        return moment.n if moment else 0
    if isinstance(moment, When) or len(frames) < moment.n:
        return None
    frame = frames[moment.n - 1]
    if not moment.inside:
        return frame.start
    return None if frame.length is None else frame.start + frame.length // 2
