"""What lesson 04 lends to answers: a clock that ticks, a reply that takes a while, thermometers that are read.

Their state is kept in the session that calls them, so that one Litestar app can serve every session of a check.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.lowlevel

from hangup.record.recorder import current
from hangup.time.virtual import time_is_virtual

T = TypeVar("T")
HOUR = 3600.0  # seconds; virtual ones, unless an answer waits on a real server for a tick


_TAKES = {"slowly": 3.0, "very slowly": 20.0, "for ages": 2_400.0}


class Broken(Exception):
    """A clock that ticks no more, or a reply that cannot be given."""


async def ticks() -> AsyncGenerator[str, None]:
    """Yield "tick 1", "tick 2", and the next ones an hour apart. Raises Broken when `reply` gets "stop".

    A session's fact "ticks" takes the place of the first two; with its fact "spoilt" a clock that is cancelled breaks.
    """
    session = current()
    first = _given("ticks", ("tick 1", "tick 2"))
    number = len(first)
    for tick in first:
        await _pause()
        yield tick
    while True:
        try:
            async with asyncio.timeout(HOUR):
                await stopped().wait()
        except TimeoutError:
            number += 1
            yield f"tick {number}"
        except asyncio.CancelledError:
            if session is not None and session.facts.get("spoilt"):
                raise _breaks("ticks()") from None
            raise
        else:
            raise _breaks("ticks()")


async def reply(text: str) -> str:
    """Return `text` in capitals, after a little thought: the shorter it is, the longer that takes.

    "stop" stops the clock that ticks; raises Broken for "crash". Where time is virtual, "slowly" takes 3 seconds,
    "very slowly" 20, and "for ages" 40 minutes. A session's fact "replies" counts them, and each has its number.
    """
    session = current()
    if text == "crash":
        raise _breaks("reply()")
    if text == "stop":
        stopped().set()
    try:
        if text in _TAKES and time_is_virtual():
            await asyncio.sleep(_TAKES[text])
        await _pause(12 - 2 * min(len(text), 5))
    finally:
        if session is not None:
            session.facts["replied"] = (
                asyncio.get_running_loop().time()
            )  # a reply that is cancelled was waited for, too
    if session is None or "replies" not in session.facts:
        return text.upper()
    session.facts["replies"] += 1
    return f"{text.upper()} {session.facts['replies']}"


@dataclass(frozen=True)
class Reading:
    """What one thermometer says."""

    place: str
    celsius: float


READINGS = (Reading("roof", 21.5), Reading('cellar "B"', 0.0), Reading("Treppe, außen", -0.5))


async def readings() -> AsyncGenerator[Reading, None]:
    """Yield three Readings, and the next ones an hour apart. Raises Broken in their place for client b.

    A session's fact "readings" takes the place of the three, and its fact "silent" that of the hour, in seconds; with
    its fact "sound" client b reads on as well.
    """
    for reading in _given("readings", READINGS):
        await _pause()
        yield reading
    session = current()
    if session is not None and session.letter == "b" and not session.facts.get("sound"):
        raise _breaks("readings()")
    hour = HOUR if session is None else session.facts.get("silent", HOUR)
    while True:
        await asyncio.sleep(hour)
        yield Reading("roof", 20.0)


async def _pause(times: int = 3) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


def _given(name: str, usual: tuple[T, ...]) -> tuple[T, ...]:
    """Return what this session has in place of the usual."""
    session = current()
    given: tuple[T, ...] = usual if session is None else session.facts.get(name, usual)
    return given


def stopped() -> anyio.Event:
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
