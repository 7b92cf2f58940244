"""One connection through a proxy: its two sockets and streams, and what becomes of both sides when a toxic fires."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property

from hangup.network.proxy.pump import CHUNK, Pump
from hangup.network.proxy.url import HOST, BrokenUrl
from hangup.network.proxy.wiretap import Wiretap
from hangup.network.toxics import TOWARDS, BlackHole, Cut, Frame, Side, Stream, Toxic, When
from hangup.trace.events import Event


class _Over(Exception):
    """A side is to be reset: stop forwarding."""


class Connection:
    """A client's connection to the proxy, and the proxy's to the server."""

    def __init__(self, client: socket.socket, address: int, port: int, toxics: Sequence[Toxic], url: BrokenUrl) -> None:
        url.opened += 1
        url.on_open()
        self.toxics: Sequence[Toxic] = [toxic for toxic in toxics if url.opened <= toxic.connections]
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
            "server": Pump("upstream", self, client, server),
            "client": Pump("downstream", self, server, client),
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
            self._url.view.swallow(self.letter, causes[0] if isinstance(toxic.at, Frame) else "")
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

        A client draws its own end when it comes to know of it: its ProxiedTrace knows who did it.
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
            self._url.view.cut(letter, "cut" if "client" in cut else "end")
