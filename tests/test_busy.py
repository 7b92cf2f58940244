"""A busy machine: time in which a check did not get the processor blames nobody."""

import asyncio
import threading
import time

import pytest

from hangup.record import processor
from hangup.record.processor import has_had, served, usage
from hangup.record.threads import Stuck, run_in_thread
from helpers.exercises.start_here import ex1
from helpers.judging.exercise import BUSY


async def shout(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


async def rests(websocket):
    """Holds nothing, and takes longer than anybody waits."""
    threading.Event().wait(0.4)
    await shout(websocket)


@pytest.fixture
def starved(monkeypatch):
    """Let every thread wait for a processor nearly always."""
    begun = time.monotonic()
    monkeypatch.setattr(processor, "usage", lambda _: (0.0, 0.99 * (time.monotonic() - begun)))
    monkeypatch.setattr(processor._Waited, "seconds", 0.0)
    monkeypatch.setattr(processor, "LOOKS", 0.01)


async def forever():
    await asyncio.Event().wait()


def test_a_thread_that_had_its_time_is_stuck():
    with pytest.raises(Stuck) as stuck:
        run_in_thread(forever, seconds=0.05)
    assert (stuck.value.starved, stuck.value.ended) == (False, True)


def test_a_thread_that_gets_no_processor_is_starved(starved):
    with pytest.raises(Stuck) as stuck:
        run_in_thread(forever, seconds=0.02)
    assert stuck.value.starved


def test_the_clock_of_deadlines_stands_still_meanwhile(starved):
    before = time.monotonic() - served()
    with pytest.raises(Stuck):
        run_in_thread(forever, seconds=0.05)
    assert time.monotonic() - served() > before


def test_a_thread_that_spins_beside_others_has_had_its_time(starved, monkeypatch):
    """It runs a third of the time: what it waits does not count, and what it runs does."""
    begun = time.monotonic()
    thirds = lambda _: ((time.monotonic() - begun) / 3, (time.monotonic() - begun) * 2 / 3)  # noqa: E731
    monkeypatch.setattr(processor, "usage", thirds)
    with pytest.raises(Stuck) as stuck:
        run_in_thread(forever, seconds=0.3)  # with fewer it is starved when the machine stands still for two more
    assert not stuck.value.starved


def test_a_thread_that_is_done_in_time_has_had_it():
    done = threading.Event()
    thread = threading.Thread(target=done.set)
    thread.start()
    assert has_had(thread, done, 5.0)
    thread.join()


def test_of_a_thread_that_never_ran_nobody_can_say_how_long_it_waited():
    assert usage(threading.Thread()) == (0.0, 0.0)


def test_a_check_without_the_processor_says_that_it_does_not_know(starved, monkeypatch):
    monkeypatch.setattr("helpers.judging.patience.DEADLINE", 0.05)
    monkeypatch.setattr("helpers.judging.patience.slow", lambda: 1.0)
    verdict = ex1.check(rests)
    assert (verdict.outcome, verdict.headline, verdict.rule) == ("not known", BUSY, "")
    assert str(verdict) == f"? start-here 1 · {BUSY}"


def test_who_takes_too_long_with_the_processor_is_told_so(monkeypatch):
    monkeypatch.setattr("helpers.judging.patience.DEADLINE", 0.05)
    monkeypatch.setattr("helpers.judging.patience.slow", lambda: 1.0)
    monkeypatch.setattr(processor, "usage", lambda _: (0.0, 0.0))
    assert ex1.check(rests).outcome == "fail"
