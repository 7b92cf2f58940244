"""What a schedule does to a client's connections: toxics for the proxy, and what only the server can do."""

import asyncio
from dataclasses import dataclass
from typing import Any

from hangup.explorer.clients.schedules import ClientSchedule
from hangup.explorer.clients.server import ScriptedServer
from hangup.network.proxy import BrokenUrl
from hangup.network.toxics import BlackHole, Close, Reset, Stream, Toxic, When

DOWN = 5.0  # virtual seconds for which a server that restarts refuses connections
SETTLE = 5  # turns of the loop in which what is ready gets done


class Trouble:
    """What a ClientPlay lets happen by its schedule; `hit_at` is the loop's time at which it did."""

    def __init__(self, schedule: ClientSchedule, server: ScriptedServer) -> None:
        self.schedule, self.server = schedule, server
        self.hit_at: float | None = None
        self._silence = asyncio.Event()
        self._told = asyncio.Event()

    def toxics(self) -> list[Toxic]:
        """Return what the proxy is to do."""
        schedule = self.schedule
        where: dict[str, Any] = {"at": schedule.at, "stream": schedule.stream, "connections": schedule.times}
        other: Stream = "downstream" if schedule.stream == "upstream" else "upstream"
        silent = _AndThis(at=When(self._silence), stream=other, connections=schedule.times)
        kinds: dict[str, list[Toxic]] = {
            "": [],
            "too-big": [],
            "close": [_Mark(**where, until=self._told)],
            "restart": [_Mark(**where, until=self._told)],
            "fin": [Close(**where)],
            "reset": [Reset(**where)],
            "silence": [BlackHole(**where), silent],
        }
        return kinds[schedule.fault]

    async def happen(self, url: BrokenUrl) -> None:
        """Do what the proxy cannot: note the time of the fault, silence the other stream, end the server."""
        await (self.server.limit.refused if self.schedule.fault == "too-big" else url.happened).wait()
        self.hit_at = asyncio.get_running_loop().time()
        if self.schedule.fault == "silence":
            self._silence.set()
        elif self.schedule.fault == "close":
            closing = self.server.close_connections()
            await self._tell()
            await asyncio.gather(*closing)
        elif self.schedule.fault == "restart":
            url.note("the server restarts")
            self.server.stop()
            await self._tell()
            await self.server.stopped()
            await asyncio.sleep(DOWN)
            await self.server.listen()
            url.note("the server is back")

    async def _tell(self) -> None:
        """Let the frame go on before which the server closes, now that its close frame is written."""
        await settle()
        self._told.set()


async def settle() -> None:
    """Let what is ready on the loop get done."""
    for _ in range(SETTLE):
        await asyncio.sleep(0)


@dataclass(frozen=True, kw_only=True)
class _Mark(Toxic):
    """Marks a moment, and lets nothing pass until the server has acted."""

    until: asyncio.Event

    async def hold(self, size: int, arrived: float) -> None:
        """Wait until the server has acted."""
        await self.until.wait()

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, kw_only=True)
class _AndThis(BlackHole):
    """The other half of a wire that goes silent."""

    def __str__(self) -> str:
        return ""
