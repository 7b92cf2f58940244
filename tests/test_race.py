"""What a send raises while the app is being told of the end is a race; later it is a mistake."""

import asyncio
import time

import pytest

from hangup.record.recorder import Recorder
from hangup.time.virtual import VirtualLoop
from helpers.exercises import race

SAYS, CLOSES = {"type": "websocket.send", "text": ""}, {"type": "websocket.close", "code": 1000}


async def raced(between, message=SAYS):
    """Return what was noted of a message that fails when another task has been told, and `between` is over."""
    told = asyncio.Event()

    async def app(scope, receive, send):
        async def reads():
            await receive()
            told.set()

        reader = asyncio.ensure_future(reads())
        await told.wait()
        await between()
        with pytest.raises(OSError, match="gone"):
            await send(message)
        await reader

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
    end = time.monotonic() + 2 * race.TURNS * race.MOMENT
    while time.monotonic() < end:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("between", "noted"), [(at_once, ["gone"]), (on_a_busy_machine, ["gone"]), (much_later, [])])
def test_a_send_that_comes_with_the_goodbye_is_noted_however_busy_the_machine_is(between, noted):
    assert asyncio.run(raced(between)) == noted


@pytest.mark.parametrize(("message", "noted"), [(SAYS, ["gone"]), (CLOSES, [])])
def test_a_close_by_one_who_has_waited_for_the_reader_is_not_noted(message, noted):
    loop = VirtualLoop()
    try:
        assert loop.run_until_complete(raced(lambda: asyncio.sleep(0), message)) == noted
    finally:
        loop.close()
