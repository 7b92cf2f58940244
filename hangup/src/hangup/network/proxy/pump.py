"""One stream of a proxied connection, from its source to its sink, and the moments at which its toxics fire."""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import Protocol

from hangup.network.proxy.scanner import Scanner, place_of
from hangup.network.proxy.wiretap import Wiretap
from hangup.network.toxics import TOWARDS, BlackHole, Frame, Moment, Stream, Toxic, When

CHUNK = 65_536  # bytes that are read at once


class Owner(Protocol):
    """The connection that a pump belongs to, as far as the pump knows it: what to heed, and whom to tell."""

    toxics: Sequence[Toxic]
    tap: Wiretap | None
    begun: asyncio.Event

    def begin(self) -> None:
        """Take note that the first byte has come."""

    def count(self, stream: Stream, frames: int) -> None:
        """Take note of how many frames have come in this stream."""

    def fire(self, toxic: Toxic, causes: Sequence[str]) -> None:
        """Let a toxic of the whole connection happen, after what led to it."""

    def end(self, stream: Stream, *, reset: bool) -> None:
        """Pass on that a peer has ended its stream, or has reset the connection."""

    def unreachable(self, stream: Stream) -> None:
        """Handle that nothing more can be sent."""


class Pump:
    """One stream of a connection: reads from one side, lets the toxics have their way, writes to the other side.

    A task reads and another one writes, with a queue between them. The writer counts bytes and frames, and fires the
    toxics whose moment has come.
    """

    def __init__(self, name: Stream, connection: Owner, source: socket.socket, sink: socket.socket) -> None:
        self.ended = False  # nothing more is forwarded
        self.drained = False  # nothing more will come
        self._name = name
        self._connection = connection
        self._source, self._sink = source, sink
        self._waiting = [toxic for toxic in connection.toxics if toxic.stream == name]
        self._active: list[Toxic] = []
        self._scanner = Scanner()
        self._passed = 0
        backlog = max((toxic.backlog for toxic in self._waiting), default=1)
        self._queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(backlog)

    @property
    def silent(self) -> bool:
        """Whether not even the end of the stream is passed on."""
        return any(isinstance(toxic, BlackHole) for toxic in self._active)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Read and write in tasks of the group."""
        group.create_task(self._read())
        group.create_task(self._write())

    def watch(self, group: asyncio.TaskGroup) -> "list[asyncio.Task[None]]":
        """Wait in tasks of the group for the events that fire toxics."""
        moments = [(toxic, toxic.at) for toxic in self._waiting]
        return [group.create_task(self._fire_when(t, at.event)) for t, at in moments if isinstance(at, When)]

    async def _read(self) -> None:
        """Put what arrives into the queue, with the time; `b""` stands for FIN, None for RST."""
        loop = asyncio.get_running_loop()
        while not self.drained:
            try:
                data: bytes | None = await loop.sock_recv(self._source, CHUNK)
            except OSError:
                data = None
            self.drained = not data
            await self._queue.put((loop.time(), data))

    async def _write(self) -> None:
        """Forward what the queue holds, until the end of the stream."""
        while True:
            arrived, data = await self._queue.get()
            for toxic in self._active:
                await toxic.hold(0, arrived)
            if not data:
                break
            self._connection.begin()
            self._scanner.feed(data)
            self._connection.count(self._name, len(self._scanner.frames))
            await self._pass(data, arrived)
        if not self.silent:
            self._connection.end(self._name, reset=data is None)

    async def _pass(self, data: bytes, arrived: float) -> None:
        """Forward the data, stopping at each moment in it."""
        if self.ended:
            self._tapped(data, lost=True)
        self._fire_due(data)
        while data and not self.ended:
            places = [place_of(toxic.at, self._scanner.frames) for toxic in self._waiting]
            size = min([len(data), *(place - self._passed for place in places if place is not None)])
            await self._forward(data[:size], arrived)
            data = data[size:]
            self._passed += size
            self._fire_due(data)

    async def _forward(self, data: bytes, arrived: float) -> None:
        parts: Iterable[bytes] = [data]
        if self.silent:
            self._tapped(data, lost=True)
        for toxic in self._active:
            parts = [smaller for part in parts for smaller in toxic.parts(part)]
        for part in parts:
            for toxic in self._active:
                await toxic.hold(len(part), arrived)
            if self.ended:
                return
            try:
                await asyncio.get_running_loop().sock_sendall(self._sink, part)
            except OSError:
                self._connection.unreachable(self._name)
            else:
                self._tapped(part)

    def _tapped(self, data: bytes, *, lost: bool = False) -> None:
        if self._connection.tap is not None and data:
            self._connection.tap.passed(self._name, data, lost=lost)

    def _fire_due(self, coming: bytes) -> None:
        """Fire the toxics whose moment has come; of what is `coming` nothing passes any more if one cuts the stream."""
        for toxic in list(self._waiting):
            place = place_of(toxic.at, self._scanner.frames)
            if place is not None and place <= self._passed and not self.ended:
                if TOWARDS[self._name] in toxic.cuts:
                    self._tapped(coming, lost=True)
                self._fire(toxic)

    async def _fire_when(self, toxic: Toxic, event: asyncio.Event) -> None:
        await self._connection.begun.wait()
        await event.wait()
        if not self.ended:
            self._fire(toxic)

    def _fire(self, toxic: Toxic) -> None:
        self._waiting.remove(toxic)
        self._active.append(toxic)
        self._connection.fire(toxic, self._causes(toxic.at))

    def _causes(self, moment: Moment | None) -> list[str]:
        """Name what led to this moment, as events of a trace `give` it, the latest first."""
        arrived = self._passed + (isinstance(moment, Frame) and not moment.inside)  # the frame has come, not passed
        frames = [frame for frame in self._scanner.frames if frame.start < arrived]
        count = sum(frame.ends_message for frame in frames)
        closes = bool(frames) and frames[-1].closes
        if self._name == "upstream":
            return ["end"] * closes + [f"up.{count}", "open"]
        return ["closing", "end", "ended"] * closes + [f"down.{count}", "accept", "closing", "ended", "open"]
