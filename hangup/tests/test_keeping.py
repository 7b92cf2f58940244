"""An app that keeps connections that are gone is found, with where it keeps them; one that keeps a few has no leak."""

import asyncio
import collections
import functools

import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.servers.models import EXPLORED
from support.apps import app
from support.reports import found

KEPT = "a connection that is gone is not kept"


def keeping(keep, forget=lambda _: None):
    """Return an app that keeps each connection, and forgets it again unless a send fails."""

    async def raw(scope, receive, send):
        await receive()
        keep(send)
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        forget(send)

    return raw


room: list[object] = []


def test_a_connection_that_stays_in_a_list_is_found_with_the_list():
    report = explore(keeping(room.append, room.remove))
    got = f"who leaves before accept or while the app sends stays reachable: `room`, a list of module {__name__}"
    assert found(report) == {KEPT: {got}}
    assert {each.schedule.partition("/")[0] for each in report.broken} == set(EXPLORED[:3])
    assert report.broken[0].schedule == "uvicorn/close@send#1"
    room.clear()


def test_who_keeps_every_connection_is_found_by_the_undisturbed_sessions_too():
    (got,) = found(explore(keeping(room.append), models=["granian"], endings=["close"], limit=5))[KEPT]
    assert got.startswith("who leaves before accept, while the app sends, while the app receives or at the end stays")
    room.clear()


def test_a_new_app_for_each_session_is_found_to_keep_its_connections_too():
    def make():
        members = []

        async def member(scope, receive, send):
            members.append(send)
            await keeping(lambda _: None)(scope, receive, send)

        return member

    (got,) = found(explore(make=make))[KEPT]
    assert got.endswith("`members`, a list that " + make.__qualname__ + ".<locals>.member() closes over")


def test_a_replay_that_looks_closer_finds_it_and_one_that_does_not_plays_one_session():
    session = replay(keeping(room.append, room.remove), "uvicorn/fin@send#2", closer=True)
    assert session.facts["kept"].startswith("who leaves while the app sends stays reachable: `room`")
    room.clear()
    assert "kept" not in replay(keeping(room.append, room.remove), "uvicorn/fin@send#2").facts
    assert len(room) == 1
    room.clear()


@functools.lru_cache
def seen(_: object) -> bool:
    return True


few: collections.deque[object] = collections.deque(maxlen=40)


@pytest.mark.parametrize("keep", [few.append, seen])
def test_who_keeps_no_more_than_so_many_has_no_leak(keep):
    assert explore(keeping(keep)).ok


def test_a_timer_and_an_exception_keep_no_connection_for_good():
    errors = []

    async def handler(websocket):
        await websocket.accept()
        asyncio.get_running_loop().call_later(25, id, websocket)
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except Exception as error:
            errors.append(error)

    assert explore(app(handler)).ok
