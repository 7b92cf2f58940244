"""What can go wrong with a stream of bytes, and when: small frozen values, in toxiproxy's words.

A *moment* says when a toxic fires: after so many bytes, before or inside a frame, or when an event is set.
A *toxic* says what happens from then on: it cuts the connection, or it shapes its stream. Seconds and bytes throughout.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

Stream = Literal["upstream", "downstream"]
Side = Literal["client", "server"]
Cut = Literal["TCP FIN", "TCP RST"]
TOWARDS: dict[Stream, Side] = {"upstream": "server", "downstream": "client"}
"""The side to which each stream flows."""


# ---- moments -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bytes:
    """The moment after `n` bytes of the stream were forwarded, handshake included; 0 is before the first byte."""

    n: int

    def __post_init__(self) -> None:
        _check(self.n >= 0, f"Bytes takes a number of bytes, 0 or more, not {self.n!r}.")

    def __str__(self) -> str:
        return f"after byte {self.n}" if self.n else "before the first byte"


@dataclass(frozen=True)
class Frame:
    """The moment before the `n`-th WebSocket frame of the stream; 1 is the first after the handshake.

    Every frame counts: ping, pong and close do, and each frame of a fragmented message (RFC 6455 section 5.4).
    With `inside`, half of the frame's bytes, header included, have been forwarded.
    """

    n: int
    inside: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _check(self.n >= 1, f"Frame takes the number of a frame, 1 or more, not {self.n!r}.")

    def __str__(self) -> str:
        return f"{'inside' if self.inside else 'before'} frame {self.n}"


@dataclass(frozen=True)
class When:
    """The moment in which you set an `asyncio.Event`, but not before the connection's first byte."""

    event: asyncio.Event

    def __str__(self) -> str:
        return "on request"


Moment = Bytes | Frame | When


# ---- toxics ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Toxic:
    """A fault in one stream. It fires once in each connection, at the moment `at`; None is before the first byte.

    With `connections`, only so many connections are hit, the first ones that the proxy gets.

    A subclass cuts the connection (`cuts`), or says which parts of the data pass (`parts`) and when (`hold`).
    """

    stream: Stream = "upstream"
    at: Moment | None = None
    connections: float = math.inf

    def __post_init__(self) -> None:
        _check(self.stream in get_args(Stream), f"A stream is 'upstream' or 'downstream', not {self.stream!r}.")
        known = self.at is None or isinstance(self.at, Moment)
        _check(known, f"A fault happens at Bytes(n), Frame(n), When(event) or None, not at {self.at!r}.")

    does: ClassVar[str]
    """What happens when it fires, as a picture says it; {0} is the toxic."""

    @property
    def cuts(self) -> Mapping[Side, Cut]:
        """How each side finds its connection cut, if it does."""
        return {}

    @property
    def backlog(self) -> int:
        """How many chunks of at most 64 KiB may wait; while more wait, nothing is read, and the sender feels it."""
        return 1

    def parts(self, data: bytes) -> Iterable[bytes]:
        """Return what passes of `data`, in pieces that are sent one by one."""
        return [data]

    async def hold(self, size: int, arrived: float) -> None:
        """Wait until `size` bytes that `arrived` at that `loop.time()` may pass; for the end of a stream, size is 0."""

    def __str__(self) -> str:
        when = Bytes(0) if self.at is None else self.at
        return f"{when} {self.stream}: {self.does.format(self)} ({type(self).__name__})"


@dataclass(frozen=True, kw_only=True)
class Close(Toxic):
    """Close the connection in good order: after what was forwarded, both sides read FIN (and no close frame)."""

    does = "closes the connection"

    @property
    def cuts(self) -> Mapping[Side, Cut]:
        """Both sides read FIN."""
        return {"server": "TCP FIN", "client": "TCP FIN"}


@dataclass(frozen=True, kw_only=True)
class HalfClose(Toxic):
    """End this stream with FIN after what was forwarded; the other stream goes on (TCP's half-close)."""

    does = "ends the stream"

    @property
    def cuts(self) -> Mapping[Side, Cut]:
        """The side to which the stream flows reads FIN."""
        return {TOWARDS[self.stream]: "TCP FIN"}


@dataclass(frozen=True, kw_only=True)
class Reset(Toxic):
    """Reset the connection (SO_LINGER 0); toxiproxy's `reset_peer`. The next read fails with ECONNRESET.

    With `to`, only that side is reset and the other one reads FIN. RFC 6455 section 7.1.5 calls either code 1006.
    """

    does = "resets the connection"
    to: Literal["client", "server", "both"] = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.to in {"client", "server", "both"}, f"to is 'client', 'server' or 'both', not {self.to!r}.")

    @property
    def cuts(self) -> Mapping[Side, Cut]:
        """RST for `to`, FIN for the other side."""
        return {side: "TCP RST" if self.to in (side, "both") else "TCP FIN" for side in ("server", "client")}


@dataclass(frozen=True, kw_only=True)
class BlackHole(Toxic):
    """Drop everything that comes, keep the connection: a cable is pulled, a NAT has forgotten you.

    toxiproxy's `timeout` with 0, except that FIN and RST are dropped as well: the far side never learns.
    A client's `close()` waits in vain for an answer: give `connect` a short `close_timeout`.
    """

    does = "drops everything from here on"

    def parts(self, data: bytes) -> Iterable[bytes]:
        """Let nothing pass."""
        return []


@dataclass(frozen=True)
class Latency(Toxic):
    """Everything arrives `seconds` later than it would; the rate stays what it is."""

    does = "delays everything by {0.seconds:g} s from here on"
    seconds: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.seconds >= 0, f"Latency takes seconds, 0 or more, not {self.seconds!r}.")

    @property
    def backlog(self) -> int:
        """As toxiproxy's: what is on its way does not keep the next chunk from setting out."""
        return 1024

    async def hold(self, size: int, arrived: float) -> None:
        """Wait until the data is old enough."""
        await asyncio.sleep(arrived + self.seconds - asyncio.get_running_loop().time())


@dataclass(frozen=True)
class Slicer(Toxic):
    """Send pieces of at most `size` bytes, with `delay` seconds before each.

    A receiver on the same event loop gets to read each piece by itself even without a delay.
    """

    does = "sends pieces of at most {0.size} bytes from here on"
    size: int
    delay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.size >= 1, f"Slicer takes a size in bytes, 1 or more, not {self.size!r}.")
        _check(self.delay >= 0, f"Slicer takes a delay in seconds, 0 or more, not {self.delay!r}.")

    def parts(self, data: bytes) -> Iterable[bytes]:
        """Cut the data; the last piece may be shorter."""
        return (data[start : start + self.size] for start in range(0, len(data), self.size))

    async def hold(self, size: int, arrived: float) -> None:
        """Wait for two turns of the loop: in the first the receiver's socket is found readable, then it is read."""
        if size:
            await asyncio.sleep(self.delay)
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Bandwidth(Toxic):
    """Let `bytes_per_second` pass, in portions of a tenth of a second; the sender feels it when buffers are full."""

    does = "lets {0.bytes_per_second:g} bytes a second pass from here on"
    bytes_per_second: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.bytes_per_second > 0, f"Bandwidth takes bytes per second, above 0, not {self.bytes_per_second!r}.")

    def parts(self, data: bytes) -> Iterable[bytes]:
        """Cut the data into what passes in a tenth of a second, as toxiproxy does."""
        size = max(1, int(self.bytes_per_second / 10))
        return (data[start : start + size] for start in range(0, len(data), size))

    async def hold(self, size: int, arrived: float) -> None:
        """Wait as long as the bytes take."""
        await asyncio.sleep(size / self.bytes_per_second)


def _check(fine: bool, otherwise: str) -> None:
    if not fine:
        raise ValueError(otherwise)
