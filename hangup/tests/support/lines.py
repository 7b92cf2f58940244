"""Two raw sockets with a proxy between them, which tell a FIN from an RST, on a clock that does not wait."""

import asyncio
import selectors
import socket
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from hangup.network.proxy import BrokenUrl, proxy
from hangup.network.toxics import (
    Stream,
    Toxic,
)

STREAMS: tuple[Stream, ...] = ("upstream", "downstream")
both_streams = pytest.mark.parametrize("stream", STREAMS)


@dataclass
class End:
    """One end of a TCP connection; `read` and `rest` tell a FIN from an RST."""

    sock: socket.socket

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.sock, 1 << 20)

    async def exactly(self, data: bytes) -> None:
        got = b""
        while len(got) < len(data):
            got += await self.read()
        assert got == data

    async def rest(self) -> tuple[bytes, str]:
        """Return everything that still comes, and how it ends."""
        got = b""
        try:
            while data := await self.read():
                got += data
        except ConnectionResetError:
            return got, "RST"
        return got, "FIN"

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class Line:
    """A connection through a proxy: `sender` is where the faulty stream begins, `receiver` where it leads."""

    sender: End
    receiver: End
    url: BrokenUrl


@asynccontextmanager
async def line(*toxics: Toxic, stream: Stream = "upstream") -> AsyncIterator[Line]:
    """Lead a connection through a proxy; the two ends outlive it by as much as the test wants."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        async with proxy(f"ws://127.0.0.1:{listener.getsockname()[1]}", *toxics) as url:
            probe, _ = await loop.sock_accept(listener)  # proxy() has looked whether somebody listens
            probe.close()
            await loop.sock_connect(client, ("127.0.0.1", int(url.rpartition(":")[2])))
            server, _ = await loop.sock_accept(listener)
            with server:
                server.setblocking(False)
                near, far = End(client), End(server)
                yield Line(near, far, url) if stream == "upstream" else Line(far, near, url)


class VirtualSelector(selectors.DefaultSelector):
    """Waits for sockets as long as a packet takes on the loopback; then the clock jumps instead."""

    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0) or super().select(timeout if timeout is None else min(timeout, 0.02))
        if not ready and timeout is not None:
            self.now += timeout
        return ready


def virtually(work: Coroutine[None, None, None]) -> None:
    """Run `work` on a loop on which `asyncio.sleep` takes no time, and which always knows what time it would be."""
    selector = VirtualSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)
