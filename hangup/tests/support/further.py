"""What a server does beside the probes' endings: misuse, a peer that is silent, does not read, or sends too much.

Each function plays one case on a real server and returns a log; tests/test_further_models.py holds the models to it.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

import websockets

from hangup import connect, serve
from hangup.record.recorder import Receive, Send
from hangup.servers.matrix.asked import NEVER, PAUSE, WAITS, Logged
from hangup.servers.models import MODELS
from hangup.servers.stalls import patience, rest
from support.playing import HANDSHAKE

TOO_BIG = 16 * 2**20 + 1  # bytes: one more than uvicorn, granian and hypercorn take by default
UNTOLD = 13.0  # seconds after which an app is not told of a silent peer any more, where nobody pings
HUNG = 8 * NEVER  # seconds after which a case is given up
SHORT_OF_READING = 64 * 2**20  # bytes that no server takes for a peer that does not read
Case = Callable[[str], Awaitable[list[str]]]


async def second_accept(server: str) -> list[str]:
    """Accept twice, and go on."""

    async def probe(app: Logged) -> None:
        for kind in ("accept", "accept", "send"):
            await app.send(kind)

    async def client(url: str) -> None:
        async with connect(url, close_timeout=WAITS) as connection:
            await connection.recv()

    return await _played(server, probe, client)


async def second_reader(server: str) -> list[str]:
    """Receive while another receive() waits, and then let a message come for each."""

    async def probe(app: Logged) -> None:
        await app.send("accept")
        first = asyncio.ensure_future(app.receive())
        await asyncio.sleep(0)
        second = asyncio.ensure_future(app.receive())
        await rest(PAUSE)
        await app.send("send")
        await asyncio.wait([first, second])

    async def client(url: str) -> None:
        async with connect(url, close_timeout=WAITS) as connection:
            await connection.recv()
            for text in ("one", "two"):
                await connection.send(text)
            await rest(PAUSE)

    return await _played(server, probe, client)


async def closing(server: str) -> list[str]:
    """Accept and send when the server has read the client's FIN, and the transport has not told it of the end."""

    async def probe(app: Logged) -> None:
        left.set()
        await gone.wait()
        await asyncio.sleep(0)  # on this machine the FIN is there at once, and in this turn of the loop it is read
        for kind in ("accept", "send"):
            await app.send(kind)

    async def client(url: str) -> None:
        sock = await _raw(url)
        await left.wait()
        sock.close()
        gone.set()
        await rest(PAUSE)

    left, gone = asyncio.Event(), asyncio.Event()
    return await _played(server, probe, client)


async def client_of_one_who_was_reset(server: str) -> list[str]:
    """Let a client ask for a connection and be reset, before the server looks."""

    async def client(url: str) -> None:
        host, port = url.removeprefix("ws://").split(":")
        sock = socket.create_connection((host, int(port)))
        sock.sendall(HANDSHAKE.format("", host).encode())
        _reset(sock)
        await rest(PAUSE)

    lines: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        lines.append("called for nobody" if scope["client"] is None else "called for somebody")

    async with serve(app, server=server) as url:
        await client(url)
    return lines or ["not called"]


async def silent(server: str) -> list[str]:
    """Wait for a peer that answers nothing any more; the last line says after how many seconds the app was told.

    Who pings, by its model, is waited for as long as it takes on a busy machine.
    """
    began = time.monotonic()
    took = [0.0]
    longest = HUNG if "silence" in MODELS[server].told else UNTOLD

    async def probe(app: Logged) -> None:
        await app.send("accept")
        app.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                app.lines.append(shown(await app._receive()))
                took[0] = time.monotonic() - began
        if took[0]:
            await app.receive()
            await app.send("send")
        done.set()

    async def client(url: str) -> None:
        sock = await _raw(url)
        await asyncio.get_running_loop().sock_recv(sock, 1_000)
        await done.wait()
        sock.close()

    done = asyncio.Event()
    log = await _played(server, probe, client)
    return [*log, f"after {took[0]:.3f} s" if took[0] else "not told"]


async def too_big(server: str) -> list[str]:
    """Receive when the client has sent a message above the limit, then send; the last line is what the client saw."""

    async def probe(app: Logged) -> None:
        await app.send("accept")
        app.lines.append(shown(await app._receive()))
        app.leave()
        await app.receive()
        await app.send("send")
        done.set()

    return await _with_a_big_message(server, probe, done := asyncio.Event())


async def too_big_and_sends_at_once(server: str) -> list[str]:
    """Send in the same breath in which the app is told of a message above the limit."""

    async def probe(app: Logged) -> None:
        await app.send("accept")
        app.lines.append(shown(await app._receive()))
        await app.send("send")
        done.set()

    return await _with_a_big_message(server, probe, done := asyncio.Event())


async def unread(server: str) -> list[str]:
    """Send to a peer that does not read until send() waits, and then let the network reset."""

    async def probe(app: Logged) -> None:
        await app.send("accept")
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < SHORT_OF_READING:
                async with patience(WAITS):
                    await app._send({"type": "websocket.send", "bytes": bytes(2**16)})
                sent += 2**16
        app.lines.append("send waits" if 2**20 < sent < SHORT_OF_READING else f"send has taken {sent:,} bytes")
        waiting = asyncio.ensure_future(app.send("send"))
        await rest(PAUSE)
        app.lines.append("the next send " + ("has ended" if waiting.done() else "waits"))
        full.set()
        await asyncio.wait([waiting])
        await app.receive()

    async def client(url: str) -> None:
        sock = await _raw(url, 4096)
        await full.wait()
        _reset(sock)
        await rest(PAUSE)

    full = asyncio.Event()
    return await _played(server, probe, client)


# ---- how they are played ---------------------------------------------------------------------------------------------


async def _with_a_big_message(
    server: str, probe: Callable[[Logged], Awaitable[None]], done: asyncio.Event
) -> list[str]:
    seen = ["client sees nothing"]

    async def client(url: str) -> None:
        quiet: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None, "close_timeout": WAITS}
        async with websockets.connect(url, **quiet) as connection:
            with contextlib.suppress(websockets.ConnectionClosed):
                await connection.send(bytes(TOO_BIG))
            with contextlib.suppress(websockets.ConnectionClosed):
                async with patience(2 * NEVER):
                    await connection.recv()
            seen[0] = f"client sees {connection.close_code}"
            await done.wait()

    log = await _played(server, probe, client)
    return [*log, *seen]


async def _played(
    server: str, probe: Callable[[Logged], Awaitable[None]], client: Callable[[str], Awaitable[None]]
) -> list[str]:
    """Serve an app that is a probe, let a client come to it, and return the probe's log."""
    logged: list[Logged] = []
    over = asyncio.Event()

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        logged.append(Logged(receive, send))
        try:
            await probe(logged[0])
        finally:
            over.set()

    async with serve(app, server=server) as url, asyncio.timeout(HUNG):
        await client(url)
        await over.wait()
    return logged[0].lines


async def _raw(url: str, receives: int = 0) -> socket.socket:
    """Ask for a connection by hand, on a socket that may have a small buffer, and return it unread."""
    host, port = url.removeprefix("ws://").split(":")
    sock = socket.socket()
    if receives:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (host, int(port)))
    await loop.sock_sendall(sock, HANDSHAKE.format("", host).encode())
    return sock


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def shown(message: Any) -> str:
    said = {key: int(v) if isinstance(v, int) else v for key, v in message.items() if key != "type"}
    return f"{message['type']} {said}"
