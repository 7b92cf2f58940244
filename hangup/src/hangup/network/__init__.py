"""The wire: its frames, a client that draws itself, and a proxy that breaks connections with toxics."""

from hangup.network.toxics import (
    Bandwidth,
    BlackHole,
    Bytes,
    Close,
    Frame,
    HalfClose,
    Latency,
    Reset,
    Slicer,
    Toxic,
    When,
)

__all__ = [
    "Bandwidth",
    "BlackHole",
    "Bytes",
    "Close",
    "Frame",
    "HalfClose",
    "Latency",
    "Reset",
    "Slicer",
    "Toxic",
    "When",
]
