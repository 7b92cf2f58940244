"""What lesson 04 lends to answers: a clock that ticks, a reply that takes a while, thermometers that are read.

Their state is kept in the session that calls them, so that one Litestar app can serve every session of a check.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from hangup.record.recorder import current
from hangup.time.virtual import time_is_virtual

HOUR = 3600.0  # seconds; virtual ones, unless an answer waits on a real server for a tick


class Broken(Exception):
    """A clock that ticks no more, or a reply that cannot be given."""


async def ticks() -> AsyncGenerator[str, None]:
    """Yield "tick 1", "tick 2", and the next one after an hour. Raises Broken when `reply` gets "stop"."""
    for number in range(1, 3):
        await _pause()
        yield f"tick {number}"
    try:
        async with asyncio.timeout(HOUR):
            await _stopped().wait()
    except TimeoutError:
        yield "tick 3"
        return
    raise _breaks("ticks()")


async def reply(text: str) -> str:
    """Return `text` in capitals, after a little thought: the shorter it is, the longer that takes.

    "stop" stops the clock that ticks; raises Broken for "crash". Where time is virtual, "slowly" takes 3 seconds.
    """
    if text == "crash":
        raise _breaks("reply()")
    if text == "stop":
        _stopped().set()
    if text == "slowly" and time_is_virtual():
        await asyncio.sleep(3)
    await _pause(12 - 2 * min(len(text), 5))
    return text.upper()


@dataclass(frozen=True)
class Reading:
    """What one thermometer says."""

    place: str
    celsius: float


READINGS = (Reading("roof", 21.5), Reading('cellar "B"', 0.0), Reading("Treppe, außen", -0.5))


async def readings() -> AsyncGenerator[Reading, None]:
    """Yield three Readings, and the next one after an hour. Raises Broken in its place for client b."""
    for reading in READINGS:
        await _pause()
        yield reading
    session = current()
    if session is not None and session.letter == "b":
        raise _breaks("readings()")
    await asyncio.sleep(HOUR)
    yield Reading("roof", 20.0)


async def _pause(times: int = 3) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


def _stopped() -> anyio.Event:
    """Return the event of this session that stops its clock."""
    session = current()
    event: anyio.Event = anyio.Event() if session is None else session.facts.setdefault("stopped", anyio.Event())
    return event


def _breaks(what: str) -> Broken:
    """Take note that something breaks in this session, and return the exception."""
    session = current()
    if session is not None:
        session.facts["broke"] = what
    return Broken(what)
