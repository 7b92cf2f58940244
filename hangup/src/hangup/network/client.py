"""websockets' own client, with its frames drawn in a Trace and two ways to leave without a close frame.

`connect(url)` is `websockets.connect(url)` with a connection class that reads its own bytes as they pass:
frames are recorded when they are written and when they arrive, not when your code asks for them.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any, cast

import websockets
from websockets.asyncio.client import ClientConnection

from hangup.network.frames import FrameReader, WireMessage
from hangup.network.ports import ProxiedTrace, traces
from hangup.trace.events import Event
from hangup.trace.trace import Trace


class connect(websockets.connect):  # noqa: N801 - named as what it stands for
    """Open a WebSocket connection, as `websockets.connect` does, and draw it in `trace`.

    Without `trace`, a connection to a server from `serve` is drawn in the trace of that server, any other nowhere.
    Compression and keepalive are off unless you ask for them, so that a picture shows what your code does.
    """

    def __init__(self, url: str, *, trace: Trace | None = None, **options: Any) -> None:
        found = traces.get(websockets.uri.parse_uri(url).port) if trace is None else trace

        def connection(*args: Any, **kwargs: Any) -> "Connection":
            return Connection(*args, trace=found if found is not None else Trace(), **kwargs)

        quiet = {"compression": None, "ping_interval": None, "proxy": None}
        super().__init__(url, create_connection=connection, **(quiet | options))  # type: ignore[arg-type]

    async def __aenter__(self) -> "Connection":
        """Return the open connection; leaving the block closes it with code 1000 if it is still open."""
        opened = await super().__aenter__()
        assert isinstance(opened, Connection)
        return opened


class Connection(ClientConnection):
    """A client connection that draws itself, with two more ways to leave: `fin()` and `reset()`."""

    def __init__(self, *args: Any, trace: Trace | ProxiedTrace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trace = trace
        self._letter = ""
        self.chain: tuple[str, ...] = ()
        """What this client says comes after what others said that share a chain with it."""
        self._counts = {"up": 0, "down": 0}
        self.came: list[int] = []
        """What has come, whether or not anybody has asked for it: the hash of each message's repr."""
        self._closing = False
        self._closed_by_server = False
        self._gone = False
        self._sent, self._got = FrameReader(from_client=True), FrameReader(from_client=False)

    async def fin(self) -> None:
        """Close the TCP connection without a close frame, as a process that is killed does: the server reads FIN."""
        await self._vanish("TCP FIN")

    async def reset(self) -> None:
        """Reset the TCP connection (SO_LINGER 0): the server's next read fails with ECONNRESET."""
        if not self.transport.is_closing():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self._vanish("TCP RST")

    async def _vanish(self, how: str) -> None:
        if not self._gone and not self.transport.is_closing():
            self._gone = True
            event = Event(self._lifeline, how, "", "server")
            self._record(event, gives=f"{self._letter}.end", chain=self.chain)
            self.transport.abort()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.wait_closed()

    @property
    def said(self) -> int:
        """How many messages this client has said."""
        return self._counts["up"]

    @property
    def _lifeline(self) -> str:
        return f"client {self._letter}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tap the transport, so that what is written can be read."""
        self._letter = self._trace.peer(transport.get_extra_info("sockname")[1])
        self._trace.connected.add(self._letter)
        tapped = transport if self._trace.silent else _TappedTransport(transport, self._wrote)
        super().connection_made(cast(asyncio.Transport, tapped))

    def data_received(self, data: bytes) -> None:
        """Record what arrives, then let websockets have it."""
        if not self._trace.silent:
            for wire in self._got.feed(data):
                self._record_got(wire)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record an end without a closing handshake that was not this client's doing."""
        self._trace.connected.discard(self._letter)
        if not (self._gone or self._closing or self._closed_by_server):
            how = "TCP RST" if isinstance(exc, ConnectionResetError) else "TCP FIN"
            self._record(Event("server", how, "", self._lifeline), needs=self._server_ended, rank=-1)
        self._gone = True
        super().connection_lost(exc)

    @property
    def _server_ended(self) -> tuple[str, ...]:
        return ("stop", f"{self._letter}.closing", f"{self._letter}.ended")

    def _wrote(self, data: bytes) -> None:
        for wire in self._sent.feed(data):
            self._closing = self._closing or wire.kind == "close"
            self._counts["up"] += wire.data
            gives = {"GET": "open", "close": "end"}.get(wire.kind, f"up.{self._counts['up']}" if wire.data else "")
            event = Event(self._lifeline, wire.kind, wire.detail, "server")
            self._record(event, gives=f"{self._letter}.{gives}" if gives else "", chain=self.chain)

    def _record_got(self, wire: WireMessage) -> None:
        event = Event("server", wire.kind, wire.detail, self._lifeline)
        needs: tuple[str, ...] = ()
        if wire.data:
            self._counts["down"] += 1
            self.came.append(hash(wire.detail))
            needs = (f"{self._letter}.down.{self._counts['down']}",)
        elif wire.kind == "close":
            self._closed_by_server = True
            needs = () if self._closing else self._server_ended
        elif wire.kind not in {"ping", "pong"}:
            self._closed_by_server = wire.kind != "101"
            needs = (f"{self._letter}.accept", f"{self._letter}.closing", f"{self._letter}.ended")
        self._record(event, needs=needs, rank=-1)  # shown at once after what caused it

    def _record(
        self,
        event: Event,
        *,
        needs: tuple[str, ...] = (),
        gives: str = "",
        chain: tuple[str, ...] = (),
        rank: int = 2,
    ) -> None:
        chains = (f"client {self._letter}", *chain)
        self._trace.record(event, chains=chains, needs=needs, gives=gives, rank=(rank, self._letter))


class _TappedTransport:
    """A transport that tells what is written to it, before it is, and is in all else the one that it stands for.

    It stands beside the other one, for neither asyncio nor uvloop offers a place to listen, and uvloop's transport, a
    type in C, lets nobody replace its `write`.
    """

    def __init__(self, transport: asyncio.BaseTransport, wrote: Callable[[bytes], None]) -> None:
        self._transport: Any = transport
        self._wrote = wrote

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._wrote(bytes(data))
        self._transport.write(data)

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(parts))
