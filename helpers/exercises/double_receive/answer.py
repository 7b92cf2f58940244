"""Exercise 2, Answer: one reader for an answering machine, whose words are slow, fail, or never end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current, note
from hangup.servers.script import Expect, Leave, Send, Step, StopReading, Wait, beside, by
from helpers.exercises.deaf import asks, goes_on_or_ends, may_end
from helpers.exercises.race import ends_quietly, leaves_no_task, racing
from helpers.exercises.slow import READING, behind_many, slow
from helpers.exercises.turned import turned
from helpers.judging.app_exercise import AppExercise, Case
from helpers.judging.values import texts

BACKLOG = 300  # questions that wait, or words of one answer: more than a bound that one would choose by eye
PILE = 1_100  # questions that wait for an answer that does not end: more than a thousand, which take no time
LETTING_GO = 12.0  # seconds of a source that is cancelled: longer than the ten that one would wait by eye


async def words(question: str) -> AsyncIterator[str]:
    """Yield one word for "one", two for "two", three for "three", with a pause before each; "forever" never ends."""
    for number in range(1, {"one": 1, "two": 2, "three": 3}.get(question, 2) + 1):
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        if (question, number) == ("forever", 2):
            await anyio.sleep_forever()
        yield f"{question} {number}"


class WordsFail(Exception):
    """Nothing more comes to mind."""


async def any_words(question: str) -> AsyncIterator[str]:
    """Yield the question itself, an empty word, and a word twice; for "nothing", no word."""
    if question != "nothing":
        for word in (question, "", "again", "again"):
            await anyio.lowlevel.checkpoint()
            yield word


async def slow_words(question: str) -> AsyncIterator[str]:
    """Yield two words, a minute before each; who cuts them short waits for LETTING_GO."""
    for number in (1, 2):
        try:
            await anyio.sleep(60)  # virtual seconds: this one is explored only
        except asyncio.CancelledError:
            await anyio.sleep(LETTING_GO)
            raise
        yield f"{question} {number}"


async def rare_words(question: str) -> AsyncIterator[str]:
    """Yield one word, after more than an hour."""
    await anyio.sleep(4_000)
    yield f"{question} 1"


async def failing_words(question: str) -> AsyncIterator[str]:
    """Yield one word, for "nothing" none, and then fail."""
    await anyio.lowlevel.checkpoint()
    if question != "nothing":
        yield f"{question} 1"
    if (session := current()) is not None:
        session.facts["failed"] = True
    note("words fails")
    raise WordsFail("nothing more comes to mind")


async def many_words(question: str) -> AsyncIterator[str]:
    """Yield more words than one would take for an answer."""
    for number in range(1, BACKLOG + 1):
        await anyio.lowlevel.checkpoint()
        yield f"{question} {number}"


SPEECHES: dict[str, Callable[[str], AsyncIterator[str]]] = {
    "/": words,
    "/any": any_words,
    "/slow": slow_words,
    "/rare": rare_words,
    "/fails": failing_words,
    "/many": many_words,
}


def _answering(answer: Any) -> ASGIApp:
    routes = [WebSocketRoute(path, partial(_with_words, answer, each)) for path, each in SPEECHES.items()]
    return racing(Starlette(routes=routes))


async def _with_words(answer: Any, speech: Callable[[str], AsyncIterator[str]], websocket: WebSocket) -> None:
    session = current()

    def asked(question: str) -> AsyncIterator[str]:
        if session is not None:
            asks(session, question)
        return speech(question)

    await answer(websocket, asked)


def _may_fail(_: Any, session: Session) -> None:
    session.facts["allowed"] = (WordsFail,)
    may_end(session)


def _answered(questions: Sequence[str], *, at_once: bool = False) -> list[Step]:
    """Return what a client says who asks this at `/any`: one after the other, or all before the first answer."""
    sends = [Send(question) for question in questions]
    expects = [[] if question == "nothing" else [question, "", "again", "again"] for question in questions]
    if at_once:
        return [*sends, *(Expect(word) for answer in expects for word in answer)]
    steps: list[Step] = []
    for send, answer in zip(sends, expects, strict=True):
        steps += [send, *map(Expect, answer)]
    return steps


ONE = (Send("one"), Expect("one 1"))

ex2 = AppExercise(
    lesson="02-double-receive",
    number=2,
    title="Answer",
    kind="handler",
    parameters=("websocket", "words"),
    mount=_answering,
    scripts=(
        (
            Send("one"),
            Send("three"),
            Send("two"),
            Expect("one 1"),
            Expect("three 1"),
            Expect("three 2"),
            Expect("three 3"),
            Expect("two 1"),
            Expect("two 2"),
            Send("forever"),
            Expect("forever 1"),
            Send("late"),
            Send("later"),
            Send("latest"),
        ),
        beside((Send("one"), Expect("one 1")), (Send("two"), Expect("two 1"), Expect("two 2"))),
        (),
    ),
    also=(
        Case(_answered(("nothing", *texts(), "nothing", "?")), "/any"),
        Case(_answered(texts()[:12], at_once=True), "/any"),
        Case(beside(_answered(texts()[12:15]), _answered(texts()[6:12])), "/any"),
        Case(
            (Wait(90), Send("one"), Expect("one 1"), Wait(200), Send("two"), Expect("two 1"), Expect("two 2"), Wait(90))
        ),
        Case(
            (Send("why"), Send("how"), *(s for w in ("why 1", "why 2", "how 1") for s in (Wait(61), Expect(w)))),
            "/slow",
        ),
        Case(
            (
                *(Send("who"), Wait(61), Expect("who 1"), Leave()),  # nobody else asks this, nor hears it all
                *by("b", (Send("who"), Wait(61), Expect("who 1"), Wait(61), Expect("who 2"))),
            ),
            "/slow",
            most=0,
        ),
        Case((Send("why"), Expect("why 1"), Wait(5)), "/fails"),
        Case(
            (Send("why"), Expect("why 1"), Wait(5), Send("nothing"), Wait(5), Send("what"), Wait(5)), "/fails", most=0
        ),
        Case((Send("why"), Send("how"), Expect("why 1"), Wait(5), Send("what"), Wait(5)), "/fails", most=0),
        Case((Send("all"), *(Expect(f"all {number}") for number in range(1, BACKLOG + 1))), "/many", most=0),
        Case((Send("two"), Wait(READING + 1), Expect("two 1"), Expect("two 2")), mount=slow(_answering), most=0),
        Case((*ONE, Wait(4_000), *ONE), most=0),
        Case((Send("why"), Wait(4_001), Expect("why 1")), "/rare", most=0),
        Case((StopReading(), Send("two"), Wait(5), *by("b", ONE)), most=0),
        Case(behind_many([Send("two")], ONE), most=0),
        Case((Send("forever"), Expect("forever 1"), Send("one", by="b"), Expect("one 1", by="b"))),
        Case(
            (*ONE, *by("b", ONE), Leave(), *by("b", ONE)),
            mount=turned(_answering),
        ),
        Case([*[Send("one")] * BACKLOG, *[Expect("one 1")] * BACKLOG], most=10),
        Case((Send("forever"), Expect("forever 1"), *[Send("one")] * PILE), most=0),
    ),
    facts=_may_fail,
    without=(rules.ends_quietly, rules.leaves_no_task),
    rules=(
        rules.answers_everything,
        ends_quietly,
        rules.ends,
        rules.hears_goodbye_once,
        leaves_no_task,
        rules.hides_no_error,
        goes_on_or_ends,
    ),
    hints=(
        "Two places read here. A message goes to one of them: count what each of them gets.",
        "Let one task do all the reading. It hands questions on (an `asyncio.Queue` will do) and is the first to know "
        "that the peer has left.",
        "When the reader is done, nobody needs the answers: the reader's last act is `group.cancel_scope.cancel()`.",
    ),
    why="One reader hears of the end even while an answer is on its way, and ends what is left of that answer.",
    helps={
        rules.answers_everything: 1,
        goes_on_or_ends: 2,
        rules.hears_goodbye_once: 1,
        ends_quietly: 2,
        rules.ends: 3,
        leaves_no_task: 3,
    },
)
