"""A job in a thread that waits at a queue with a timeout ends by itself; one that does so again and again does not."""

import asyncio
import contextlib
import queue
import sys
from typing import Any

import pytest

from hangup.explorer.apps.explore import explore
from hangup.servers.script import Expect
from hangup.time.parked import GRACE, waits_for
from support.apps import app

FEW: dict[str, Any] = {"models": ["uvicorn"], "endings": ["close"]}


@pytest.fixture
def boxes():
    """Give a list for queues; when the test is over, who waits at one is let go."""
    made: list[queue.Queue[str | None]] = []
    yield made
    for each in made:
        for _ in range(50):
            each.put(None)


def once(box, seconds):
    """Wait once, for so long at most."""
    try:
        return box.get(True, seconds)
    except queue.Empty:
        return ""


def polls(box, seconds):
    """Wait for something again and again."""
    while not (text := once(box, seconds)):
        if text is None:
            break
    return text


def pumped(boxes, wait, seconds):
    """Return an app with a task for each connection that says what a thread has from a queue, and is cancelled."""

    async def handler(websocket):
        await websocket.accept()
        box: queue.Queue[str | None] = queue.Queue()
        boxes.append(box)

        async def pump():
            with contextlib.suppress(Exception):
                while (text := await asyncio.to_thread(wait, box, seconds)) is not None:
                    await websocket.send_text(text)

        task = asyncio.create_task(pump())
        with contextlib.suppress(Exception):
            while True:
                box.put(await websocket.receive_text())
        task.cancel()
        await asyncio.wait([task])

    return app(handler)


@pytest.mark.parametrize("seconds", [0.3, 30])
def test_a_thread_that_waits_for_so_long_at_most_is_not_said_to_wait_for_ever(boxes, seconds):
    report = explore(pumped(boxes, once, seconds), **FEW)
    assert report.ok, str(report)


def test_a_thread_that_polls_for_ever_is_found(boxes):
    report = explore(pumped(boxes, polls, 0.3), **FEW)
    (got,) = {each.got for each in report.broken}
    assert got.startswith("each session leaves one more thread of a pool that waits for ever: polls in a thread")


def test_of_a_wait_in_c_the_source_tells_for_how_long(boxes):
    box: queue.SimpleQueue[None] = queue.SimpleQueue()
    soon = 0.75

    def forever():
        box.get()

    def number():
        box.get(True, 1.5)

    def named():
        box.get(timeout=soon)

    def waits(function):
        async def look():
            job = asyncio.get_running_loop().run_in_executor(None, function)
            seconds = 0.0
            while not seconds:
                await asyncio.sleep(0)
                frames = sys._current_frames().values()
                seconds = max((waits_for(each) for each in frames if each.f_code is function.__code__), default=0.0)
            box.put(None)
            await job
            return seconds

        return asyncio.run(look())

    assert (waits(forever), waits(number), waits(named)) == (float("inf"), 1.5, GRACE)


def asks(boxes, seconds, *, heeds):
    """Return an app that answers with what a thread has from a queue, and maybe minds that nobody asks any more."""

    async def handler(websocket):
        await websocket.accept()
        box: queue.Queue[str | None] = queue.Queue()
        boxes.append(box)
        while True:
            try:
                await websocket.receive_text()
                await websocket.send_text(await asyncio.to_thread(once, box, seconds) or "idle")
            except Exception:
                if heeds:
                    return
                while await asyncio.to_thread(once, box, seconds) is not None:
                    pass

    return app(handler)


def test_what_a_thread_brings_when_its_time_at_a_queue_is_over_is_waited_for(boxes):
    report = explore(asks(boxes, 0.3, heeds=True), ["hello", Expect("idle")], limit=3, **FEW)
    assert (report.broken, report.unknown) == ((), ())


def test_what_nobody_waits_for_so_long_accuses_nobody(boxes):
    report = explore(asks(boxes, 30, heeds=True), ["hello", Expect("idle")], limit=3, **FEW)
    assert report.broken == ()
    assert {each.why for each in report.unknown} == {
        "once in a thread waits at a queue for a while, and was not waited for to the end"
    }


def test_who_has_had_its_chances_to_notice_that_nobody_is_there_is_found(boxes):
    report = explore(asks(boxes, 0.3, heeds=False), ["hello", Expect("idle")], limit=3, **FEW)
    assert "the handler ends when the peer leaves" in {each.rule for each in report.broken}
