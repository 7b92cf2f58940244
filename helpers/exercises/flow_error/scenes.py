"""Scenes for lesson 03's guard, in memory: an app that does one thing, right or wrong, and a server that takes notes.

Each scene says what the server is due to get, and what each wrong call is due to raise.
"""

import asyncio
from typing import Any

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, describe
from helpers.exercises.flow_error.guard import ACCEPT, CLOSE, HI, Gone, Misuse, Tries
from helpers.exercises.flow_error.wire import (
    CONNECT,
    HELLO,
    LEFT,
    REFUSED,
    RESPONSE,
    Act,
    Problem,
    Scene,
    Wire,
    acting,
    bug,
    drop,
    moment,
    together,
)
from helpers.judging.values import binaries, codes, texts

SILENCE = 9_000.0  # virtual seconds: longer than any deadline that one would choose


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
    await tries("a send after the disconnect", Gone, send, HI)
    await tries("a response after the disconnect", Gone, send, RESPONSE)
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
    for under_way, what, due, then in (
        ((), "a send before the accept, which another task is about to send,", Misuse, HI),
        ((ACCEPT,), "a second accept, while the first is on its way,", Misuse, ACCEPT),
        ((HI, CLOSE), "a send, while another one is on its way and then a close,", Gone, HI),
    ):
        wire.gate.clear()
        tasks = []
        for message in under_way:
            tasks.append(asyncio.ensure_future(send(message)))
            await moment()
        other = asyncio.ensure_future(tries(what, due, send, then))
        await moment()
        waits = not other.done()
        wire.gate.set()
        await asyncio.gather(*tasks, other)
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


async def _counts_what_failed(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    for first, what, due, second in (
        (ACCEPT, "a second accept, when the first has failed,", Misuse, ACCEPT),
        (CLOSE, "a send, when the close has failed,", Gone, HI),
    ):
        wire.fails = ConnectionResetError("the server's own")
        await drop(send(first))
        wire.fails = None
        await tries(what, due, send, second)
    await receive()


async def _counts_what_was_cancelled(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    for first, what, due, second in (
        (ACCEPT, "a second accept, when the first was cancelled on its way,", Misuse, ACCEPT),
        (CLOSE, "a send, when the close was cancelled on its way,", Gone, HI),
    ):
        wire.gate.clear()
        await drop(send(first))
        wire.gate.set()
        await tries(what, due, send, second)
    await receive()


async def _listens_again(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await send(ACCEPT)  # the server's websocket.connect can wait
    await receive()
    wire.hush.clear()
    await drop(receive())
    wire.hush.set()
    if (heard := await receive()) != HELLO:
        raise ValueError(f"after a receive() that was cancelled the app received {heard}")
    await send(HI)
    await receive()


async def _waits_at_once(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    wire.hush.clear()
    hearing = [asyncio.ensure_future(receive()) for _ in range(2)]
    await moment()
    saying = asyncio.ensure_future(send(HI))
    await moment()
    came = HI in wire.got
    wire.hush.set()
    heard = await asyncio.gather(*hearing, saying)
    if not came:
        raise ValueError("a send did not come through before a receive() had returned")
    if heard[:2] != [HELLO, LEFT]:
        raise ValueError(f"the app received {heard[:2]} in place of {[HELLO, LEFT]}")


async def _takes_hours(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    later = asyncio.get_running_loop().call_later
    wire.hush.clear()
    later(SILENCE, wire.hush.set)
    await receive()
    wire.gate.clear()
    later(SILENCE, wire.gate.set)
    await send(HI)
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


async def _closes_itself(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    code = wire.coming[-1]["code"]
    await send(ACCEPT)
    await send({**CLOSE, "code": code})
    await tries(f"a send after a close with {code}", Gone, send, HI)
    await tries(f"a close after a close with {code}", Gone, send, CLOSE)
    await tries(f"an accept after a close with {code}", Gone, send, ACCEPT)


async def _closes_with(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
    await receive()
    await send(ACCEPT)
    code = (await receive()).get("code")
    await tries(f"a send after a disconnect with {code}", Gone, send, HI)
    await tries(f"an accept after a disconnect with {code}", Gone, send, ACCEPT)
    await tries(f"a receive after a disconnect with {code}", Gone, receive)


SCENES = (
    Scene("an app that refuses", _refuses, (CONNECT, REFUSED), (CLOSE,)),
    Scene("an app that sends a response", _responds, (CONNECT, LEFT), (ACCEPT, HI)),
    Scene("a client that leaves before the accept", _is_left, (CONNECT, REFUSED), ()),
    Scene("an app that closes", _reads_on, (CONNECT, {"type": "websocket.receive", "text": ""}, LEFT), (ACCEPT, CLOSE)),
    Scene("an app of two tasks", _sends_at_once, (CONNECT, LEFT), (ACCEPT, HI, CLOSE)),
    Scene("two tasks that receive, one that sends", _waits_at_once, (CONNECT, HELLO, LEFT), (ACCEPT, HI)),
    Scene("an accept and a close that fail", _counts_what_failed, (CONNECT, LEFT), (ACCEPT, CLOSE)),
    Scene("an accept and a close that are cancelled", _counts_what_was_cancelled, (CONNECT, LEFT), (ACCEPT, CLOSE)),
    Scene("an app that accepts first, and cancels a receive", _listens_again, (CONNECT, HELLO, LEFT), (ACCEPT, HI)),
    Scene("a client that says, and then reads, nothing for hours", _takes_hours, (CONNECT, HELLO, LEFT), (ACCEPT, HI)),
    Scene("a send that fails", _fails, (CONNECT, LEFT), (ACCEPT, HI)),
    Scene(
        "an app that echoes",
        _echoes,
        (CONNECT, *_SPREAD, LEFT),
        ({**ACCEPT, "subprotocol": "chat", "headers": [(b"x", b"1")]}, *_ANSWERS),
    ),
    *(
        Scene(name, act, (CONNECT, {"type": "websocket.disconnect", "code": code}), due)
        for code in codes()
        for name, act, due in (
            ("a client that closes", _closes_with, (ACCEPT,)),
            ("an app that closes", _closes_itself, (ACCEPT, {**CLOSE, "code": code})),
        )
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
    return await bug(guarded) or await together(guarded)


async def _play(guarded: ASGIApp, scene: Scene) -> tuple[Problem, str] | None:
    wire, tries = Wire(*scene.coming), Tries(drawn=False)
    raised = ""
    try:
        async with asyncio.timeout(3 * SILENCE):
            await guarded(acting(scene.act, wire, tries), wire.receive, wire.send)
    except Exception as error:
        raised = describe(error)
    for what, due, got in tries.found:
        if got != due:
            return "raises", f"{scene.name}: {what} raised {got} instead of {due}"
    if raised:
        return "passes", f"{scene.name}: {raised}"
    if len(wire.got) > len(scene.due) or any(message not in scene.due for message in wire.got):
        return "reaches", f"{scene.name}: the server got {[each['type'] for each in wire.got]}"
    if wire.got != list(scene.due):
        missing = next(message for message in scene.due if message not in wire.got)
        return "passes", f"{scene.name}: {missing} did not come through"
    return None
