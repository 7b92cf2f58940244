"""An answer that looks at a clock of `time` looks at that of its sessions, whose seconds are virtual."""

import asyncio
import time
from time import monotonic as now

import pytest

from helpers.exercises.cancelled_cleanup import ex3
from helpers.judging.answers import clock_of_its_own, on_virtual_clocks

HOUR = 3600.0


class Waits:
    """A registry that waits until its clock says that the time is over."""

    def clock(self):
        return time.time()

    def __init__(self):
        self.tasks, self.over = set(), False

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.over:
            task.cancel()

    async def drain(self, seconds):
        end = self.clock() + seconds
        while self.tasks and (left := end - self.clock()) > 0:
            await asyncio.wait(list(self.tasks), timeout=left)
        self.over = True
        for task in list(self.tasks):
            task.cancel()
        while self.tasks:
            await asyncio.wait(list(self.tasks))


class ImportsByName(Waits):
    """The same, by a clock that it has imported by name."""

    def clock(self):
        return now()


class ImportsLate(Waits):
    """The same, by a clock that one of its functions imports."""

    def clock(self):
        import time

        return time.monotonic()


@pytest.mark.parametrize("answer", [Waits, ImportsByName])
def test_its_clock_shows_the_seconds_of_its_sessions(answer):
    before = time, now
    assert ex3.check(answer).passed
    assert (time, now) == before


def test_a_clock_that_a_function_imports_leaves_the_verdict_open():
    verdict = ex3.check(ImportsLate)
    assert (verdict.outcome, verdict.rule) == ("not known", "")
    assert "import it at the top" in verdict.headline


def test_outside_a_virtual_loop_a_clock_shows_what_it_showed():
    with on_virtual_clocks(Waits):
        assert abs(time.time() - real()) < HOUR
        assert time.sleep is not None


def real():
    import time

    return time.time()


def test_who_imports_no_clock_has_none_of_its_own():
    def holds():
        import time

        time.sleep(0)

    def names():
        time = asyncio.get_running_loop()
        return time.time() + time.time()

    def clocked():
        from time import perf_counter

        def inner():
            return perf_counter()

        return inner

    assert [bool(clock_of_its_own(each)) for each in (holds, names, real, clocked)] == [False, False, True, True]
