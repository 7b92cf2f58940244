"""The app that a server is asked with: small probes that log what it does once the peer is gone, a line for each call.

This module imports nothing but Python's own, and `stalls`: both are copied to where a server runs, whatever it has.
With the environment variable HANGUP_ASKS, a folder, each probe's log is a file there, named by the path: `X.log`
grows with its lines, and ends with "done"; `X.left` says that the client has left; `spec_version` is
the version of the specification that the server names.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hangup.servers.stalls import patience, rest

Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PAUSE = 0.2  # seconds in which a server on this machine notices what its peer has done
WAITS = 0.5  # seconds after which a receive() is said to wait for ever
NEVER = 8.0  # seconds after which whatever no model waits for is said never to happen


class Logged:
    """What a probe calls instead of receive and send; each call is a line of the log."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._lose_patience: Callable[[float], None] | None = None
        self._left = asyncio.Event()
        self.lines: list[str] = []

    def log(self, line: str) -> None:
        """Add a line to the log."""
        self.lines.append(line)

    def leave(self) -> None:
        """Say that the client has left: from now on a receive() that does not return is one that waits for ever."""
        if self._lose_patience is not None and not self._left.is_set():
            self._lose_patience(WAITS)
        self._left.set()

    async def receive(self) -> Message:
        """Log what the next message is; a call that waits is given up when the client has left."""
        try:
            async with patience(WAITS if self._left.is_set() else None) as self._lose_patience:
                message = await self._receive()
        except TimeoutError:
            self.log("receive waits")
            return {"type": ""}
        except Exception as error:
            self.log(f"receive raises {_words(error)}")
            return {"type": ""}
        finally:
            self._lose_patience = None
        said = {key: int(v) if isinstance(v, int) else v for key, v in message.items() if key != "type"}
        self.log(f"{message['type']} {said}")
        return message

    async def send(self, kind: str) -> None:
        """Send "accept", "send" or "close", and log what that does."""
        message: dict[str, object] = {"type": f"websocket.{kind}"}
        message |= {"text": "x"} if kind == "send" else {"code": 4000, "reason": "why"} if kind == "close" else {}
        try:
            async with asyncio.timeout(NEVER) as never:
                await self._send(message)
            self.log(f"{kind} returns")
        except TimeoutError as error:
            self.log(f"{kind} never returns" if never.expired() else f"{kind} raises {_words(error)}")
        except Exception as error:
            self.log(f"{kind} raises {_words(error)}")

    async def pause(self) -> None:
        """Wait until the client has left, and until the server has seen it."""
        await self._left.wait()
        await rest(PAUSE)


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
    """Close after the disconnect was received; then send, close and receive."""
    await app.send("accept")
    await app.receive()
    await app.pause()
    for kind in ("close", "send", "close"):
        await app.send(kind)
    for _ in range(3):
        await app.receive()


async def closes_at_once(app: Logged) -> None:
    """Close in the same breath in which the disconnect was received, and receive again."""
    await app.send("accept")
    await app.receive()
    await app.send("close")
    for _ in range(3):
        await app.receive()


async def closes_unread(app: Logged) -> None:
    """Close when the peer has left; then send, close and receive."""
    await app.send("accept")
    await app.pause()
    for kind in ("close", "send", "close"):
        await app.send(kind)
    for _ in range(3):
        await app.receive()


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
    for _ in range(4):
        await app.receive()


# ---- the peer leaves before the app accepts --------------------------------------------------------------------------


async def accepts_nobody(app: Logged) -> None:
    """Accept, send, close and receive, when the peer has left."""
    await app.pause()
    await app.send("accept")
    await app.send("send")
    await app.send("close")
    for _ in range(3):
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
    for _ in range(4):
        await app.receive()


async def rejects_twice(app: Logged) -> None:
    """Close instead of accept, then send and close."""
    await app.send("close")
    await app.send("send")
    await app.send("close")


# ---- which probe for which endings ----------------------------------------------------------------------------------

GOODBYES = ("close", "fin", "reset", "shutdown")
PROBES: dict[Probe, tuple[str, ...]] = {
    reads_on: ("close", "close 1000", "close with a reason", "close without a code", "fin", "reset", "shutdown"),
    sends_late: GOODBYES,
    closes_late: GOODBYES,
    closes_at_once: GOODBYES,
    only_sends: GOODBYES,
    closes_unread: GOODBYES,
    closes_itself: ("own",),
    accepts_nobody: ("early fin", "early reset", "early shutdown"),
    reads_first: ("early fin", "early reset", "early shutdown"),
    rejects: ("early fin", "early reset", "early shutdown", "own"),
    rejects_twice: ("own",),
}


# ---- what a server calls ---------------------------------------------------------------------------------------------

ENDED = ("returned", "raised", "cancelled")
"""How an app can end, by the last part of the path `/ends/accepted/returned` or `/ends/early/returned`."""


class _Written(Logged):
    """A log in a file."""

    def __init__(self, receive: Receive, send: Send, name: Path) -> None:
        super().__init__(receive, send)
        self._file, self._left_file = name.with_suffix(".log"), name.with_suffix(".left")
        self._file.touch()

    def log(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def name_version(self, version: str) -> None:
        """Write down which version of the specification the server names."""
        self._file.with_name("spec_version").write_text(version, "utf-8")

    async def look(self) -> None:
        """Wait until the client has left."""
        while not self._left_file.exists():
            await asyncio.sleep(0.02)
        self.leave()


async def app(scope: Any, receive: Receive, send: Send) -> None:
    """Be an ASGI app, with a lifespan if HANGUP_LIFESPAN is set."""
    if scope["type"] == "lifespan" and "HANGUP_LIFESPAN" in os.environ:
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    if scope["type"] != "websocket":
        raise RuntimeError("this app speaks WebSocket only")
    await receive()
    kind, *rest = scope["path"].strip("/").split("/")
    log = _Written(receive, send, Path(os.environ["HANGUP_ASKS"], "_".join((kind, *rest))))
    log.name_version(scope["asgi"].get("spec_version", "2.0"))
    looking = asyncio.ensure_future(log.look())
    try:
        if kind == "ends":
            await _ends(rest[1], send, accept=rest[0] == "accepted")
        elif kind == "stops":
            await _stops(rest[0], log)
        else:
            await next(probe for probe in PROBES if probe.__name__ == kind)(log)
    finally:
        looking.cancel()
        log.log("done")


async def _ends(how: str, send: Send, *, accept: bool) -> None:
    if accept:
        await send({"type": "websocket.accept"})
    if how == "raised":
        raise ValueError("a probe ends like this")
    if how == "cancelled":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


async def _stops(how: str, log: _Written) -> None:
    try:
        if how != "early":
            await log.send("accept")
        log.log("begins")
        for _ in range(3 if how == "listens" else 0):
            await log.receive()
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.log("is cancelled")
        raise
