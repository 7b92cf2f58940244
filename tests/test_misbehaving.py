"""Answers that misbehave: each gets a verdict in time, and nothing of it reaches the next check.

Answers that keep their thread until the check stops it take many seconds: they have a class each.
"""

# ruff: noqa: ASYNC251, E722, RUF006, SIM105, T201

import _thread
import asyncio
import contextvars
import functools
import linecache
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hangup.explorer.apps.explore import explore
from hangup.explorer.report import Report
from hangup.record.threads import SHOWN
from helpers.exercises.start_here import ex1
from helpers.judging.verdict import Verdict

SECONDS = 10.0  # that a check may take
ANSWERS = "answers_everything"
seen = contextvars.ContextVar("seen", default=False)
released = threading.Event()


@dataclass(frozen=True)
class Case:
    """An answer, the outcome and the rule of its verdict, and words that the verdict says."""

    answer: Any
    outcome: str
    rule: str
    words: str
    id: str


def fails(rule: str, words: str = ""):
    """Make a case of an answer that breaks a rule."""
    return lambda answer: Case(answer, "fail", rule, words, answer.__name__)


def passes(answer: Any, name: str = "") -> Case:
    """Make a case of an answer that is right, whatever else it does."""
    return Case(answer, "pass", "", "rules hold", name or answer.__name__)


def is_none(answer: Any, words: str, name: str) -> Case:
    """Make a case of what cannot be an answer."""
    return Case(answer, "no answer", "", words, name)


async def shout(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


MOST = len(ex1._cases) + 6
"""How often so much is shown: each exploration, the replay, and what is played does it anew."""
NEXT = replace(ex1, scripts=ex1.scripts[:1], also=(), servers=ex1.servers[:2])
"""The exercise once more, with less of it: enough to see that nothing is left of an answer."""


def assert_judged(case: Case) -> Verdict:
    """Check the case's answer and then a right one; assert what both verdicts say and what is left."""
    sleep, limit, policy = asyncio.sleep, sys.getrecursionlimit(), getattr(asyncio.events, "_event_loop_policy", None)
    streams, handler = (sys.stdout, sys.stderr), signal.getsignal(signal.SIGINT)
    verdict = ex1.check(case.answer)
    assert (verdict.outcome, verdict.rule) == (case.outcome, case.rule), verdict
    assert case.words in f"{verdict.headline} {verdict.facts}", verdict
    assert verdict._repr_mimebundle_()["text/html"]
    assert not [thread for thread in threading.enumerate() if thread.name == "check"]
    assert (sys.stdout, sys.stderr) == streams
    assert not sys.stdout.closed
    assert asyncio.sleep is sleep
    assert sys.getrecursionlimit() == limit
    assert policy in (None, asyncio.events._event_loop_policy)  # type: ignore[attr-defined]
    assert signal.getsignal(signal.SIGINT) is handler
    after = NEXT.check(shout)
    assert after.passed, after
    return verdict


def cases(*each: Case) -> pytest.MarkDecorator:
    """Give a test these cases."""
    return pytest.mark.parametrize("case", each, ids=[case.id for case in each])


# ---- answers that do not end ---------------------------------------------------------------------------------------


@fails(ANSWERS, "waited for an answer that did not come")
async def never_returns(websocket):
    await websocket.accept()
    await asyncio.Event().wait()


@fails(ANSWERS, "waited for an answer that did not come")
async def spins_with_sleep_zero(websocket):
    await websocket.accept()
    while True:
        await asyncio.sleep(0)


@fails("ends")
async def spins_with_sleep_zero_after_the_end(websocket):
    await shout(websocket)
    while True:
        await asyncio.sleep(0)


@fails("ends", "still running")
async def never_returns_after_the_end(websocket):
    await shout(websocket)
    await asyncio.Event().wait()


@fails("ends", "still running")
async def raw_receive_after_the_disconnect(websocket):
    await websocket.accept()
    while True:
        message = await websocket._receive()
        if message.get("text") is not None:
            await websocket.send_text(message["text"].upper())


@fails("heeds_cancellation", "returned as if nothing had happened")
async def swallows_one_cancellation(websocket):
    try:
        await shout(websocket)
    except asyncio.CancelledError:
        pass


@fails("cancellable", "not even when it is cancelled")
async def swallows_every_cancellation(websocket):
    await websocket.accept()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


@fails("cancellable", "not even when it is cancelled")
async def swallows_everything_after_the_end(websocket):
    await shout(websocket)
    while True:
        try:
            await asyncio.sleep(3600)
        except:
            pass


@fails("yields", "holds the event loop")
async def spins_without_awaiting(websocket):
    await websocket.accept()
    while True:
        pass


@fails("yields", "holds the event loop")
async def receives_for_ever_and_swallows_everything(websocket):
    await websocket.accept()
    while True:
        try:
            await websocket.receive()
        except:
            continue


@fails("yields", "holds the event loop")
async def blocks(websocket):
    await websocket.accept()
    time.sleep(4)


class TestWithoutEnd:
    """Answers that do not end, but whose sessions do."""

    @cases(
        never_returns,
        never_returns_after_the_end,
        spins_with_sleep_zero,
        spins_with_sleep_zero_after_the_end,
        raw_receive_after_the_disconnect,
        swallows_one_cancellation,
        swallows_every_cancellation,
        swallows_everything_after_the_end,
    )
    def test_a_verdict_comes_and_nothing_stays(self, case):
        """The verdict names the rule, and the next check passes."""
        assert_judged(case)


class TestSpin:
    """An answer that spins without a pause."""

    def test_a_verdict_comes_and_nothing_stays(self, monkeypatch):
        """The thread is stopped."""
        monkeypatch.setattr("helpers.judging.patience.DEADLINE", 2.0)  # nothing but the deadline ends it
        assert_judged(spins_without_awaiting)


class TestSpinOverReceive:
    """An answer that spins although it awaits and catches everything, also what stops it."""

    def test_a_verdict_comes_and_nothing_stays(self, monkeypatch):
        """The thread is stopped."""
        monkeypatch.setattr("helpers.judging.patience.DEADLINE", 2.0)  # nothing but the deadline ends it
        assert_judged(receives_for_ever_and_swallows_everything)


class TestBlock:
    """An answer that blocks in C."""

    def test_a_verdict_comes_and_nothing_stays(self, monkeypatch):
        """The verdict comes in time; the thread ends when the call ends."""
        with monkeypatch.context() as patched:
            patched.setattr("helpers.judging.patience.DEADLINE", 1.0)
            patched.setattr("helpers.judging.patience.slow", lambda: 1.0)  # the call must outlast the check
            verdict = ex1.check(blocks.answer)
        assert (verdict.outcome, verdict.rule) == (blocks.outcome, blocks.rule), verdict
        deadline = time.monotonic() + SECONDS
        while any(thread.name == "check" for thread in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not [thread for thread in threading.enumerate() if thread.name == "check"]
        assert ex1.check(shout).passed


# ---- answers that raise --------------------------------------------------------------------------------------------


class Own(BaseException):
    """Nobody catches it by accident."""


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


def raising(error: BaseException, rule: str, words: str) -> Case:
    """Make a case of an answer that raises."""

    async def raises(websocket):
        await websocket.accept()
        raise error

    return Case(raises, "fail", rule, words, type(error).__name__)


@fails(ANSWERS, "RecursionError")
async def recurses_without_end(websocket):
    await recurses_without_end.answer(websocket)


class TestRaise:
    """Answers that raise what few programs expect."""

    @cases(
        raising(SystemExit(3), "survives", "your answer raised SystemExit: 3, which ends the whole server"),
        raising(KeyboardInterrupt(), "survives", "your answer raised KeyboardInterrupt, which ends the whole server"),
        raising(GeneratorExit(), ANSWERS, "the handler raised GeneratorExit"),
        raising(asyncio.CancelledError(), ANSWERS, "closed before the client had finished"),
        raising(Own("mine"), ANSWERS, "the handler raised Own: mine"),
        raising(ExceptionGroup("two", [ValueError("a"), KeyError("b")]), ANSWERS, "ValueError: a; KeyError: 'b'"),
        raising(BaseExceptionGroup("one", [SystemExit(1)]), ANSWERS, "SystemExit: 1"),
        raising(Mute(), ANSWERS, "the handler raised Mute: its __str__ raises ValueError"),
        raising(StopIteration(), ANSWERS, "coroutine raised StopIteration"),
        recurses_without_end,
    )
    def test_a_verdict_names_the_exception(self, case):
        """No exception leaves the check, not even one that ends processes."""
        assert_judged(case)


async def exits(websocket):
    await websocket.accept()
    sys.exit()


class TestItsOwnLine:
    """A verdict shows the learner's line, as a notebook's cell has no name that he knows."""

    def test_of_an_answer_that_exits(self):
        line = exits.__code__.co_firstlineno + 2
        assert ex1.check(exits).facts == (("where", f"line {line} of your exits: sys.exit()"),)

    def test_of_an_answer_that_holds_the_event_loop_in_one_script_and_no_other_is_played(self, monkeypatch):
        explored = []

        def counted(**told: Any) -> Report:
            explored.append(told)
            return explore(**told)

        monkeypatch.setattr("helpers.judging.app_exercise.explore", counted)
        source = "async def spins(websocket):\n    await websocket.accept()\n    while True: pass\n"
        cell = "<folder>/2121623728.py"  # as IPython names a cell's code
        names: dict[str, Any] = {}
        exec(compile(source, cell, "exec"), names)
        monkeypatch.setitem(linecache.cache, cell, (len(source), None, source.splitlines(keepends=True), cell))
        verdict = ex1.check(names["spins"])
        assert verdict.rule == "yields", verdict
        assert dict(verdict.facts)["when"] == "uvicorn · the client closes with 1001 (uvicorn/close@end)"
        assert dict(verdict.facts)["where"] == "line 3 of your spins: while True: pass"
        assert len(explored) == 1


# ---- answers that reach for threads, tasks and the loop ------------------------------------------------------------


@fails("leaves_no_thread", "still running: wait, wait")
async def forgets_threads(websocket):
    threading.Thread(target=released.wait, daemon=True).start()
    threading.Thread(target=released.wait).start()
    await shout(websocket)


@fails("leaves_no_task", "still running: sleep")
async def forgets_a_task(websocket):
    asyncio.create_task(asyncio.sleep(3600))
    await shout(websocket)


@passes
async def replaces_the_policy(websocket):
    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            raise RuntimeError("there are no loops any more")

    asyncio.set_event_loop_policy(Policy())
    await shout(websocket)


@passes
async def sets_another_loop(websocket):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()
    await shout(websocket)


@fails("survives", "Event loop stopped before Future completed")
async def stops_the_loop(websocket):
    asyncio.get_running_loop().stop()
    await shout(websocket)


@fails(ANSWERS, "Cannot close a running event loop")
async def closes_the_loop(websocket):
    await websocket.accept()
    asyncio.get_running_loop().close()


@fails(ANSWERS, "asyncio.run() cannot be called from a running event loop")
async def runs_a_loop_inside(websocket):
    await websocket.accept()
    work = asyncio.sleep(0)
    try:
        asyncio.run(work)
    finally:
        work.close()


@fails("survives", "CancelledError")
async def cancels_every_task(websocket):
    for task in asyncio.all_tasks():
        task.cancel()
    await shout(websocket)


class TestLoop:
    """Answers that reach for threads, tasks and the event loop."""

    @cases(
        forgets_threads,
        forgets_a_task,
        replaces_the_policy,
        sets_another_loop,
        stops_the_loop,
        closes_the_loop,
        runs_a_loop_inside,
        cancels_every_task,
    )
    def test_the_loop_of_the_check_is_not_the_notebooks(self, case):
        """Whatever becomes of the answer's loop, the next check has its own."""
        try:
            assert_judged(case)
        finally:
            released.set()
            for thread in threading.enumerate():
                if getattr(thread, "_target", None) == released.wait:
                    thread.join()
            released.clear()


# ---- answers that change the interpreter ---------------------------------------------------------------------------


@fails(ANSWERS, "more than 500,000 characters have been printed")
async def prints_a_million_lines(websocket):
    await websocket.accept()
    for number in range(1_000_000):
        print("line", number)
    await shout(websocket)


@fails(ANSWERS, "more than 500,000 characters have been printed")
async def writes_errors_for_ever(websocket):
    await websocket.accept()
    while True:
        sys.stderr.writelines(["line\n", "another\n"])


@fails("ends_quietly", "this is no sleep")
async def patches_sleep(websocket):
    async def no_sleep(*_: object):
        raise RuntimeError("this is no sleep")

    asyncio.sleep = no_sleep  # type: ignore[assignment]
    await shout(websocket)
    await asyncio.sleep(0)


@passes
async def closes_stdout(websocket):
    sys.stdout.close()
    await shout(websocket)


@passes
async def replaces_stdout(websocket):
    sys.stdout = None
    await shout(websocket)


@passes
async def lowers_the_recursion_limit(websocket):
    sys.setrecursionlimit(200)
    await shout(websocket)


@fails(ANSWERS, "signal only works in main thread")
async def sets_a_signal_handler(websocket):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    await shout(websocket)


@passes
async def sets_a_context_variable(websocket):
    assert not seen.get()
    seen.set(True)
    await shout(websocket)


class TestInterpreter:
    """Answers that change the interpreter, or flood it."""

    @cases(
        prints_a_million_lines,
        writes_errors_for_ever,
        patches_sleep,
        closes_stdout,
        replaces_stdout,
        lowers_the_recursion_limit,
        sets_a_signal_handler,
        sets_a_context_variable,
    )
    def test_what_it_changes_is_put_back(self, case, capsys):
        """The next check finds everything as it was, and little has been printed."""
        assert_judged(case)
        shown = capsys.readouterr()
        assert max(len(shown.out), len(shown.err)) < MOST * SHOWN

    def test_other_threads_print_on(self, capsys):
        """What a thread prints that ran before is neither bounded nor lost."""
        started, over = threading.Event(), threading.Event()
        lines = 0

        def talk():
            nonlocal lines
            while not over.is_set():
                print("from another thread")
                lines += 1
                started.set()
                time.sleep(0)

        talker = threading.Thread(target=talk)
        talker.start()
        started.wait()
        try:
            assert_judged(prints_a_million_lines)
        finally:
            over.set()
            talker.join()
        assert capsys.readouterr().out.count("from another thread") == lines > SHOWN // 20

    def test_a_thread_that_has_ended_does_not_vouch_for_the_next_with_its_number(self, capsys):
        """A thread that Python did not start is listed for ever, under a number that a new thread may be given."""
        for _ in range(3):
            known = threading.Event()
            _thread.start_new_thread(lambda known: known.set() if threading.current_thread() else None, (known,))
            known.wait()
        assert_judged(writes_errors_for_ever)
        assert len(capsys.readouterr().err) < MOST * SHOWN


# ---- answers that break the protocol, or seem to -------------------------------------------------------------------


@passes
async def empties_the_messages(websocket):
    await websocket.accept()
    while (message := await websocket.receive())["type"] == "websocket.receive":
        text = message["text"]
        message.clear()
        await websocket.send_text(text.upper())
    message.clear()


@fails(ANSWERS, "the handler raised TypeError")
async def sends_no_dict(websocket):
    await websocket.accept()
    await websocket.send("HELLO")


@fails(ANSWERS, "the handler raised KeyError: 'type'")
async def sends_a_message_without_a_type(websocket):
    await websocket.accept()
    await websocket._send({"text": "HELLO"})


@fails(ANSWERS, "the handler raised RuntimeError")
async def accepts_twice(websocket):
    await websocket.accept()
    await shout(websocket)


@fails(ANSWERS, "the connection was not accepted")
async def forgets_to_accept(websocket):
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


@passes
async def returns_a_value(websocket):
    await shout(websocket)
    return 42


class TestProtocol:
    """Answers that break the protocol, or only seem to."""

    @cases(
        empties_the_messages,
        sends_no_dict,
        sends_a_message_without_a_type,
        accepts_twice,
        forgets_to_accept,
        returns_a_value,
    )
    def test_the_verdict_names_what_is_wrong(self, case):
        """A broken message is the handler's error, not the check's."""
        assert_judged(case)


# ---- what is passed to check() -------------------------------------------------------------------------------------


class Shouter:
    """A callable object."""

    async def __call__(self, websocket):
        """Shout."""
        await shout(websocket)


async def with_option(option, websocket):
    await shout(websocket)


def generator(websocket):
    yield


async def async_generator(websocket):
    yield


class TestKind:
    """What is passed to check(): async callables are answers, other things get a sentence."""

    @cases(
        passes(functools.partial(with_option, 1), "partial"),
        passes(Shouter(), "callable_object"),
        is_none(generator, "generator is not async", "generator_function"),
        is_none(async_generator, "has a yield in it", "async_generator_function"),
        is_none(Shouter, "Shouter is a class", "class"),
        is_none(lambda websocket: shout(websocket), "<lambda> is not async", "lambda"),
    )
    def test_only_an_async_callable_is_an_answer(self, case):
        """The verdict says so in one sentence."""
        assert_judged(case)

    def test_a_coroutine_is_no_answer(self):
        """It has been called too early; made here, since a parameter that is never run would warn."""
        assert_judged(is_none(shout(None), "pass the function itself", "coroutine"))
