"""A server loses a message: no answer is blamed for that, and each is judged for what it does itself."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from litestar import websocket_stream

from hangup.servers import sessions
from hangup.servers.sessions import ENDINGS, TRIES, run
from hangup.time.virtual import time_is_virtual
from helpers.exercises import listener_lifespan
from helpers.exercises.listener_lifespan import Reading, readings
from helpers.exercises.start_here import ex1
from support.losing import loses

ONE = len(ENDINGS) + 1
"""How many real sessions a check plays of one script on one server."""


async def shout(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


@websocket_stream("/")
async def measure() -> AsyncGenerator[Reading, None]:
    """The solution of lesson 04, exercise 2: one of its tasks accepts, the other one sends."""
    async for reading in readings():
        yield reading


async def deaf_on_servers(websocket):
    """Is right wherever it is explored, and listens to nobody elsewhere."""
    if time_is_virtual():
        await shout(websocket)
        return
    await websocket.accept()
    await asyncio.Event().wait()


async def takes_turns_on_servers(websocket):
    """Is right wherever it is explored; elsewhere a second reader takes what the first should answer."""
    if time_is_virtual():
        await shout(websocket)
        return

    async def read():
        async for _ in websocket.iter_text():
            pass

    await websocket.accept()
    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        await asyncio.sleep(0)
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())


@pytest.fixture(autouse=True)
def plays(monkeypatch):
    """Count the sessions on real servers, of which there is one."""
    found = []

    async def counted(*arguments, **options):
        found.append(await run(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(sessions, "run", counted)
    for exercise in (ex1, listener_lifespan.ex2):
        monkeypatch.setattr(exercise, "servers", ("uvicorn",))
    return found


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_message_that_is_lost_once_blames_nobody(monkeypatch, plays, direction):
    loses(monkeypatch, direction, 1)
    verdict = ex1.check(shout)
    assert verdict.outcome == "pass", verdict
    assert len(plays) == len(ex1.scripts) * ONE + 1


def test_a_stream_whose_first_reading_is_lost_passes(monkeypatch, plays):
    """What granian does once in some thousands of sessions."""
    loses(monkeypatch, "down", 1)
    verdict = listener_lifespan.ex2.check(measure)
    assert verdict.outcome == "pass", verdict
    assert [bool(each.facts["lost"]) for each in plays[:3]] == [True, False, False]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_what_is_lost_each_time_is_judged(monkeypatch, plays, direction):
    """It may be the answer's own doing; no session more is played than a message can be lost in."""
    loses(monkeypatch, direction)
    verdict = ex1.check(shout)
    assert (verdict.outcome, verdict.rule) == ("fail", "answers_everything")
    assert len([each for each in plays if each.facts["lost"]]) == TRIES


@pytest.mark.parametrize("answer", [deaf_on_servers, takes_turns_on_servers])
def test_who_does_not_answer_what_it_could_hear_is_judged_at_once(plays, answer):
    verdict = ex1.check(answer)
    assert (verdict.outcome, verdict.rule) == ("fail", "answers_everything")
    assert len(plays) == 1
