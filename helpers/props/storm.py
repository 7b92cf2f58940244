"""A thousand clients come back at once, in virtual time: what the server's door sees, and when everybody is in.

What is real: each client runs `async for … in connect(…)`, websockets' own loop, with its timeouts and the delays that
you give it. What is modelled: the network, which takes no time, and the server. While it is away it refuses. Then it
does one handshake after the other, in the order in which clients came, `rate` in a second. It cannot know that a
client has given up, and does that handshake too, in vain. (A thousand clients and their server would be two thousand
sockets in one process, which is more than many systems allow.)
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import Any

import websockets

from hangup.record.threads import run_in_thread
from hangup.time.virtual import VirtualLoop
from hangup.trace.chart import Chart
from hangup.trace.table import Table

Delays = Callable[[], Generator[float]]
SECONDS = 60.0  # of real time that a storm may take


def doubling() -> Generator[float]:
    """Yield 1, 2, 4 ... 60, 60 seconds."""
    delay = 1.0
    while True:
        yield delay
        delay = min(2 * delay, 60.0)


def full_jitter() -> Generator[float]:
    """Yield random seconds below those of doubling()."""
    for longest in doubling():
        yield random.uniform(0, longest)


class Door:
    """Where clients knock: `came` and `entered` hold the seconds at which they did, `vain` counts wasted handshakes."""

    def __init__(self, away: float, rate: float) -> None:
        self.away = away
        self.rate = rate
        self.came: list[float] = []
        self.entered: list[float] = []
        self.vain = 0
        self._busy_until = 0.0

    async def knock(self) -> None:
        """Return when the handshake is done. Raises ConnectionRefusedError while the server is away."""
        now = asyncio.get_running_loop().time()
        self.came.append(now)
        if now < self.away:
            raise ConnectionRefusedError("nobody listens")
        self._busy_until = max(self._busy_until, now) + 1 / self.rate
        try:
            await asyncio.sleep(self._busy_until - now)
        except asyncio.CancelledError:
            self.vain += 1
            raise
        self.entered.append(asyncio.get_running_loop().time())

    @property
    def peak(self) -> int:
        """How many came in the fullest second since the server is back."""
        return max(Counter(int(at) for at in self.came if at >= self.away).values(), default=0)

    def rows(self, until: int = 60, step: int = 1) -> list[dict[str, float]]:
        """Return rows for a chart: after so many seconds with the server back, how many came, and how many were in."""
        rows = []
        for second in range(0, until, step):
            at = self.away + second
            came = sum(at <= each < at + step for each in self.came) / step
            inside = sum(each < at + step for each in self.entered)
            rows.append({"seconds": second, "came each second": came, "clients inside": inside})
        return rows


class _Knocking(websockets.connect):
    """websockets' connect, whose connections are made by a Door."""

    def __init__(self, door: Door, **options: Any) -> None:
        super().__init__("ws://127.0.0.1:1", proxy=None, **options)
        self.door = door

    async def connect(self) -> Any:
        """Come through the door within `open_timeout`, as websockets' own does."""
        try:
            async with asyncio.timeout(self.open_timeout):
                await self.door.knock()
        except TimeoutError as error:
            raise TimeoutError("timed out during opening handshake") from error
        return _Inside()


class _Inside:
    """A connection of which no more is asked than that it closes."""

    async def __aenter__(self) -> "_Inside":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        """Close."""


def storm(delays: Delays, *, clients: int = 1000, away: float = 30.0, rate: float = 50.0, seed: int = 8) -> Door:
    """Let the server go away for `away` seconds with all its clients, and return the Door when all are in again.

    `delays` is what `connect(reconnect_delays=…)` takes. The random module is seeded, so equal storms are equal.
    """
    door = Door(away, rate)

    async def client() -> None:
        async for _ in _Knocking(door, reconnect_delays=delays):
            return

    async def work() -> None:
        random.seed(seed)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.turns = -(10**9)  # many clients take many turns
        await asyncio.gather(*(client() for _ in range(clients)))

    run_in_thread(work, seconds=SECONDS, loop_factory=VirtualLoop)
    return door


def table(doors: Mapping[str, Door]) -> Table:
    """Return what each door saw, a row for the name of its clients' delays; seconds count from the server's return."""
    rows = (
        (name, str(door.peak), str(door.vain), f"{max(door.entered) - door.away:.0f} s") for name, door in doors.items()
    )
    return Table(("delays", "in the worst second", "in vain", "all are back after"), tuple(rows))


def chart(doors: Mapping[str, Door]) -> Chart:
    """Draw what each door saw in the first minute, a line for the name of its clients' delays."""
    rows = [row | {"delays": name} for name, door in doors.items() for row in door.rows()]
    return Chart(rows, x="seconds", y=["came each second", "clients inside"], line="delays")
