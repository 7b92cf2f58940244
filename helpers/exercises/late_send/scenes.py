"""Scenes for a client that is given messages to send, each a session written by hand.

The explorer ends a short session at every frame. A scene is a longer one: how messages come, what the server says, how
and when the connection ends; its time is virtual, so an hour of silence costs nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from hangup.network.client import connect
from hangup.trace.trace import Trace
from helpers.judging.values import binaries, texts
from helpers.props.peer import ENDINGS

LESSON = "06-late-send"
HOUR, HALF_AN_HOUR = 3600.0, 1800.0
MORE = (0.0, HOUR)
SLOW = "the next message is an hour away, and the source tidies up"
BEHIND = "send() waits half an hour, for a slow peer"
_SPREAD: tuple[str | bytes, ...] = (texts()[0], binaries()[2], *texts()[1:], *binaries())
PLAIN = 2  # messages that are no nasty texts, so that pictures of short scenes are easy to read
TIDY, LONG_TIDY = 0.05, 30.0  # seconds that a source of messages takes to clean up: a moment, or longer than you would
KEEPALIVE: dict[str, Any] = {"ping_interval": 20, "ping_timeout": 20, "close_timeout": 1}


@dataclass(frozen=True)
class Scene:
    """One session. `pauses` are the seconds before each message, so their number is that of the messages.

    The connection ends in the way of `ending` ("cancel": the client is cancelled), `wait` seconds after the server has
    `after` messages. Everything takes `seconds` each way. `words` is what the server says of its own accord. `tail` is
    how many seconds after the last message it becomes known that it was the last; with `fails`, `messages` raises then.
    `code` is what a server that closes says. The source of messages takes `tidies` seconds when it is cancelled; with
    `again`, the client is cancelled once more meanwhile. Each `send` waits `holds` seconds, as it does behind a full
    buffer when the peer reads slowly; an end of the connection lets it go. With `full`, there is no more room in any
    buffer once the wire is silent: from then on `send` waits, and so does every ping. With `stalls` there is none for
    so many seconds after the first message.
    """

    name: str
    pauses: tuple[float, ...]
    ending: str = ""
    after: int = 1
    wait: float = 0.0
    seconds: float = 0.0
    words: int = 0
    tail: float = 0.0
    fails: bool = False
    code: int = 1001
    tidies: float = 0.0
    again: bool = False
    holds: float = 0.0
    full: bool = False
    stalls: float = 0.0

    @property
    def when(self) -> str:
        """Say what happens, and when, in words."""
        if not self.ending:
            return self.name
        twice = " twice" if self.again else ""
        what = f"your client is cancelled{twice}" if self.ending == "cancel" else ENDINGS[self.ending]
        what = what.replace("1001", str(self.code))
        if not self.after:
            later = f"{self.wait:g} s after it has connected" if self.wait else "once it has connected"
            return f"{self.name} · {what} {later}"
        later = f"{self.wait:g} s after" if self.wait else "once"
        return f"{self.name} · {what} {later} message {self.after} has come"


@dataclass(frozen=True, kw_only=True)
class Paced(Scene):
    """A scene in which the answer is given an `interval`, in seconds."""

    interval: float

    @property
    def when(self) -> str:
        """Say what happens, and when, in words."""
        return f"interval={self.interval:g} · {super().when}"


class SourceFailed(TimeoutError):
    """What `messages` raises in a scene that fails, as a serial port would: an OSError, but not the connection's."""


def message(number: int) -> str | bytes:
    """Return the message with this number, from 1: at first plain ones, then what a careless sender drops."""
    spread = _SPREAD
    return f"message {number}" if number <= PLAIN else spread[(number - PLAIN - 1) % len(spread)]


class Messages:
    """An async iterator over what `message` returns, with a pause before each; `taken` counts them.

    `failed_at` says when it raised, `over_at` when it said that there are no more.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self._pauses, self._tail = scene, scene.pauses, scene.tail
        self.taken = 0
        self.failed_at: float | None = None
        self.over_at: float | None = None

    def __aiter__(self) -> "Messages":
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next message when it is time; without a pause, at once."""
        if self.taken == len(self._pauses):
            await self._pause(self._tail)
            if self._scene.fails:
                self.failed_at = asyncio.get_running_loop().time()
                raise SourceFailed("the meter is broken")
            self.over_at = asyncio.get_running_loop().time()
            raise StopAsyncIteration
        await self._pause(self._pauses[self.taken])
        self.taken += 1
        return message(self.taken)

    async def _pause(self, seconds: float) -> None:
        try:
            if seconds:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if self._scene.tidies:
                await asyncio.sleep(self._scene.tidies)
            raise


class Line:
    """What an answer talks to: a websockets handler, which keeps what it got, and the messages to send.

    `sent` and `heard` are what had passed at the client's end when the answer ended: messages that were written, and
    how many were acknowledged by what had come. `trace` holds what passed there, if something is `drawn` there.
    """

    def __init__(self, script: "Script", scene: Scene) -> None:
        self.scene, self.script = scene, script
        self.messages = Messages(scene)
        self.trace = Trace()
        self.got: list[str | bytes] = []
        self.called = self.drawn = self._measured = False
        self.sent: int | None = None  # not known before the answer has ended, or if nobody drew what it sent
        self.heard = 0
        self.failed: float | None = None
        """Seconds from the moment when `messages` raised to that when the answer ended."""
        self.acknowledged_at = 0.0
        """When the server acknowledged something, the last time."""
        self.lingered: float | None = None
        """Seconds from the moment when nothing was left to do to that when the answer ended."""
        self.on_message: Callable[[int], None] = lambda _: None

    async def __call__(self, websocket: ServerConnection) -> None:
        """Serve: say the words of the scene, then play the script."""
        self.on_message(0)
        for number in range(self.scene.words):
            await websocket.send(_word(number))
        await self.script(self, websocket)

    def has(self, message: str | bytes) -> None:
        """Take note of a message that has come to the server."""
        self.got.append(message)
        self.on_message(len(self.got))

    async def answers(self, answer: Any, *given: Any) -> Any:
        """Call the answer, and take note of what had passed when it ended."""
        self.called = True
        try:
            return await answer(*given)
        finally:
            self.measure()

    def measure(self) -> None:
        """Take note of what has passed now that the answer has ended; what comes later is not its business."""
        if self._measured:
            return
        self._measured = True
        events = [entry.event for entry in self.trace.entries]
        said = [event for event in events if event.action in {"text", "binary"}]
        words = [event.detail.strip("'") for event in said if event.actor == "server"]
        acks = [int(word.removeprefix("ack ")) for word in words if word.startswith("ack ")]
        self.heard = max(acks, default=0)
        if any(event.actor.startswith("client") and event.to == "server" for event in events):
            self.sent = len(said) - len(words)


def _word(number: int) -> str | bytes:
    spread: tuple[str | bytes, ...] = (f"word {number + 1}", *texts(), *binaries())
    return spread[number % len(spread)] if number else spread[0]


Script = Callable[[Line, ServerConnection], Coroutine[Any, Any, None]]


async def collect(line: Line, websocket: ServerConnection) -> None:
    """Read for ever: the script of a server that says nothing."""
    async for message in websocket:
        line.has(message)


async def with_a_websocket(answer: Any, url: str, line: Line) -> Any:
    """Give the answer an open connection, with websockets' own keepalive; None if there is none to be had."""
    try:
        websocket = await connect(url, trace=None if line.drawn else line.trace, **KEEPALIVE)
    except (OSError, websockets.WebSocketException):
        return None
    if line.scene.holds:
        _hold_what_is_sent(websocket, line.scene.holds)
    try:
        return await line.answers(answer, websocket, line.messages)
    finally:
        await websocket.close()


def _hold_what_is_sent(websocket: ClientConnection, seconds: float) -> None:
    """Let each `send` wait, up to the end of the connection."""
    send = websocket.send

    async def held(*given: Any, **options: Any) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await websocket.wait_closed()
        await send(*given, **options)

    websocket.send = held  # type: ignore[method-assign]  # as a full buffer would, which takes megabytes
