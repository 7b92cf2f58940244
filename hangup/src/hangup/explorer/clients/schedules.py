"""One schedule of a client's exploration: what breaks its connection, in which stream, and when.

A schedule has a name, such as `upstream/reset@frame#2`, by which it is found again; frame 0 is the handshake.
"""

from dataclasses import dataclass
from typing import get_args

from hangup.network.toxics import Bytes, Frame, Moment, Stream

FAULTS = {
    "close": "the server closes with 1001",
    "fin": "the connection ends (TCP FIN)",
    "reset": "the network resets the connection (TCP RST)",
    "silence": "the wire goes silent",
    "restart": "the server restarts with 1012",
}
"""What can happen to a connection; a server that restarts refuses connections for some time."""
FURTHER = {"too-big": "the server refuses a message with 1009, as too big, each time"}
"""What an exploration tries if it is asked to."""
WORDS = FAULTS | FURTHER
INSIDE = ("fin", "reset", "silence")
"""The faults that can happen in the middle of a frame as well."""
HANDSHAKE = 60  # bytes: in the middle of the first request or response


@dataclass(frozen=True)
class ClientSchedule:
    """What happens to the first `times` connections of a client, before a frame of a stream, or `inside` it.

    Without a fault nothing does. `cancel_at` counts the awaits of the client's task.
    """

    fault: str = ""
    stream: Stream = "upstream"
    frame: int = 0
    inside: bool = False
    times: int = 1
    cancel_at: int = 0

    def __str__(self) -> str:
        """Return the stable name."""
        if self.cancel_at:
            return f"client/cancel@await#{self.cancel_at}"
        if not self.fault:
            return "client/undisturbed@end"
        inside, times = ".inside" * self.inside, f"x{self.times}" * (self.times > 1)
        return f"{self.stream}/{self.fault}@frame#{self.frame}{inside}{times}"

    @classmethod
    def parse(cls, name: str) -> "ClientSchedule":
        """Return the schedule of that name; raise ValueError with a sentence if there is none."""
        stream, _, rest = name.partition("/")
        fault, _, when = rest.partition("@")
        number, _, times = when.partition("x")
        place, _, inside = number.partition(".")
        call, _, count = place.partition("#")
        if name == "client/undisturbed@end":
            return cls()
        if stream == "client" and fault == "cancel" and call == "await" and count.isdigit():
            return cls(cancel_at=int(count))
        known = fault in WORDS and call == "frame" and count.isdigit() and (times or "1").isdigit()
        if stream not in get_args(Stream) or not known or inside not in ("", "inside"):
            raise ValueError(
                f"{name!r} is no schedule: they look like upstream/reset@frame#2 or client/cancel@await#3."
            )
        return cls(fault, stream, int(count), bool(inside), int(times or 1))  # type: ignore[arg-type]  # it is a Stream

    @property
    def at(self) -> Moment:
        """The moment, as the proxy wants it."""
        if self.frame == 0:
            return Bytes(HANDSHAKE if self.inside else 0)
        return Frame(self.frame, inside=self.inside)

    @property
    def words(self) -> str:
        """Say what happens and when, as a verdict does."""
        if self.cancel_at:
            return f"your client is cancelled at its await number {self.cancel_at} ({self})"
        if not self.fault:
            return "nothing is broken"
        what = f"frame {self.frame}" if self.frame else "half of the opening handshake"
        whose = "your client's" if self.stream == "upstream" else "the server's"
        if self.fault == "too-big":
            return f"{WORDS[self.fault]}, from your client's {what} on ({self})"
        when = f"in the middle of {whose} {what}" if self.inside else f"before {whose} {what} has passed"
        times = f", on each of the first {self.times} connections" if self.times > 1 else ""
        return f"{WORDS[self.fault]} {when}{times} ({self})"
