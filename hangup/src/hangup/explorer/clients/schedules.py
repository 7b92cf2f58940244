"""One schedule of a client's: what breaks its connection, and when. `ClientPlay` plays it.

The client talks to a scripted server over real sockets and the proxy of `hangup.network.proxy`, on a loop whose time is
virtual: hours of backoff take no time. A schedule has a name, such as `upstream/reset@frame#2`; frame 0 is the
handshake.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import websockets
from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve

from hangup.explorer.awaits import Counted
from hangup.network.ports import traces
from hangup.network.proxy import HOST, BrokenUrl, proxy
from hangup.network.toxics import BlackHole, Bytes, Close, Frame, Moment, Reset, Stream, Toxic, When
from hangup.record.errors import describe, stack
from hangup.record.session import Session, set_current
from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop
from hangup.trace.events import Event
from hangup.trace.trace import Trace

Client = Callable[[str], Awaitable[Any]]
Handler = Callable[[ServerConnection], Awaitable[None]]

FAULTS = {
    "close": "the server closes with 1001",
    "fin": "the connection ends (TCP FIN)",
    "reset": "the network resets the connection (TCP RST)",
    "silence": "the wire goes silent",
    "restart": "the server restarts with 1012",
}
"""What can happen to a connection; a server that restarts refuses connections for `DOWN` seconds."""
INSIDE = ("fin", "reset", "silence")
DOWN = 5.0  # virtual seconds
LIFETIME = 3_600.0  # virtual seconds that a session may take
LINGER = 60.0  # virtual seconds that a cancelled client has to end
SETTLE = 5  # turns of the loop in which a task that was cancelled ends
HANDSHAKE = 60  # bytes: in the middle of the first request or response
_WEBSOCKETS = str(Path(websockets.__file__).parent)
_log = logging.getLogger("hangup.explorer.clients.schedules")
_log.addHandler(logging.NullHandler())
_log.propagate = False


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
        known = fault in FAULTS and call == "frame" and count.isdigit() and (times or "1").isdigit()
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
        when = f"in the middle of {whose} {what}" if self.inside else f"before {whose} {what} has passed"
        times = f", on each of the first {self.times} connections" if self.times > 1 else ""
        return f"{FAULTS[self.fault]} {when}{times} ({self})"


class ClientSession(Session):
    """A client's run: it is drawn on the client's lifeline."""

    @property
    def app(self) -> str:
        """The client's lifeline."""
        return f"client {self.letter}"

    def spawned(self, task: "asyncio.Task[Any]") -> None:
        """Follow a task of the client's; those of websockets are not its doing."""
        if not getattr(task.get_coro(), "cr_code", _call.__code__).co_filename.startswith(_WEBSOCKETS):
            super().spawned(task)


class ClientPlay:
    """Plays a schedule; once, by `play`. Then `frames` and `awaits` say what the client did."""

    def __init__(self, client: Client, handler: Handler, schedule: ClientSchedule, trace: Trace) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        self.loop = loop
        self.client, self.handler, self.schedule, self.trace = client, handler, schedule, trace
        self.session = ClientSession(trace, "a", schedule=str(schedule))
        self.frames: dict[Stream, int] = {}
        self.awaits = 0
        self.hit_at: float | None = None
        self._silence = asyncio.Event()
        self._told = asyncio.Event()
        self._open: dict[ServerConnection, asyncio.Task[Any] | None] = {}

    async def play(self) -> Session:
        """Run the client to its end and return its session, with nothing left of it on the loop."""
        before = asyncio.all_tasks()
        state = random.getstate()
        random.seed(0)  # backoff has jitter: the same in each run
        try:
            async with (
                self._server() as port,
                proxy(f"ws://{HOST}:{port}", *self._toxics(), trace=self.trace, tapped=True) as url,
            ):
                trouble = self.loop.create_task(self._trouble(url, port))
                try:
                    await self._run(url)
                finally:
                    trouble.cancel()
                    await asyncio.wait([trouble])
                self.frames = dict(url.frames)
                fired = bool(self.schedule.cancel_at or url.fired or not self.schedule.fault)
                self.session.facts |= {"fired": fired, "connections": url.opened}
        finally:
            random.setstate(state)
            await _end(asyncio.all_tasks() - before)
        self.trace.ordered = True
        self.session.retrieve_exceptions()
        return self.session

    # ---- the server and what goes wrong ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _server(self) -> AsyncIterator[int]:
        self._listener = await self._listen(0)
        port = int(next(iter(self._listener.sockets)).getsockname()[1])
        traces[port] = self.trace  # so that the proxy need not knock
        try:
            yield port
        finally:
            del traces[port]
            for connection in self._open:
                connection.transport.abort()
            self._listener.close()
            await _end({task for task in self._open.values() if task is not None})
            await self._listener.wait_closed()

    async def _listen(self, port: int) -> Listener:
        return await serve(self._serve, HOST, port, compression=None, ping_interval=None, close_timeout=1, logger=_log)

    async def _serve(self, connection: ServerConnection) -> None:
        self._open[connection] = asyncio.current_task()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.handler(connection)
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.close()
        self._open.pop(connection, None)

    def _toxics(self) -> list[Toxic]:
        schedule = self.schedule
        where: dict[str, Any] = {"at": schedule.at, "stream": schedule.stream, "connections": schedule.times}
        other: Stream = "downstream" if schedule.stream == "upstream" else "upstream"
        silent = _AndThis(at=When(self._silence), stream=other, connections=schedule.times)
        kinds: dict[str, list[Toxic]] = {
            "": [],
            "close": [_Mark(**where, until=self._told)],
            "restart": [_Mark(**where, until=self._told)],
            "fin": [Close(**where)],
            "reset": [Reset(**where)],
            "silence": [BlackHole(**where), silent],
        }
        return kinds[schedule.fault]

    async def _trouble(self, url: BrokenUrl, port: int) -> None:
        """Do what the proxy cannot: note the time of the fault, silence the other stream, end the server."""
        await url.happened.wait()
        self.hit_at = self.loop.time()
        if self.schedule.fault == "silence":
            self._silence.set()
        elif self.schedule.fault == "close":
            closing = [self.loop.create_task(connection.close(1001)) for connection in self._open]
            await self._tell()
            await asyncio.gather(*closing)
        elif self.schedule.fault == "restart":
            url.note("the server restarts")
            self._listener.close(code=1012)
            await self._tell()
            await self._listener.wait_closed()
            await asyncio.sleep(DOWN)
            self._listener = await self._listen(port)
            url.note("the server is back")

    async def _tell(self) -> None:
        """Let the frame go on before which the server closes, now that its close frame is written."""
        for _ in range(SETTLE):
            await asyncio.sleep(0)
        self._told.set()

    # ---- the client --------------------------------------------------------------------------------------------

    async def _run(self, url: str) -> None:
        loop, session = self.loop, self.session
        over = loop.create_future()

        def give_up() -> None:
            if not over.done():
                over.set_result(None)

        loop.turns, loop.on_idle = 0, give_up
        task = loop.create_task(self._client(url))
        limit = loop.call_later(LIFETIME, give_up)
        await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        limit.cancel()
        session.facts["spun"] = not task.done() and loop.turns > loop.most_turns
        session.facts["took"] = None if self.hit_at is None else loop.time() - self.hit_at
        if not task.done():
            session.cancelled_by = "server"
            session.record(Event(session.app, "never returns", "(it is cancelled now)"), final=True)
        loop.on_idle, loop.turns = lambda: None, 0
        for _ in range(SETTLE):
            await asyncio.sleep(0)
        session.end()
        for _ in range(3):
            left = [each for each in (*session.tasks, task) if not each.done()]
            for each in left:
                each.cancel()
            if left:
                await asyncio.wait(left, timeout=LINGER)
        if not task.done():
            raise Stuck(loop_runs=True)

    async def _client(self, url: str) -> None:
        session = self.session
        session.main = asyncio.current_task()
        set_current(session)
        counted = Counted(
            _call(self.client, url), self.schedule.cancel_at, on_cancel=self._cancelled, on_thrown=self._thrown
        )
        try:
            session.facts["value"] = value = await counted
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            session.record(Event(session.app, "is cancelled"), final=True)
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = [] if self.trace.silent else stack(error)[3:]
            session.record(Event(session.app, "raises", describe(error)), final=True)
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise
        else:
            session.ended = "returned"
            session.record(Event(session.app, "returns", "" if value is None else repr(value)), final=True)
        finally:
            self.awaits = counted.awaits

    def _cancelled(self) -> None:
        self.hit_at = self.loop.time()
        self.session.cancelled_by = "schedule"

    def _thrown(self) -> None:
        self.session.facts["interrupted"] = "while it worked"


async def _end(tasks: "set[asyncio.Task[Any]]") -> None:
    """Let tasks come to their end: a generator that was garbage closes its connection in one, which takes a while."""
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=LINGER)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LINGER)


async def _call(client: Client, url: str) -> Any:
    return await client(url)


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
