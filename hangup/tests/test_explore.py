"""The explorer finds, in five-line apps, what breaks at one moment on one server, and names the schedule."""

import asyncio
import contextlib
import gc
import threading
import time
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.report import Report
from hangup.servers.memory import Moment
from hangup.servers.models import ClientDisconnected
from hangup.servers.script import Expect
from support.apps import app, echo


class Chat(WebSocketEndpoint):
    """Two loops compete for the disconnect."""

    encoding = "text"

    async def on_connect(self, websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)


async def no_branch(scope, receive, send):
    """Has no branch for the disconnect."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if "text" in message:
            await send({"type": "websocket.send", "text": message["text"]})


class Lamp:
    """A resource that is switched on and must be switched off."""

    on = 0


def leaves_the_lamp_on(lamp: Lamp):
    async def handler(websocket):
        lamp.on += 1
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)
        lamp.on -= 1

    return app(handler)


async def swallows(websocket):
    """Takes its own cancellation for an error of the peer."""
    await websocket.accept()
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(text)
    except BaseException:
        pass


async def grouped(websocket):
    """A reader and a ticker in a task group."""
    await websocket.accept()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        except WebSocketDisconnect:
            pass
        group.cancel_scope.cancel()


def broken(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in report.broken:
        found.setdefault(each.rule, []).append(each.schedule)
    return found


def test_the_double_receive_has_a_name():
    schedules = broken(explore(app(Chat)))["the handler ends quietly when the peer leaves"]
    assert "uvicorn/close@receive#2" in schedules
    assert "granian/reset@end" in schedules
    session = replay(app(Chat), "granian/reset@end")
    assert str(session.error) == 'Cannot call "receive" once a disconnect message has been received.'


def test_an_exploration_that_a_spin_has_stopped_says_so():
    async def spins(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await asyncio.sleep(0)

    report = explore(spins)
    assert report.explored < report.schedules
    assert f"explored {report.explored} of {report.schedules}, and then stopped, because it spins" in str(report)


def test_the_spin_shows_on_the_servers_that_repeat_the_disconnect():
    report = explore(no_branch, endings=["reset"])
    schedules = broken(report)["the handler does not ask for messages again and again when there are none left"]
    assert {name.partition("/")[0] for name in schedules} == {"granian", "uvicorn-websockets"}
    assert "granian/reset@receive#2" in schedules


def test_a_resource_that_stays_taken_shows_when_a_send_fails():
    from hangup.record.rules import rule

    @rule
    def lamp_is_off(session):
        """The lamp is off."""
        return "the lamp is still on" if session.facts["lamp"].on else None

    def probe(made, session):
        session.facts["lamp"] = lamps.pop()

    lamps: list[Lamp] = []

    def make():
        lamps.append(Lamp())
        return leaves_the_lamp_on(lamps[-1])

    report = explore(make=make, rules=[lamp_is_off], probe=probe)
    found = [each.schedule for each in report.broken]
    assert "uvicorn/reset@send#2" in found
    assert "uvicorn/cancel@await#1" in found
    assert "uvicorn/reset@receive#2" not in found


def test_a_cancellation_that_wait_for_takes_for_itself_is_not_swallowed_by_the_app():
    """Until Python 3.11, wait_for() returns what comes in the very turn in which it is cancelled."""

    async def answer(text):
        await asyncio.sleep(0)
        return text

    async def patient(websocket):
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await asyncio.wait_for(websocket.receive_text(), 60)
                await websocket.send_text(await asyncio.wait_for(answer(text), 5))

    async def texts(websocket):
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                yield await asyncio.wait_for(websocket.receive_text(), 60)

    async def iterates(websocket):
        await websocket.accept()
        async for text in texts(websocket):
            await websocket.send_text(text)

    class Patient(WebSocketEndpoint):
        encoding = "text"

        async def on_receive(self, websocket, data):
            await websocket.send_text(await asyncio.wait_for(answer(data), 5))

    for handler in patient, iterates, Patient:
        assert explore(app(handler), endings=["cancel"]).ok


def test_a_swallowed_cancellation_has_a_name():
    rule = "a handler that is cancelled while it works ends, and lets CancelledError through"
    assert broken(explore(app(swallows)))[rule][0].startswith("uvicorn/cancel@await#")
    assert rule not in broken(explore(app(echo)))


@pytest.mark.parametrize("handler", [echo, grouped])
def test_a_sound_app_breaks_nothing(handler):
    report = explore(app(handler))
    assert report.ok, str(report)
    assert report.explored > 80


def litestar_app() -> Any:
    from litestar import Litestar, WebSocket, websocket

    @websocket("/")
    async def handler(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        async for text in socket.iter_data(mode="text"):
            await socket.send_text(text)

    return Litestar([handler])


def fastapi_app() -> Any:
    from fastapi import FastAPI, WebSocket

    made = FastAPI()

    @made.websocket("/")
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    return made


@pytest.mark.parametrize("make", [litestar_app, fastapi_app])
def test_apps_of_other_frameworks_are_explored_too(make):
    report = explore(make(), ["hello", Expect("hello")])
    assert report.explored > 80
    assert not [each for each in report.broken if each.schedule.endswith("@end")], str(report)


@pytest.mark.parametrize("explored", [Chat, swallows, echo, grouped])
def test_the_same_app_gives_the_same_report(explored):
    first, second = explore(app(explored)), explore(app(explored))
    assert first == second
    assert str(first) == str(second)


def test_a_replay_shows_what_the_exploration_saw():
    for each in explore(app(Chat)).broken[::9]:
        session = replay(app(Chat), each.schedule)
        assert session.ended == "raised"
        assert "raises WebSocketDisconnected" in str(session.trace)
        assert replay(app(Chat), each.schedule).trace == session.trace


def test_a_send_that_waits_while_another_task_is_told_raises_what_it_would_have_raised():
    """A server looks at its state when send() is called, not once the network has answered."""

    async def reads_and_sends(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        reader = asyncio.create_task(receive())
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "hello"})
        await reader

    session = replay(reads_and_sends, "uvicorn-websockets/close@send#2", [Expect()])
    assert (session.ended, session.codes) == ("returned", [1001])


def test_a_limit_is_told_and_spreads_evenly():
    report = explore(app(echo), limit=10)
    assert report.explored == 10
    assert f"explored 10 of {report.schedules}, spread evenly" in str(report)
    assert len({name.partition("/")[0] for name, _ in report.how}) == 5


def test_a_moment_that_does_not_come_again_is_told():
    calls = []

    async def fickle(websocket):
        await websocket.accept()
        calls.append(1)
        if len(calls) > 1:
            await websocket.close()
            return
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    report = explore(app(fickle), models=["uvicorn"], endings=["fin"])
    assert report.unfired == 0
    assert {each.got for each in report.broken} == {"the connection was closed before the client had finished"}


def test_time_is_virtual():
    async def patient(websocket):
        await websocket.accept()
        await asyncio.sleep(86_400)

    report = explore(app(patient), endings=["close"])
    assert {each.rule for each in report.broken} >= {"the handler ends when the peer leaves"}


def test_an_answer_that_does_not_come_is_missed_in_virtual_time():
    async def silent(websocket):
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass

    report = explore(app(silent), ["hello", Expect()])
    assert "waited for an answer that did not come" in {each.got for each in report.broken}


def test_a_thread_of_the_app_is_waited_for():
    async def threaded(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(await asyncio.to_thread(str.upper, text))

    report = explore(app(threaded), ["hello", Expect("HELLO")], models=["uvicorn"], endings=["close", "fin"])
    assert report.ok, str(report)


def test_a_client_that_is_not_accepted_cannot_close():
    session = replay(app(echo), "uvicorn/close@send#1")
    assert [event.action for event in session.trace if event.actor == "client"] == ["GET", "TCP FIN"]
    assert session.facts["gone"] == "fin"


def test_daphne_is_explored_when_it_is_asked_for():
    report = explore(app(echo), models=["daphne"])
    assert report.ok, str(report)
    assert {name.partition("/")[0] for name, _ in report.how} == {"daphne"}


@pytest.mark.parametrize("name", ["granian/reset@receive#2", "uvicorn/cancel@await#3", "hypercorn/fin@end"])
def test_a_schedule_has_a_name_that_gives_it_back(name):
    assert str(Schedule.parse(name)) == name


@pytest.mark.parametrize(
    "name", ["", "granian", "granian/reset", "nginx/reset@end", "granian/fire@end", "uvicorn/fin@receive"]
)
def test_what_is_no_schedule_is_one_sentence(name):
    with pytest.raises(ValueError, match=r"is no schedule: they look like granian/reset@receive#2 or"):
        Schedule.parse(name)


def test_moments_are_values():
    assert Schedule("granian", "fin", Moment("send", 2)) == Schedule.parse("granian/fin@send#2")


def test_explore_wants_an_app():
    with pytest.raises(TypeError, match=r"^explore\(\) takes an app, or make=, a function"):
        explore()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"models": ["nginx"]}, r"^There is no model 'nginx': choose among uvicorn, .*, daphne, gunicorn, anycorn\.$"),
        (
            {"endings": ["bang"]},
            r"^There is no ending 'bang': choose among close, fin, .*, cancel, silence, .*, cancel-twice\.$",
        ),
    ],
)
def test_a_name_that_there_is_not_is_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        explore(app(echo), **options)


@pytest.mark.parametrize("when", ["it is made", "it starts"])
def test_a_thread_that_an_app_has_before_any_handler_runs_is_not_the_handlers(when):
    """A listener of a logging queue, say, of an app that is made anew for each session."""
    over = threading.Event()

    def make():
        def work():
            threading.Thread(target=over.wait, name="listener", daemon=True).start()

        @contextlib.asynccontextmanager
        async def lifespan(_):
            if when == "it starts":
                work()
            yield

        async def handler(websocket):
            await websocket.accept()
            with contextlib.suppress(Exception):
                while True:
                    await websocket.send_text(await websocket.receive_text())

        if when == "it is made":
            work()
        return Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan)

    assert explore(make=make, lifespan="on", models=["uvicorn"], endings=["close"]).broken == ()
    over.set()


def test_time_does_not_pass_while_a_job_runs_in_a_thread():
    """A limit of an hour is not over because a thread works for a moment."""
    over = threading.Event()

    async def works(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            threading.Timer(0.1, over.set).start()
            async with asyncio.timeout(3600):
                await asyncio.to_thread(over.wait)
            await websocket.send_text(text)

    assert explore(app(works), models=["uvicorn"], endings=["close"], limit=1).ok


def test_a_session_leaves_next_to_nothing_in_circles_of_references():
    explore(app(echo))
    gc.collect()
    gc.disable()
    try:
        sessions = explore(app(echo)).explored
        assert gc.collect() < 10 * sessions  # it was 70 a session, for a sixth of the time
    finally:
        gc.enable()


def test_an_app_that_ends_before_the_peer_leaves_does_the_same_thing_each_time():
    async def refuses(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    report = explore(refuses)
    assert report.unfired == 0
    assert 0 < report.fired < report.explored
    assert "twice" not in str(report)


@pytest.mark.parametrize(("models", "more"), [(["uvicorn", "granian", "hypercorn"], 0), (["uvicorn"], 1)])
def test_an_undisturbed_run_in_which_nothing_breaks_is_played_once_but_for_that_of_an_only_server(models, more):
    """What breaks from the second session on shows in the next server's; with one server its own is played again."""
    sessions = 0

    async def counted(websocket):
        nonlocal sessions
        sessions += 1
        await echo(websocket)

    report = explore(app(counted), models=models, endings=["close", "fin"])
    assert sessions == report.explored + more


def test_where_another_servers_undisturbed_run_breaks_something_the_very_first_is_played_again():
    from hangup.record.rules import rule

    @rule
    def is_the_first(session):
        """It is the first session."""
        return "another one" if session.facts["number"] > 1 else None

    def probe(_, session):
        numbers.append(len(numbers) + 1)
        session.facts["number"] = numbers[-1]

    numbers: list[int] = []
    two = ["uvicorn", "granian"]
    report = explore(app(echo), rules=[is_the_first], probe=probe, models=two, endings=["close"])
    assert "uvicorn/close@end" in {each.schedule for each in report.broken}


def test_what_breaks_from_the_second_session_on_is_seen_on_one_server_too():
    served: list[object] = []

    async def once(websocket):
        served.append(websocket)
        await websocket.accept()
        async for text in websocket.iter_text():
            if len(served) == 1:
                await websocket.send_text(text)
        served[1:] = [None]

    report = explore(app(once), models=["uvicorn"], endings=["close"])
    assert "uvicorn/close@end" in {each.schedule for each in report.broken}


def test_a_replay_draws_its_own_session_though_the_app_is_slow_and_still_lists_it():
    listed = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        listed.append(send)
        time.sleep(0.05)  # noqa: ASYNC251  # so it is played again, to find out who holds the loop
        await receive()
        for each in listed:
            with contextlib.suppress(Exception):
                await each({"type": "websocket.send", "text": "x"})

    session = replay(app, "uvicorn/close@end")
    assert len(listed) > 1
    assert str(session.trace).count("websocket.send text") == 1
