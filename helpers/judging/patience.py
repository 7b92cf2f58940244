"""How long a check waits: its deadline, a session's patience, and both longer on a machine that others want too."""

import os
import time

DEADLINE = 7.0  # seconds that a check may take; then the answer is stopped, which takes 2 more at most
PATIENCE = 1.5  # seconds a session waits for an answer or an end. Both are longer where a machine is busy


def deadline() -> float:
    """Return the moment, of `time.monotonic`, until which a check that begins now may take."""
    return time.monotonic() + DEADLINE * slow()


def patience() -> float:
    """Return the seconds that a session on a real server waits for an answer or an end."""
    return PATIENCE * slow()


def slow() -> float:
    """Return how many times slower than usual this machine is now, because others want it too; 5 at most."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return min(max(load / (os.cpu_count() or 1), 1.0), 5.0)


def left(until: float) -> float:
    """Return how many seconds are left until a moment, and never less than a quick stage needs."""
    return max(until - time.monotonic(), 0.5)
