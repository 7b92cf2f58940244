"""What a verdict says beside the broken rule: slips, state, time that was up, what helps, and why it holds."""

import asyncio
import contextlib
import random
import re
import sysconfig
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar import WebSocket, websocket
from starlette.endpoints import WebSocketEndpoint
from starlette.websockets import WebSocketDisconnect

from hangup import Trace
from hangup.record.session import Session
from helpers.exercises import cancelled_cleanup, double_receive, late_send, listener_lifespan, start_here, three_endings
from helpers.judging import patience
from helpers.judging.moment import named, where
from helpers.judging.verdict import Verdict
from tests.test_exercises import check, every_exercise, source

shout, counter, drain = start_here.ex1, double_receive.ex1, cancelled_cleanup.ex3
AGES = 1e9  # seconds
SLIP = "your answer has an error of its own: "


async def right(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


async def forgets_to_catch(websocket):
    await websocket.accept()
    while True:
        await websocket.send_text((await websocket.receive_text()).upper())


# ---- slips ---------------------------------------------------------------------------------------------------------


async def unknown_name(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(mesage.upper() + text)  # type: ignore[name-defined]  # noqa: F821


async def nearly_right_after_the_end(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text((await websocket.receive_text()).upper())
    except WebSocketDisconnect as gone:
        print(gone.cod)  # type: ignore[attr-defined]  # noqa: T201


async def wrong_type_from_the_start(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper() + 1)


async def slips_in_a_task(websocket):
    async def answer(text):
        await websocket.send_txt(text.upper())

    await websocket.accept()
    async for text in websocket.iter_text():
        async with asyncio.TaskGroup() as group:
            group.create_task(answer(text))


@pytest.mark.parametrize(
    ("answer", "error", "line"),
    [
        (unknown_name, "NameError: name 'mesage' is not defined", "send_text(mesage.upper() + text)"),
        (nearly_right_after_the_end, "'WebSocketDisconnect' object has no attribute 'cod'", "print(gone.cod)"),
        (wrong_type_from_the_start, "TypeError: can only concatenate str", "send_text(text.upper() + 1)"),
        (slips_in_a_task, "'WebSocket' object has no attribute 'send_txt'", "of your answer: await websocket.send_txt"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_slip_is_told_as_one(answer, error, line):
    verdict = shout.check(answer)
    assert (verdict.outcome, verdict.rule) == ("fail", "own_error")
    assert verdict.headline.startswith(SLIP)
    assert error in verdict.headline
    assert line in dict(verdict.facts)["where"]
    assert line in verdict.note


async def none_after_the_end(websocket):
    await websocket.accept()
    while True:
        text = (await websocket.receive()).get("text")
        await websocket.send_text(text.upper())


async def unbound_after_the_end(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text((await websocket.receive_text()).upper())
            last = 1
    except WebSocketDisconnect:
        print(last)  # noqa: T201


async def raises_by_design(websocket):
    await websocket.accept()
    raise TypeError("I do not talk")


async def misuses_a_library(websocket):
    await websocket.accept()
    await websocket.send("HELLO")


@pytest.mark.parametrize(
    "answer", [none_after_the_end, unbound_after_the_end, raises_by_design, misuses_a_library, forgets_to_catch]
)
def test_what_follows_from_the_end_or_is_meant_is_no_slip(answer):
    verdict = shout.check(answer)
    assert verdict.outcome == "fail"
    assert verdict.headline.startswith("rule ")


def test_a_slip_that_litestar_catches_is_told():
    @websocket("/")
    async def desk(socket: WebSocket) -> None:  # type: ignore[type-arg]
        await socket.accept()
        await socket.send_txt("tick 1")  # type: ignore[attr-defined]

    verdict = listener_lifespan.ex3.check(desk)
    assert verdict.headline == f"{SLIP}AttributeError: 'WebSocket' object has no attribute 'send_txt'"


def test_a_slip_of_a_client_is_told():
    async def sender(websocket, messages):
        async for message in messages:
            await websocket.sned(message)

    verdict = late_send.ex1.check(sender)
    assert verdict.headline == f"{SLIP}AttributeError: 'Connection' object has no attribute 'sned'"


class Raises:
    """A registry whose drain() gives up."""

    def __init__(self):
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def drain(self, seconds):
        await asyncio.sleep(1)
        raise RuntimeError("too much to do")


class Slips(Raises):
    """A registry whose drain() has a slip in it."""

    async def drain(self, seconds):
        self.tasks.cancel()  # type: ignore[attr-defined]


def test_what_drain_raised_is_said_first():
    verdict = drain.check(Raises)
    assert verdict.rule == "cancels_nothing_early"
    assert dict(verdict.facts)["got"].startswith("drain() raised RuntimeError: too much to do after 1 seconds")
    assert drain.check(Slips).headline == f"{SLIP}AttributeError: 'set' object has no attribute 'cancel'"


class SlipsAtTheStart(Raises):
    """A registry that cannot be made."""

    def __init__(self):
        self.tasks = set(taks)  # type: ignore[name-defined]  # noqa: F821


class GivesUpAtTheStart(Raises):
    """A registry that does not want to be made."""

    def __init__(self):
        raise RuntimeError("not today")


def test_an_answer_with_which_the_app_does_not_start_is_told_with_its_line():
    verdict = drain.check(SlipsAtTheStart)
    assert (verdict.rule, verdict.headline) == ("own_error", f"{SLIP}NameError: name 'taks' is not defined")
    assert "of your __init__: self.tasks = set(taks)" in dict(verdict.facts)["where"]
    verdict = drain.check(GivesUpAtTheStart)
    words = "your answer raised RuntimeError: not today, and so the app did not start"
    assert (verdict.rule, verdict.headline) == ("survives", words)
    assert "of your __init__: raise RuntimeError" in dict(verdict.facts)["where"]


# ---- state, chance, time -------------------------------------------------------------------------------------------


class Counts(WebSocketEndpoint):
    """Counts on the class."""

    encoding = "json"
    count = 0

    async def on_receive(self, websocket, data):
        """Answer with the count of all connections."""
        Counts.count += 1
        await websocket.send_json({"count": Counts.count, "echo": data})


def test_state_is_named_and_words_and_picture_agree():
    verdict = counter.check(Counts)
    facts = dict(verdict.facts)
    assert facts["state"].startswith("your answer keeps state between connections: before, the same schedule gave: ")
    assert facts["got"] in str(verdict.trace)


def once(draw):
    """Return an answer that is wrong in its first ten sessions only."""
    sessions = 0

    async def answer(websocket):
        nonlocal sessions
        sessions += 1
        draw()
        await (right if sessions > 10 else forgets_to_catch)(websocket)

    return answer


@pytest.mark.parametrize(
    ("draw", "words"),
    [(lambda: None, "keeps state between connections"), (random.random, "leaves something to chance")],
    ids=["state", "chance"],
)
def test_a_picture_that_breaks_no_rule_is_not_shown(draw, words):
    verdict = shout.check(once(draw))
    assert dict(verdict.facts)["state"] == f"your answer {words}: played again, this schedule breaks no rule"
    assert verdict.trace is None


def test_an_answer_that_does_the_same_each_time_is_not_suspected():
    assert "state" not in dict(shout.check(forgets_to_catch).facts)


def test_what_broke_before_time_was_up_is_told(monkeypatch):
    monkeypatch.setattr(patience, "DEADLINE", 2.0)
    monkeypatch.setattr(patience, "slow", lambda: 1.0)

    async def slow(websocket):
        time.sleep(0.03)  # noqa: ASYNC251  # of 282 schedules
        await forgets_to_catch(websocket)

    verdict = shout.check(slow)
    assert verdict.rule == "ends_quietly"
    assert dict(verdict.facts)["then"] == "your answer takes too long: 2 seconds were not enough to try every ending"


# ---- what to do next -----------------------------------------------------------------------------------------------


def test_the_last_line_says_the_rule_again():
    last = str(shout.check(forgets_to_catch)).splitlines()[-1]
    rule = "the handler ends quietly when the peer leaves"
    assert re.fullmatch(rf"  ✗ \d+ of \d+ schedules break this rule: {rule} · stuck\? ex1\.hint\(\)", last)
    starter = check(three_endings.ex2, source(three_endings.ex2, "starter"))
    assert starter.note.startswith("○ ")
    assert "the handler ends when the peer leaves" in starter.note


def test_hints_begin_with_what_helps_for_the_rule_that_broke(monkeypatch):
    monkeypatch.setattr(shout, "_hinted", [])
    shout.check(forgets_to_catch)
    shown = [str(shout.hint()) for _ in range(4)]
    assert [each[2:8] for each in shown] == ["Hint 2", "Hint 1", "Hint 3", "Hint 2"]
    assert [each.endswith("Call ex1.hint() again.") for each in shown] == [True, True, False, False]
    shout.check(right)
    assert str(shout.hint()).startswith("**Hint 3 of 3.**")


@every_exercise
def test_every_exercise_says_why_it_holds_and_what_helps(exercise):
    assert exercise.why.endswith(".")
    assert len(exercise.why) < 120
    assert exercise.helps
    assert {rule.name for rule in exercise.helps} <= {rule.name for rule in exercise.all_rules}
    assert set(exercise.helps.values()) <= set(range(1, len(exercise.hints) + 1))


async def waits_for_ages(websocket):
    """What wait_for loses of a cancellation, until Python 3.11, is not this answer's."""
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            text = await asyncio.wait_for(websocket.receive_text(), AGES)
            await websocket.send_text(text.upper())


async def swallows_in_its_own_lines(websocket):
    await websocket.accept()
    with contextlib.suppress(BaseException):
        while True:
            text = await asyncio.wait_for(websocket.receive_text(), AGES)
            await websocket.send_text(text.upper())


def test_who_swallows_a_cancellation_is_told_that_and_nobody_else_is_suspected():
    assert shout.check(waits_for_ages).passed
    verdict = shout.check(swallows_in_its_own_lines)
    assert (verdict.rule, [name for name, _ in verdict.facts]) == ("heeds_cancellation", ["when", "got"])


def test_a_rule_that_fails_is_not_the_answers_fault(monkeypatch):
    def fails(session):
        raise LookupError("nobody came")

    monkeypatch.setattr(late_send.ex1, "rules", (replace(late_send.ex1.rules[0], test=fails),))

    async def sends(websocket, messages):
        return 0

    verdict = late_send.ex1.check(sends)
    assert verdict.outcome == "not known"
    assert "LookupError: nobody came" in verdict.headline


@pytest.mark.parametrize("exercise", [shout, late_send.ex1], ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("judges", [True, False], ids=["a rule", "facts"])
def test_what_fails_of_ours_while_it_explores_is_not_the_answers_fault(monkeypatch, exercise, judges):
    """Not the first session but one that was ended: what is explored is judged elsewhere than what is played."""

    def fails(session):
        if judges and "#" in session.schedule:
            raise LookupError("nobody came")

    def looks(app, session):
        if not judges and "#" in session.schedule:
            raise LookupError("nobody came")

    rules = (replace(exercise.rules[0], test=fails), *exercise.rules[1:])
    monkeypatch.setattr(exercise, "rules", rules)
    name = "facts" if exercise is shout else "probe"
    before = getattr(exercise, name)
    monkeypatch.setattr(exercise, name, lambda app, session: (before(app, session), looks(app, session)))
    verdict = check(exercise, source(exercise, "solution"))
    assert verdict.outcome == "not known"
    assert verdict.headline.startswith("not known: this exercise is broken, ")
    assert "LookupError: nobody came" in verdict.headline


def test_a_pass_says_why():
    assert str(shout.check(right)).splitlines()[-1] == f"  {shout.why}"


def test_what_a_frameworks_handling_of_an_exception_raises_is_told_by_the_line_of_the_first_one():
    """As Litestar does: it closes for an exception of the handler's, and the server refuses that."""
    folder = Path(sysconfig.get_paths()["purelib"]) / "framework" / "exceptions"
    program = "def handle(app, close):\n    try:\n        app()\n    except KeyError:\n        close()\n"
    names: dict[str, Any] = {}
    exec(compile(program, str(folder / "middleware.py"), "exec"), names)
    exec(compile("def close():\n    raise RuntimeError('too late')\n", str(folder.parent / "server.py"), "exec"), names)

    def seats():
        return dict[str, str]()["mine"]

    with pytest.raises(RuntimeError, match="too late") as caught:
        names["handle"](seats, names["close"])
    session = Session(Trace(), "a", ended="raised", error=caught.value)
    session.where = traceback.extract_tb(caught.tb.tb_next)
    assert where(session) == f'line {seats.__code__.co_firstlineno + 1} of your seats: return dict[str, str]()["mine"]'
    caught.value.__context__ = None
    assert where(session) == ""


def test_a_schedule_that_has_no_session_is_told_in_words_and_by_its_name():
    assert named("uvicorn/close@end") == "uvicorn · the client closes with 1001 (uvicorn/close@end)"
    assert named("granian/fin@send#2").count("granian/fin@send#2") == 1


# ---- as HTML ---------------------------------------------------------------------------------------------------------


def test_in_html_what_stands_between_backticks_is_code_and_nothing_else_is():
    verdict = Verdict("a 1", "fail", "rule 1: it has `a < b` to end", (("got", "`<x>`"),), "✗ ValueError: a`b <i>")
    page = verdict._repr_mimebundle_()["text/html"]
    assert "rule 1: it has <code>a &lt; b</code> to end" in page
    assert "<code>`&lt;x&gt;`</code>" in page, "a fact is code as a whole, and what it quotes stays as it is"
    assert "ValueError: a`b &lt;i&gt;" in page
    assert "it has `a < b` to end" in str(verdict)
