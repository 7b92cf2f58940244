"""A second client beside the only one of a script: what a's leaving does to it is found, who is sound is not blamed."""

import asyncio
import contextlib

import pytest
from starlette.websockets import WebSocket

from hangup import Expect, Send, explore, replay
from hangup.record.rules import GENERAL
from hangup.servers.script import HELLO
from support.apps import app, echo


def room(*, careful=False, private=True):
    """Return what makes a room whose members hear each other; if careless, who writes to a dead member falls."""

    def make():
        members: list[WebSocket] = []

        async def tell_all(text):
            for each in [*members]:
                with contextlib.suppress(Exception) if careful else contextlib.nullcontext():
                    await each.send_text(text)

        async def member(websocket):
            await websocket.accept()
            members.append(websocket)
            with contextlib.suppress(Exception):
                async for text in websocket.iter_text():
                    if private:
                        await websocket.send_text(f"you said {text}")
                    await tell_all(f"somebody said {text}")
            members.remove(websocket)
            await tell_all("one has left")

        return app(member)

    return make


@pytest.mark.parametrize("private", [True, False])
def test_who_speaks_while_another_one_leaves_is_thrown_out_on_uvicorn_only(private):
    report = explore(make=room(private=private), beside=True, endings=["close", "fin", "reset"])
    assert {broken.schedule.partition("/")[0].partition("-")[0] for broken in report.broken} == {"uvicorn"}
    assert "b" in {broken.client for broken in report.broken}
    assert explore(make=room(private=private), endings=["close", "fin", "reset"]).ok


def test_what_breaks_beside_another_is_replayed_beside_it():
    report = explore(make=room(), beside=True, endings=["reset"])
    found = next(broken for broken in report.broken if broken.client == "b")
    session = replay(room()(), found.schedule, beside=True)
    rule = next(rule for rule in GENERAL if rule.sentence == found.rule)
    assert rule.test(session.others[0]) == found.got


@pytest.mark.parametrize("private", [True, False])
def test_a_careful_room_is_sound(private):
    report = explore(make=room(careful=True, private=private), beside=True)
    assert (report.broken, report.company) == ((), "")


def test_a_script_that_knows_of_no_other_hears_others_all_the_same():
    """Client a expects its own words, and in a room another's may come first."""
    report = explore(
        make=room(careful=True, private=False), script=[Send("hi"), Expect("somebody said hi")], beside=True
    )
    assert (report.broken, report.company) == ((), "")


def test_two_explorations_agree():
    first, second = (explore(make=room(), beside=True) for _ in range(2))
    assert first == second


# ---- apps for which two at once are not sound, or one without the other ----------------------------------------------


def one_at_a_time():
    """Return an app that refuses a second client."""
    busy: list[bool] = []

    async def only(websocket):
        if busy:
            await websocket.close(4409)
            return
        busy.append(True)
        try:
            await echo(websocket)
        finally:
            busy.clear()

    return app(only)


def last_one_wins():
    """Return an app whose user is logged out elsewhere when he logs in."""
    now: list[WebSocket] = []

    async def newest(websocket):
        await websocket.accept()
        if now:
            await now.pop().close(4001)
        now.append(websocket)
        with contextlib.suppress(Exception):
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        if websocket in now:
            now.remove(websocket)

    return app(newest)


def game_of_two():
    """Return an app that ends the game of the one when the other has left."""
    players: list[WebSocket] = []

    async def player(websocket):
        await websocket.accept()
        players.append(websocket)
        with contextlib.suppress(Exception):
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        players.remove(websocket)
        for each in [*players]:
            with contextlib.suppress(Exception):
                await each.close(4000, "the other has left")

    return app(player)


def one_after_the_other():
    """Return an app that serves the next client when the first one has left."""
    turn = asyncio.Lock()

    async def next_one(websocket):
        await websocket.accept()
        async with turn:
            async for text in websocket.iter_text():
                await websocket.send_text(text)

    return app(next_one)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (one_at_a_time, "client b: the connection was closed before the client had finished"),
        (last_one_wins, "client a: the connection was closed before the client had finished"),
        (game_of_two, "client b: the connection was closed before the client had finished"),
        (one_after_the_other, "client b: waited for an answer that did not come"),
    ],
)
def test_an_app_that_is_not_for_two_is_explored_with_one_and_the_report_says_why(make, what):
    report = explore(make=make, beside=True)
    assert report.company.startswith("client a is explored alone: beside it, a second client says the same")
    assert report.company.endswith(what)
    assert report.company in str(report)
    assert report.ok == explore(make=make).ok


def test_an_app_that_answers_once_is_asked_once_beside_another():
    async def once(websocket):
        await websocket.accept()
        answered = False
        async for text in websocket.iter_text():
            if not answered:
                await websocket.send_text(text)
            answered = True

    report = explore(app(once), beside=True)
    assert (report.broken, report.company) == ((), "")
    assert len(replay(app(once), "granian/close@end", beside=True).others) == 1


def test_an_app_that_fails_alone_is_explored_alone_without_a_word():
    async def mute(websocket):
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass

    report = explore(app(mute), beside=True)
    assert (report.ok, report.company) == (False, "")


def test_a_script_that_does_not_go_well_alone_says_so_of_every_undisturbed_session():
    """Beside another one, its client would pass over what it does not expect."""

    async def greets(websocket):
        await websocket.accept()
        await websocket.send_text("welcome")
        with contextlib.suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())

    report = explore(app(greets), ["hi", Expect("hi")], beside=True, models=["granian"])
    assert [each.schedule for each in report.broken] == [f"granian/{how}@end" for how in ("close", "fin", "reset")]
    assert {each.got for each in report.broken} == {"expected 'hi', got 'welcome'"}
    assert report.later == ()


def test_a_script_with_several_clients_gets_no_other():
    script = (*HELLO, Send("hi", by="b"))
    assert len(replay(app(echo), "granian/close@end", script, beside=True).others) == 1
