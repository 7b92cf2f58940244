"""Scripts with several clients: one leaves, the others stay; in memory, and the same on real servers."""

import asyncio
import contextlib

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.explorer.apps.explore import explore, replay
from hangup.record.recorder import Send as Call
from hangup.record.rules import answers_everything, leaves_no_task, leaves_no_task_behind
from hangup.servers.script import Expect, Leave, Send, Step, Wait, beside
from hangup.servers.serve import SERVERS
from hangup.servers.sessions import ENDINGS, run, run_anew
from support.apps import app, echo

HI = (Send("hi"), Expect("hi"), Expect("hi", by="b"))
ROOM = (*HI, Leave(), Send("still here", by="b"), Expect("still here", by="b"))


def room(*, careful: bool):
    """Return what makes a chat room whose members hear each other; if careless, a dead member ends who speaks."""

    def make():
        members: list[Call] = []

        async def member(scope, receive, send):
            assert scope["type"] == "websocket"
            await receive()
            await send({"type": "websocket.accept"})
            members.append(send)
            while (message := await receive())["type"] != "websocket.disconnect":
                for each in [*members]:
                    with contextlib.suppress(Exception) if careful else contextlib.nullcontext():
                        await each({"type": "websocket.send", "text": message["text"]})
            members.remove(send)

        return member

    return make


def test_a_room_that_sends_on_to_the_dead_serves_those_who_stay():
    assert explore(make=room(careful=True), script=ROOM, endings=["close", "fin", "reset"]).ok


def test_a_member_who_stays_is_judged_too():
    """While b speaks, a is already gone but not yet out of the list: on uvicorn a's exception ends b."""

    async def slow(websocket):
        await websocket.accept()
        members.append(websocket)
        async for text in websocket.iter_text():
            for each in members:
                await each.send_text(text)

    members: list[WebSocket] = []

    def make():
        members.clear()
        return app(slow)

    report = explore(make=make, script=ROOM, models=["uvicorn-websockets"], rules=[answers_everything])
    assert {broken.client for broken in report.broken} == {"b"}
    assert all("closed before the client had finished" in broken.got for broken in report.broken)


def test_who_has_lines_only_after_leave_connects_then():
    script = (Send("hi"), Expect("hi"), Leave(), Send("back", by="b"), Expect("back", by="b"))
    session = replay(app(echo), "granian/reset@send#2", script)
    assert [other.letter for other in session.others] == ["b"]
    events = [(event.actor, event.action) for event in session.trace]
    assert events.index(("client a", "TCP RST")) < events.index(("client b", "GET"))


def test_beside_lets_both_speak_at_once():
    """A global variable that one connection sets while the other answers is found."""
    state = {}

    async def forgets_whose(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            state["text"] = text
            await asyncio.sleep(0)
            await websocket.send_text(state["text"])

    alone = explore(app(forgets_whose), [Send("x"), Expect("x")])
    both = explore(app(forgets_whose), beside([Send("x"), Expect("x")], [Send("y"), Expect("y")]))
    assert alone.ok
    assert {broken.got for broken in both.broken} == {"expected 'y', got 'x'"}


def test_a_shutdown_ends_every_connection():
    session = replay(room(careful=True)(), "uvicorn/shutdown@receive#3", ROOM)
    assert [each.codes for each in (session, *session.others)] == [[1012], [1012]]
    assert session.facts["unanswered"] == session.others[0].facts["unanswered"] == []


def test_a_cancelled_handler_leaves_the_others_alone():
    assert explore(make=room(careful=True), script=ROOM, endings=["cancel"]).ok


def test_two_explorations_with_two_clients_agree():
    first, second = (explore(make=room(careful=False), script=ROOM) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("server", SERVERS)
def test_a_real_server_plays_the_same_script(server):
    """Both members are served, whoever leaves how."""

    async def play():
        for ending in ENDINGS:
            _, session = await run_anew(room(careful=True), ROOM, ending=ending, server=server)
            assert [each.facts["unanswered"] for each in (session, *session.others)] == [[], []]
            assert [each.ended for each in (session, *session.others)] == ["returned", "returned"]

    asyncio.run(play())


# ---- the lifespan -----------------------------------------------------------------------------------------------


def keeping(drain: bool):
    """Return an app that lets a task go on after a session, and waits for it at shutdown or does not."""

    def make():
        tasks: set[asyncio.Task[None]] = set()
        done = []

        async def work():
            await asyncio.sleep(5)
            done.append(True)

        @contextlib.asynccontextmanager
        async def lifespan(app):
            yield {"greeting": "hello"}
            if drain:
                await asyncio.wait(tasks)
                assert done

        async def handler(websocket):
            await websocket.accept()
            assert websocket.state.greeting == "hello"
            tasks.add(asyncio.create_task(work(), name="work"))
            async for text in websocket.iter_text():
                await websocket.send_text(text)

        return Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan)

    return make


@pytest.mark.parametrize(("drain", "got"), [(True, set()), (False, {"still running: work"})])
def test_a_task_of_the_app_must_end_with_its_lifespan(drain, got):
    report = explore(make=keeping(drain), lifespan=True, rules=[leaves_no_task_behind])
    assert {broken.got for broken in report.broken} == got


def test_a_task_of_the_app_outlives_its_session():
    assert not explore(make=keeping(drain=True), lifespan=True, rules=[leaves_no_task]).ok


def test_an_app_that_speaks_no_lifespan_is_explored_all_the_same():
    """It is asked once, as by a server: what it does before it refuses must not add up."""
    asked = []

    async def raw(scope, receive, send):
        asked.append(scope["type"])
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})

    assert explore(raw, lifespan=True).ok
    assert asked.count("lifespan") == 1


async def patient(scope, receive, send):
    """Accept, greet, and wait until the peer has left."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "welcome"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


RELOAD = (Expect("welcome"), Leave(), Expect("welcome", by="b"))


def test_who_comes_when_a_has_left_leaves_as_well():
    """Client a may leave before it has said a word; b, who connects then, is served and leaves."""
    assert explore(patient, RELOAD).ok


def test_who_connects_while_an_app_sends_is_no_task_of_that_app():
    """Client b connects inside a's accept; still b's session is one of its own."""
    session = replay(patient, "uvicorn/close@send#1", RELOAD)
    assert session.tasks == {}
    assert not session.left
    assert [other.ended for other in session.others] == ["returned"]


def test_a_send_under_way_does_not_know_what_the_app_is_told_meanwhile():
    """uvicorn-websockets says ClientDisconnected to a send that began before the app read the disconnect."""
    members: list[Call] = []
    raised: list[str] = []

    async def member(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        members.append(send)
        for each in members:
            try:
                await each({"type": "websocket.send", "text": "hi"})
            except Exception as error:
                raised.append(type(error).__name__)
        await receive()

    replay(member, "uvicorn-websockets/close@send#3", (Expect(), Expect(by="b"), Leave()))
    assert raised == ["ClientDisconnected"]


async def echo_of_both(scope, receive, send):
    """Send back text and bytes; end with the code that was told."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        await send({"type": "websocket.send", "text": repr(message["bytes"]) if text is None else text})


BOTH = (Send("ü"), Expect("ü"), Send(b"\xff"), Expect(repr(b"\xff")), Send(""), Expect(""), Leave(3001))


@pytest.mark.parametrize("code", [3001, None])
def test_a_client_says_bytes_and_leaves_with_a_code_on_a_server(code):
    """A frame without a code is told as 1005."""
    real = asyncio.run(run(echo_of_both, (*BOTH[:-1], Leave(code))))
    assert (real.codes, real.facts["unanswered"]) == ([code or 1005], [])


@pytest.mark.parametrize("code", [3001, None])
@pytest.mark.parametrize("moment", ["receive#3", "send#2", "end"])
def test_at_every_moment_a_client_leaves_with_the_code_that_the_script_says(code, moment):
    memory = replay(echo_of_both, f"granian/close@{moment}", (*BOTH[:-1], Leave(code)))
    assert (memory.codes[:1], memory.facts["unanswered"]) == ([code or 1005], [])


def test_a_silent_client_costs_no_time_and_ends_who_waits_for_it_with_a_deadline():
    async def impatient(scope, receive, send):
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await asyncio.wait_for(receive(), 30)
            if message["type"] != "websocket.receive":
                return
            await send({"type": "websocket.send", "text": message["text"]})

    script = (Send("one"), Expect("one"), Wait(60), Send("two"), Expect("two"))
    assert explore(echo_of_both, script).ok
    report = explore(impatient, script)
    assert not report.ok
    assert "TimeoutError" in report.broken[0].got


@pytest.mark.parametrize("model", ["uvicorn", "uvicorn-wsproto", "hypercorn", "installed:uvicorn"])
def test_who_is_gone_before_its_moment_stays_gone_and_the_app_hears_of_it(model):
    """Client b does not get what it expects, so everybody leaves; a would have left a little later."""

    def make():
        members: list[Call] = []

        async def member(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            members.append(send)
            while (message := await receive())["type"] == "websocket.receive":
                for each in [*members]:
                    with contextlib.suppress(OSError, RuntimeError):
                        await each({"type": "websocket.send", "text": message["text"]})
            members.remove(send)

        return member

    script: list[Step] = [Send("ann"), Expect("ann"), Send("bob", by="b"), Expect("bob", by="b")]
    session = replay(make(), f"{model}/close@receive#3", script)
    assert [each.facts["unanswered"] for each in session.others] == [["expected 'bob', got 'ann'"]]
    assert (session.ended, len(session.codes)) == ("returned", 1)
