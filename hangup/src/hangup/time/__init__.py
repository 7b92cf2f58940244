"""Event loops whose clock does not wait, in memory and for real sockets on loopback."""

from hangup.time.loopback import in_virtual_time, now

__all__ = ["in_virtual_time", "now"]
