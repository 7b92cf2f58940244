"""The endings that are tried when they are asked for: what each finds, in small apps, and what it remarks."""

import asyncio
import contextlib
import json
import threading
import time
from typing import Any

import anyio
import pytest

from hangup import Expect, Leave, Send, explore, replay
from hangup.explorer.apps.schedules import EVERY, Schedule
from hangup.explorer.further.held import LONG
from hangup.servers.models import FURTHER
from hangup.servers.script import Script
from support.apps import app, echo

MORE = (*FURTHER, "cancel-twice")
A_STOPS_B_GOES_ON: Script = [
    Send("hi"),
    Expect(),
    Leave(),
    Send("there?", by="b"),
    Expect("there?", by="b"),
]


def said(report) -> list[str]:
    """Return the remarks of a report, each once."""
    return list(dict.fromkeys(remark.got for remark in report.remarks))


def rules(report) -> set[str]:
    return {broken.rule for broken in report.broken}


# ---- sound apps -----------------------------------------------------------------------------------------------------


async def greets(websocket):
    """Listens with a limit of its own, and answers."""
    await websocket.accept()
    try:
        while True:
            async with asyncio.timeout(90):
                text = await websocket.receive_text()
            await websocket.send_text(text)
    except Exception:
        return


async def ticks_beside_its_work(websocket):
    """Has a task of its own beside the reading, in a group."""
    await websocket.accept()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        async for text in websocket.iter_text():
            await websocket.send_text(text)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("handler", [echo, greets, ticks_beside_its_work])
@pytest.mark.parametrize("ending", [ending for ending in MORE if ending != "closing"])
def test_a_sound_app_is_sound_in_every_further_ending(handler, ending):
    report = explore(app(handler), endings=[ending])
    assert report.ok, str(report)
    assert report.explored >= 3


def test_the_further_endings_are_tried_when_they_are_asked_for_only():
    usual, all_of_them = explore(app(echo), limit=5), explore(app(echo), endings=EVERY)
    assert usual.untried == MORE
    assert not usual.remarks
    assert all_of_them.untried == ()
    assert {name.partition("/")[2].partition("@")[0] for name, _ in all_of_them.how} == set(EVERY)


@pytest.mark.parametrize("ending", MORE)
def test_a_further_ending_gives_the_same_report_twice_and_in_a_replay(ending):
    first, second = (explore(app(echo), endings=[ending]) for _ in range(2))
    assert (first, str(first)) == (second, str(second))
    for name, ended in first.how[::4]:
        assert replay(app(echo), name).ended == ended


@pytest.mark.parametrize("name", ["granian/silence@receive#2", "uvicorn/cancel-twice@await#3", "hypercorn/idle@end"])
def test_a_schedule_of_a_further_ending_has_a_name_that_gives_it_back(name):
    assert str(Schedule.parse(name)) == name


# ---- a peer that is silent ------------------------------------------------------------------------------------------


def test_of_a_silent_peer_the_report_says_who_is_told_and_when_and_who_never_is():
    report = explore(app(echo), endings=["silence"])
    assert said(report) == [
        "uvicorn tells the app 1005, 40 s after its peer fell silent",
        "uvicorn-websockets tells the app 1006, 50 s after its peer fell silent",
        "uvicorn-wsproto tells the app 1005, 40 s after its peer fell silent",
        "granian never tells the app that its peer has fallen silent",
        "hypercorn never tells the app that its peer has fallen silent",
    ]


def test_an_app_that_ends_by_itself_needs_nobody_to_tell_it():
    assert "granian never tells the app that its peer has fallen silent; the app ends by itself" in said(
        explore(app(greets), endings=["silence"])
    )


def test_an_app_that_is_told_of_a_silent_peer_and_does_not_end_is_blamed():
    async def stays(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)
        await asyncio.Event().wait()

    report = explore(app(stays), endings=["silence"])
    assert rules(report) == {"the handler ends when the peer leaves"}
    silent = [broken.schedule for broken in report.broken if "/silence@" in broken.schedule]
    assert {schedule.partition("/")[0] for schedule in silent} == {
        "uvicorn",
        "uvicorn-websockets",
        "uvicorn-wsproto",
    }


# ---- a message above the limit, and a proxy that waits --------------------------------------------------------------


def test_of_a_message_above_the_limit_the_report_says_what_app_and_client_are_told():
    assert said(explore(app(echo), endings=["too-big"])) == [
        "a message above the limit: uvicorn tells the app 1009, and the client 1009",
        "a message above the limit: uvicorn-websockets tells the app 1006 after 10 s, and the client 1009",
        "a message above the limit: uvicorn-wsproto tells the app 1009, and the client 1009",
        "a message above the limit: granian tells the app 1005, and the client 1005",
        "a message above the limit: hypercorn tells the app 1006, and the client 1009",
    ]


def test_behind_a_proxy_with_an_idle_limit_the_servers_that_do_not_ping_are_cut():
    before = "behind a proxy with an idle limit of 60 s: "
    assert said(explore(app(echo), endings=["idle"], models=["uvicorn", "granian", "hypercorn"])) == [
        f"{before}open, uvicorn pings every 20 s",
        f"{before}cut on granian, which sends no pings; the app is told 1005",
        f"{before}cut on hypercorn, which sends no pings; the app is told 1006",
    ]


def test_an_app_with_a_heartbeat_of_its_own_is_not_cut():
    async def beats(websocket):
        await websocket.accept()

        async def beat():
            while True:
                await asyncio.sleep(25)
                await websocket.send_text("ping")

        beating = asyncio.create_task(beat())
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        finally:
            beating.cancel()

    report = explore(app(beats), endings=["idle"], models=["granian"])
    assert said(report) == [
        "behind a proxy with an idle limit of 60 s: open on granian, what the app sends keeps it so"
    ]


# ---- a peer that does not read --------------------------------------------------------------------------------------


def room(send_to):
    """Return a chat room whose messages `send_to` sends."""
    members = []

    async def handler(websocket):
        await websocket.accept()
        members.append(websocket)
        try:
            async for text in websocket.iter_text():
                for member in members:
                    await send_to(member, text)
        except Exception:
            return
        finally:
            members.remove(websocket)

    return app(handler)


async def and_waits(member, text):
    await member.send_text(text)


async def for_a_second(member, text):
    try:
        async with asyncio.timeout(1):
            await member.send_text(text)
    except (TimeoutError, OSError):
        pass


def test_a_member_who_does_not_read_keeps_the_others_waiting():
    report = explore(room(and_waits), A_STOPS_B_GOES_ON, endings=["unread"])
    assert rules(report) == {"while the peer is there, every message gets its answer"}
    assert {broken.client for broken in report.broken} == {"b"}
    assert "b waits while the app sends to a, who does not read" in said(report)
    session = replay(room(and_waits), report.broken[0].schedule, A_STOPS_B_GOES_ON)
    assert "client a: stops reading" in [str(event) for event in session.trace]


def test_a_room_that_gives_each_member_a_second_keeps_nobody_waiting():
    report = explore(room(for_a_second), A_STOPS_B_GOES_ON, endings=["unread"])
    assert report.ok, str(report)
    assert said(report) == [
        "send() waits for a peer that does not read, for as long as it is there; no server tells the app"
    ]


# ---- states of some servers -----------------------------------------------------------------------------------------


async def welcomes(websocket):
    """Greets whoever comes."""
    await websocket.accept()
    await websocket.send_text("welcome")
    async for _ in websocket.iter_text():
        pass


def test_a_greeting_raises_what_is_no_oserror_while_the_connection_is_closing():
    report = explore(app(welcomes), [Expect()], endings=["closing"])
    assert {name.partition("/")[0] for name, _ in report.how} == {"uvicorn", "uvicorn-wsproto"}
    session = replay(app(welcomes), "uvicorn/closing@send#1", [Expect()])
    assert (session.ended, str(session.error)[:45]) == ("raised", "Expected ASGI message 'websocket.accept', 'we")
    assert not isinstance(session.error, OSError)


def test_a_client_that_is_gone_before_the_app_is_called_has_no_address():
    async def logs_where_from(websocket):
        host = websocket.client.host
        await websocket.accept()
        async for _ in websocket.iter_text():
            await websocket.send_text(host)

    report = explore(app(logs_where_from), endings=["early"])
    assert {broken.got for broken in report.broken} == {"AttributeError: 'NoneType' object has no attribute 'host'"}
    assert {broken.schedule for broken in report.broken} == {
        "uvicorn/early@receive#1",
        "uvicorn-websockets/early@receive#1",
        "uvicorn-wsproto/early@receive#1",
    }


def test_two_readers_are_one_too_many_for_one_server():
    async def reads_twice(websocket):
        await websocket.accept()
        readers = [asyncio.create_task(websocket.receive()) for _ in range(2)]
        await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers)

    report = explore(app(reads_twice), [], endings=["close"])
    reader = "RuntimeError: cannot call recv while another coroutine is already waiting for the next message"
    blamed = {broken.schedule.partition("/")[0] for broken in report.broken if broken.got == reader}
    assert blamed == {"uvicorn-websockets"}


# ---- cancelled twice ------------------------------------------------------------------------------------------------


def test_a_cleanup_that_awaits_is_cut_short_by_a_second_cancellation():
    taken = []

    async def gives_back_slowly(websocket):
        await websocket.accept()
        taken.append(websocket)
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        finally:
            await asyncio.sleep(0.1)
            taken.remove(websocket)

    replay(app(gives_back_slowly), "uvicorn/cancel@await#4")
    assert len(taken) == 0
    replay(app(gives_back_slowly), "granian/cancel-twice@await#4")
    assert len(taken) == 1


def test_an_app_is_cancelled_twice_on_every_model():
    report = explore(app(echo), endings=["cancel-twice"])
    assert len({name.partition("/")[0] for name, _ in report.how}) == 5
    assert (report.ok, report.unfired) == (True, 0)


def cleaning(clean_up):
    async def handler(websocket):
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        finally:
            await clean_up()

    return app(handler)


async def slowly():
    await asyncio.sleep(0.1)


async def shielded():
    cleaning = asyncio.ensure_future(asyncio.sleep(0.1))
    for _ in range(3):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(cleaning)
            return


async def at_once():
    pass


def test_where_a_second_cancellation_cuts_a_cleanup_is_said_and_accuses_nobody():
    """Whether it matters is not known: only who knows the app can say what is left undone."""
    report = explore(cleaning(slowly), endings=["cancel-twice"], models=["uvicorn"])
    assert report.ok
    said = "cancelled again while it cleans up, the handler ends at `await asyncio.sleep(0.1)` (line "
    assert [each.got[: len(said)] for each in report.remarks] == [said] * len(report.remarks) != []
    assert all(each.got.endswith("what that leaves undone is not known") for each in report.remarks)
    for goes_on in (shielded, at_once):
        assert not explore(cleaning(goes_on), endings=["cancel-twice"], models=["uvicorn"]).remarks
    assert not explore(cleaning(slowly), endings=["cancel"], models=["uvicorn"]).remarks


def test_where_an_invariant_says_what_is_left_undone_nothing_else_does():
    report = explore(cleaning(slowly), endings=["cancel-twice"], models=["uvicorn"], invariant=lambda _: None)
    assert (report.ok, report.remarks) == (True, ())


# ---- the lifespan's end ---------------------------------------------------------------------------------------------


def with_goodbye(*, forgets: bool = True, says: bool = True):
    """Return an app that says goodbye at lifespan.shutdown, to those whom it has not forgotten."""
    clients: set[Any] = set()

    async def serve(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for each in list(clients) if says else ():
                try:
                    await each({"type": "websocket.send", "text": "we go"})
                except Exception:
                    clients.discard(each)
            clients.clear()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        clients.add(send)
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.send", "text": message["text"]})
        finally:
            if forgets:
                clients.discard(send)

    return serve


NOBODY = "at lifespan.shutdown nobody is left to be told: what the app sends then goes nowhere"


@pytest.mark.parametrize("forgets", [False, True])
def test_at_lifespan_shutdown_nobody_is_left_to_be_told(forgets):
    app = with_goodbye(forgets=forgets)
    for _ in range(2):
        report = explore(app, endings=["shutdown"], lifespan=True, models=["uvicorn"])
        assert said(report) == [NOBODY]
        assert report.ok, str(report)


@pytest.mark.parametrize("handler", [with_goodbye(says=False), app(echo)])
def test_an_app_that_sends_nothing_at_shutdown_is_told_nothing(handler):
    assert said(explore(handler, endings=["shutdown"], lifespan=True)) == []


def test_what_a_handler_sends_by_itself_while_the_lifespan_ends_is_no_goodbye():
    async def ticks(websocket):
        await websocket.accept()
        try:
            while True:
                await websocket.send_text("tick")
                async with asyncio.timeout(1):
                    await websocket.receive_text()
        except TimeoutError:
            await ticks_on(websocket)

    async def ticks_on(websocket):
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(1)

    slow = with_lifespan(app(ticks))
    assert NOBODY not in said(explore(slow, [Expect()], endings=["shutdown"], lifespan=True, models=["uvicorn"]))


async def clock(clients):
    """Tell everybody for ever."""
    while True:
        await asyncio.sleep(1)
        for each in list(clients):
            with contextlib.suppress(Exception):
                await each({"type": "websocket.send", "text": "tick"})


def with_clock(*, stops: bool):
    """Return an app whose lifespan has a clock that tells everybody; where it does not stop, a handler has left it."""
    clients: dict[Any, None] = {}
    clocks: list[asyncio.Task[None]] = []

    async def serve(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            if stops:
                clocks.append(asyncio.create_task(clock(clients)))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for each in clocks if stops else ():
                each.cancel()
            await asyncio.wait(clocks[-1:], timeout=3)
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        clients[send] = None
        if not stops:
            clocks.append(asyncio.create_task(clock(clients)))
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            if stops:
                del clients[send]

    return serve


def test_what_is_said_to_all_while_they_are_there_is_no_goodbye():
    report = explore(with_clock(stops=True), [Expect("tick"), Expect("tick")], endings=["shutdown"], lifespan=True)
    assert report.ok, str(report)
    assert NOBODY not in said(report)


def test_a_task_that_a_handler_has_left_says_no_goodbye():
    report = explore(with_clock(stops=False), [Expect("tick")], endings=["shutdown"], lifespan=True, models=["uvicorn"])
    assert "still running when the app has shut down: clock" in {each.got for each in report.broken}
    assert NOBODY not in said(report)


def with_lifespan(inner):
    """Return an app whose lifespan takes some time to end."""

    async def serve(scope, receive, send):
        if scope["type"] != "lifespan":
            await inner(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(5)
        await send({"type": "lifespan.shutdown.complete"})

    return serve


# ---- who holds the event loop ---------------------------------------------------------------------------------------

HOLDS = "the handler does not hold the event loop"


def works(work):
    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            work()
            await websocket.send_text(text)

    return app(handler)


def sleeps():
    time.sleep(2.5 * LONG)


def computes():
    end = time.thread_time() + 3 * LONG
    while time.thread_time() < end:
        json.dumps(list(range(500)))


def test_who_sleeps_on_the_event_loop_is_named_with_the_line():
    report = explore(works(sleeps), endings=["close"], models=["uvicorn"])
    assert [broken.rule for broken in report.broken] == [HOLDS]
    assert "s: test_further_endings.py, line " in report.broken[0].got
    assert report.broken[0].got.endswith("in sleeps: time.sleep(2.5 * LONG)")
    assert replay(works(sleeps), report.broken[0].schedule).facts["held_for"] == report.broken[0].got


def test_a_probe_sees_what_its_own_session_has_left_and_nothing_of_those_that_are_measured():
    """A session that takes long, on a busy machine any, is played again, but not where facts refer to the app."""
    played: list[object] = []

    def noted():
        played.append(None)
        sleeps()

    def probe(_, session):
        session.facts["played"] = played

    assert replay(works(noted), "uvicorn/close@end", probe=probe).facts["played"] == [None]
    assert "held_for" in replay(works(noted), "uvicorn/close@end").facts


def test_what_only_waits_for_a_processor_does_not_hold_the_loop(monkeypatch):
    """As on a busy machine, where a step of 4 ms takes 20 and more each time."""

    @contextlib.contextmanager
    def waiting(thread):
        yield time.perf_counter

    monkeypatch.setattr("hangup.explorer.further.held.waiting_of", waiting)
    assert explore(works(sleeps), endings=["close"], models=["uvicorn"]).ok


def test_who_takes_long_to_start_and_to_shut_down_holds_nobody_up():
    async def slow_to_start(scope, receive, send):
        if scope["type"] != "lifespan":
            await works(lambda: None)(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            await receive()
            sleeps()
            await send({"type": f"lifespan.{word}.complete"})

    assert explore(slow_to_start, endings=["close"], models=["uvicorn"], lifespan=True).ok


def test_who_computes_on_the_event_loop_is_named_with_the_line():
    report = explore(works(computes), endings=["close"], models=["uvicorn"])
    assert [broken.rule for broken in report.broken] == [HOLDS]
    assert "in computes: " in report.broken[0].got


def test_who_works_once_for_long_does_not_hold_the_loop_again_and_again():
    first = iter([0.2])

    def loads_once():
        time.sleep(next(first, 0.0))

    assert explore(works(loads_once), endings=["close"], models=["uvicorn"]).ok


def test_who_works_in_a_thread_does_not_hold_the_loop():
    async def in_a_thread(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await asyncio.to_thread(threading.Event().wait, 2 * LONG)
            await websocket.send_text(text)

    report = explore(app(in_a_thread), endings=["close"], models=["uvicorn"])
    assert HOLDS not in rules(report)
