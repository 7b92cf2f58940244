"""All explorations and replays of a process run on one loop, and none leaves anything for the next."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.record.internals import turn_once
from hangup.record.threads import Stuck
from hangup.time import virtual
from hangup.time.shared import run_on_loop
from hangup.time.virtual import Alarm, VirtualLoop
from support.apps import app, echo

news: "asyncio.Queue[str]" = asyncio.Queue()
door = asyncio.Lock()


async def notifies(scope, receive, send):
    """Waits for news, and never hears that the peer has left."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "subscribed"})
    while True:
        await send({"type": "websocket.send", "text": await news.get()})


async def one_at_a_time(scope, receive, send):
    """Lets one client in after the other."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        async with door:
            await asyncio.sleep(0.1)
            with contextlib.suppress(OSError):
                await send({"type": "websocket.send", "text": message["text"]})


@pytest.mark.parametrize("app", [notifies, one_at_a_time])
def test_what_belongs_to_a_loop_lives_from_one_exploration_to_the_next(app):
    first, second = explore(app), explore(app)
    assert first == second
    assert "different event loop" not in str(first)
    assert "different event loop" not in str(replay(app, "uvicorn/close@end").trace)


def test_a_queue_that_nobody_fills_fails_one_rule_each_time():
    reports = [explore(notifies, []) for _ in range(2)]
    assert {each.rule for report in reports for each in report.broken} == {"the handler ends when the peer leaves"}
    assert reports[0] == reports[1]


async def the_loop():
    return asyncio.get_running_loop()


def test_runs_share_a_loop_whose_clock_begins_anew():
    async def later():
        await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    assert run_on_loop(the_loop, seconds=5) is run_on_loop(the_loop, seconds=5)
    assert [run_on_loop(later, seconds=5) for _ in range(2)] == [60.0, 60.0]


def test_nothing_of_a_run_is_left_for_the_next():
    rung: list[str] = []
    closed: list[str] = []
    kept: list[Any] = []

    async def leaves():
        async def for_ever():
            try:
                await asyncio.Event().wait()
            finally:
                closed.append("task")

        async def numbers():
            try:
                yield 1
                yield 2
            finally:
                closed.append("generator")

        kept.append(asyncio.create_task(for_ever()))
        kept.append(numbers())
        await anext(kept[1])
        asyncio.get_running_loop().call_later(5, rung.append, "timer")
        await asyncio.to_thread(str)

    async def looks():
        await asyncio.sleep(10)
        return len(asyncio.all_tasks())

    run_on_loop(leaves, seconds=5)
    assert sorted(closed) == ["generator", "task"]
    assert run_on_loop(looks, seconds=5) == 2  # the run and what it runs
    assert rung == []


def test_a_run_beside_another_has_a_loop_of_its_own():
    other: list[asyncio.AbstractEventLoop] = []

    async def outer():
        thread = threading.Thread(target=lambda: other.append(run_on_loop(the_loop, seconds=5)))
        thread.start()
        while thread.is_alive():
            await asyncio.to_thread(thread.join, 0.01)
        return asyncio.get_running_loop()

    assert run_on_loop(outer, seconds=30) is not other[0]


def test_a_loop_that_was_given_up_is_replaced():
    async def never():
        await asyncio.Event().wait()

    before = run_on_loop(the_loop, seconds=5)
    with pytest.raises(Stuck):
        run_on_loop(never, seconds=0.2)
    after = run_on_loop(the_loop, seconds=5)
    assert isinstance(after, VirtualLoop)
    assert after is not before


def test_with_real_time_the_same_loop_waits():
    async def waits():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(0.01)
        return loop, loop.time() - began

    loop, took = run_on_loop(waits, seconds=5, real=True)
    assert loop is run_on_loop(the_loop, seconds=5)
    assert took >= 0.01


def test_two_tasks_that_heed_no_cancellation_are_named_at_once():
    """The one is given up with its session, the other when the loop is left."""

    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(1)

    async def handler(websocket):
        websocket.app.state.other = asyncio.create_task(stubborn())
        await websocket.accept()
        await stubborn()

    with pytest.raises(Stuck) as raised:
        explore(app(handler), seconds=30.0, lifespan=True)
    assert raised.value.tasks == ("the handler",)
    assert explore(app(echo), models=["uvicorn"]).explored


def test_a_turn_is_as_asyncios_own(monkeypatch):
    """A loop that looks for events at every turn leaves each of them to asyncio."""
    left_to_asyncio: list[int] = []

    def turn(loop: VirtualLoop) -> None:
        left_to_asyncio.append(loop.turn)
        turn_once(loop)

    monkeypatch.setattr(virtual, "turn_once", turn)

    async def log() -> list[tuple[int, float, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        first, said = loop.turn, []

        def note(what: str) -> None:
            said.append((loop.turn - first, loop.now, what))

        def rings() -> None:
            note("alarm")
            loop.call_later(0, note, "timer of the alarm")
            loop.call_soon(note, "of the alarm")

        def idle() -> None:
            note("idle")
            waits.set_result(None)

        waits = loop.create_future()
        loop.alarms, loop.on_idle = (Alarm(rings, 5.0),), idle
        loop.call_soon(note, "cancelled").cancel()
        loop.call_soon(lambda: loop.call_soon(note, "a turn later"))
        for turns in range(4):
            await asyncio.sleep(0)
            note(f"slept for {turns + 1} turns")
        await asyncio.sleep(2.0)
        note("slept for two seconds")
        await waits
        note("goes on")
        return said

    async def all_left_to_asyncio() -> list[tuple[int, float, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before, loop.looks_every = loop.looks_every, 1
        try:
            return await log()
        finally:
            loop.looks_every = before

    theirs = run_on_loop(all_left_to_asyncio, seconds=5)
    many = len(left_to_asyncio)
    left_to_asyncio.clear()
    ours = run_on_loop(log, seconds=5)
    assert ours == theirs
    assert [what for _, _, what in ours][-5:] == ["alarm", "of the alarm", "timer of the alarm", "idle", "goes on"]
    assert len(left_to_asyncio) < many
