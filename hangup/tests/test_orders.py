"""Other orders of tasks: what is wrong in some only is found, told with the fewest deviations, and sound apps pass."""

import asyncio
import itertools
import threading
from typing import Any

import anyio
import pytest
from starlette.websockets import WebSocketDisconnect

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.orders.drawing import Drawing
from hangup.explorer.orders.names import Deviations
from hangup.explorer.orders.shrink import shrunk
from hangup.record.rules import GENERAL, ends
from hangup.servers.script import Expect, Leave, Script, Send, StopReading
from support.apps import app, echo
from support.races import LEFT, RACES, Race

KINDS = pytest.mark.parametrize("kind", RACES)


def explored(race: Race, *, sound: bool, order: int):
    """Explore other orders of a race, and few other schedules: those find some of them, too."""
    return explore(
        None,
        race.script,
        make=race.make(sound=sound),
        models=["uvicorn"],
        endings=["close"],
        limit=1,
        order=order,
        invariant=race.wrong,
    )


@KINDS
def test_what_is_wrong_in_some_order_is_found_within_200_sessions(kind):
    report = explored(RACES[kind], sound=False, order=200)
    assert not report.ok
    assert report.orders.played == 200


@KINDS
def test_its_sound_twin_is_never_blamed(kind):
    report = explored(RACES[kind], sound=True, order=300)
    assert report.broken == ()
    assert (report.orders.bad, report.orders.known, report.orders.unsure) == (0, 0, 0)
    assert str(report.orders).endswith("all orders in which one event comes last, at most 1 deviation, were played")


def test_equal_explorations_give_equal_reports():
    reports = [explored(RACES["stock"], sound=False, order=60) for _ in range(2)]
    assert str(reports[0]) == str(reports[1])
    assert reports[0] == reports[1]


@pytest.mark.parametrize("kind", ["stock", "slow stock", "seats", "slow seats", "transfer", "bracket"])
def test_the_name_of_a_schedule_shows_the_same_again_and_with_less_it_is_not_seen(kind):
    race = RACES[kind]
    found = explored(race, sound=False, order=200).broken[0]
    schedule = Schedule.parse(found.schedule)
    assert schedule.order is not None

    def broken(name):
        session = replay(race.make(sound=False)(), name, race.script, invariant=race.wrong)
        facts = [each.facts for each in (session, *session.others)]
        return bool(facts[0]["invariant"] or any(each["unanswered"] for each in facts))

    assert broken(found.schedule)
    name = found.schedule.partition("~")[0]
    for fewer in itertools.combinations(schedule.order.events, len(schedule.order) - 1):
        assert not broken(f"{name}{Deviations(fewer)}")


def test_a_lost_update_is_told_by_the_line_at_which_a_task_was_held_and_who_went_on():
    orders = explored(RACES["stock"], sound=False, order=200).orders
    assert [found.deviations for found in orders.found] == [1]
    assert orders.found[0].schedule == "uvicorn/close@end~a-5.1"
    held = orders.found[0].told[0]
    assert held.startswith("a's handler is held at races.py:")
    assert held.endswith("until nothing else can go on; meanwhile: b's handler")


def test_tasks_that_wait_for_each_other_are_named_with_what_each_holds():
    report = explored(RACES["transfer"], sound=False, order=200)
    first, second, circle = report.orders.found[0].waits
    assert first.startswith("a's handler holds lock 1 (races.py:")
    assert "`async with accounts[first]:`) and waits for lock 2 at races.py:" in first
    assert second.startswith("b's handler holds lock 2 (races.py:")
    assert "`async with accounts[first]:`) and waits for lock 1 at races.py:" in second
    assert circle == "they wait for each other for ever: a's handler → b's handler → a's handler"
    assert all(line in str(report) for line in (first, second, circle))


def test_who_holds_a_lock_while_it_sends_to_a_peer_who_does_not_read_is_named():
    race = RACES["gallery"]
    facts = replay(race.make(sound=False)(), "uvicorn/close@end~0", race.script).facts
    holder, waiter = facts["order"]
    assert "a's handler holds lock 1 (races.py:" in holder
    assert "waits in send() to client a, who does not read, at races.py:" in holder
    assert "b's handler waits for lock 1 at races.py:" in waiter


def test_a_picture_shows_where_the_order_deviates():
    race = RACES["seats"]
    session = replay(race.make(sound=False)(), "uvicorn/close@end~a-6.3~+b-2.1", race.script)
    shown = str(session.trace)
    assert shown.index("⏸ held, for 2 turns") < shown.index("▶ goes on")
    assert "message '?': ⏸ held, until nothing else can go on" in shown


@pytest.mark.parametrize("name", ["~0", "~a-4.1", "~a2-1.5~+b-7.8~time-1.1", "~+a-1.1300"])
def test_a_schedule_with_deviations_is_found_again_by_its_name(name):
    schedule = Schedule.parse(f"granian/reset@receive#2{name}")
    assert str(schedule) == f"granian/reset@receive#2{name}"
    assert Schedule.parse(str(schedule)) == schedule


@pytest.mark.parametrize("name", ["~", "~a", "~a-0.1", "~a-1.0", "~a-1.9", "~A-1.1", "~a-1.1~"])
def test_what_is_no_deviation_is_said(name):
    with pytest.raises(ValueError, match=r"is no deviation: they look like a-4\.1 or \+b-2\.7"):
        Schedule.parse(f"uvicorn/close@end{name}")


def test_of_many_deviations_those_are_left_that_matter():
    events = [(f"a-{n}", 4) for n in range(1, 40)]
    asked = []

    async def fails(some):
        asked.append(some)
        return {"a-7", "a-30"} <= {name for name, _ in some} and ("a-30", 4) in some

    assert asyncio.run(shrunk(events, fails)) == [("a-7", 1), ("a-30", 4)]
    assert len(asked) < 60


# ---- sound apps --------------------------------------------------------------------------------------------------


def room():
    members: set[Any] = set()

    async def handler(websocket):
        await websocket.accept()
        members.add(websocket)
        try:
            async for text in websocket.iter_text():
                for member in list(members):
                    try:
                        await member.send_text(text)
                    except LEFT:
                        members.discard(member)
        except LEFT:
            return
        finally:
            members.discard(websocket)

    return app(handler)


def acknowledged():
    async def handler(websocket):
        await websocket.accept()
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)

        async def work():
            while True:
                text = await queue.get()
                await asyncio.sleep(0)
                try:
                    await websocket.send_text(text)
                except LEFT:
                    return
                finally:
                    queue.task_done()

        worker = asyncio.create_task(work())
        try:
            async for text in websocket.iter_text():
                await queue.put(text)
                await queue.join()
        except LEFT:
            return
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    return app(handler)


def idle():
    async def handler(websocket):
        await websocket.accept()
        try:
            while True:
                async with asyncio.timeout(2):
                    text = await websocket.receive_text()
                await websocket.send_text(text)
        except TimeoutError:
            await websocket.close(1001)
        except LEFT:
            return

    return app(handler)


def grouped():
    async def handler(websocket):
        await websocket.accept()
        send, receive = anyio.create_memory_object_stream[str](4)

        async def read():
            async with send:
                async for text in websocket.iter_text():
                    await send.send(text)

        async with receive, anyio.create_task_group() as group:
            group.start_soon(read)
            async for text in receive:
                try:
                    await websocket.send_text(text)
                except LEFT:
                    group.cancel_scope.cancel()

    return app(handler)


def kicks():
    users: dict[str, Any] = {}

    async def handler(websocket):
        await websocket.accept()
        try:
            async for name in websocket.iter_text():
                if (old := users.get(name)) not in (None, websocket):
                    await old.close(4000)
                users[name] = websocket
                await websocket.send_text("welcome")
        except LEFT:
            return

    return app(handler)


def slow():
    lock = asyncio.Lock()

    async def handler(websocket):
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                await asyncio.sleep(2)
                async with lock:
                    await asyncio.sleep(4)
                await websocket.send_text(text)
        except LEFT:
            return

    return app(handler)


def test_who_waits_for_one_who_only_takes_long_is_not_blamed():
    script: Script = ("x", Send("y", by="b"), Expect(), Expect(by="b"))
    report = explore(None, script, make=slow, rules=[ends], models=["uvicorn"], endings=["close"], limit=1, order=100)
    assert report.ok
    for seed in range(20):
        drawn = Drawing(["+a-1", "+b-1", "a-1", "b-1"], [2.0, 4.0]).drawn(seed)
        names = [(name, choice) for name in ("+a-1", "+b-1", "a-1", "b-1") if (choice := drawn(name))]
        session = replay(slow(), f"uvicorn/close@end{Deviations(tuple(names))}", script)
        assert [each.facts["unanswered"] for each in (session, *session.others)] == [[], []]


TALK: Script = [
    "x",
    Send("y", by="b"),
    Expect(),
    Expect(by="b"),
    "z",
    Expect(),
    Leave(),
    Send("w", by="b"),
    Expect(by="b"),
]


def rung():
    """Is told by a thread's timer, which rings in real time, and would wait for it for five seconds."""

    async def handler(websocket):
        loop = asyncio.get_running_loop()
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                rings = asyncio.Event()
                threading.Timer(0.01, loop.call_soon_threadsafe, [rings.set]).start()
                await asyncio.wait_for(rings.wait(), 5)
                await websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):  # and no TimeoutError, which is an OSError
            return

    return app(handler)


def threaded():
    """Has a thread do its work, and would wait for it for five seconds."""

    async def handler(websocket):
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                await asyncio.wait_for(asyncio.to_thread(threading.Event().wait, 0.01), 5)
                await websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):  # and no TimeoutError, which is an OSError
            return

    return app(handler)


@pytest.mark.parametrize("make", [lambda: app(echo), room, acknowledged, idle, grouped, kicks, rung, threaded])
def test_a_sound_app_is_not_blamed_in_any_order(make):
    report = explore(None, TALK, make=make, models=["uvicorn"], endings=["close"], limit=20, order=50)
    assert report.orders.found == ()
    assert report.orders.unsure == 0


def test_what_an_answer_says_may_depend_on_the_order():
    said = []

    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            said.append(text)
            await websocket.send_text(str(len(said)))

    def make():
        said.clear()
        return app(handler)

    script: Script = ["x", Send("y", by="b"), Expect("1"), Expect("2", by="b")]
    report = explore(None, script, make=make, models=["uvicorn"], endings=["close"], limit=1, order=50)
    assert report.orders.bad == 0


# ---- reports -----------------------------------------------------------------------------------------------------


def test_a_report_says_whether_other_orders_were_tried():
    assert str(explore(app(echo)).orders) == "order of tasks: not tried"
    assert "order of tasks: 30 sessions in other orders; 0 break a rule" in str(explore(app(echo), order=30))


def test_what_breaks_in_asyncio_s_own_order_is_not_told_as_a_matter_of_order():
    async def handler(websocket):
        await websocket.accept()
        async for _ in websocket.iter_text():
            raise ValueError("always")

    report = explore(app(handler), order=40)
    assert report.orders.found == ()
    assert report.orders.known > 20


def test_an_invariant_is_asked_after_each_session_and_may_fail_itself():
    asked = []

    def nothing_is_wrong(made):
        asked.append(made)

    made = app(echo)
    report = explore(made, invariant=nothing_is_wrong)
    assert report.ok
    assert len(asked) >= report.explored

    def fails(made):
        raise KeyError("rooms")

    broken = explore(made, limit=3, invariant=fails).broken
    assert {each.rule for each in broken} == {"when a session is over, the app is as its invariant says"}
    assert {each.got for each in broken} == {"the invariant itself raised KeyError: 'rooms'"}
    assert len(GENERAL) == len({rule.name for rule in GENERAL})


def test_a_peer_that_does_not_read_lets_a_send_wait_until_the_connection_ends():
    waited = []

    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            try:
                await websocket.send_text(text)
                waited.append("sent")
            except LEFT:
                waited.append("gone")
                return

    replay(app(handler), "uvicorn/close@end", ["one", Expect(), StopReading(), "two"])
    assert waited[0] == "sent"
    assert len(waited) == 2


@pytest.mark.parametrize("often", [1, 2])
def test_an_invariant_of_one_client_accuses_nobody_beside_a_second_whom_nobody_asked_for(often):
    """Each writes twice, one after the other: that no other's is between is true of one client."""
    written: dict[object, list[object]] = {}

    def make():
        mine: list[object] = []

        async def handler(websocket):
            await websocket.accept()
            me = object()
            async for text in websocket.iter_text():
                mine.extend([me] * (3 - often))
                await asyncio.sleep(0)
                mine.extend([me] * often)
                await websocket.send_text(text)

        made = app(handler)
        written[made] = mine
        return made

    def mixed(made):
        runs = [list(run) for _, run in itertools.groupby(written[made])]
        return "mixed" if any(len(run) % 3 for run in runs) or (often == 2 and len(runs) == 1) else None

    asked: dict[str, Any] = {
        "make": make,
        "script": [Send("hi"), Expect("hi")],
        "models": ["uvicorn"],
        "endings": ["close"],
    }
    report = explore(None, beside=True, invariant=mixed, order=40, **asked)
    assert report.verdicts["when a session is over, the app is as its invariant says"] == (
        "not known" if often == 1 else "broken"
    )
    assert report.ok == (often == 1)
    assert ("with one client it holds" in str(report)) == (often == 1)


def test_orders_beside_an_installed_server_are_played_on_its_model_and_say_so():
    race = RACES["stock"]
    report = explore(
        None,
        race.script,
        make=race.make(sound=False),
        models=["installed:uvicorn"],
        endings=["close"],
        limit=2,
        order=60,
        invariant=race.wrong,
    )
    assert {name.partition("/")[0] for name, _ in report.how} == {"installed:uvicorn"}
    assert [found.schedule for found in report.orders.found] == ["uvicorn/close@end~a-5.1"]
    assert replay(race.make(sound=False)(), "uvicorn/close@end~a-5.1", race.script, invariant=race.wrong).facts[
        "invariant"
    ]
    with pytest.raises(ValueError, match="is no schedule"):
        Schedule.parse("installed:uvicorn/close@end~a-5.1")
