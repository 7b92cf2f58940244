"""What breaks on a fresh app is told apart from what breaks only because the app keeps something."""

import functools
import importlib
import os
import sys
import textwrap
from typing import Any

import pytest

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.fresh.apart import ALONE, KEPT, Origin, origin_of
from hangup.explorer.invariant import keeps_its_invariant
from hangup.explorer.report import Broken
from hangup.record.rules import answers_everything, leaves_no_task_for_good, leaves_no_thread
from hangup.servers.models import EXPLORED
from hangup.servers.script import Expect, Script, Send

LEFT, ANSWERS = leaves_no_task_for_good.sentence, answers_everything.sentence
KEEPS = """
import asyncio
import os
import threading

if "HANGUP_TEST_FAILS" in os.environ:
    raise SystemExit(1)

room = []

async def app(scope, receive, send):
    "Has one seat, which is given back by those only who leave with 1001."
    await receive()
    await send({"type": "websocket.accept"})
    if room:
        raise RuntimeError("the seat is taken")
    room.append(send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    if message.get("code") != 1001:
        raise ValueError("no goodbye")
    room.clear()

tasks = []

async def hold():
    await asyncio.Event().wait()

sessions = []

async def first_only(scope, receive, send, at=1):
    await receive()
    await send({"type": "websocket.accept"})
    sessions.append(at)
    if len(sessions) == at:
        tasks.append(asyncio.create_task(hold(), name="for ever"))
    while (message := await receive())["type"] == "websocket.receive":
        try:
            await send({"type": "websocket.send", "text": message["text"]})
        except OSError:
            return

async def second_only(scope, receive, send):
    await first_only(scope, receive, send, at=2)

members = []

async def listed(scope, receive, send):
    "Tells all members what one says; who raises meanwhile stays in the list."
    await receive()
    await send({"type": "websocket.accept"})
    members.append(send)
    while (message := await receive())["type"] == "websocket.receive":
        for member in members:
            await member({"type": "websocket.send", "text": message["text"]})
    members.remove(send)

over, kernels = threading.Event(), []

async def kernel(scope, receive, send):
    "Has a thread for all, which the first who comes begins; fails for those who leave in another way than with 1001."
    await receive()
    await send({"type": "websocket.accept"})
    if not kernels:
        kernels.append(threading.Thread(target=over.wait, name="kernel", daemon=True))
        kernels[0].start()
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    if message.get("code") != 1001:
        raise ValueError("no goodbye")

async def told(receive, send, answer):
    "Answers until it is told of the end."
    while (message := await receive())["type"] == "websocket.receive":
        try:
            await send({"type": "websocket.send", "text": answer(message["text"])})
        except OSError:
            return

here = []

async def counts(scope, receive, send):
    "Who is here: who is told of the end goes, and who is cancelled does not."
    await receive()
    await send({"type": "websocket.accept"})
    here.append(scope)
    await told(receive, send, lambda _: f"{len(here)} here")
    here.remove(scope)

async def worn(scope, receive, send):
    "Takes no more than so many in all."
    await receive()
    await send({"type": "websocket.accept"})
    here.append(scope)
    await told(receive, send, lambda text: text if len(here) < 40 else "no more")

slots = []

async def slow(scope, receive, send):
    "Asks for each one who is here; fails when it is told by a send."
    await receive()
    await send({"type": "websocket.accept"})
    slots.append(send)
    while (message := await receive())["type"] == "websocket.receive":
        for each in slots:
            await asyncio.sleep(0)
        await send({"type": "websocket.send", "text": message["text"]})
        if len(slots) > 3:
            raise RuntimeError("too many")
    slots.remove(send)
    if message.get("code") != 1001:
        raise ValueError("no goodbye")

stay = []

async def cancelled_stay(scope, receive, send):
    "Asks for each one who is here; who is cancelled stays."
    await receive()
    await send({"type": "websocket.accept"})
    stay.append(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            for each in stay:
                await asyncio.sleep(0)
            await send({"type": "websocket.send", "text": message["text"]})
    except OSError:
        pass
    stay.remove(send)
"""


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """Import the module with these apps."""
    (tmp_path / "rooms.py").write_text(textwrap.dedent(KEEPS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "rooms", raising=False)
    yield importlib.import_module("rooms")
    sys.modules.pop("rooms")


def schedules(broken):
    return {each.schedule for each in broken}


def test_what_earlier_sessions_leave_behind_is_told_apart(rooms):
    shared = explore(rooms.app)
    fresh = explore(make=lambda: importlib.reload(rooms).app)
    assert schedules(shared.broken) == schedules(fresh.broken) != set()
    assert len(shared.later) > 20
    assert not shared.ok
    assert "only after earlier sessions: your app keeps something" in str(shared)


def test_what_breaks_in_the_first_session_only_is_found(rooms):
    report = explore(rooms.first_only)
    assert [(each.schedule, each.got) for each in report.broken] == [("uvicorn/close@end", "still running: for ever")]
    assert report.later == ()


@pytest.mark.parametrize("beside", [False, True])
def test_what_breaks_in_the_first_session_only_is_found_again(rooms, beside):
    """The second exploration, and the replay, play what the module makes anew."""
    reports = [explore(rooms.first_only, beside=beside, models=("uvicorn",)) for _ in range(2)]
    assert [each.broken for each in reports] == [(Broken(LEFT, "uvicorn/close@end", "still running: for ever"),)] * 2
    assert reports[0] == reports[1]
    assert replay(rooms.first_only, "uvicorn/close@end", closer=True).left_for_good == ["for ever"]
    assert len(rooms.tasks) == 1


def test_an_app_that_was_set_up_after_its_import_is_not_made_anew(rooms):
    """As with dependency overrides: what its module makes is another one."""
    assert not explore(rooms.first_only, models=("uvicorn",)).ok
    rooms.first_only.overrides = {"database": "a stand-in"}
    assert explore(rooms.first_only, models=("uvicorn",)).ok


def test_what_an_app_keeps_is_not_kept_for_the_next_exploration(rooms):
    script: Script = [Send("hi"), Expect("hi"), Expect("hi", by="b")]
    first, second = (explore(rooms.listed, script, models=("uvicorn", "granian"), endings=["close"]) for _ in range(2))
    assert first == second
    assert first.later


def test_what_is_kept_of_a_session_with_which_the_process_ends_accuses_nobody(rooms):
    """Hypercorn cancels whom it does not tell that it stops, and then there is no more session."""
    reports = [explore(rooms.counts, [Send("hi"), Expect("1 here")]) for _ in range(2)]
    assert rooms.here
    assert [(each.ok, each.later) for each in reports] == [(True, ())] * 2
    assert reports[0] == reports[1]


def test_a_thread_of_the_apps_own_is_not_blamed_where_something_else_breaks_on_a_fresh_app_too(rooms):
    """There the first session begins it each time."""
    report = explore(rooms.kernel, models=("uvicorn",), endings=("close", "fin"))
    rooms.over.set()
    assert {each.got for each in report.broken} == {"ValueError: no goodbye"}
    assert report.verdicts[leaves_no_thread.sentence] == "held"


def test_what_is_kept_of_other_sessions_is_told_though_it_shows_only_after_a_shutdown(rooms):
    report = explore(rooms.worn, [Send("hi"), Expect("hi")])
    assert report.broken == ()
    assert {each.rule for each in report.later} == {ANSWERS}
    assert report.later[0].schedule not in [name for name, _ in report.how[:20]]
    assert report.verdicts[ANSWERS] == "broken"


def test_an_app_that_is_another_one_when_all_were_cancelled_is_made_anew_before_it_is_explored_again(rooms):
    """Who is cancelled stays, last of all: the first exploration has nothing to tell apart, the second would."""
    given: dict[str, Any] = {"models": ("uvicorn",), "endings": ("close", "fin", "cancel")}
    reports = [explore(rooms.slow, **given) for _ in range(2)]
    assert not reports[0].ok
    assert reports[0] == reports[1]
    assert len(rooms.slots) > 3


def test_a_sound_app_too_that_is_another_one_at_the_end_is_made_anew_before_it_is_explored_again(rooms):
    """Who is cancelled stays: all rules allow that, and the next exploration had more moments, or found less."""
    given: dict[str, Any] = {"models": ("uvicorn",), "endings": ("close", "cancel")}
    reports = [explore(rooms.cancelled_stay, **given) for _ in range(2)]
    assert reports[0].ok
    assert reports[0] == reports[1]
    assert len(rooms.stay) > 3


def test_what_breaks_where_a_second_client_was_tried_is_told(rooms):
    """The second session is one that nobody judges else: it shows whether the app serves two."""
    first, second = (explore(rooms.second_only, beside=True, models=("uvicorn",)) for _ in range(2))
    assert first.later == (Broken(LEFT, "granian/close@end", "still running: for ever"),)
    assert first == second


def test_an_app_that_was_mended_meanwhile_is_not_made_anew(rooms, monkeypatch):
    async def nothing(*_):
        return

    assert explore(rooms.first_only, models=("uvicorn",)).broken
    monkeypatch.setattr(rooms, "hold", nothing)
    rooms.sessions.clear()
    assert explore(rooms.first_only, models=("uvicorn",)).ok


def test_a_module_that_does_not_run_again_leaves_things_as_they_are(rooms, monkeypatch):
    assert explore(rooms.first_only, models=("uvicorn",)).broken
    monkeypatch.setenv("HANGUP_TEST_FAILS", "1")
    assert explore(rooms.first_only, models=("uvicorn",)).ok
    assert sys.modules["rooms"] is rooms
    assert ALONE not in os.environ


def test_of_an_app_without_a_name_in_a_module_it_is_not_known_if_it_keeps_something(rooms):
    def wrapped(scope, receive, send):
        return rooms.app(scope, receive, send)

    assert origin_of(wrapped) is None
    report = explore(wrapped)
    assert [each.what for each in report.unknown] == ["what breaks"]
    assert "whether it breaks on a fresh app, too: your app keeps something of earlier sessions" in str(report)


def test_an_app_that_keeps_nothing_needs_no_name():
    async def twice(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "hi"})
        await receive()

    report = explore(twice)
    assert not report.ok
    assert report.unknown == ()


def test_an_app_is_found_by_the_module_that_has_it(rooms):
    assert origin_of(rooms.app) == Origin("rooms", str(rooms.__file__), "app")


def test_a_module_that_explores_when_it_is_imported_does_not_explore_for_ever(rooms, monkeypatch):
    monkeypatch.setenv(ALONE, "1")
    with pytest.raises(RuntimeError, match="cannot be imported to be explored"):
        explore(rooms.app)


def test_a_script_that_no_other_interpreter_can_read_is_played_here(rooms):
    """A lambda has no name by which it could be found there."""
    script: Script = [Send("hi"), Expect(lambda text: text == "hi")]
    raises, keeps = explore(rooms.first_only, script), explore(rooms.app, script)
    assert [each.got for each in raises.broken] == ["still running: for ever"]
    assert [each.what for each in keeps.unknown] == ["what breaks"]
    assert keeps.broken


def test_who_stays_reachable_since_others_did_before_is_told_apart(rooms):
    """A member that is gone makes every later send fail: under granian none is kept that was not kept before."""
    report = explore(rooms.listed, [Send("hi"), Expect("hi"), Expect("hi", by="b")])
    kept = [each for each in report.broken if each.rule == KEPT]
    assert {each.schedule.partition("/")[0] for each in kept} == set(EXPLORED[:3])
    assert all(each.got.startswith("who leaves while the app sends") and "at the end" not in each.got for each in kept)
    assert {each.schedule.partition("/")[0] for each in report.later if each.rule == KEPT} == set(EXPLORED)


def test_of_an_app_that_is_new_for_each_session_what_others_did_before_is_left_out():
    def make():
        members = []

        async def listed(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            members.append(send)
            while (message := await receive())["type"] == "websocket.receive":
                for member in members:
                    await member({"type": "websocket.send", "text": message["text"]})
            members.remove(send)

        return listed

    report = explore(make=make, script=[Send("hi"), Expect("hi"), Expect("hi", by="b")])
    kept = [each for each in report.broken if each.rule == KEPT]
    assert {each.schedule.partition("/")[0] for each in kept} == set(EXPLORED[:3])
    assert all(each.got.startswith("who leaves while the app sends") and "at the end" not in each.got for each in kept)


# ---- an invariant --------------------------------------------------------------------------------------------------

SEATS = """
import os

if "HANGUP_TEST_FAILS" in os.environ:
    raise SystemExit(1)

seats = []
waiting = 0

def left(app):
    return f"{len(seats)} seats are taken" if seats or waiting else None

async def app(scope, receive, send):
    "A seat is given back by all but those who have said something and are lost then."
    global waiting
    waiting += 1
    await receive()
    await send({"type": "websocket.accept"})
    waiting -= 1
    seats.append(1)
    said = 0
    while (message := await receive())["type"] == "websocket.receive":
        said += 1
        try:
            await send({"type": "websocket.send", "text": message["text"]})
        except OSError:
            break
    if message.get("code") == 1001 or not said:
        seats.pop()
"""


@pytest.fixture
def hall(tmp_path, monkeypatch):
    """Import the module with this app."""
    (tmp_path / "hall.py").write_text(textwrap.dedent(SEATS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "hall", raising=False)
    yield importlib.import_module("hall")
    sys.modules.pop("hall")


WRONG = keeps_its_invariant.sentence
ONE: dict[str, Any] = {"models": ["granian"], "endings": ["close"]}


def test_an_invariant_is_asked_of_a_fresh_app_too(hall):
    """After the first schedule that breaks it, each session leaves the app as its invariant forbids."""
    report = explore(hall.app, invariant=hall.left, models=["granian"])
    fresh = explore(make=lambda: importlib.reload(hall).app, invariant=lambda app: hall.left(app), models=["granian"])
    assert schedules(report.broken) == schedules(fresh.broken) != set()
    assert {each.got for each in report.broken} == {"0 seats are taken", "1 seats are taken"}  # one of a fresh app
    assert report.later
    assert not report.unknown


@pytest.mark.parametrize("of", ["the module", "a function of it", "another function"])
def test_with_an_invariant_too_what_an_app_keeps_is_not_kept_for_the_next_exploration(hall, of):
    """The invariant looks at the module that is there, which is put back."""

    def through_the_module(_):
        return "taken" if hall.seats or hall.waiting else None

    invariant = hall.left if of == "a function of it" else through_the_module
    if of == "another function":
        invariant = functools.partial(lambda seen, app: seen(app), hall.left)
    before = dict(vars(hall))
    first = explore(hall.app, invariant=invariant, models=["granian"])
    seats, waiting = list(hall.seats), hall.waiting
    assert seats
    second = explore(hall.app, invariant=invariant, **ONE)
    assert second.ok, second.findings
    assert second.verdicts[WRONG] == "held"
    assert (hall.seats, hall.waiting) == (seats, waiting)
    assert {name: each for name, each in vars(hall).items() if name != "waiting"} == {
        name: each for name, each in before.items() if name != "waiting"
    }
    third = explore(hall.app, invariant=invariant, models=["granian"])
    assert schedules(third.broken) == schedules(first.broken)
    assert replay(hall.app, "granian/reset@end", invariant=invariant).facts["invariant"]
    assert not replay(hall.app, "granian/close@end", invariant=invariant).facts["invariant"]


def test_an_invariant_of_a_replay_tells_of_no_session_that_was_played_to_find_out_who_may_be_beside(hall):
    assert explore(hall.app, beside=True, invariant=hall.left, **ONE).company == ""
    assert hall.seats
    session = replay(hall.app, "granian/close@receive#2", beside=True, invariant=hall.left)
    assert session.others
    assert session.facts["invariant"] == "1 seats are taken"  # that of client b


def test_an_invariant_that_knows_the_old_app_does_not_accuse_the_new_one(hall, monkeypatch):
    seats = hall.seats

    def knows_the_list(_):
        return "taken" if seats else None

    def knows_it_by_default(_, seats=seats):
        return "taken" if seats else None

    explore(hall.app, invariant=hall.left, models=["granian"])
    for invariant in (
        knows_the_list,
        knows_it_by_default,
        functools.partial(lambda seats, _: str(seats) if seats else None, seats),
    ):
        report = explore(hall.app, invariant=invariant, **ONE)
        assert report.ok
        assert report.verdicts[WRONG] == "not known"
        assert "your app may keep something of an earlier exploration" in str(report)
        assert "earlier exploration" in replay(hall.app, "granian/close@end", invariant=invariant).facts["unknown"]
    monkeypatch.setenv("HANGUP_TEST_FAILS", "1")
    assert explore(hall.app, invariant=hall.left, **ONE).verdicts[WRONG] == "not known"
    monkeypatch.delenv("HANGUP_TEST_FAILS")
    monkeypatch.setattr(hall, "left", lambda _: None)
    assert explore(hall.app, invariant=lambda _: "taken" if hall.seats else None, **ONE).verdicts[WRONG] == "not known"


def test_what_an_exploration_without_an_invariant_has_left_accuses_nobody_by_one(hall):
    assert explore(hall.app, models=["granian"]).ok
    assert hall.seats
    report = explore(hall.app, invariant=hall.left, **ONE)
    assert report.ok, report.findings
    assert report.verdicts[WRONG] == "held"


def test_an_app_of_no_module_that_an_exploration_has_left_untidy_is_not_known(hall):
    async def wrapped(scope, receive, send):
        await hall.app(scope, receive, send)

    explore(wrapped, models=["granian"])
    report = explore(wrapped, invariant=hall.left, **ONE)
    assert (report.ok, report.verdicts[WRONG]) == (True, "not known")
