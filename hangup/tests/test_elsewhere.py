"""Virtual time waits, really, for threads and sockets; what never comes is not known, and accuses nobody."""

import asyncio
import os
import pathlib
import queue
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from selectors import EVENT_READ, SelectorKey
from typing import Any

import anyio.to_thread
import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.further import costly
from hangup.time import elsewhere
from hangup.time.elsewhere import _listens
from hangup.time.parked import Parked

FEW: dict[str, Any] = {"models": ["uvicorn", "granian"], "endings": ["close", "reset", "cancel"]}
POOL = ThreadPoolExecutor(1, thread_name_prefix="reports")
ASKED: "queue.SimpleQueue[tuple[asyncio.Future[str], str]]" = queue.SimpleQueue()


def slowly(text: str) -> str:
    """Look something up, for longer than a loop would poll."""
    time.sleep(0.03)
    return text


def answering(answer):
    """Return an app that answers each message with what `answer` returns for it."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            text = await answer(message["text"])
            try:
                await send({"type": "websocket.send", "text": text})
            except OSError:
                return

    return app


async def by_anyio(text):
    return await anyio.to_thread.run_sync(slowly, text)


async def by_asyncio(text):
    return await asyncio.to_thread(slowly, text)


async def by_a_pool(text):
    return await asyncio.get_running_loop().run_in_executor(POOL, slowly, text)


async def by_a_wrapped_future(text):
    return await asyncio.wrap_future(POOL.submit(slowly, text))


def serve_the_queue():
    while True:
        future, text = ASKED.get()
        slowly(text)
        future.get_loop().call_soon_threadsafe(deliver, future, text)


def deliver(future, text):
    if not future.done():
        future.set_result(text)


async def by_a_thread_with_a_queue(text):
    future = asyncio.get_running_loop().create_future()
    ASKED.put((future, text))
    return await future


async def by_a_new_thread(text):
    loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    work = lambda: loop.call_soon_threadsafe(future.set_result, slowly(text))  # noqa: E731
    threading.Thread(target=work).start()
    return await asyncio.shield(future)


@pytest.fixture(scope="module", autouse=True)
def worker():
    """Let a thread serve the queue for as long as the process lives, as a driver's thread does."""
    threading.Thread(target=serve_the_queue, daemon=True, name="driver").start()
    yield
    POOL.shutdown()


@pytest.mark.parametrize(
    "answer",
    [by_anyio, by_asyncio, by_a_pool, by_a_wrapped_future, by_a_thread_with_a_queue, by_a_new_thread],
    ids=lambda answer: answer.__name__,
)
def test_a_thread_that_takes_its_time_is_waited_for_each_time(answer):
    app = answering(answer)
    first, second = explore(app, **FEW), explore(app, **FEW)
    assert first.ok, str(first)
    assert (first, first.unknown) == (second, ())
    assert "waited in real time for threads" in str(first)
    assert replay(app, "uvicorn/close@end").facts["unanswered"] == []


def test_a_thread_that_works_still_for_somebody_before_is_waited_for_too():
    """It has no queue in its frames then; but it was seen at one."""
    app, loop = answering(by_a_thread_with_a_queue), asyncio.new_event_loop()
    assert explore(app, **FEW).ok
    ASKED.put((loop.create_future(), "what nobody waits for"))
    while not ASKED.empty():
        time.sleep(0.001)
    report = explore(app, **FEW)
    loop.close()
    assert report.ok, str(report)
    assert "waited in real time for threads" in str(report)


class Upper(threading.Thread):
    """A server of lines on loopback, on a loop of its own; it takes its time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.port = 0
        self.ready = threading.Event()
        self.open = {}

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self.answer, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.over.wait()
            for _ in range(3):  # a server of Python 3.11 that closes while it lets somebody in leaves the socket open
                await asyncio.sleep(0)
        while asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self.open.values():  # it may be over before it has heard of a client, or of its end
                writer.close()
            await asyncio.sleep(0)

    async def answer(self, reader, writer):
        task = asyncio.current_task()
        assert task is not None
        self.open[task] = writer
        task.add_done_callback(self.open.pop)
        try:
            while line := await reader.readline():
                await asyncio.sleep(0.02)
                writer.write(line.upper())
        except OSError:
            return
        finally:
            writer.close()


@pytest.fixture
def upper():
    """Run that server."""
    thread = Upper()
    thread.start()
    thread.ready.wait()
    yield thread
    thread.loop.call_soon_threadsafe(thread.over.set)
    thread.join()


def test_a_reply_that_is_on_its_way_through_a_socket_is_waited_for(upper):
    async def app(scope, receive, send):
        await receive()
        reader, writer = await asyncio.open_connection("127.0.0.1", upper.port)
        try:
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                async with asyncio.timeout(3):
                    writer.write(f"{message['text']}\n".encode())
                    text = (await reader.readline()).decode()
                await send({"type": "websocket.send", "text": text})
        except OSError:
            return
        finally:
            writer.close()

    report = explore(app, **FEW)
    assert report.ok, str(report)
    assert "waited in real time for sockets" in str(report)


def test_an_idle_connection_costs_no_real_time(upper):
    """A pool keeps a connection open, on which nobody waits for an answer: time may pass."""

    async def app(scope, receive, send):
        await receive()
        _, writer = await asyncio.open_connection("127.0.0.1", upper.port)
        await send({"type": "websocket.accept"})
        try:
            await asyncio.sleep(3600)
        finally:
            writer.close()

    session = replay(app, "uvicorn/close@end")
    assert "unknown" not in session.facts


def test_a_thread_that_delivers_nothing_is_not_known_and_accuses_nobody(monkeypatch):
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.1)
    monkeypatch.setattr(elsewhere, "AGAIN", 0.01)
    over = threading.Event()

    async def never(text):
        return await asyncio.to_thread(over.wait, 60)

    try:
        report = explore(answering(never), models=["uvicorn"], endings=["close"])
    finally:
        over.set()
    assert report.ok
    assert {each.why.partition(", ")[0] for each in report.unknown} == {"waited in real time"}
    assert "not known: waited in real time, in vain, for Event.wait in a thread" in str(report)


def test_sockets_that_brought_nothing_before_are_given_up_together(monkeypatch):
    """Each session may leave one more: to look at each by itself again would cost the square of them."""
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.0)
    monkeypatch.setattr(elsewhere, "AGAIN", 0.0)
    pairs = [socket.socketpair() for _ in range(9)]
    keys = [SelectorKey(ours, ours.fileno(), EVENT_READ, None) for ours, _ in pairs]
    waits, looks = elsewhere.Elsewhere(), []

    def select(seconds):
        looks.append(seconds)
        return []

    try:
        waits.wait(select, lambda: keys)
        first = len(looks)
        waits.begin_session()
        waits.wait(select, lambda: keys)
        assert len(looks) - first < len(keys) <= first  # a thread of another test's may cost a look, too
        assert "the socket at " in waits.in_vain
        assert " more" in waits.in_vain
    finally:
        for ours, theirs in pairs:
            ours.close()
            theirs.close()


def test_a_thread_that_waits_for_the_app_does_not_hold_the_time():
    """Nothing but a timer of the app lets the thread go on."""

    async def told_later(text):
        inbox: queue.Queue[str] = queue.Queue()
        asyncio.get_running_loop().call_later(2, inbox.put, text)
        return await asyncio.to_thread(inbox.get)

    report = explore(answering(told_later), models=["uvicorn"], endings=["close"])
    assert (report.ok, report.unknown) == (True, ()), str(report)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell whether a thread sleeps")
def test_a_thread_with_the_ident_of_one_that_was_there_before_is_none_of_those():
    """A new thread's timer was taken for one that watches something beside the app, and what it sets never came."""
    before, now = threading.Event(), threading.Event()
    old = threading.Thread(target=before.wait, args=(600,), daemon=True)
    old.start()
    parked, ours = Parked(), {threading.get_ident()}
    parked.take_for_parked()
    before.set()
    old.join()
    new = threading.Thread(target=now.wait, args=(600,), daemon=True)
    new.start()
    parked._first[new.ident or 0] = parked._first[old.ident or 0]  # as where the system gives it the same ident
    others = {each.ident or 0 for each in threading.enumerate()} - {new.ident}
    assert parked.busy(ours | others) == new.ident
    now.set()
    new.join()


def test_a_thread_that_has_run_since_it_was_last_looked_at_is_not_parked():
    """One that was told to end a moment ago may still be where it waited: it is no thread left behind."""
    go_on, went_on = threading.Semaphore(0), threading.Semaphore(0)
    ends: list[bool] = []

    def waits():
        while not ends:
            go_on.acquire()
            went_on.release()

    thread = threading.Thread(target=waits, daemon=True)
    thread.start()
    parked = Parked()
    looks = []
    for _ in range(3):
        go_on.release()
        went_on.acquire()
        looks.append(parked.is_parked(thread))
    ends.append(True)
    go_on.release()
    thread.join()
    assert looks == [False] * 3
    assert parked.is_parked(thread)  # there is none any more


def test_an_app_that_leaves_a_thread_in_each_session_is_not_explored_to_the_end(monkeypatch):
    """Threads stay for good, in a notebook's kernel too; the report says that it has stopped for that."""
    monkeypatch.setattr(costly, "THREADS_AT_MOST", 5)
    over, threads = threading.Event(), []

    async def app(scope, receive, send):
        await receive()
        threads.append(threading.Thread(target=over.wait, daemon=True))
        threads[-1].start()
        await send({"type": "websocket.close"})

    try:
        report = explore(app, (), beside=False, **FEW)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(report.schedules_breaking("no thread of the handler runs on when the handler has ended")) == 5
    assert 5 <= report.explored < report.schedules
    assert "because it leaves more and more threads" in str(report)


OPEN = pathlib.Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN.is_dir(), reason="a system that does not list its open files")
def test_whoever_looks_at_a_pipe_leaves_no_file_open():
    """A subprocess has three: with each look one more was left, until there were too many."""
    ours, theirs = os.pipe()
    before = len(list(OPEN.iterdir()))
    for _ in range(5):
        assert not _listens(ours)
    assert len(list(OPEN.iterdir())) == before
    os.close(ours)
    os.close(theirs)
    assert not _listens(ours)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert _listens(server.fileno())
