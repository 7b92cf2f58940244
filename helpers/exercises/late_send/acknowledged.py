"""Exercise 3 of lesson 06: a sender that counts only what its peer has acknowledged."""

import asyncio
import contextlib

import websockets
from websockets.asyncio.server import ServerConnection

from hangup.record import rules
from helpers.exercises.late_send.exercise import SceneExercise
from helpers.exercises.late_send.rules import (
    BURST,
    claims_no_more,
    delivers,
    ends_quietly,
    forgets_none,
    goes_when_all_is_done,
    knows_at_once,
    lets_it_out,
    returns_when_all_are_certain,
)
from helpers.exercises.late_send.scenes import (
    BEHIND,
    HALF_AN_HOUR,
    HOUR,
    LESSON,
    LONG_TIDY,
    MORE,
    SLOW,
    TIDY,
    Line,
    Scene,
)
from helpers.judging.client_exercise import GENERAL

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
        said, line.acknowledged_at = len(line.got), asyncio.get_running_loop().time()
        with contextlib.suppress(websockets.ConnectionClosed):
            await websocket.send(f"ack {said}")
        line.on_message(said)  # scenes count here what is acknowledged


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
        Scene("four messages, the third of them after an hour", (2.0, 2.0, HOUR, 2.0)),
        Scene("six messages, and it takes a minute to know that there are no more", (0.0,) * 6, tail=60.0),
        Scene("no message at all", ()),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=3),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=6),
        Scene("hundreds of messages come without a pause", (0.0,) * BURST, "close", after=3),
        Scene("messages come without a pause", (0.0,) * 9, "fin", after=6),
        Scene("messages come without a pause", (0.0,) * 9, "reset", after=6),
        Scene("a message every tenth of a second", (0.1,) * 40, "close", after=9, wait=0.15, code=1000),
        Scene("a message every tenth of a second", (0.1,) * 40, "reset", after=9, wait=0.15),
        Scene("the next message is an hour away", (0.0, 0.0, 0.0, HOUR), "close", after=3),
        Scene("the next message is an hour away", MORE, "close"),
        Scene("the next message is an hour away", MORE, "reset", wait=0.5),
        Scene("a message every ten seconds", (10.0,) * 40, "silence", after=3, wait=0.5),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
        Scene("a hundred and one messages without a pause", (0.0,) * 101),
        Scene("a message every tenth of a second, on a slow wire", (0.1,) * 40, "close", after=12, seconds=0.25),
        Scene("eleven messages on a slow wire", (0.0,) * 11, seconds=4.0),
        Scene(
            "one message, and soon eight more, on a slow wire", (0.0, 1.5) + (0.0,) * 7, "close", after=4, seconds=4.0
        ),
        Scene("the first message is an hour away", (HOUR,), "close", after=0, wait=1.0, code=1011),
        Scene("the next message is an hour away", (0.0,) * 3 + MORE, "close", after=3, code=4000),
        Scene(SLOW, MORE, "close", code=1000, tidies=TIDY),
        Scene(SLOW, MORE, "cancel", wait=1.0, tidies=LONG_TIDY),
        Scene(SLOW, MORE, "cancel", wait=1.0, tidies=TIDY, again=True),
        Scene("no more messages, and the last acknowledgement is to come", (0.0,) * 4, "cancel", after=3, wait=0.5),
        Scene(BEHIND, (0.0, 1.0, 0.0), holds=HALF_AN_HOUR),
        Scene("messages raises when it is asked first", (), fails=True),
        Scene("messages raises before the last acknowledgement", (0.0,) * 4, fails=True),
        Scene("messages raises when all are acknowledged", (0.0,) * 3, fails=True, tail=5.0),
    ),
    rules=(
        rules.client_ends,
        delivers,
        ends_quietly,
        claims_no_more,
        forgets_none,
        returns_when_all_are_certain,
        goes_when_all_is_done,
        knows_at_once,
        *GENERAL[1:],
        lets_it_out,
    ),
    hints=(
        "Whoever counts what was sent counts wishes. Read the number in the acknowledgement: `ack 6` speaks of six.",
        "Let the reader decide: `async for text in websocket` gives you also those acknowledgements that came just "
        "before the end. Between two messages `await asyncio.sleep(0)` gives it a turn.",
        "When the writer has no more messages it says how many there were, and the reader stops when that many are "
        "acknowledged. When the reader stops, cancel the writer. A failed source ends all, too: ask "
        "the writer for its `result()`.",
    ),
    why="Only an acknowledgement says what has arrived, and those that came before the end are read to the last.",
    helps={
        claims_no_more: 1,
        forgets_none: 2,
        returns_when_all_are_certain: 3,
        rules.client_ends: 3,
        knows_at_once: 3,
        lets_it_out: 3,
    },
)
