"""Probes: small apps that log what a server does once the peer is gone, and apps that end in each way.

`support.playing` plays them on real servers. Neither imports a test tool: support/daphne.py runs the same probes in an
environment that has daphne and little else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hangup.record.recorder import Message, Receive, Send

PAUSE = 0.2  # seconds in which a server on this machine notices what its peer has done
WAITS = 0.5  # seconds after which a receive() is said to wait for ever
NEVER = 8.0  # seconds after which whatever no model waits for is said never to happen


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
            async with asyncio.timeout(NEVER) as patience:
                await self._send(message)
            self.lines.append(f"{kind} returns")
        except TimeoutError as error:
            self.lines.append(f"{kind} never returns" if patience.expired() else f"{kind} raises {_words(error)}")
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


# ---- which probe for which endings ----------------------------------------------------------------------------------

GOODBYES = ("close", "fin", "reset", "shutdown")
PROBES: dict[Probe, tuple[str, ...]] = {
    reads_on: ("close", "close 1000", "close with a reason", "close without a code", "fin", "reset", "shutdown"),
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
