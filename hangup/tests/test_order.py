"""An Order holds back what comes from outside, and nothing else: none is played that asyncio cannot bring about."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hangup.time.order import AFTER, BEFORE, LAST, LATENCY, WITH, Order, ordered_tasks
from hangup.time.virtual import Alarm, VirtualLoop

Work = Callable[[VirtualLoop, Order], Coroutine[Any, Any, Any]]


def played(work: Work, choose: Callable[[str], int]) -> Any:
    """Run work on a loop whose order is chosen; each task but the first is the app's, its lane its name."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        first = asyncio.current_task()
        loop.order = order = Order(loop, choose, lambda task: "" if task is first else task.get_name())
        try:
            return await asyncio.create_task(work(loop, order), name="main")
        finally:
            order.end()
            loop.order = None

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        with ordered_tasks(runner.get_loop()):
            return runner.run(main())


def at_random(seed: int) -> Callable[[str], int]:
    """Choose anything at all for every event."""
    dice = random.Random(seed)
    return lambda _: dice.choice((0, 0, 1, 1, 2, 3, 4, 5, BEFORE, WITH, AFTER, LATENCY + 700))


def at_once(_: str) -> int:
    """Choose asyncio's own order."""
    return 0


SEEDS = pytest.mark.parametrize("seed", range(20))


def test_a_task_that_is_held_goes_on_when_nothing_else_can():
    async def work(loop, order):
        said = []

        async def say(name):
            for n in range(3):
                await asyncio.sleep(0)
                said.append(f"{name}{n}")

        await asyncio.gather(*(asyncio.create_task(say(name), name=name) for name in "ab"))
        return "".join(said)

    assert played(work, at_once) == "a0b0a1b1a2b2"
    assert played(work, lambda name: LAST * (name == "a-2")) == "a0b0b1b2a1a2"


@SEEDS
def test_a_task_has_begun_when_its_creator_has_slept_for_a_turn(seed):
    async def work(loop, order):
        begun = []

        async def begin():
            begun.append(1)
            await asyncio.sleep(0)

        task = asyncio.create_task(begin(), name="a")
        await asyncio.sleep(0)
        assert begun == [1]
        await task

    played(work, at_random(seed))


@SEEDS
def test_who_waits_for_a_lock_gets_it_in_the_order_of_asking(seed):
    async def work(loop, order):
        lock, got = asyncio.Lock(), []

        async def get(n):
            async with lock:
                got.append(n)
                await asyncio.sleep(0)

        tasks = []
        for n in range(5):
            tasks.append(asyncio.create_task(get(n), name=f"a{n}"))
        await asyncio.gather(*tasks)
        assert got == [0, 1, 2, 3, 4]

    played(work, at_random(seed))


@SEEDS
def test_who_is_woken_goes_on_before_what_comes_later(seed):
    async def work(loop, order):
        event, seen = asyncio.Event(), []

        async def wait():
            await event.wait()
            seen.append("woken")

        task = asyncio.create_task(wait(), name="a")
        await asyncio.sleep(0)
        event.set()
        asyncio.create_task(asyncio.sleep(0), name="b").add_done_callback(lambda _: seen.append("later"))
        while len(seen) < 2:
            await asyncio.sleep(0)
        await task
        assert seen == ["woken", "later"]

    played(work, at_random(seed))


@SEEDS
def test_a_held_task_that_is_cancelled_goes_on_before_what_its_canceller_starts(seed):
    async def work(loop, order):
        seen = []

        async def asks():
            try:
                while True:
                    await asyncio.sleep(0)
            finally:
                seen.append("cancelled")

        async def starts():
            seen.append("started")

        for n in range(5):
            task = asyncio.create_task(asks(), name=f"a{n}")
            for _ in range(n):
                await asyncio.sleep(0)
            task.cancel()
            other = asyncio.create_task(starts(), name="b")
            await asyncio.wait([task, other])
        assert seen in (["cancelled", "started"] * 5, ["started", *["cancelled", "started"] * 4])  # one had not begun

    played(work, at_random(seed))


@SEEDS
def test_timers_fire_in_their_order_and_a_cancelled_one_never(seed):
    async def work(loop, order):
        fired: list[object] = []
        for n in range(6):
            loop.call_later(n // 2, fired.append, n)
        loop.call_later(2, fired.append, "never").cancel()
        await asyncio.sleep(3)
        return fired

    assert played(work, at_random(seed)) == played(work, at_once)


@SEEDS
def test_no_time_passes_while_a_task_is_held(seed):
    async def work(loop, order):
        async def asks(times):
            for _ in range(times):
                await asyncio.sleep(0)

        async with asyncio.timeout(0.01):
            await asyncio.gather(*(asyncio.create_task(asks(n), name=f"a{n}") for n in range(5)))
        assert loop.now == 0

    played(work, at_random(seed))


def test_who_turns_and_turns_until_a_held_task_has_done_its_part_does_not_do_so_for_ever():
    async def work(loop, order):
        done = []

        async def asks():
            await asyncio.sleep(0)
            done.append(1)

        task = asyncio.create_task(asks(), name="a")
        while not done:
            await asyncio.sleep(0)
        await task
        return loop.turn < 1000

    assert played(work, lambda name: LAST * (name == "a-1"))


@SEEDS
def test_what_one_client_says_arrives_in_its_order(seed):
    async def work(loop, order):
        heard: dict[str, list[int]] = {"+a": [], "+b": []}
        for n in range(6):
            for lane in heard:
                order.comes(lane, lambda lane=lane, n=n: heard[lane].append(n), "")
            await asyncio.sleep(n % 2)
        for _ in range(20):
            await asyncio.sleep(1)
        assert list(heard.values()) == [[0, 1, 2, 3, 4, 5]] * 2

    played(work, at_random(seed))


@pytest.mark.parametrize(
    ("choice", "when"),
    [(LAST, "message, 1 s"), (BEFORE, "message, 1 s"), (WITH, "1 s, message"), (AFTER, "1 s, message")],
)
def test_a_message_may_take_until_the_next_timer(choice, when):
    async def work(loop, order):
        seen, patience = [], Alarm(lambda: seen.append("patience"), 0.5)
        loop.alarms = (patience,)
        loop.call_later(1, seen.append, "1 s")
        order.comes("+a", lambda: seen.append("message"), "")
        await asyncio.sleep(1.2)
        return ", ".join(each for each in seen if each != "patience")

    assert played(work, lambda name: choice if name == "+a-1" else 0) == when


def test_a_client_keeps_its_patience_while_its_message_is_under_way():
    async def work(loop, order):
        seen = []
        loop.alarms = (Alarm(lambda: seen.append(("patience", loop.now)), 0.5),)
        order.comes("+a", lambda: seen.append(("message", loop.now)), "")
        await asyncio.sleep(10)
        return seen

    assert played(work, lambda name: LATENCY + 3000 if name == "+a-1" else 0) == [("message", 3.0), ("patience", 3.5)]
    assert played(work, at_once) == [("message", 0.0), ("patience", 0.5)]


def test_what_becomes_ready_while_the_order_looks_comes_a_turn_later():
    """As an async generator does that is collected then, or a thread's result."""
    called: list[str] = []

    async def work(loop, order):
        lane_of = order._lane_of

        def garbage(task):
            loop.call_soon(called.append, task.get_name())
            return lane_of(task)

        order._lane_of = garbage
        await asyncio.gather(*(asyncio.create_task(asyncio.sleep(0), name=name) for name in "ab"))
        order._lane_of = lane_of
        await asyncio.sleep(0)

    played(work, at_once)
    assert {"a", "b"} <= set(called)
