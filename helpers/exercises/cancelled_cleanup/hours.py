"""What lesson 05 tries for hours of virtual time, in memory: an explored app has 30 seconds when its peer is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket

from hangup.record.recorder import Message, describe
from hangup.time.virtual import Alarm, VirtualLoop
from helpers.judging.values import scope_of
from helpers.props.cleanups import BLINK, now

HOURS = 2 * 3600.0  # virtual seconds
DAYS = 100 * HOURS


class _Desk:
    """A desk that answers at the last moment, and whose line is as slow to close; it knows how long each has taken."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    async def report(self, count: int) -> None:
        """Answer in time."""
        await self._take("report()", HOURS - 1)

    async def close(self) -> None:
        """Give the line back, at last."""
        await self._take("close()", HOURS)

    async def _take(self, what: str, seconds: float) -> None:
        began = now()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.took[what] = now() - began


async def left(goodbye: Any) -> str:
    """Let a peer leave whose report has hours and needs them, as its close does; return what was cut, or nothing."""
    coming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

    async def receive() -> Message:
        await asyncio.sleep(0)
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: Message) -> None:
        await asyncio.sleep(0)

    desk = _Desk()
    try:
        async with _days():
            await goodbye(WebSocket(scope_of(), receive, send), desk, HOURS)
    except Exception as error:
        return f"the handler raised {describe(error)}"
    for what, seconds in (("report()", HOURS - 1), ("close()", HOURS)):
        took = desk.took.get(what)
        if took is None:
            return f"the handler ended before {what} had"
        if took < seconds - BLINK:
            return f"{what} was cancelled after {took:g} seconds; it needed {seconds:g} (`seconds` was {HOURS:g})"
    return ""


@asynccontextmanager
async def _days() -> AsyncIterator[None]:
    """Give a block DAYS, in which a timer may ring late for an answer that looks again and again."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        loop.alarms, loop.jumps = (Alarm(lambda: None),), 0
    try:
        async with asyncio.timeout(DAYS):
            yield
    finally:
        if isinstance(loop, VirtualLoop):
            loop.alarms = ()


async def drained(registry: Any, *, started_late: bool) -> str:
    """Drain a registry of one work for hours; cancelled, it needs as many for its cleanup. Return what was cut.

    A work that is `started_late` is started by another one, when its time is almost over.
    """
    hit: list[float] = []
    tasks: list[asyncio.Task[Any] | None] = []

    async def work() -> None:
        tasks.append(asyncio.current_task())
        try:
            await asyncio.Event().wait()
        finally:
            hit.append(now() - began)
            await asyncio.sleep(HOURS)
            hit.append(now() - began)

    async def another() -> None:
        await asyncio.sleep(HOURS - 1)
        registry.start(work())

    began = now()
    registry.start(another() if started_late else work())
    await asyncio.sleep(BLINK)
    try:
        async with _days():
            await registry.drain(HOURS)
    except Exception as error:
        return f"drain() raised {describe(error)}"
    for task in tasks:
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
            return f"drain({HOURS:g}) returned, and a work that had {HOURS:g} seconds of cleanup was still at it"
    if hit and hit[0] < HOURS - BLINK:
        return f"drain({HOURS:g}) cancelled a work after {hit[0]:g} seconds"
    if hit and hit[0] > HOURS + HOURS / 2:
        return f"drain({HOURS:g}) cancelled a work that another had started only after {hit[0]:g} seconds"
    return ""
