"""Scenes for lesson 03's guard, in memory: an app that does one thing, right or wrong, and a server that takes notes.

Each scene says what the server is due to get, and what each wrong call is due to raise.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, describe
from helpers.exercises.flow_error.guard import ACCEPT, CLOSE, HI, Gone, Misuse, Tries
from helpers.judging.values import binaries, codes, texts

HOUR = 3600.0  # virtual seconds
CONNECT: Message = {"type": "websocket.connect"}
LEFT: Message = {"type": "websocket.disconnect", "code": 1001, "reason": "going away"}
RESPONSE: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
REFUSED: Message = {"type": "websocket.disconnect", "code": 1006}

Problem = Literal["passes", "reaches", "raises"]


class Wire:
    """A server of one connection: it says what is `coming`, and keeps what it gets; `gate` holds its sends up."""

    def __init__(self, *coming: Message) -> None:
        self.coming = list(coming)
        self.got: list[Message] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails: Exception | None = None

    async def receive(self) -> Message:
        """Return the next message; the last one again and again."""
        await asyncio.sleep(0)
        return self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]

    async def send(self, message: Message) -> None:
        """Keep a message; raise what `fails` holds."""
        self.got.append(message)
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails


Act = Callable[[Receive, Send, Tries, Wire], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """What an app does; what the server says, and is due to get."""

    name: str
    act: Act
    coming: tuple[Message, ...]
    due: tuple[Message, ...]


async def _refuses(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(CLOSE)
    await tries("an accept after a refusal", Gone, send, ACCEPT)
    await tries("a send after a refusal", Gone, send, HI)
    await tries("a second refusal", Gone, send, CLOSE)
    await receive()
    await tries("a receive after the disconnect", Gone, receive)


async def _responds(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await tries("a websocket.http.response.start before the accept", Misuse, send, RESPONSE)
    await tries("a message of another type before the accept", Misuse, send, {"type": "http.response.body"})
    await send(ACCEPT)
    await tries("a second accept", Misuse, send, ACCEPT)
    await send(HI)
    await tries("a third accept", Misuse, send, ACCEPT)
    await receive()


async def _is_left(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await receive()
    await tries("an accept after the disconnect", Gone, send, ACCEPT)
    await tries("a refusal after the disconnect", Gone, send, CLOSE)
    for _ in range(2):
        await tries("a receive after the disconnect", Gone, receive)


async def _reads_on(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    await send(CLOSE)
    got = [(await receive()).get("type"), (await receive()).get("type")]
    if got != ["websocket.receive", "websocket.disconnect"]:
        raise ValueError(f"after its own close the app received {got}")
    await tries("a send after the disconnect", Gone, send, HI)
    await tries("a receive after the disconnect", Gone, receive)


async def _sends_at_once(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    for first, what, due, second in (
        (ACCEPT, "a second accept, while the first is on its way,", Misuse, ACCEPT),
        (CLOSE, "a send, while the close is on its way,", Gone, HI),
    ):
        wire.gate.clear()
        task = asyncio.ensure_future(send(first))
        for _ in range(5):
            await asyncio.sleep(0)
        other = asyncio.ensure_future(tries(what, due, send, second))
        for _ in range(5):
            await asyncio.sleep(0)
        waits = not other.done()
        wire.gate.set()
        await asyncio.gather(task, other)
        if waits and tries.found[-1][2] != "nothing":
            tries.found[-1] = (what, due.__name__, "nothing until that was through,")
    await receive()


async def _fails(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    wire.fails = error = ConnectionResetError("the server's own")
    try:
        await send(HI)
    except Exception as raised:
        if raised is not error:
            raise ValueError(f"send() raised {describe(raised)} in place of the server's own error") from None
    else:
        raise ValueError("the server's send() raised, and the app's did not")
    await receive()


_SPREAD: tuple[Message, ...] = (
    *({"type": "websocket.receive", "text": text} for text in texts()),
    *({"type": "websocket.receive", "bytes": data} for data in binaries()),
)
_ANSWERS = tuple({**message, "type": "websocket.send"} for message in _SPREAD)


async def _echoes(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": "chat", "headers": [(b"x", b"1")]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    if message != LEFT:
        raise ValueError(f"the app received {message} in place of {LEFT}")


async def _closes_with(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    message = await receive()
    code = message.get("code")
    await tries(f"a send after a disconnect with {code}", Gone, send, HI)
    await tries(f"a receive after a disconnect with {code}", Gone, receive)


SCENES = (
    Scene("an app that refuses", _refuses, (CONNECT, REFUSED), (CLOSE,)),
    Scene("an app that sends a response", _responds, (CONNECT, LEFT), (ACCEPT, HI)),
    Scene("a client that leaves before the accept", _is_left, (CONNECT, REFUSED), ()),
    Scene("an app that closes", _reads_on, (CONNECT, {"type": "websocket.receive", "text": ""}, LEFT), (ACCEPT, CLOSE)),
    Scene("an app of two tasks", _sends_at_once, (CONNECT, LEFT), (ACCEPT, CLOSE)),
    Scene("a send that fails", _fails, (CONNECT, LEFT), (ACCEPT, HI)),
    Scene(
        "an app that echoes",
        _echoes,
        (CONNECT, *_SPREAD, LEFT),
        ({**ACCEPT, "subprotocol": "chat", "headers": [(b"x", b"1")]}, *_ANSWERS),
    ),
    *(
        Scene(
            "a client that closes", _closes_with, (CONNECT, {"type": "websocket.disconnect", "code": code}), (ACCEPT,)
        )
        for code in codes()
    ),
)


async def _act(scope: Scope, receive: Receive, send: Send) -> None:
    act: Act = scope["act"]
    await act(receive, send, scope["tries"], scope["wire"])


async def play(guard: Any) -> tuple[Problem, str] | None:
    """Play all scenes behind one guard, then a bug of the app and two connections at once; return what went wrong."""
    guarded: ASGIApp = guard(_act)
    for scene in SCENES:
        if found := await _play(guarded, scene):
            return found
    return await _bug(guarded) or await _together(guarded)


async def _play(guarded: ASGIApp, scene: Scene) -> tuple[Problem, str] | None:
    wire, tries = Wire(*scene.coming), Tries(drawn=False)
    scope = {"type": "websocket", "act": scene.act, "tries": tries, "wire": wire}
    raised = ""
    try:
        async with asyncio.timeout(HOUR):
            await guarded(scope, wire.receive, wire.send)
    except Exception as error:
        raised = describe(error)
    for what, due, got in tries.found:
        if got != due:
            return "raises", f"{scene.name}: {what} raised {got} instead of {due}"
    if raised:
        return "passes", f"{scene.name}: {raised}"
    extra = [message for message in wire.got if message not in scene.due]
    if extra or len(wire.got) > len(scene.due):
        return "reaches", f"{scene.name}: the server got {[each['type'] for each in wire.got]}"
    if wire.got != list(scene.due):
        missing = next(message for message in scene.due if message not in wire.got)
        return "passes", f"{scene.name}: {missing} did not come through"
    return None


async def _bug(guarded: ASGIApp) -> tuple[Problem, str] | None:
    async def act(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
        raise LookupError("a bug of the app's")

    wire = Wire(CONNECT, LEFT)
    try:
        await guarded({"type": "websocket", "act": act, "tries": None, "wire": wire}, wire.receive, wire.send)
    except LookupError:
        return None
    return "passes", "the app raised LookupError, and it did not come out"


async def _together(guarded: ASGIApp) -> tuple[Problem, str] | None:
    """Let one connection end while another is open."""
    over, wires = asyncio.Event(), (Wire(CONNECT, LEFT), Wire(CONNECT, LEFT))

    async def leaves(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        over.set()

    async def stays(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
        await receive()
        await send(ACCEPT)
        await over.wait()
        await send(HI)

    calls = [
        guarded({"type": "websocket", "act": act, "tries": None, "wire": wire}, wire.receive, wire.send)
        for act, wire in zip((leaves, stays), wires, strict=True)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    if errors := [each for each in results if isinstance(each, Exception)]:
        return "passes", f"two connections at once: {describe(errors[0])}"
    return None if HI in wires[1].got else ("passes", "two connections at once: the second one's send did not come")
