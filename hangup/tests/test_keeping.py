"""An app that keeps connections that are gone is found, with where it keeps them; one that keeps a few has no leak."""

import asyncio
import collections
import functools
import threading

import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.record.evidence.kept import holder
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


def with_janitor():
    """Return an app that keeps a connection whose send fails, and a task that its first session starts to clean up."""
    gone: list[object] = []
    janitors: list[asyncio.Task[None]] = []

    async def clean():
        while True:
            await asyncio.sleep(20)
            gone.clear()

    async def raw(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for janitor in janitors:
                janitor.cancel()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if not janitors:
            janitors.append(asyncio.create_task(clean()))
        await keeping(gone.append, gone.remove)(scope, receive, send)

    return raw


@pytest.mark.parametrize(
    ("anew", "lifespan", "excuse"),
    [(False, False, ()), (False, True, ()), (False, False, ("clean",)), (True, True, ()), (True, False, ("clean",))],
)
def test_what_a_task_would_clean_up_that_was_stopped_with_its_session_is_not_known(anew, lifespan, excuse):
    same = with_janitor()
    report = explore(make=with_janitor if anew else lambda: same, lifespan=lifespan, excuse=excuse, endings=["close"])
    assert KEPT not in found(report)
    assert [rule for rule, verdict in report.verdicts.items() if verdict == "not known"] == [KEPT]
    (unknown,) = report.unknown
    assert unknown.rule == KEPT
    assert "a task that was stopped when its session was over (clean) might let go of it" in unknown.why
    assert "? of 1 rule that did not break it is not known whether it holds" in str(report)


def test_a_task_of_the_lifespan_might_let_go_of_a_connection_in_time():
    gone: list[object] = []

    async def clean():
        await asyncio.sleep(60)
        gone.clear()

    async def cleaned(scope, receive, send):
        if scope["type"] != "lifespan":
            await keeping(gone.append, gone.remove)(scope, receive, send)
            return
        await receive()
        janitor = asyncio.create_task(clean())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        janitor.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    report = explore(cleaned, lifespan=True, endings=["close"])
    assert KEPT not in found(report)
    (why,) = (each.why for each in report.unknown if each.rule == KEPT)
    assert "a task that was stopped when its session was over (clean) might let go of it" in why


class Proxy:
    """Stands for something that there is in a request only, and raises whatever it is asked for at other times."""

    def __getattribute__(self, name):
        raise LookupError(f"there is no {name} outside of a request")


pairs: list[tuple[object, Proxy]] = []


def test_a_proxy_that_raises_whatever_it_is_asked_for_is_not_asked():
    def forget(send):
        pairs[:] = [each for each in pairs if each[0] is not send]

    report = explore(keeping(lambda send: pairs.append((send, Proxy())), forget), endings=["close"])
    (got,) = found(report)[KEPT]
    assert f"`pairs`, a list of module {__name__}" in got
    pairs.clear()


# ---- what lasts as long as the lifespan ------------------------------------------------------------------------------


def lasting(join, leave, *, sweep=None):
    """Return an app with a list that lives as long as its lifespan, in its state."""

    async def raw(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            members: list[object] = []
            scope["state"]["members"] = members
            task = asyncio.create_task(sweep(members)) if sweep else None
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if task:
                task.cancel()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        members = scope["state"]["members"]
        join(members, send)
        try:
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
        except OSError:
            pass
        leave(members, send)

    return raw


async def stands_by(_members):
    await asyncio.Event().wait()


async def sweeps(members):
    while True:
        await asyncio.sleep(60)
        members.clear()


def enters(members, send):
    members.append(send)


def enters_a_full_room(members, send):
    members[:] = [*members[-20:], send]


def stays(_members, _send):
    """Let the connection stay where it is."""


@pytest.mark.parametrize("sweep", [None, stands_by])
def test_what_is_kept_until_the_lifespan_ends_is_found(sweep):
    broken = lasting(enters, stays, sweep=sweep)
    report = explore(broken, lifespan=True)
    (got,) = found(report)[KEPT]
    assert got.endswith("stays reachable: `members`, a list in the state of its lifespan")
    assert not report.unknown
    session = replay(broken, report.broken[0].schedule, lifespan=True, closer=True)
    assert session.facts["kept"].endswith("`members`, a list in the state of its lifespan")


@pytest.mark.parametrize(
    ("join", "leave", "sweep"),
    [(enters, list.remove, None), (enters, stays, sweeps), (enters_a_full_room, stays, None)],
)
def test_who_lets_go_while_the_lifespan_lasts_keeps_nothing(join, leave, sweep):
    report = explore(lasting(join, leave, sweep=sweep), lifespan=True)
    assert report.ok


def test_who_stays_beside_client_a_is_not_said_to_leave_when_that_does():
    kept = []

    async def forgets_who_never_spoke(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            kept.append(send)
            await send({"type": "websocket.send", "text": message["text"]})

    (got,) = found(explore(forgets_who_never_spoke, models=["uvicorn"], beside=True))[KEPT]
    assert "before accept" not in got
    assert got.startswith("who leaves at the end")


def test_each_schedule_is_judged_when_there_are_more_than_are_played_at_a_time(monkeypatch):
    monkeypatch.setattr("hangup.explorer.keeping.FEW", 3)
    report = explore(keeping(room.append), endings=["close"])
    assert len(report.broken) == report.explored
    room.clear()


# ---- what runs in real time --------------------------------------------------------------------------------------


class Held:
    """Something of which it is asked who holds it."""


timers: dict[str, threading.Timer] = {}


def test_what_a_thread_holds_while_it_runs_is_not_kept():
    """A timer that has yet to ring lets go then, wherever it stands; one that is over holds it for good."""
    held, over = Held(), threading.Event()
    timer = timers["held"] = threading.Timer(3_600, print, [held])
    timer.daemon = True
    thread = threading.Thread(target=lambda: (over.wait(), held))
    for each in (timer, thread):
        each.start()
    try:
        assert holder(held, object(), (held,)) is None
        room.append(held)
        assert getattr(holder(held, object(), (held,)), "words", "") == f"`room`, a list of module {__name__}"
    finally:
        room.clear()
        over.set()
        timer.cancel()
        for each in (timer, thread):
            each.join()
    assert getattr(holder(held, object(), (held,)), "words", "") == f"`timers`, a dict of module {__name__}"
    timers.clear()


def test_who_is_let_go_when_a_timer_rings_in_real_time_is_not_accused_of_being_kept(monkeypatch):
    """It rings in an hour, for which nobody waits: of that exploration not all is known."""
    monkeypatch.setattr("hangup.time.elsewhere.PATIENCE", 0.02)
    monkeypatch.setattr("hangup.time.elsewhere.AGAIN", 0.001)
    forgotten: list[object] = []

    async def leaving(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass
        timer = threading.Timer(3_600, forgotten.append, [send])
        rings.append(timer)
        timer.daemon = True
        timer.start()

    rings: list[threading.Timer] = []
    try:
        report = explore(leaving, ["hello"], models=["granian"], endings=["close"], limit=1)
    finally:
        for timer in rings:
            timer.cancel()
    assert KEPT not in found(report)
    assert report.remarks or report.unknown


def test_what_an_app_keeps_is_found_though_a_thread_has_it_too():
    mine: list[object] = []
    thread = threading.Timer(3_600, print, mine)
    thread.daemon = True

    def keep(send):
        room.append(send)
        mine.append(send)

    thread.start()
    try:
        (got,) = found(explore(keeping(keep), models=["granian"], endings=["close"]))[KEPT]
    finally:
        thread.cancel()
        thread.join()
        room.clear()
    assert got.endswith(f"`room`, a list of module {__name__}")
