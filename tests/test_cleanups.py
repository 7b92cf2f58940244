"""What lesson 05 cleans up with: writes that are cancelled at each step, a handler that is cancelled twice."""

import asyncio
import gc

import pytest

from hangup import explore
from hangup.servers.script import Expect, Send
from helpers.props.cleanups import AGAIN, App, Audit
from helpers.props.office import Office


@pytest.mark.parametrize(("steps", "rows"), [(1, []), (2, [])])
def test_a_write_that_is_cancelled_early_keeps_no_row(steps, rows):
    async def work():
        audit = Audit()
        task = asyncio.create_task(audit.write(7))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), audit.rows

    assert asyncio.run(work()) == (True, rows)


def test_a_write_that_is_cancelled_at_its_last_step_has_kept_its_row():
    async def work():
        audit = Audit()
        task = asyncio.create_task(audit.write(7))
        while not audit.rows:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), audit.rows

    assert asyncio.run(work()) == (True, [7])


@pytest.mark.parametrize("says", [AGAIN, "hello"])
def test_a_client_may_have_its_handler_cancelled_twice(says):
    counts = set()

    async def handler(websocket):
        cancelled = 0
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        try:
            await websocket.receive_text()
        except asyncio.CancelledError:
            cancelled += 1
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                cancelled += 1
                raise
            raise
        finally:
            counts.add(cancelled)

    explore(make=lambda: App(handler, None), script=(Send(says), Expect(says)), models=["uvicorn"])
    assert max(counts) == (2 if says == AGAIN else 1)


class Forgetful:
    """A registry that holds nothing."""

    def start(self, coroutine):
        asyncio.create_task(coroutine)  # noqa: RUF006 - that is the point

    async def drain(self, seconds):
        await asyncio.sleep(0)


class Holding(Forgetful):
    """A registry that holds everything, for ever."""

    def __init__(self):
        self.tasks = []

    def start(self, coroutine):
        self.tasks.append(asyncio.create_task(coroutine))


@pytest.mark.parametrize(("registry", "collected", "leaks"), [(Forgetful, True, False), (Holding, False, True)])
def test_an_office_knows_who_holds_its_tasks(registry, collected, leaks):
    async def work():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
        office = Office(registry)
        async with office.lifespan(None):
            await asyncio.sleep(0)
        return office.collected, office.leaks

    before = gc.get_freeze_count()
    assert asyncio.run(work()) == (collected, leaks)
    assert gc.get_freeze_count() == before  # Python 3.12 has some of its own
