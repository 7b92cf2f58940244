"""The exercises of lesson 04: a lifespan that ends with its connection, a stream of data, a ticker beside a reader."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hangup.record import rules
from hangup.record.recorder import ASGIApp
from hangup.servers.script import Expect, Leave, Send, Wait
from helpers.exercises.in_text import sends_texts
from helpers.exercises.listener_lifespan.catching import (
    RULES,
    after_a_failure,
    after_a_lost_send,
    caught,
    ends_at_once,
    hides_nothing_from_litestar,
    keeps_its_cancellation,
    leaves_nothing_to_catch,
    raises_only_what_send_raised,
)
from helpers.exercises.listener_lifespan.clock import READINGS, Reading, readings, reply, ticks
from helpers.exercises.listener_lifespan.mounting import HANDLER, LIFESPAN, echoing, given, routed
from helpers.exercises.slow import READING, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case

__all__ = ["RULES", "Reading", "caught", "ex1", "ex2", "ex3", "readings", "reply", "ticks"]

LESSON = "04-listener-lifespan"

_TICKER = (
    rules.answers_everything,
    keeps_its_cancellation,
    rules.ends,
    leaves_nothing_to_catch,
    ends_at_once,
    rules.ends_quietly,
    rules.leaves_no_task,
    rules.hides_no_error,
    hides_nothing_from_litestar,
)
"""The rules for a ticker beside a reader."""

SAID = ("", "again", "again", "0", "[]", " straße\n", "tick 1")
TICKING = (Expect("tick 1"), Expect("tick 2"))
SCRIPTS = (
    (*TICKING, Send("one"), Expect("ONE"), Send("two"), Send("three"), Expect("TWO"), Expect("THREE")),
    (*TICKING, Send("stop")),
    (
        *(Expect("tick 1"), Expect("tick 1", by="b"), Expect("tick 2", by="b"), Send("crash")),
        Leave(),
        *(Send("still here", by="b"), Expect("STILL HERE", by="b")),
    ),
    (),
)
ODD = ("", " ", "again", "again", "0", "[]", " straße\n", "x" * 2_000)
HOURS = 3 * 3600.0 + 60  # virtual seconds: the time of three ticks more, longer than any deadline that one would choose
EITHER = Expect(re.compile("^(VERY SLOWLY|tick 3)$"))
MANY = tuple(map(str, range(120)))


def _further(mount: Callable[[Any], ASGIApp]) -> tuple[Case, ...]:
    """Return what is explored besides: odd ticks, hours of silence, other goodbyes, a slow reply and many texts."""
    later = tuple(Expect(f"tick {number}") for number in (3, 4, 5))
    return (
        Case((*TICKING, *_numbered(*SAID)), most=60, mount=given(mount, replies=0)),
        Case(
            (*TICKING, Send("again"), Send("slowly"), Send(""), Expect("AGAIN"), Expect("SLOWLY"), Expect("")), most=120
        ),
        Case(tuple(map(Expect, ODD)), most=12, mount=given(mount, ticks=ODD)),
        Case((*TICKING, Wait(HOURS), *later, Send("one"), Expect("ONE")), most=12),
        *(Case((*TICKING, Leave(code)), most=8) for code in (1000, 1008, 4000)),
        Case((*TICKING, Send("very slowly"), Wait(20), *map(Expect, _up("very slowly"))), most=8),
        Case((*TICKING, Send("slowly"), *map(Send, MANY), *map(Expect, _up("slowly", *MANY))), most=2),
        # undisturbed only: who leaves meanwhile may still be answered, and an explored app has no such time for it
        Case((*TICKING, Send("for ages"), Wait(2_400), Expect("FOR AGES")), most=0),
        # the clock breaks when it is cancelled: what tells of that comes together with what tells of the goodbye
        Case((*TICKING, Send("one"), Expect("ONE")), most=24, mount=given(mount, spoilt=True)),
        # the clock breaks in the turn in which the goodbye comes, or in the one before
        *(Case((*TICKING, Send("one"), Expect("ONE")), most=8, mount=given(mount, together=turns)) for turns in (1, 2)),
        # the third tick comes while the reply is made; which of them goes out first is left open, and the fourth comes
        # an hour after the third has gone out
        Case(
            (*TICKING, Wait(3_590), Send("very slowly"), Wait(20), EITHER, EITHER, Wait(3_660), Expect("tick 4")),
            most=8,
        ),
        # the first message, a tick or a reply, takes a while on its way, and is lost if somebody gives up
        Case((Wait(READING + 1), *TICKING, Send("one"), Expect("ONE")), most=0, mount=slow(mount)),
        Case((Send("one"), Wait(READING + 1), Expect("ONE")), most=0, mount=given(slow(mount), ticks=())),
        *(Case(_staying(), most=4, mount=each) for each in (mount, turned(mount))),
        Case(
            (
                *(*TICKING, Expect("tick 1", by="b"), Expect("tick 2", by="b"), Send("very slowly")),
                *(Send("one", by="b"), Expect("ONE", by="b"), Wait(20), Expect("VERY SLOWLY")),
            ),
            most=8,
        ),
    )


def _staying() -> tuple[Expect | Leave | Wait | Send, ...]:
    """Return the steps of two clients, of whom one leaves, and the other one is told the next tick."""
    both = (*TICKING, Expect("tick 1", by="b"), Expect("tick 2", by="b"))
    return (*both, Leave(), Wait(3_660), Expect("tick 3", by="b"), Send("one", by="b"), Expect("ONE", by="b"))


def _numbered(*said: str) -> tuple[Send | Expect, ...]:
    """Return the steps of a client whose replies are numbered: the same text twice has two."""
    numbers = enumerate(said, start=1)
    return tuple(step for number, text in numbers for step in (Send(text), Expect(f"{text.upper()} {number}")))


def _up(*said: str) -> list[str]:
    return [text.upper() for text in said]


# ---- 1: the lifespan -----------------------------------------------------------------------------------------------

ex1 = AppExercise(
    lesson=LESSON,
    number=1,
    title="End",
    kind=LIFESPAN,
    parameters=("socket",),
    mount=echoing,
    facts=after_a_failure,
    scripts=SCRIPTS,
    also=_further(echoing),
    rules=_TICKER,
    hints=(
        "`await task` raises what the task raised: a cancellation that you asked for, and also an error that you want "
        "to hear of. Which construct tells the two apart?",
        "`asyncio.TaskGroup` cancels its tasks when its block fails, and keeps their cancellations to itself. Put the "
        "`yield` into its block.",
        "What leaves the group is an ExceptionGroup. `except* (WebSocketDisconnect, OSError): pass` around the group "
        "takes the goodbye out of it, and lets everything else through.",
    ),
    why="The ticker ends with its connection and is waited for; only what tells of the peer's "
    "leaving is kept from Litestar.",
    helps={
        keeps_its_cancellation: 1,
        hides_nothing_from_litestar: 1,
        rules.ends: 2,
        ends_at_once: 2,
        rules.leaves_no_task: 2,
        leaves_nothing_to_catch: 3,
        rules.ends_quietly: 3,
    },
)


def _read(*readings: Reading) -> tuple[Expect, ...]:
    return tuple(Expect(json.dumps({"place": each.place, "celsius": each.celsius})) for each in readings)


SILENT = Reading("roof", 20.0)
READ = [json.dumps({"place": each.place, "celsius": each.celsius}) for each in READINGS]
TWO: tuple[Expect | Leave | Wait, ...] = (
    *(Expect(each, by=letter) for letter in "ab" for each in READ),
    *(Leave(), Wait(3_660)),
    *(replace(each, by="b") for each in _read(SILENT)),
)
OTHERS = (
    Reading("", 0.125),
    Reading(" roof\n", 1e-7),
    Reading("again", 1.0),
    Reading("again", 1.0),
    Reading("日本 \\ {}", -273.15),
    Reading("x" * 2_000, 1234567.875),
)
CROWD = tuple(Reading(f"cellar {number}", float(number)) for number in range(1_200))


# ---- 2: the stream -------------------------------------------------------------------------------------------------

ex2 = AppExercise(
    lesson=LESSON,
    number=2,
    title="Measure",
    kind=HANDLER,
    parameters=(),
    mount=routed,
    facts=after_a_lost_send,
    scripts=(
        (*(Expect(each) for each in READ),),
        (Expect(READ[0]), *(Expect(each, by="b") for each in READ), Leave()),
        (),
    ),
    also=(
        Case(_read(*OTHERS), most=12, mount=given(routed, readings=OTHERS)),
        Case(_read(*CROWD), most=1, mount=given(routed, readings=CROWD)),
        Case((), most=20, mount=given(routed, readings=())),
        Case((Wait(READING + 1), *_read(*READINGS)), most=0, mount=slow(routed)),
        *(Case(TWO, most=4, mount=each) for each in (given(routed, sound=True), turned(given(routed, sound=True)))),
        Case((*_read(*READINGS), Wait(HOURS), *_read(SILENT)), most=12, mount=given(routed, silent=HOURS)),
        *(Case((*_read(*READINGS), Leave(code)), most=8) for code in (1000, 1008, 4000)),
    ),
    rules=(
        rules.answers_everything,
        sends_texts,
        rules.ends,
        ends_at_once,
        raises_only_what_send_raised,
        rules.ends_quietly,
        rules.leaves_no_task,
        rules.hides_no_error,
        hides_nothing_from_litestar,
    ),
    hints=(
        "Two things are missing: somebody who turns a Reading into text, and somebody who waits for the disconnect "
        "while the thermometers are silent.",
        "`@websocket_stream` does both. It wants a function that yields, with a return annotation "
        "`AsyncGenerator[Reading, None]`.",
        "Its body is `async for reading in readings(): yield reading`. Or keep `@websocket`, and give "
        "`send_websocket_stream` both: `send_handler=WebSocket.send_json, listen_for_disconnect=True`.",
    ),
    why="Somebody waits for the disconnect while the thermometers are silent, and ends the stream when it comes.",
    helps={rules.answers_everything: 1, rules.ends: 1, ends_at_once: 1, raises_only_what_send_raised: 2},
)


# ---- 3: the ticker -------------------------------------------------------------------------------------------------

ex3 = AppExercise(
    lesson=LESSON,
    number=3,
    title="Tick",
    kind=HANDLER,
    parameters=(),
    mount=routed,
    facts=after_a_failure,
    scripts=SCRIPTS,
    also=_further(routed),
    rules=_TICKER,
    hints=(
        "Who reads here? `listen_for_disconnect` reads too, and throws away what it reads.",
        "Without it, your own loop is the first to know that the client has left: `iter_data` ends then. What becomes "
        "of the ticker at that moment?",
        "Keep the ticker's task: `ticker = group.create_task(…)`, and `ticker.cancel()` after the loop. The group does "
        "not mind. A tick or a reply on its way may raise a goodbye: `except* (WebSocketDisconnect, OSError)`.",
    ),
    why="There is one reader, which is the first to hear of the end; then the ticker is ended and waited for.",
    helps={
        rules.answers_everything: 1,
        rules.ends: 2,
        ends_at_once: 2,
        leaves_nothing_to_catch: 3,
        rules.ends_quietly: 3,
        rules.leaves_no_task: 3,
    },
)
