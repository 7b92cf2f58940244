"""Exercise 2 of lesson 06: a sender that knows in time that its peer has gone silent."""

from typing import Any

from hangup.record import rules
from helpers.exercises.late_send.exercise import SceneExercise
from helpers.exercises.late_send.rules import (
    closes,
    connects_once,
    counts,
    counts_what_it_sent,
    delivers,
    ends_quietly,
    knows_in_time,
    lets_it_out,
)
from helpers.exercises.late_send.scenes import LESSON, Line, Paced
from helpers.judging.client_exercise import GENERAL


def _paced(
    interval: float, talk: str, ending: str = "", *, wait: float = 0.0, words: int = 0, full: bool = False
) -> Paced:
    """Return a scene of messages that come after a tenth of the interval, or after nearly a quarter of it.

    The connection ends so many intervals after the first message has come.
    """
    pause, number = {"often": (0.1, 150), "seldom": (0.225, 30)}[talk]
    name = f"a message every {pause * interval:g} s" + (f", and the peer says {words} words" if words else "")
    name += ", and no buffer has room for more" if full else ""
    pauses = (pause * interval,) * number
    return Paced(name, pauses, ending, wait=wait * interval, words=words, interval=interval, full=full)


def _slow_wire(interval: float, ending: str = "", *, pause: float = 0.225, wait: float = 0.0) -> Paced:
    """Return a scene in which a ping's pong takes a fifth of the interval, and messages come after so much of it.

    If the connection ends, it does so many intervals after the first message has come.
    """
    each = interval / 10
    pauses = (1.0, *(pause * interval,) * 30, 1.0)
    name = f"a slow wire, {each:g} s each way"
    return Paced(name, pauses, ending, wait=wait * interval, seconds=each, interval=interval)


async def _with_the_url(answer: Any, url: str, line: Line) -> Any:
    """Let the answer connect by itself."""
    assert isinstance(line.scene, Paced)
    return await line.answers(answer, url, line.messages, line.scene.interval)


# No constants do for both a long interval, in which a pong may be late, and a short one, which ends before that.
LONG, MIDDLE, SHORT, SHORTEST = 120.0, 20.0, 3.0, 0.1
WORDS, MANY = 150, 1_100  # many more than the 16 that websockets keeps unread, or than anybody would let it keep
MOMENTS = (0.03, 0.3, 0.49, 0.51, 0.7, 0.99, 1.01, 1.49, 1.99, 2.01, 3.7)  # intervals after the first message
AFTER_A_PONG = (0.28, 0.78)  # of the first ping, if pings go out every half interval, or every interval

ex2 = SceneExercise(
    lesson=LESSON,
    number=2,
    title="Know in time",
    kind="handler",
    parameters=("url", "messages", "interval"),
    call=_with_the_url,
    short=Paced("a message every half a second", (0.5,) * 4, interval=SHORT),
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
        *(_paced(SHORTEST, "often", "silence", wait=wait) for wait in (0.3, 0.7, 1.2)),
        _slow_wire(SHORTEST),
        _paced(MIDDLE, "seldom", words=MANY),
        _paced(SHORT, "often", words=WORDS),
        _paced(MIDDLE, "often", "silence", wait=1.2, words=WORDS),
        Paced("no message at all", (), interval=MIDDLE),
        Paced("messages raises when it is asked first", (), fails=True, interval=MIDDLE),
        Paced("messages raises after two messages", (1.0, 1.0), fails=True, tail=1.0, interval=MIDDLE),
        _paced(MIDDLE, "often", "close"),
        _paced(MIDDLE, "often", "reset"),
        _slow_wire(MIDDLE, "close", pause=0.1, wait=0.275),  # the next message comes while the connection closes
        Paced("for 4 s no buffer has room for more", (5.0, 0.1, 5.0, 5.0), stalls=4.0, interval=MIDDLE),
        _paced(MIDDLE, "often", "cancel", wait=0.05),
        *(
            _paced(interval, talk, "silence", wait=wait, full=True)
            for interval, talk in ((MIDDLE, "often"), (SHORT, "seldom"))
            for wait in (0.3, 0.49, 0.7, 1.01)
        ),
    ),
    rules=(
        rules.client_ends,
        delivers,
        connects_once,
        knows_in_time,
        ends_quietly,
        counts,
        counts_what_it_sent,
        closes,
        *GENERAL[1:],
        lets_it_out,
    ),
    hints=(
        "Add up what the chart shows: the ping is up to one `ping_interval` away, its pong may take `ping_timeout`, "
        "and then the closing handshake waits for `close_timeout`.",
        "`connect(url, ping_interval=interval / 2, …)`: all three together must stay below two intervals. (The "
        "course's `connect` sends no pings unless you ask.)",
        "Halves will do: half until the ping, half for its pong, half for the goodbye; and half for the handshake, "
        "`open_timeout`. A pong behind more than 16 unread words is not read: read them in a task, or let "
        "`max_queue=None` keep them all.",
        "A `send()` that finds all buffers full waits for room, and so do each ping and the goodbye: nobody tells. "
        "Give it a time of its own, after which `websocket.transport.abort()` ends the connection.",
    ),
    why="Whatever a sender waits for when its peer is silent, even room to send, is over within two intervals.",
    helps={knows_in_time: 1, delivers: 3, rules.client_ends: 4},
)
