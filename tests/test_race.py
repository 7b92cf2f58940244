"""What a send raises while the app is being told of the end is a race; later it is a mistake."""

import asyncio
import time

import pytest

from hangup.record.current import watch_tasks
from hangup.record.recorder import Recorder
from hangup.time.virtual import VirtualLoop
from helpers.exercises import race


async def raced(between, *, waits=False):
    """Return what was noted of a send that fails when another task has been told, and `between` is over.

    Some other task runs on meanwhile, unless the app `waits` until none does.
    """
    told, over = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        async def reads():
            await receive()
            told.set()

        reader, other = asyncio.ensure_future(reads()), asyncio.ensure_future(over.wait())
        await told.wait()
        if waits:
            over.set()
        await between()
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": ""})
        over.set()
        await asyncio.wait([reader, other])

    async def receive():
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message):
        raise OSError("gone")

    recorder = Recorder(race.racing(app))
    await recorder({"type": "websocket", "path": "/", "headers": []}, receive, send)
    return [str(each) for each in recorder.sessions[0].facts.get("raced", [])]


async def at_once():
    """Wait for nothing."""


async def on_a_busy_machine():
    time.sleep(2 * race.TURNS * race.MOMENT)  # noqa: ASYNC251 - the loop does not turn meanwhile


async def much_later():
    end, turns = time.monotonic() + 2 * race.TURNS * race.MOMENT, 0
    while time.monotonic() < end or turns < 2 * race.TURNS:
        await asyncio.sleep(0)
        turns += 1


@pytest.mark.parametrize(("between", "noted"), [(at_once, ["gone"]), (on_a_busy_machine, ["gone"]), (much_later, [])])
def test_a_send_that_comes_with_the_goodbye_is_noted_however_busy_the_machine_is(between, noted):
    assert asyncio.run(raced(between)) == noted


@pytest.mark.parametrize(("waits", "noted"), [(False, ["gone"]), (True, [])])
def test_what_is_sent_by_one_who_has_waited_for_all_its_tasks_is_not_noted(waits, noted):
    loop = VirtualLoop()
    try:
        with watch_tasks(loop):
            assert loop.run_until_complete(raced(lambda: asyncio.sleep(0), waits=waits)) == noted
    finally:
        loop.close()
