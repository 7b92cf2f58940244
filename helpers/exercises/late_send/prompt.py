"""Exercise 1 of lesson 06: a sender that knows at once that its connection has ended."""

from hangup.record import rules
from helpers.exercises.late_send.exercise import SceneExercise
from helpers.exercises.late_send.rules import (
    BURST,
    counts_what_it_sent,
    delivers,
    ends_quietly,
    gives_way,
    goes_when_all_is_done,
    knows_at_once,
    lets_it_out,
)
from helpers.exercises.late_send.scenes import BEHIND, HALF_AN_HOUR, HOUR, LESSON, LONG_TIDY, MORE, SLOW, TIDY, Scene
from helpers.judging.client_exercise import GENERAL

WORDS = 150  # many more than the 16 messages that websockets keeps unread

ex1 = SceneExercise(
    lesson=LESSON,
    number=1,
    title="Know at once",
    kind="handler",
    parameters=("websocket", "messages"),
    short=Scene("a few messages, and a long pause", (0.0, 1.0, 0.0), tail=15.0),
    scenes=(
        Scene("three messages, a second apart", (1.0, 1.0, 1.0)),
        Scene("the next message is an hour away, and comes", MORE),
        Scene("no message at all", ()),
        Scene("the next message is an hour away", MORE, "close"),
        Scene("the next message is an hour away", MORE, "fin"),
        Scene("the next message is an hour away", MORE, "reset"),
        Scene("messages come without a pause", (0.0,) * BURST, "close", after=3),
        Scene("the peer says a word, which is not the end", (1.0, 1.0), words=1),
        Scene(f"the peer says {WORDS} words", (1.0, HOUR), "close", words=WORDS, wait=1.0),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
        Scene("a message a second", (1.0,) * 9, "close", after=4, wait=0.5),
        Scene("a message every half a second", (0.5,) * 30, seconds=0.2),
        Scene("the first message is an hour away", (HOUR,), "close", after=0, wait=1.0, code=1011),
        Scene("the next message is an hour away", MORE, "close", code=4000, wait=0.5),
        Scene("the next message is an hour away", MORE, "silence", wait=0.5),
        Scene(SLOW, MORE, "close", code=1000, tidies=TIDY),
        Scene(SLOW, MORE, "cancel", wait=1.0, tidies=LONG_TIDY),
        Scene(SLOW, MORE, "cancel", wait=1.0, tidies=TIDY, again=True),
        Scene("messages raises when it is asked first", (), fails=True),
        Scene("messages raises after two messages", (0.0, 1.0), fails=True, tail=5.0),
        Scene(BEHIND, (0.0, 1.0, 0.0), holds=HALF_AN_HOUR),
        Scene(BEHIND, (0.0, 1.0, 0.0), "close", wait=60.0, holds=HALF_AN_HOUR),
        Scene(BEHIND, (0.0, 1.0, 0.0), "cancel", wait=60.0, holds=HALF_AN_HOUR),
        Scene(f"{BEHIND}, and messages raises behind three", (0.0, 1.0, 0.0), holds=HALF_AN_HOUR, fails=True),
        Scene("three messages, and it takes a minute to know that there are no more", (0.0,) * 3, tail=60.0),
    ),
    rules=(
        rules.client_ends,
        delivers,
        knows_at_once,
        ends_quietly,
        gives_way,
        counts_what_it_sent,
        goes_when_all_is_done,
        *GENERAL[1:],
        lets_it_out,
    ),
    hints=(
        "Two things can happen next: a message comes, or the connection ends. Have a task for each.",
        "The task that learns of the end reads: `async for _ in websocket: pass` ends when the connection does (with "
        "`ConnectionClosedError` unless it was closed politely).",
        "`asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)`, then cancel both and wait for them, "
        "in a `finally`. Between two messages `await asyncio.sleep(0)` lets the reader run. Then ask whichever is done "
        "for its `result()`: that raises what `messages` raised.",
    ),
    why="Somebody reads while the sender waits, and gets a turn between two messages: so the end is heard at any time.",
    helps={knows_at_once: 1, ends_quietly: 2, gives_way: 3, lets_it_out: 3, rules.leaves_no_task: 3},
)
