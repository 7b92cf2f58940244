"""What each session leaves one more of outside of its loop's tasks: threads of pools that a job holds, and others."""

import asyncio
import contextlib
import queue
import socket
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest

from hangup.explorer.apps.explore import explore, replay
from support.apps import app, echo

THREADS = "no thread of the handler runs on when the handler has ended"
FEW: dict[str, Any] = {"models": ["uvicorn"], "endings": ["close", "shutdown"]}


def got(report):
    """Return what broke, and in which endings."""
    found = {each.got for each in report.broken}
    return found, {each.schedule.partition("/")[2].partition("@")[0] for each in report.broken}


# ---- threads of pools --------------------------------------------------------------------------------------------


@pytest.fixture
def inbox():
    """Give what makes queues; when the test is over, who waits at one is let go."""
    made: list[queue.Queue[str | None]] = []

    def make():
        made.append(queue.Queue())
        return made[-1]

    yield make
    for each in made:
        for _ in range(500):
            each.put(None)


async def by_asyncio(get):
    return await asyncio.to_thread(get)


async def by_anyio(get):
    return await anyio.to_thread.run_sync(get, abandon_on_cancel=True)


def relayed(inbox, in_thread, *, lets_go=False):
    """Return an app that says what a thread has from a queue; who `lets_go` says None to it at the end."""

    async def handler(websocket):
        await websocket.accept()
        mine = inbox()

        async def relay():
            with contextlib.suppress(Exception):
                while (text := await in_thread(mine.get)) is not None:
                    await websocket.send_text(text)

        task = asyncio.create_task(relay())
        with contextlib.suppress(Exception):
            while True:
                mine.put(await websocket.receive_text())
        if lets_go:
            mine.put(None)
        else:
            task.cancel()
        await asyncio.wait([task])

    return app(handler)


@pytest.mark.parametrize(("in_thread", "where"), [(by_asyncio, True), (by_anyio, False)])
def test_a_job_that_holds_one_more_thread_of_a_pool_in_each_session_is_found(inbox, in_thread, where):
    """Nobody can cancel it; what a pool that is held through has no answer for is not the fault."""
    relay = relayed(inbox, in_thread)
    line = by_asyncio.__code__.co_firstlineno + 1
    place = f" (test_left_elsewhere.py, line {line}, in by_asyncio)" if where else ""
    report = explore(relay, **FEW)
    words = f"each session leaves one more thread of a pool that waits for ever: Queue.get in a thread{place}"
    assert got(report) == ({words}, {"close"})
    assert report.unknown == ()
    assert replay(relay, report.broken[0].schedule, closer=True).facts["jobs_left"]


@pytest.mark.parametrize("in_thread", [by_asyncio, by_anyio])
def test_a_thread_of_a_pool_that_is_let_go_is_no_fault(inbox, in_thread):
    report = explore(relayed(inbox, in_thread, lets_go=True), **FEW)
    assert report.ok, report.findings


@pytest.mark.parametrize("in_thread", [by_asyncio, by_anyio])
def test_a_thread_of_a_pool_that_serves_all_connections_is_the_apps_own(inbox, in_thread):
    """The first connection hands out its job, and nobody ends it."""
    tasks: list[asyncio.Task[None]] = []
    everybodys = inbox()

    async def consume():
        with contextlib.suppress(asyncio.CancelledError):
            await in_thread(everybodys.get)

    async def handler(websocket):
        await websocket.accept()
        if not tasks:
            tasks.append(asyncio.create_task(consume()))
        with contextlib.suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())

    report = explore(app(handler), **FEW, excuse=["consume"])
    assert report.ok, report.findings


# ---- files that are watched --------------------------------------------------------------------------------------


@pytest.fixture
def pair():
    """Give what makes pairs of sockets, which are closed when the test is over."""
    with contextlib.ExitStack() as stack:

        def make():
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            stack.enter_context(ours)
            stack.enter_context(theirs)
            return ours, theirs

        yield make


def watching(pair, *, removes=False, at_first=False):
    """Return an app that has the loop watch a socket for each connection, or for the first one only."""
    watched: list[socket.socket] = []

    async def handler(websocket):
        await websocket.accept()
        loop = asyncio.get_running_loop()
        if not (at_first and watched):
            ours, theirs = pair()
            watched.append(ours)

            def hear():
                ours.recv(100)

            loop.add_reader(ours, hear)
            theirs.send(b"something")
        with contextlib.suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())
        if removes:
            loop.remove_reader(ours)

    return app(handler)


def test_a_file_of_which_each_session_leaves_one_more_that_is_watched_is_found_at_once(pair):
    """Though nothing else is known of a session that waits for it in vain."""
    watches = watching(pair)
    report = explore(watches, **FEW)
    assert got(report) == ({"each session leaves one more file that is watched for ever: hear (add_reader)"}, {"close"})
    assert report.explored < report.schedules
    assert "because it leaves more and more, for which it is waited in vain" in str(report)
    assert report.unknown[0].why == "waited in real time, in vain, for a file that is watched for hear"
    assert replay(watches, report.broken[0].schedule, closer=True).facts["files_left"] == ["hear"]


@pytest.mark.parametrize("options", [{"removes": True}, {"at_first": True}])
def test_a_file_that_is_watched_no_more_or_serves_all_connections_is_no_fault(pair, options):
    report = explore(watching(pair, **options), **FEW)
    assert report.ok, report.findings


# ---- timers that are threads -------------------------------------------------------------------------------------


@pytest.fixture
def timers():
    """Give what sets a thread's timer anew; all of them stop when the test is over."""
    over = threading.Event()

    def start(seconds, beats):
        def beat():
            beats.append(None)
            if not over.is_set() and len(beats) < 2_000:
                start(seconds, beats)

        timer = threading.Timer(seconds, beat)
        timer.daemon = True
        timer.start()
        return timer

    yield start
    over.set()


def beating(set_off):
    """Return an app for whose connections something is set off."""

    async def handler(websocket):
        await websocket.accept()
        off = set_off()
        with contextlib.suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())
        if off is not None:
            off()

    return app(handler)


def test_a_chain_of_timers_that_are_threads_of_which_each_session_leaves_one_more_is_found(timers):
    beats = beating(lambda: timers(0.05, []) and None)
    report = explore(beats, **FEW)
    words = "each session leaves one more threading.Timer that is set anew for ever: beat"
    assert got(report) == ({words}, {"close"})
    assert replay(beats, report.broken[0].schedule, closer=True).facts["rings_left"] == ["beat"]


def test_a_chain_of_timers_that_serves_all_connections_is_the_apps_own(timers):
    chains: list[threading.Timer] = []

    def set_off():
        if not chains:
            chains.append(timers(0.05, []))

    report = explore(beating(set_off), **FEW)
    assert report.ok, report.findings


def test_a_timer_that_is_a_thread_and_is_cancelled_or_rings_once_is_no_fault(monkeypatch):
    monkeypatch.setattr("hangup.time.elsewhere.PATIENCE", 0.5)

    def kick():
        pass

    started: list[threading.Timer] = []

    def set_off():
        started.append(threading.Timer(30.0, kick))
        started[-1].start()
        return started[-1].cancel

    report = explore(beating(set_off), **FEW)
    assert report.ok, report.findings

    def rings_once():
        started.append(threading.Timer(0.01, kick))
        started[-1].start()

    report = explore(beating(rings_once), **FEW)
    assert report.ok, report.findings


def test_timers_that_are_threads_and_ring_long_after_their_handlers_are_remarks(monkeypatch):
    """What follows when they ring is not known: they wait in real time."""
    monkeypatch.setattr("hangup.time.elsewhere.PATIENCE", 0.5)
    started: list[threading.Timer] = []

    def kick():
        pass

    def set_off():
        started.append(threading.Timer(3_600.0, kick))
        started[-1].daemon = True
        started[-1].start()

    try:
        report = explore(beating(set_off), **FEW)
    finally:
        for timer in started:
            timer.cancel()
    assert report.ok, str(report)
    assert {each.why for each in report.unknown} <= {"waited in real time, in vain, for a threading.Timer (kick)"}
    assert {remark.got for remark in report.remarks} == {
        "each session leaves one more threading.Timer that has yet to ring: kick"
    }


def test_a_chain_of_timers_that_ends_by_itself_is_no_fault():
    """Each rings a few times, as who tries again does."""

    def try_again(times):
        if times:
            timer = threading.Timer(0.02, try_again, (times - 1,))
            timer.start()

    report = explore(beating(lambda: try_again(30)), **FEW)
    assert report.ok, report.findings


def test_what_an_exploration_leaves_watched_is_not_waited_for_by_the_next(pair):
    """The number of a file that is closed may be another one's then."""
    explore(watching(pair), **FEW)
    report = explore(app(echo), **FEW)
    assert report.ok
    assert (report.unknown, report.waited) == ((), ())
