"""Probes: small apps that log what a server does once the peer is gone. `logs` plays them all on a real server.

It imports no test tool: support/daphne.py runs the same probes in an environment that has daphne and little else.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import websockets

from hangup import connect, serve
from hangup.network.client import Connection
from hangup.record.recorder import Message, Receive, Send
from hangup.trace.trace import Trace

PAUSE = 0.2  # seconds in which a server on this machine notices what its peer has done
WAITS = 0.5  # seconds after which a receive() is said to wait for ever
HUNG = 40  # seconds after which the probes of a server are given up
HANDSHAKE = (
    "GET /{0} HTTP/1.1\r\nHost: {1}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Logged:
    """What a probe calls instead of receive and send; each call is a line of the log."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._patience: asyncio.Timeout | None = None
        self._left = asyncio.Event()
        self.lines: list[str] = []

    def leave(self) -> None:
        """Say that the client has left: from now on a receive() that does not return is one that waits for ever."""
        if self._patience is not None and not self._left.is_set():
            self._patience.reschedule(asyncio.get_running_loop().time() + WAITS)
        self._left.set()

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(WAITS if self._left.is_set() else None) as self._patience:
                message = await self._receive()
        except TimeoutError:
            self.lines.append("receive waits")
            return {"type": ""}
        except Exception as error:
            self.lines.append(f"receive raises {_words(error)}")
            return {"type": ""}
        finally:
            self._patience = None
        said = {key: int(v) if isinstance(v, int) else v for key, v in message.items() if key != "type"}
        self.lines.append(f"{message['type']} {said}")
        return message

    async def send(self, kind: str) -> None:
        message: dict[str, object] = {"type": f"websocket.{kind}"}
        message |= {"text": "x"} if kind == "send" else {"code": 4000, "reason": "why"} if kind == "close" else {}
        try:
            await self._send(message)
            self.lines.append(f"{kind} returns")
        except Exception as error:
            self.lines.append(f"{kind} raises {_words(error)}")

    async def pause(self) -> None:
        """Wait until the client has left, and until the server has seen it."""
        await self._left.wait()
        await asyncio.sleep(PAUSE)


def _words(error: Exception) -> str:
    return f"{type(error).__name__} ({'OSError' if isinstance(error, OSError) else 'not OSError'}): {error}"


Probe = Callable[[Logged], Awaitable[None]]


# ---- the peer leaves, and the app has accepted -----------------------------------------------------------------------


async def reads_on(app: Logged) -> None:
    """Receive until and after the disconnect."""
    await app.send("accept")
    for _ in range(4):
        await app.receive()


async def sends_late(app: Logged) -> None:
    """Send after the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.pause()
    await app.send("send")
    await app.send("send")


async def closes_late(app: Logged) -> None:
    """Close after the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.pause()
    await app.send("close")


async def closes_at_once(app: Logged) -> None:
    """Close in the same breath in which the disconnect was received."""
    await app.send("accept")
    await app.receive()
    await app.send("close")


async def only_sends(app: Logged) -> None:
    """Send without ever receiving, when the peer has left."""
    await app.send("accept")
    await app.pause()
    await app.send("send")
    await app.send("send")


async def closes_itself(app: Logged) -> None:
    """Close, and then send, close and receive."""
    await app.send("accept")
    await app.send("close")
    await app.send("send")
    await app.send("close")
    await app.receive()
    await app.receive()


# ---- the peer leaves before the app accepts --------------------------------------------------------------------------


async def accepts_nobody(app: Logged) -> None:
    """Accept, send, close and receive, when the peer has left."""
    await app.pause()
    await app.send("accept")
    await app.send("send")
    await app.send("close")
    await app.receive()
    await app.receive()


async def reads_first(app: Logged) -> None:
    """Receive before and after accept, when the peer has left."""
    await app.pause()
    await app.receive()
    await app.receive()
    await app.send("accept")
    await app.receive()
    await app.receive()


async def rejects(app: Logged) -> None:
    """Close instead of accept, and then receive."""
    await app.pause()
    await app.send("close")
    await app.receive()
    await app.receive()


async def rejects_twice(app: Logged) -> None:
    """Close instead of accept, then send and close."""
    await app.send("close")
    await app.send("send")
    await app.send("close")


# ---- endings ---------------------------------------------------------------------------------------------------------


async def no_code(client: Connection) -> None:
    """Close with a frame that has no body (RFC 6455 section 5.5.1)."""
    async with client.send_context():
        client.protocol.send_close()
    await client.wait_closed()


LEAVE: dict[str, Callable[[Connection], Awaitable[None]]] = {
    "close": lambda client: client.close(1001),
    "close 1000": lambda client: client.close(1000),
    "close with a reason": lambda client: client.close(3001, "bye"),
    "close without a code": no_code,
    "fin": lambda client: client.fin(),
    "reset": lambda client: client.reset(),
}
GOODBYES = ("close", "fin", "reset", "shutdown")
PROBES: dict[Probe, tuple[str, ...]] = {
    reads_on: (*LEAVE, "shutdown"),
    sends_late: GOODBYES,
    closes_late: GOODBYES,
    closes_at_once: GOODBYES,
    only_sends: GOODBYES,
    closes_itself: ("own",),
    accepts_nobody: ("early fin", "early reset", "early shutdown"),
    reads_first: ("early fin", "early reset", "early shutdown"),
    rejects: ("early fin", "early reset", "early shutdown", "own"),
    rejects_twice: ("own",),
}


# ---- on a real server ------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """A probe on one connection of a real server."""

    probe: Probe
    ending: str

    def __post_init__(self) -> None:
        self.begun, self.open, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(self, receive: Receive, send: Send) -> None:
        """Be the app of this connection."""
        await receive()
        self.log = Logged(receive, send)
        self.begun.set()
        try:
            await self.probe(self.log)
        finally:
            self.done.set()

    async def client(self, url: str) -> None:
        """Be the client: leave in the way of the ending, or stay until the app or the server ends it."""
        if self.ending in ("early fin", "early reset"):
            await self.raw(url, reset=self.ending == "early reset")
            return
        with contextlib.suppress(websockets.InvalidHandshake, websockets.InvalidMessage, OSError):
            async with connect(url, close_timeout=WAITS, open_timeout=None) as client:
                self.open.set()
                if self.ending in LEAVE:
                    await LEAVE[self.ending](client)
                    self.log.leave()
                await client.wait_closed()

    async def raw(self, url: str, *, reset: bool) -> None:
        """Ask for a connection, and go away before there is an answer."""
        host, _, path = url.removeprefix("ws://").partition("/")
        _, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(HANDSHAKE.format(path, host).encode())
        await self.begun.wait()
        if reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        self.log.leave()


async def logs(server: str, *, shutdown: bool) -> dict[tuple[str, str], list[str]]:
    """Run all probes at once on a real server, those of the endings in which it shuts down or the others."""
    cases = {
        f"/{probe.__name__}/{ending.replace(' ', '-')}": Case(probe, ending)
        for probe, endings in PROBES.items()
        for ending in endings
        if ending.endswith("shutdown") == shutdown
    }

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await cases[scope["path"]].app(receive, send)

    async with asyncio.timeout(HUNG), asyncio.TaskGroup() as clients:
        async with serve(app, server=server, graceful_timeout=6 * WAITS + 1) as url:
            for path, case in cases.items():
                clients.create_task(case.client(url + path))
            for case in cases.values():
                await (case.begun if "early" in case.ending or case.ending == "own" else case.open).wait()
            for case in cases.values():
                if shutdown or case.ending == "own":
                    case.log.leave()
            for case in cases.values():
                if not shutdown:
                    await case.done.wait()
    return {(case.probe.__name__, case.ending): case.log.lines for case in cases.values()}


# ---- what the client sees --------------------------------------------------------------------------------------------


async def returns(send: Send) -> None:
    """End, and do not close."""


async def raises(send: Send) -> None:
    """Fail."""
    raise ValueError("no")


async def is_cancelled(send: Send) -> None:
    """Be cancelled."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def closes(send: Send) -> None:
    """Close with a code and a reason."""
    await send({"type": "websocket.close", "code": 4000, "reason": "why"})


ENDS = (returns, raises, is_cancelled, closes)


def ends(how: Callable[[Send], Awaitable[None]], *, accept: bool) -> Any:
    """Return an app that ends in this way, before it accepts or after."""

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        if accept:
            await send({"type": "websocket.accept"})
        await how(send)

    return app


def drawn(trace: Trace) -> list[str]:
    """Return what a picture shows, without a server's words: what it logs, and how it calls an HTTP status."""
    events = [event for event in trace if event.action != "logs"]
    return [" ".join((e.actor, e.to, e.action, "" if e.action.isdecimal() else e.detail)) for e in events]


async def picture(server: str, app: Any, *, patience: float | None = None) -> list[str]:
    """Return the picture of a session on a real server, until the client is sent away or has waited that long."""

    async def client() -> None:
        with contextlib.suppress(websockets.InvalidHandshake, websockets.InvalidMessage):
            async with connect(url, open_timeout=None) as connection:
                await connection.wait_closed()

    trace = Trace()
    async with serve(app, server=server, trace=trace) as url:
        waiting = asyncio.ensure_future(client())
        _, stays = await asyncio.wait([waiting], timeout=patience)
        so_far = drawn(trace)
        waiting.cancel()
    return so_far if stays else drawn(trace)
