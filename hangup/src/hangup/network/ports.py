"""Which trace belongs to which port of this process: a server or a proxy says so, a client looks it up."""

from hangup.trace.trace import Trace

traces: dict[int, Trace] = {}
"""The trace of each server or proxy that runs in this process, by its port, for as long as it runs."""
