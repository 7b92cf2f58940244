"""A TCP proxy between real clients and a real server that breaks connections at an exact moment, in toxiproxy's words.

A connection through the proxy has two streams: `upstream`, from client to server, and `downstream`. Each has a task
that reads and a task that writes, with a queue between them. The writer counts bytes and frames. When the moment of a
toxic has come the toxic fires: from then on it shapes its stream, or it cuts the connection with a FIN or an RST.
The proxy works on sockets, not on asyncio's transports, which keep a buffer: what is forwarded is in the kernel, and
what a peer sent before its own reset still arrives. It cuts TCP; it loses no packets.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hangup.network.ports import traces
from hangup.network.scanner import Scanner, place_of
from hangup.network.toxics import TOWARDS, BlackHole, Cut, Frame, Moment, Side, Stream, Toxic, When
from hangup.network.wiretap import Wiretap
from hangup.trace.events import Event
from hangup.trace.trace import Trace

HOST = "127.0.0.1"
CHUNK = 65_536


class ProxyError(RuntimeError):
    """A proxy that cannot start: nobody listens where it should lead."""


# ---- connections -------------------------------------------------------------------------------------------------


class _Over(Exception):
    """A side is to be reset: stop forwarding."""


class _Pump:
    """One stream of a connection: reads from one side, lets the toxics have their way, writes to the other side."""

    def __init__(self, name: Stream, connection: "_Connection", source: socket.socket, sink: socket.socket) -> None:
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


class _Connection:
    """A client's connection to the proxy, and the proxy's to the server."""

    def __init__(
        self, client: socket.socket, address: int, port: int, toxics: Sequence[Toxic], url: "BrokenUrl"
    ) -> None:
        url.opened += 1
        self.toxics = [toxic for toxic in toxics if url.opened <= toxic.connections]
        self.tap = Wiretap(url.trace) if url.tapped else None
        self.begun = asyncio.Event()
        self._url = url
        self._address, self._port = address, port
        self._sides: dict[Side, socket.socket] = {"client": client, "server": socket.socket()}
        self._resets: set[Side] = set()
        for sock in self._sides.values():
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = self._sides["server"]
        self._to = {
            "server": _Pump("upstream", self, client, server),
            "client": _Pump("downstream", self, server, client),
        }

    @cached_property
    def letter(self) -> str:
        """The connection's letter in the trace; from now on the server's name for it, the proxy's port, has it too.

        The client has asked for its letter before it wrote a byte, so its own port is not needed any more. (A second
        entry for one connection would count as a second client.)
        """
        letter = self._url.trace.peer(self._address)
        self._url.trace.move_peer(self._address, self._sides["server"].getsockname()[1])
        return letter

    async def run(self) -> None:
        """Forward until both streams have ended or a side is reset; then close."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(self._sides["server"], (HOST, self._port))
        except OSError:
            self._resets.add("client")  # so says a host on which nobody listens
        else:
            await self._flow()
        for side in self._resets:
            self._sides[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sides[side].close()
        for side in self._sides.keys() - self._resets:
            with contextlib.suppress(OSError):  # to close a socket that has unread data would reset it
                while await loop.sock_recv(self._sides[side], CHUNK):
                    pass
        self.close()

    async def _flow(self) -> None:
        try:
            async with asyncio.TaskGroup() as events:
                watches = [watch for pump in self._to.values() for watch in pump.watch(events)]
                async with asyncio.TaskGroup() as group:
                    for pump in self._to.values():
                        pump.start(group)
                for watch in watches:
                    watch.cancel()
        except* _Over:
            pass

    def begin(self) -> None:
        """Take note that the first byte has come: whoever sent it is ready to be named."""
        self.begun.set()
        if self.tap is None:
            _ = self.letter

    def count(self, stream: Stream, frames: int) -> None:
        """Take note of how many frames have come in this stream."""
        if self._url.opened == 1:
            self._url.frames[stream] = frames

    def end(self, stream: Stream, *, reset: bool) -> None:
        """Pass on that a peer has ended its stream, or has reset the connection."""
        if self.tap is not None and not self._to[TOWARDS[stream]].ended:
            self.tap.ended(stream, "TCP RST" if reset else "TCP FIN")
        if reset:
            self._reset("client", "server")
        self._finish(TOWARDS[stream])

    def unreachable(self, stream: Stream) -> None:
        """Handle that nothing more can be sent: the peer's RST comes back, unless a black hole is in its way."""
        back = "client" if TOWARDS[stream] == "server" else "server"
        if not self._to[TOWARDS[stream]].ended and not self._to[back].silent:
            self._reset("client", "server")
        self._to[TOWARDS[stream]].ended = True

    def fire(self, toxic: Toxic, causes: Sequence[str]) -> None:
        """Draw a toxic, count it, and cut what it cuts."""
        self._draw(str(toxic), toxic.cuts, f"network {toxic.stream}", isinstance(toxic.at, When), causes)
        if isinstance(toxic, BlackHole) and toxic.stream == "upstream" and self.tap is None:
            self._url.view.swallow_from(self.letter, causes[0] if isinstance(toxic.at, Frame) else "")
        self._url.fired += 1
        self._url.happened.set()
        for side, cut in toxic.cuts.items():
            if cut == "TCP FIN":
                self._finish(side)
        self._reset(*(side for side, cut in toxic.cuts.items() if cut == "TCP RST"))

    def stop(self) -> None:
        """Draw that the proxy goes away while the connection is open."""
        if self.tap is None and self.begun.is_set() and not self._to["server"].ended and not self._to["client"].drained:
            self._draw("the proxy stops", {"server": "TCP FIN", "client": "TCP FIN"}, "network upstream", True, ())

    def close(self) -> None:
        """Close both sockets; with data in neither, the peers read FIN."""
        for sock in self._sides.values():
            sock.close()

    def _finish(self, side: Side) -> None:
        self._to[side].ended = True
        with contextlib.suppress(OSError):  # the peer may have gone
            self._sides[side].shutdown(socket.SHUT_WR)

    def _reset(self, *sides: Side) -> None:
        if sides:
            self._resets.update(sides)
            for pump in self._to.values():
                pump.ended = True
            raise _Over

    def _draw(self, text: str, cuts: Mapping[Side, Cut], chain: str, now: bool, causes: Sequence[str]) -> None:
        """Write what happens onto the lifeline `network`; with `now`, after everything that has been recorded.

        A client draws its own end when it comes to know of it: `_Beyond` tells it who did it.
        """
        if self.tap is not None:
            self.tap.note(text)
            for side, how in cuts.items():
                self.tap.cut(side, how)
            return
        letter = self.letter
        chains = [f"{chain} {letter}", *(f"{who} {letter}" for who in ("client", "session") if now)]
        needs = [f"{letter}.{cause}" for cause in causes]
        cut = [side for side in cuts if not self._to[side].ended]
        events = [(Event("network", "note", text), f"{letter}.cut" if "client" in cut else "")]
        if "server" in cut:
            events.append((Event("network", cuts["server"], "", "server"), f"{letter}.end"))
        for event, gives in events:  # shown at once after what caused it
            self._url.trace.record(event, chains=chains, needs=needs, gives=gives, rank=(-1, letter))
        if cut:
            self._url.view.ends.setdefault(f"client {letter}", "cut" if "client" in cut else "end")


# ---- the proxy ---------------------------------------------------------------------------------------------------


class _Beyond(Trace):
    """A server's trace as clients beyond the proxy see it: it is the network that cuts them, where it was.

    `ends` says of a client's lifeline what its end comes after.
    """

    def __init__(self, behind: Trace) -> None:
        vars(self).update(vars(behind))  # the very same lists and dicts: there is one trace
        self.behind = behind
        self.ends: dict[str, str] = {}
        self.unheard: set[str] = set()

    def swallow_from(self, letter: str, first: str) -> None:
        """Let what this client says end at the network from now on, and the message that it gave as `first`, if any."""
        self.unheard.add(f"client {letter}")
        self.behind.swallow(f"client {letter}", f"{letter}.{first}")

    def record(self, event: Event, *, needs: Sequence[str] = (), gives: str = "", **order: Any) -> None:
        """Record an event; where a client's connection was cut, with the true cause."""
        if event.cut and event.actor == "server" and event.to in self.ends:
            letter, end = event.to.removeprefix("client "), self.ends[event.to]
            event = replace(event, actor="network" if end == "cut" else "server")
            needs, gives = [f"{letter}.{end}"], f"{letter}.end"
        if event.to == "server" and event.actor in self.unheard:
            event, gives = replace(event, to="network"), ""  # nothing at the server comes after it
        self.behind.record(event, needs=needs, gives=gives, **order)


class BrokenUrl(str):
    """The URL of a proxy, to connect to where you would use the server's, which is `target`.

    `fired` counts the faults that have happened, in all connections; `happened` is an event, set by the first.
    `opened` counts connections, and `frames` those of the first connection in each stream, the handshake not included.
    """

    target: str
    trace: Trace
    view: _Beyond
    happened: asyncio.Event
    frames: dict[Stream, int]
    tapped: bool = False
    fired: int = 0
    opened: int = 0

    def note(self, text: str) -> None:
        """Write onto the network's lifeline, after everything that has been recorded."""
        self.trace.record(Event("network", "note", text))


@asynccontextmanager
async def proxy(url: str, *toxics: Toxic, trace: Trace | None = None, tapped: bool = False) -> AsyncIterator[BrokenUrl]:
    """Listen on 127.0.0.1 while the block runs, forward connections to the server at `url`, and break them.

    Yields a BrokenUrl. What happens is drawn in `trace`; without it, in that of the server, if it is one from `serve`.
    With `tapped`, the proxy itself draws all frames, for clients and servers that do not draw themselves.
    When the block ends, connections that are still open are closed. Raises ValueError if `url` is no WebSocket URL of
    this machine, TypeError if a toxic is none, ProxyError if nobody listens at `url`.
    """
    parts, port = _target(url)
    for toxic in toxics:
        if not isinstance(toxic, Toxic):
            raise TypeError(f"A proxy takes faults such as Reset(at=Frame(2)); {toxic!r} is none.")
    if port not in traces and not await _listens(port):
        raise ProxyError(f"Nobody listens at {url}: start the server first.")
    behind = traces.get(port, Trace()) if trace is None else trace
    loop = asyncio.get_running_loop()
    with socket.create_server((HOST, 0)) as listener:
        listener.setblocking(False)
        own: int = listener.getsockname()[1]
        broken = BrokenUrl(parts._replace(netloc=f"{HOST}:{own}").geturl())
        broken.target, broken.trace, broken.happened = url, behind, asyncio.Event()
        broken.tapped, broken.frames = tapped, {"upstream": 0, "downstream": 0}
        broken.view = _Beyond(behind)
        traces[own] = Trace(silent=True) if tapped else broken.view
        connections: dict[asyncio.Task[None], _Connection] = {}

        def accept() -> None:
            with contextlib.suppress(OSError):  # the client may have gone again
                client, address = listener.accept()
                connection = _Connection(client, address[1], port, toxics, broken)
                connections[loop.create_task(connection.run())] = connection

        loop.add_reader(listener, accept)
        try:
            yield broken
        finally:
            del traces[own]
            loop.remove_reader(listener)
            await _stop(connections)


async def _stop(connections: "dict[asyncio.Task[None], _Connection]") -> None:
    """Pass on what has come already, which takes a few turns of the loop; then close what is open."""
    for _ in range(10):
        await asyncio.sleep(0)
    for task, connection in connections.items():
        if not task.done():
            connection.stop()
            task.cancel()
    if connections:
        await asyncio.wait(connections)
    for task, connection in connections.items():
        connection.close()
        if not task.cancelled():
            task.result()


def _target(url: str) -> tuple[SplitResult, int]:
    """Return the parts of a WebSocket URL of this machine, and its port."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "ws" and parts.hostname in {HOST, "localhost"}:
            return parts, 80 if parts.port is None else parts.port
    except (ValueError, AttributeError):
        pass  # a port that is no number, a url that is no string
    raise ValueError(f"A proxy leads to a server of this machine, such as ws://{HOST}:8000; {url!r} is no such URL.")


async def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(probe, (HOST, port))
        except OSError:
            return False
    return True
