"""Timers that are threads are counted, and their rings, whatever time the machine takes for each."""

import contextlib
import gc
import sys
import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from hangup.explorer.apps.explore import explore
from hangup.record.evidence import rings
from hangup.record.evidence.rings import Rings, Rung, ring_on, rings_for
from hangup.time.parked import Parked
from support.apps import app


@pytest.fixture
def gate():
    """Give what holds a thread until the test is over."""
    held = threading.Event()
    yield held
    held.set()


class Late(threading.Timer):
    """One that gets no processor before `may` is set."""

    may: threading.Event

    def _bootstrap(self):
        self.may.wait()
        super()._bootstrap()  # type: ignore[misc]


def is_in(thread, *functions):
    """Return whether a thread has called these functions, and is in the last one."""
    frame, called = sys._current_frames().get(thread.ident or 0), []
    while frame is not None:
        called.append(frame.f_code)
        frame = frame.f_back
    return called[:1] == [functions[-1].__code__] and {each.__code__ for each in functions} <= {*called}


def test_a_timer_that_is_about_to_set_the_next_one_is_counted_once(gate):
    reached = threading.Event()

    def beat():
        reached.set()
        gate.wait()

    looked = Rings()
    threading.Timer(0.0, beat).start()
    reached.wait()
    assert looked.look() == ("beat",)
    assert looked.look() == ()
    assert looked.before == {"beat": 1}


def test_a_timer_whose_successor_has_yet_to_get_a_processor_is_counted_once_and_not_taken_for_parked(gate):
    """Both are there: one waits until the other has begun."""

    def beat():
        after = Late(60.0, beat)
        after.daemon, after.may = True, gate
        after.start()
        after.cancel()

    looked, parked = Rings(), Parked()
    ours = {thread.ident or 0 for thread in threading.enumerate()}
    first = threading.Timer(0.0, beat)
    first.start()
    while not is_in(first, threading.Thread.start, threading.Condition.wait):
        pass
    for _ in range(3):
        assert parked.busy(ours) == first.ident
    assert looked.look() == ("beat",)
    assert looked.before == {"beat": 1}


def test_a_timer_with_a_run_of_its_own_that_calls_again_and_again_is_a_thread_like_others():
    class Repeats(threading.Timer):
        def run(self):
            while not self.finished.wait(self.interval):
                self.function()

    class Says(threading.Timer):
        def run(self):
            super().run()

    def kick():
        pass

    assert [rings_for(kind(1.0, kick)) for kind in (threading.Timer, Says, Repeats)] == ["kick", "kick", ""]


def test_no_collector_runs_while_other_threads_are_looked_at(monkeypatch):
    """It may run Python, and let go of the interpreter's lock, in the midst of making another thread's frame."""
    found, enabled = sys._current_frames, []

    def frames():
        enabled.append(gc.isenabled())
        return found()

    def kick():
        pass

    with contextlib.closing(SimpleNamespace(close=(timer := threading.Timer(60.0, kick)).cancel)):
        timer.start()
        monkeypatch.setattr(sys, "_current_frames", frames)
        assert Rings().before["kick"] == 1
        Parked().busy(set())
        assert enabled == [False, False]
    assert gc.isenabled()


class Machine:
    """Has chains of timers, of which each comes `late`: so many seconds after it should."""

    def __init__(self, late, *chains):
        self.now, self.late = 0.0, late
        self.chains = [iter(each) for each in chains]
        self.there: list[tuple[threading.Timer, float] | None] = [None] * len(chains)
        self.pause(0.0)

    def pause(self, seconds):
        self.now += seconds
        for place, chain in enumerate(self.chains):
            there = self.there[place]
            due = self.now if there is None else there[1]
            while due <= self.now and (seconds := next(chain, None)) is not None:
                due += seconds + self.late
                self.there[place] = threading.Timer(seconds, self.pause), due
            if due <= self.now:
                self.there[place] = None

    def seen(self):
        timers = {each[0]: "beat" for each in self.there if each is not None}
        return timers, Counter(timers.values()), Counter(timers.values())


def chain(seconds, times=10_000, factor=1.0):
    return [seconds * factor**each for each in range(times)]


@pytest.mark.parametrize("late", [0.0, 0.04, 0.1], ids=["idle", "busy", "very busy"])
@pytest.mark.parametrize(
    ("chains", "verdict"),
    [
        ([chain(0.05)] * 3, "again"),
        ([chain(0.005)] * 3, "again"),
        ([chain(1.0)] * 3, "again"),
        ([chain(0.05)] * 5, "again"),
        ([chain(0.02, 30)] * 3, "none"),
        ([chain(0.05, 50)] * 3, "none"),
        ([chain(0.05)] + [chain(0.05, 1)] * 2, "none"),
        ([chain(0.02, 20, 2.0)] * 3, "none"),
        ([chain(3_600.0)] * 3, "waiting"),
    ],
)
def test_which_timers_are_set_anew_for_ever_is_the_same_on_a_busy_machine(monkeypatch, late, chains, verdict):
    found: Any = on(monkeypatch, machine := Machine(late, *chains))
    assert found._asdict() == {each: {"beat"} if each == verdict else set() for each in found._fields}
    assert machine.now < rings.REAL


def test_on_a_machine_so_busy_that_nobody_can_tell_it_is_said(monkeypatch):
    assert on(monkeypatch, Machine(2.0, *[chain(0.05)] * 3)) == (set(), set(), {"beat"})


def test_an_app_of_whose_timers_nobody_can_tell_is_not_known(monkeypatch):
    """A later session asks no more."""
    monkeypatch.setattr("hangup.time.elsewhere.PATIENCE", 0.1)
    asked, started = [], []

    def told(names, *_):
        asked.append(names)
        return Rung(set(), set(), names)

    monkeypatch.setattr("hangup.explorer.further.growing.ring_on", told)

    def kick():
        pass

    async def handler(websocket):
        await websocket.accept()
        started.append(threading.Timer(3_600.0, kick))
        started[-1].start()
        with contextlib.suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())

    try:
        report = explore(app(handler), models=["uvicorn"], endings=["close"])
    finally:
        for timer in started:
            timer.cancel()
    assert report.ok
    assert {"the machine is too busy to tell whether it is set anew for ever, threading.Timer: kick"} <= {
        each.why for each in report.unknown
    }
    assert asked == [{"kick"}]


def test_a_timer_that_never_ends_what_it_calls_is_given_up(monkeypatch):
    machine = Machine(10_000.0, *[chain(0.01)] * 3)
    assert on(monkeypatch, machine).again == set()
    assert machine.now < 2 * rings.MOST


def on(monkeypatch, machine):
    """Return what a look for three timers more says on this machine."""
    monkeypatch.setattr(rings, "time", SimpleNamespace(monotonic=lambda: machine.now))
    monkeypatch.setattr(rings, "_seen", machine.seen)
    return ring_on({"beat"}, Counter(), 3, machine.pause)
