"""What each session of an app leaves one more of, though no task runs on: timers that are set anew, thread pools."""

import asyncio
import contextlib
import contextvars
import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup.explorer.apps.explore import explore, replay
from support.apps import app

TASKS = "no task of the handler runs on for ever"
THREADS = "no thread of the handler runs on when the handler has ended"
FEW: dict[str, Any] = {"models": ["uvicorn", "granian"], "endings": ["close", "reset", "shutdown", "cancel"]}


async def answer(websocket):
    """Say everything back until the peer has left, however one hears of that."""
    with contextlib.suppress(Exception):
        while True:
            await websocket.send_text(await websocket.receive_text())


def got(report):
    """Return what broke, and in which endings."""
    found = {each.got for each in report.broken}
    return found, {each.schedule.partition("/")[2].partition("@")[0] for each in report.broken}


# ---- timers ------------------------------------------------------------------------------------------------------


class Beat:
    """Beats every few seconds, as long as nobody stops it; `goes_on` is asked before each beat."""

    def __init__(self, seconds=5.0, goes_on=lambda: True, at=False):
        self.seconds, self.goes_on, self.at = seconds, goes_on, at
        self.beats = 0
        self.timer = None

    def start(self):
        loop = asyncio.get_running_loop()
        set_it = (
            partial(loop.call_at, loop.time() + self.seconds) if self.at else partial(loop.call_later, self.seconds)
        )
        self.timer = set_it(self.beat)

    def beat(self):
        self.beats += 1
        if self.goes_on():
            self.start()


def beating(make, *, stop=False):
    """Return an app whose handler starts a beat, and may stop it when the peer has left."""

    async def handler(websocket):
        await websocket.accept()
        beat = make()
        beat.start()
        try:
            await answer(websocket)
        finally:
            if stop:
                beat.timer.cancel()

    return app(handler)


class Spawns(Beat):
    """Begins a task at each beat, and the next beat when it has ended."""

    def beat(self):
        asyncio.ensure_future(asyncio.sleep(1)).add_done_callback(lambda _: self.start())


class Closure:
    """Sets a function anew that nobody else knows."""

    def start(self):
        def ring():
            asyncio.get_running_loop().call_later(1.0, ring)

        ring()


class Handed(Beat):
    """Hands what beats to something of Python's own, which a timer then calls."""

    def start(self):
        asyncio.get_running_loop().call_later(self.seconds, contextvars.copy_context().run, self.beat)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Beat, "beat"),
        (partial(Beat, 0.05), "beat"),
        (partial(Beat, 3_600.0, at=True), "beat"),
        (Spawns, "beat"),
        (Handed, "beat"),
        (Closure, "ring"),
    ],
    ids=["beat", "fast", "hourly, by call_at", "spawns", "handed on", "closure"],
)
def test_a_timer_that_sets_itself_anew_for_ever_is_found(make, name):
    report = explore(beating(make), **FEW)
    words = f"each session leaves one more timer that is set anew for ever: {name}"
    assert got(report) == ({words}, {"close", "reset"})
    assert report.verdicts[TASKS] == "broken"


def test_a_timer_that_is_set_anew_is_found_again_and_in_a_replay():
    beats = beating(Beat)
    first, second = explore(beats, **FEW), explore(beats, **FEW)
    assert first == second
    found = first.broken[0]
    session = replay(beats, found.schedule, closer=True)
    assert session.facts["timers_left"] == ["beat"]
    assert not replay(beating(Beat, stop=True), found.schedule, closer=True).facts.get("timers_left")


def test_a_timer_that_is_cancelled_or_rings_once_is_no_fault_and_not_worth_a_word():
    for make, stop in ((Beat, True), (partial(Beat, 25.0, lambda: False), False), (partial(Beat, 1e9), False)):
        report = explore(beating(make, stop=stop), **FEW)
        assert report.ok
        assert set(report.verdicts.values()) == {"held"}
        assert not report.remarks


def test_a_timer_that_ends_by_itself_is_a_remark():
    def few():
        beat = Beat()
        beat.goes_on = lambda: beat.beats < 5
        return beat

    report = explore(beating(few), **FEW)
    assert report.ok
    assert {each.got for each in report.remarks} == {"a timer of the handler (beat) is set anew until 25 s after it"}


def test_a_timer_that_serves_all_connections_is_the_apps_own():
    """The first connection starts it, and it ends with the process; or the lifespan does."""
    beats: list[Any] = []

    async def lazy(websocket):
        await websocket.accept()
        if not beats:
            beats.append(Beat())
            beats[0].start()
        await answer(websocket)

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.beat = Beat()
        if app.state.starts:
            app.state.beat.start()
        yield

    async def of_the_lifespan(websocket):
        await websocket.accept()
        if websocket.app.state.beat.timer is None:
            websocket.app.state.beat.start()
        await answer(websocket)

    report = explore(app(lazy), **FEW)
    assert report.ok, report.findings
    for starts in (True, False):  # it is never cancelled: where its lifespan ends the process does
        served = Starlette(routes=[WebSocketRoute("/", of_the_lifespan)], lifespan=lifespan)
        served.state.starts = starts
        report = explore(served, lifespan=True, **FEW)
        assert report.ok, report.findings


def test_a_timer_that_is_replaced_when_its_user_comes_back_does_not_grow():
    timers: dict[Any, Any] = {}

    async def of_a_user(websocket):
        await websocket.accept()
        user = websocket.url.path
        if user in timers:
            timers[user].timer.cancel()
        timers[user] = Beat()
        timers[user].start()
        await answer(websocket)

    report = explore(app(of_a_user), **FEW)
    assert report.ok, report.findings


def test_a_timer_that_is_far_away_in_a_busy_app_is_not_waited_for_in_each_session():
    ticks = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        yield
        ticking.cancel()

    async def handler(websocket):
        await websocket.accept()
        Beat(3_600.0, lambda: False).start()
        await answer(websocket)

    report = explore(Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan), lifespan=True, **FEW)
    assert report.ok, report.findings
    assert len(ticks) < 20_000 * report.explored  # which is how often the loop turns in vain for one timer


def test_the_timers_of_a_library_are_its_own_affair(monkeypatch):
    monkeypatch.setattr("hangup.record.evidence.timers.is_of_the_app", lambda _: False)
    assert explore(beating(Beat), **FEW).ok


# ---- pools of threads --------------------------------------------------------------------------------------------


def pooled(pool_of, *, shuts_down=False):
    """Return an app that answers from a pool of threads, which `pool_of` gives to each connection."""

    async def handler(websocket):
        await websocket.accept()
        pool = pool_of()
        with contextlib.suppress(Exception):
            while True:
                text = await websocket.receive_text()
                answer = await asyncio.get_running_loop().run_in_executor(pool, str.upper, text)
                await websocket.send_text(answer)
        if shuts_down:
            pool.shutdown(wait=False)

    return app(handler)


@pytest.fixture
def keep():
    """Give what keeps whatever it is told, until the test is over."""
    pools: list[ThreadPoolExecutor] = []

    def keep(pool):
        pools.append(pool)
        return pool

    yield keep
    for pool in pools:
        pool.shutdown()


@pytest.mark.parametrize("named", ["", "worker"])
def test_a_pool_that_is_kept_for_each_client_is_found(keep, named):
    kept = pooled(lambda: keep(ThreadPoolExecutor(thread_name_prefix=named)))
    report = explore(kept, **FEW)
    words = f"each session leaves one more pool of threads: {named or 'ThreadPoolExecutor'}"
    assert got(report) == ({words}, {"close", "reset"})
    assert report.verdicts[THREADS] == "broken"
    assert replay(kept, report.broken[0].schedule, closer=True).facts["pools_left"]


@pytest.mark.parametrize("named", ["", "worker"])
def test_a_pool_that_is_shut_down_or_that_nobody_keeps_is_no_fault(keep, named):
    report = explore(pooled(lambda: ThreadPoolExecutor(thread_name_prefix=named)), **FEW)
    assert report.ok, report.findings
    report = explore(pooled(lambda: keep(ThreadPoolExecutor(thread_name_prefix=named)), shuts_down=True), **FEW)
    assert report.ok, report.findings


@pytest.mark.parametrize("named", ["", "worker"])
def test_a_pool_that_serves_all_connections_is_the_apps_own(keep, named):
    """The first connection makes it, and its threads start one by one, whenever more is asked for at once."""
    pools: list[Any] = []
    asked = itertools.count(1)

    async def handler(websocket):
        await websocket.accept()
        if not pools:
            pools.append(keep(ThreadPoolExecutor(8, thread_name_prefix=named)))
        many = min(next(asked), 8)
        with contextlib.suppress(Exception):
            while True:
                text = await websocket.receive_text()
                jobs = [asyncio.get_running_loop().run_in_executor(pools[0], str.upper, text) for _ in range(many)]
                await websocket.send_text((await asyncio.gather(*jobs))[0])

    report = explore(app(handler), **FEW)
    assert report.ok, report.findings


def test_a_pool_for_each_lifespan_and_a_few_that_are_kept_for_many_clients_do_not_grow(keep):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.pool = None
        yield

    async def handler(websocket):
        await websocket.accept()
        if websocket.app.state.pool is None:
            websocket.app.state.pool = keep(ThreadPoolExecutor())
        await asyncio.get_running_loop().run_in_executor(websocket.app.state.pool, str)
        await answer(websocket)

    report = explore(Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan), lifespan=True, **FEW)
    assert report.ok, report.findings
    number = itertools.count()
    of_a_number = functools.lru_cache(16)(lambda _: ThreadPoolExecutor())
    report = explore(pooled(lambda: of_a_number(next(number))), **FEW)
    assert report.ok, report.findings
