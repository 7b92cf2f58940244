"""The exercises of lesson 06: senders that know at once, that know in time when the peer is silent, that count acks.

An answer here is a client's coroutine. Beside the exercises stands the probe by which the lesson asks other releases.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection

from hangup.record import rules
from hangup.record.recorder import Session, describe
from hangup.record.rules import rule
from helpers.exercises.late_send.scenes import KEEPALIVE, Line, Scene, SceneExercise

LESSON = "06-late-send"
HOUR = 3600.0
PROMPT = 0.1  # virtual seconds within which "at once" is
UNREAD = 16  # messages, after which websockets reads no further
BURST = 500  # messages without a pause
PATIENT = KEEPALIVE["ping_interval"] + KEEPALIVE["ping_timeout"] + KEEPALIVE["close_timeout"]


# ---- a probe ---------------------------------------------------------------------------------------------------------


async def late_sends() -> list[str]:
    """Send ten messages to a server that has hung up, under any release of websockets; say how many raise.

    First to a far server, in a thread of its own, that hangs up after one message; then to one on the client's loop
    that hangs up directly after the handshake.
    """
    import asyncio
    import concurrent.futures
    import select
    import threading

    import websockets

    async def serve(far: bool, port: concurrent.futures.Future[Any], over: threading.Event) -> None:
        async def listen(websocket: Any) -> None:
            if far:
                await websocket.recv()

        async with websockets.serve(listen, "127.0.0.1", 0) as server:
            port.set_result(next(iter(server.sockets)).getsockname()[1])
            await asyncio.to_thread(over.wait)

    async def raised(url: str, far: bool) -> str:
        count = 0
        async with websockets.connect(url) as client:
            if far:
                await client.send("one")
                select.select([client.transport.get_extra_info("socket")], [], [])  # until its close frame has come
            for _ in range(10):
                try:
                    await client.send("late")
                except websockets.ConnectionClosed:
                    count += 1
        return f"{count} of 10"

    results = []
    for far in (True, False):
        port: concurrent.futures.Future[Any] = concurrent.futures.Future()
        over = threading.Event()
        serving = serve(far, port, over)
        server = asyncio.create_task(asyncio.to_thread(asyncio.run, serving) if far else serving)
        results.append(await raised(f"ws://127.0.0.1:{await asyncio.wrap_future(port)}", far))
        over.set()
        await server
    return results


# ---- rules -----------------------------------------------------------------------------------------------------------


def _scene(session: Session) -> Scene:
    scene: Scene = session.facts["scene"]
    return scene


def _took(session: Session) -> float | None:
    """Return the seconds from the end of the connection to that of the answer, if both happened."""
    took: float | None = session.facts.get("took")
    return took if session.facts["called"] else None


@rule
def delivers(session: Session) -> str | None:
    """While the peer is there, every message reaches it, in order."""
    scene, got = _scene(session), session.facts["got"]
    due = scene.after if scene.ending else len(scene.pauses)
    right = got == [f"message {number + 1}" for number in range(len(got))]
    if right and (len(got) >= due if scene.ending else len(got) == due):
        return None
    raised = f"; the sender raised {describe(session.error)}" if session.ended == "raised" and session.error else ""
    return f"the server has {len(got)} of {due} messages{raised}" if right else f"the server has {got}"


@rule
def ends_quietly(session: Session) -> str | None:
    """The sender returns when it is done or the connection is over, and raises nothing."""
    if session.ended == "raised" and session.error is not None and not session.facts.get("early"):
        return describe(session.error)
    return None


@rule
def knows_at_once(session: Session) -> str | None:
    """The sender returns at once when the connection ends, also while it waits for the next message."""
    took = _took(session)
    if took is None or took <= (PATIENT if _scene(session).ending == "silence" else 0) + PROMPT:
        return None
    return f"it ended {took:g} s after the connection"


@rule
def knows_in_time(session: Session) -> str | None:
    """The sender returns within two intervals when the peer goes silent."""
    scene, took = _scene(session), _took(session)
    assert isinstance(scene, Paced)
    if took is None or took <= 2 * scene.interval + PROMPT:
        return None
    return f"it ended after {took:.4g} s; two intervals are {2 * scene.interval:g} s"


@rule
def gives_way(session: Session) -> str | None:
    """The sender lets others run between two messages."""
    scene, sent = _scene(session), session.facts["sent"]
    if len(scene.pauses) < BURST or sent <= scene.after + BURST // 5:
        return None
    return f"the peer closed when it had message {scene.after}, and {sent} went out"


@rule
def counts_what_it_sent(session: Session) -> str | None:
    """The sender returns how many messages it has sent."""
    value, sent = session.facts.get("value"), session.facts["sent"]
    if session.ended != "returned" or not session.facts["called"] or (type(value) is int and value == sent):
        return None
    return f"it returned {value!r}; {sent} messages had gone out"


@rule
def counts(session: Session) -> str | None:
    """When all is sent, the sender returns how many messages that was."""
    value, got = session.facts.get("value"), len(session.facts["got"])
    if session.ended != "returned" or _scene(session).ending or (type(value) is int and value == got):
        return None
    return f"it returned {value!r}; the server has {got} messages"


@rule
def claims_no_more(session: Session) -> str | None:
    """The sender counts only messages that the peer has acknowledged."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or not session.facts["called"] or (type(value) is int and value <= heard):
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def forgets_none(session: Session) -> str | None:
    """The sender counts every acknowledgement that has come, also those that came just before the end."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or not session.facts["called"] or value == heard:
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def connects_once(session: Session) -> str | None:
    """The sender opens one connection."""
    opened = session.facts["opened"]
    return None if opened <= 1 else f"it opened {opened}"


@rule
def closes(session: Session) -> str | None:
    """The sender closes the connection that it has opened."""
    lost = _scene(session).ending == "silence"  # a server that hears nothing knows of no close
    return "half a minute later it was still open" if session.facts["open"] and not lost else None


# ---- 1: knows at once ------------------------------------------------------------------------------------------------

MORE = (0.0, HOUR)
ex1 = SceneExercise(
    lesson=LESSON,
    number=1,
    title="Know at once",
    kind="handler",
    parameters=("websocket", "messages"),
    short=Scene("a few messages, and a long pause", (0.0, 1.0, 0.0), tail=15.0),
    scenes=(
        Scene("three messages, a second apart", (1.0, 1.0, 1.0)),
        Scene("no message at all", ()),
        Scene("the next message is an hour away", MORE, "close"),
        Scene("the next message is an hour away", MORE, "fin"),
        Scene("the next message is an hour away", MORE, "reset"),
        Scene("messages come without a pause", (0.0,) * BURST, "close", after=3),
        Scene("the peer says a word, which is not the end", (1.0, 1.0), words=1),
        Scene(f"the peer says {2 * UNREAD} words", (1.0, HOUR), "close", words=2 * UNREAD, wait=1.0),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
        Scene("a message a second", (1.0,) * 9, "close", after=4, wait=0.5),
    ),
    rules=(
        rules.client_ends,
        delivers,
        knows_at_once,
        ends_quietly,
        gives_way,
        counts_what_it_sent,
    ),
    hints=(
        "Two things can happen next: a message comes, or the connection ends. Have a task for each.",
        "The task that learns of the end reads: `async for _ in websocket: pass` ends when the connection does (with "
        "`ConnectionClosedError` unless it was closed politely).",
        "`asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)`, then cancel both and wait for them, "
        "in a `finally`. Between two messages `await asyncio.sleep(0)` lets the reader run.",
    ),
)


# ---- 2: the silent peer ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Paced(Scene):
    """A scene in which the answer is given an `interval`, in seconds."""

    interval: float

    @property
    def when(self) -> str:
        """Say what happens, and when, in words."""
        return f"interval={self.interval:g} · {super().when}"


def _paced(interval: float, talk: str, ending: str = "", *, wait: float = 0.0) -> Paced:
    """Return a scene of messages that come after a tenth of the interval, or after nearly a quarter of it.

    The connection ends so many intervals after the first message has come.
    """
    pause, number = {"often": (0.1, 150), "seldom": (0.225, 30)}[talk]
    name = f"a message every {pause * interval:g} s"
    return Paced(name, (pause * interval,) * number, ending, wait=wait * interval, interval=interval)


def _slow_wire(interval: float) -> Paced:
    """Return a scene in which a ping's pong takes a fifth of the interval; nothing ends."""
    each = interval / 10
    pauses = (1.0, *(0.225 * interval,) * 30, 1.0)
    return Paced(f"a slow wire, {each:g} s each way", pauses, seconds=each, interval=interval)


async def _with_the_url(answer: Any, url: str, line: Line) -> Any:
    """Let the answer connect by itself."""
    assert isinstance(line.scene, Paced)
    return await line.answers(answer, url, line.messages, line.scene.interval)


# No constants do for both a long interval, in which a pong may be late, and a short one, which ends before that.
LONG, MIDDLE, SHORT = 40.0, 20.0, 3.0
MOMENTS = (0.03, 0.3, 0.49, 0.51, 0.7, 0.99, 1.01, 1.49, 1.99, 2.01, 3.7)  # intervals after the first message
AFTER_A_PONG = (0.28, 0.78)  # of the first ping, if pings go out every half interval, or every interval

ex2 = SceneExercise(
    lesson=LESSON,
    number=2,
    title="Know in time",
    kind="handler",
    parameters=("url", "messages", "interval"),
    call=_with_the_url,
    short=Paced("a message every two seconds", (2.0,) * 4, interval=MIDDLE),
    scenes=(
        Paced("three messages, a second apart", (1.0,) * 3, interval=MIDDLE),
        _slow_wire(MIDDLE),
        _slow_wire(LONG),
        *(
            _paced(interval, talk, "silence", wait=wait)
            for interval in (MIDDLE, SHORT)
            for talk, waits in (("often", MOMENTS), ("seldom", AFTER_A_PONG))
            for wait in waits
        ),
        _paced(MIDDLE, "often", "close"),
        _paced(MIDDLE, "often", "reset"),
        _paced(MIDDLE, "often", "cancel", wait=0.05),
    ),
    rules=(
        rules.client_ends,
        delivers,
        connects_once,
        knows_in_time,
        ends_quietly,
        counts,
        closes,
    ),
    hints=(
        "Add up what the chart shows: the ping is up to one `ping_interval` away, its pong may take `ping_timeout`, "
        "and then the closing handshake waits for `close_timeout`.",
        "`connect(url, ping_interval=interval / 2, …)`: all three together must stay below two intervals. (The "
        "course's `connect` sends no pings unless you ask.)",
        "Halves will do: half until the ping, half for its pong, half for the goodbye.",
    ),
)


# ---- 3: what is certain ----------------------------------------------------------------------------------------------

QUIET = 1.0  # seconds after which the peer acknowledges what it has


async def _acknowledge(line: Line, websocket: ServerConnection) -> None:
    """Read messages; say `ack N` after every third one, or when a second has passed without any."""
    said = 0
    while True:
        try:
            async with asyncio.timeout(QUIET if said < len(line.got) else None):
                message = await websocket.recv()
        except TimeoutError:
            pass
        except websockets.ConnectionClosed:
            return
        else:
            line.got.append(message)
            if len(line.got) < said + 3:
                continue
        said = len(line.got)
        with contextlib.suppress(websockets.ConnectionClosed):
            await websocket.send(f"ack {said}")
        line.on_message(said)


ex3 = SceneExercise(
    lesson=LESSON,
    number=3,
    title="Count what is certain",
    kind="handler",
    parameters=("websocket", "messages"),
    script=_acknowledge,
    short=Scene("five messages without a pause", (0.0,) * 5, tail=15.0),
    scenes=(
        Scene("seven messages without a pause", (0.0,) * 7),
        Scene("four messages, two seconds apart", (2.0,) * 4),
        Scene("six messages, and it takes a minute to know that there are no more", (0.0,) * 6, tail=60.0),
        Scene("no message at all", ()),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=3),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=6),
        Scene("messages come without a pause", (0.0,) * 9, "fin", after=6),
        Scene("messages come without a pause", (0.0,) * 9, "reset", after=6),
        Scene("a message every tenth of a second", (0.1,) * 40, "close", after=9),
        Scene("a message every tenth of a second", (0.1,) * 40, "reset", after=9, wait=0.15),
        Scene("the next message is an hour away", (0.0, 0.0, 0.0, HOUR), "close", after=3),
        Scene("the next message is an hour away", MORE, "close"),
        Scene("the next message is an hour away", MORE, "reset", wait=0.5),
        Scene("a message every ten seconds", (10.0,) * 40, "silence", after=3, wait=0.5),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
    ),
    rules=(
        rules.client_ends,
        delivers,
        ends_quietly,
        claims_no_more,
        forgets_none,
        knows_at_once,
    ),
    hints=(
        "Whoever counts what was sent counts wishes. Read the number in the acknowledgement: `ack 6` speaks of six.",
        "Let the reader decide: `async for text in websocket` gives you also those acknowledgements that came just "
        "before the end.",
        "When the writer has no more messages it says how many there were, and the reader stops when that many are "
        "acknowledged. When the reader stops, cancel the writer.",
    ),
)
