"""What clients of a script can say and expect; the same script in memory and on a real server."""

import asyncio
import json
import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hangup import Client, Expect, Leave, Request, Send, Wait, explore, replay, run
from hangup.record.rules import answers_everything
from hangup.servers.clients.answers import Values, as_expected, at
from hangup.servers.script import CLOSED, SILENT, Script, Step, crowd
from support.apps import app, echo


def missed(session):
    """Return what each client of a session missed."""
    return {each.letter: each.facts["unanswered"] for each in (session, *session.others)}


def played(the_app, script, **options):
    """Play a script undisturbed in memory and on a real server; return what both say that the clients missed."""
    in_memory = missed(replay(the_app, "granian/close@end", script, **options))
    real = missed(asyncio.run(run(the_app, script, **options)))
    assert in_memory == real
    return in_memory


# ---- messages --------------------------------------------------------------------------------------------------------


async def mirror(websocket):
    """Send back whatever comes, as it came."""
    await websocket.accept()
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        await websocket.send({**message, "type": "websocket.send"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Send(b"\x00\xff"), Expect(b"\x00\xff")),
        (Send(json={"kind": "hi", "n": 1}), Expect(json={"kind": "hi"})),
        (Send(json={"kind": "hi", "n": 1}), Expect('{"n": 1, "kind": "hi"}')),
        (Send(json=None), Expect("null")),
        (Send("room 7 is open"), Expect(re.compile(r"room \d+"))),
        (Send("[1, 2]"), Expect(lambda text: sum(json.loads(text)) == 3)),
    ],
    ids=lambda each: re.sub(r" at 0x[0-9a-f]+", "", repr(each)),
)
def test_messages_of_every_kind_are_sent_and_expected(said, expected):
    assert played(app(mirror), [said, expected]) == {"a": []}


@pytest.mark.parametrize(
    ("expected", "got", "problem"),
    [
        (Expect("hi"), "ho", "expected 'hi', got 'ho'"),
        (Expect("hi"), b"hi", "expected 'hi', got b'hi'"),
        (Expect(b"hi"), "hi", "expected b'hi', got 'hi'"),
        (
            Expect(json={"a": {"b": 1}}),
            '{"a": {"c": 1}}',
            """expected JSON with {"a": {"b": 1}}, got '{"a": {"c": 1}}'""",
        ),
        (Expect(json=[1]), "[1, 2]", "expected JSON with [1], got '[1, 2]'"),
        (Expect(json=1), "true", "expected JSON with 1, got 'true'"),
        (Expect("[0, 2.0]"), "[false, 2]", "expected '[0, 2.0]', got '[false, 2]'"),
        (Expect(json={}), "hi", "expected JSON with {}, got 'hi'"),
        (Expect(re.compile("x+")), "hi", "expected /x+/, got 'hi'"),
        (Expect(str.isdigit), "hi", "expected what isdigit accepts, got 'hi'"),
        (Expect(lambda text: json.loads(text)["id"]), "[]", "expected what <lambda> accepts, got '[]'"),
    ],
    ids=lambda each: re.sub(r" at 0x[0-9a-f]+", "", repr(each)),
)
def test_what_is_wrong_with_a_message_is_said(expected, got, problem):
    assert as_expected(expected, got) == problem


@pytest.mark.parametrize("said", [{}, {"text": "a", "json": 1}, {"text": 7}], ids=repr)
def test_a_send_of_nothing_or_two_things_is_a_sentence(said):
    with pytest.raises(TypeError, match=r"^Send takes a text, bytes, or json=[,;] "):
        Send(**said)


@pytest.mark.parametrize("step", [Send("hi", by="bob"), Expect(by="B"), Client("")])
def test_a_client_is_called_by_a_letter(step):
    with pytest.raises(ValueError, match=r"^A client is called by one small letter, a to z; '\w*' is none\.$"):
        explore(app(echo), [step])


# ---- values that are said again --------------------------------------------------------------------------------------


def test_a_value_of_a_reply_is_said_again():
    script = [
        Send(json={"user": {"id": 7, "name": 'say "hi"'}}),
        Expect(bind="id", at="/user/id"),
        Send("{id}"),
        Expect("7"),
        Send('{"number": "{id}", "kept": "{other}"}'),
        Expect(json={"number": 7, "kept": "{other}"}),
        Send("key=s3cret;"),
        Expect(re.compile(r"key=(\w+)"), bind="key"),
        Send("open {key}"),
        Expect("open s3cret"),
    ]
    assert played(app(mirror), script) == {"a": []}


def test_each_client_says_its_own_value_and_else_that_of_another():
    values = Values(frozenset({"room", "name"}))
    values.keep(Expect(bind="room"), "lobby")
    values.keep(Expect(bind="name"), "ann")
    values.keep(Expect(by="b", bind="name"), "bob")
    assert [values.filled(who, "{name} in {room}") for who in "ab"] == ["ann in lobby", "bob in lobby"]


def test_a_line_whose_value_nobody_knows_is_left_out():
    values = Values(frozenset({"token"}))
    assert (values.filled("a", "join {token}"), values.filled("a", "{hello}")) == (None, "{hello}")


def test_a_reply_without_the_value_is_a_miss():
    assert played(app(mirror), [Send("{}"), Expect(bind="id", at="/user/id")]) == {
        "a": ["expected JSON with a value at /user/id, got '{}'"]
    }


@pytest.mark.parametrize(
    ("pointer", "value"), [("/a/0/b~1c", 1), ("/~0", 2), ("/a/1", ...), ("/x", ...), ("/a/0/b~1c/d", ...)]
)
def test_a_pointer_names_a_value(pointer, value):
    assert at(pointer, {"a": [{"b/c": 1}], "~": 2}) == value


# ---- how a client asks -----------------------------------------------------------------------------------------------


async def shows_scope(websocket):
    """Tell a client what it has asked for, as the scope says it."""
    await websocket.accept(subprotocol=(websocket.scope["subprotocols"] or [None])[0])
    headers = dict(websocket.scope["headers"])
    await websocket.send_json(
        {
            "path": websocket.scope["path"],
            "query": websocket.scope["query_string"].decode(),
            "key": headers.get(b"x-key", b"").decode(),
            "cookies": websocket.cookies,
            "subprotocols": list(websocket.scope["subprotocols"]),
            "offered": headers.get(b"sec-websocket-protocol", b"").decode(),
        }
    )
    await websocket.receive()


SCOPES = Starlette(routes=[WebSocketRoute("/{rest:path}", shows_scope)])


def test_each_client_asks_in_its_own_way():
    first = {"path": "/a b", "query": "n=1", "key": "", "cookies": {}, "subprotocols": [], "offered": ""}
    second: Any = {
        "path": "/two",
        "query": "",
        "key": "K1",
        "cookies": {"session": "x1", "theme": "dark"},
        "subprotocols": ["chat", "v2"],
        "offered": "chat, v2",
    }
    script = [
        Client(
            "b",
            "/two",
            headers={"X-Key": "K1"},
            cookies={"session": "x1", "theme": "dark"},
            subprotocols=["chat", "v2"],
        ),
        Expect(json=first),
        Expect(by="b", json=second),
    ]
    assert played(SCOPES, script, path="/a%20b?n=1") == {"a": [], "b": []}


# ---- requests --------------------------------------------------------------------------------------------------------


def with_login():
    """Return an app that lets in who has logged in, and tells him who he is."""

    async def login(request):
        who = (await request.json())["name"]
        if who == "eve":
            return PlainTextResponse("no", 403)
        response = JSONResponse({"token": f"t-{who}"})
        response.set_cookie("session", who)
        return response

    async def form(request):
        return PlainTextResponse((await request.body()).decode())

    async def broken(request):
        raise KeyError("x")

    async def private(websocket):
        if "session" not in websocket.cookies:
            await websocket.close()
            return
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"{websocket.cookies['session']} {text}")

    routes = [Route("/login", login, methods=["POST"]), Route("/form", form, methods=["POST"])]
    return Starlette(routes=[*routes, Route("/broken", broken), WebSocketRoute("/", private)])


LOGIN: list[Step] = [
    Request("POST", "/login", json={"name": "ann"}, expect=200, bind="token", at="/token"),
    Request("POST", "/login", by="b", json={"name": "bob"}, bind="token", at="/token"),
    Send("{token}"),
    Expect("ann t-ann"),
    Send("{token}", by="b"),
    Expect("bob t-bob", by="b"),
]


def test_who_logs_in_is_let_in_with_his_cookie():
    assert played(with_login(), LOGIN) == {"a": [], "b": []}
    assert explore(with_login(), LOGIN).ok


def test_without_the_login_nobody_is_let_in():
    assert not explore(with_login(), LOGIN[2:4], rules=[answers_everything]).ok


def test_a_request_is_drawn():
    session = replay(with_login(), "granian/close@end", [LOGIN[0], *LOGIN[2:4]])
    shown = [(event.actor, event.action, event.detail) for event in session.trace][:3]
    assert shown == [("client", "POST", "/login"), ("server", "200", "OK"), ("client", "GET", "/")]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (Request("POST", "/login", json={"name": "eve"}), "POST /login: got 403"),
        (Request("POST", "/login", json={"name": "eve"}, expect=200), "POST /login: expected 200, got 403"),
        (Request("GET", "/broken"), "GET /broken: got 500"),
    ],
    ids=lambda each: re.sub(r" at 0x[0-9a-f]+", "", repr(each)),
)
def test_a_request_that_is_not_answered_as_expected_is_a_miss(step, problem):
    session = replay(with_login(), "granian/close@end", [step, Send("hi")])
    assert session.facts["unanswered"] == [problem]


def test_a_form_is_sent_by_who_is_connected():
    step = Request("post", "/form", data={"a": "1 2", "b": "{token}"}, bind="form")
    script = [*LOGIN[:1], *LOGIN[2:4], step, Send("{form}"), Expect("ann a=1+2&b=t-ann")]
    assert played(with_login(), script) == {"a": []}


def test_an_app_that_never_responds_is_a_miss():
    async def deaf(scope, receive, send):
        await asyncio.Event().wait()

    session = replay(deaf, "granian/close@end", [Request("GET", "/"), Send("hi")])
    assert session.facts["unanswered"] == [f"GET /: {SILENT}"]


def test_a_client_that_only_makes_requests_is_heard_of():
    script = (Send("hi"), Expect("hi"), Request("GET", "/nowhere", by="b"))
    assert replay(app(echo), "granian/close@end", script).facts["unanswered"] == ["client b: GET /nowhere: got 404"]
    assert asyncio.run(run(app(echo), script)).facts["unanswered"] == ["client b: GET /nowhere: got 404"]


# ---- pauses, crowds --------------------------------------------------------------------------------------------------


def test_a_pause_takes_virtual_time_in_memory():
    async def late(websocket):
        await websocket.accept()
        began = asyncio.get_running_loop().time()
        await websocket.receive_text()
        await websocket.send_text(f"{asyncio.get_running_loop().time() - began:.0f}")
        await websocket.receive()

    assert missed(replay(app(late), "granian/close@end", [Wait(5), Wait(3600), Send("x"), Expect("3605")])) == {"a": []}


def test_a_pause_is_made_on_a_real_server_too():
    assert played(app(echo), [Send("a"), Wait(0.01), Expect("a"), Send("b"), Expect("b"), Wait(0)]) == {"a": []}


def test_no_clock_waits_less_than_nothing():
    with pytest.raises(ValueError, match=r"^Wait takes seconds, at least 0 and at most a million, not -1"):
        Wait(-1)


def pooled(size):
    """Return an app each of whose sessions holds one of `size` connections to a database."""
    pool = asyncio.Semaphore(size)

    async def session(websocket):
        try:
            async with asyncio.timeout(0.3):
                await pool.acquire()
        except TimeoutError:
            raise TimeoutError("no connection is free") from None
        try:
            await echo(websocket)
        finally:
            pool.release()

    return app(session)


def test_a_crowd_that_is_larger_than_a_pool_finds_who_gets_no_answer():
    script = crowd([Send("hi"), Expect("hi")], 4)
    report = explore(make=lambda: pooled(3), script=script, rules=[answers_everything], endings=["close"])
    assert {broken.client for broken in report.broken} == {"d"}
    assert {broken.got.partition("; ")[2] for broken in report.broken} == {
        "the handler raised TimeoutError: no connection is free"
    }
    session = replay(pooled(3), report.broken[0].schedule, script)
    assert missed(session) == {"a": [], "b": [], "c": [], "d": [report.broken[0].got.partition("; ")[0]]}
    assert explore(make=lambda: pooled(4), script=script, endings=["close"]).ok


@pytest.mark.parametrize("n", [0, 27])
def test_a_crowd_has_one_to_26_clients(n):
    with pytest.raises(ValueError, match=f"^A crowd is of 1 to 26 clients, and {n} is not"):
        crowd(["hi"], n)


# ---- what the others say when a has left -----------------------------------------------------------------------------


def room_with_login():
    """Return an app that answers who has logged in."""

    async def session(websocket):
        await websocket.accept()
        known = False
        async for text in websocket.iter_text():
            known = known or text == "login"
            if known:
                await websocket.send_text(text)

    return app(session)


def test_who_stays_has_logged_in_though_a_has_left_early():
    login: list[Step] = [Send("login"), Expect("login"), Send("login", by="b"), Expect("login", by="b")]
    assert explore(room_with_login(), [*login, Leave(), Send("bye", by="b"), Expect("bye", by="b")]).ok


def test_what_a_would_have_caused_is_not_expected_and_what_b_asked_for_is():
    """A relay: b hears what a says, and an answer of its own to each of its lines but, wrongly, the first."""

    def make():
        members = []

        async def member(websocket):
            await websocket.accept()
            members.append(websocket)
            first = True
            async for text in websocket.iter_text():
                others = [each for each in members if each is not websocket]
                for each in others if text == "hi" else ():
                    await each.send_text("hi")
                if text != "hi" and (others or not first):
                    await websocket.send_text(text)
                first = False
            members.remove(websocket)

        return app(member)

    script: Script = [Send("hi"), Expect("hi", by="b"), Send("one", by="b"), Expect("one", by="b")]
    report = explore(make=make, script=script, endings=["close"], models=["granian"], rules=[answers_everything])
    assert {(broken.client, broken.got) for broken in report.broken} == {("b", SILENT)}
    assert {broken.schedule for broken in report.broken} < {name for name, _ in report.how}


def test_an_app_may_close_who_is_alone_before_he_has_said_a_word():
    """A game that ends when client a has left: what b has to say before Leave() is left out then."""

    def make():
        players: list[WebSocket] = []

        async def player(websocket):
            await websocket.accept()
            players.append(websocket)
            try:
                async for text in websocket.iter_text():
                    await websocket.send_text(text)
            except Exception:
                pass  # the peer has left
            players.remove(websocket)
            for each in [*players]:
                try:
                    await each.close(4000)
                except Exception:
                    continue

        return app(player)

    script = (Send("a"), Expect("a"), Wait(1), Send("b", by="b"), Expect("b", by="b"))
    assert explore(make=make, script=script, rules=[answers_everything], endings=["close", "reset"]).ok


def test_without_a_an_answer_may_be_another_one():
    """Seats are given back: b, who would have the second one, has the first when a has left before it came."""

    def make():
        taken: set[int] = set()

        async def seat(websocket):
            await websocket.accept()
            number = None
            async for text in websocket.iter_text():
                number = number or min({1, 2} - taken)
                taken.add(number)
                try:
                    await websocket.send_text(f"{text} {number}")
                except Exception:
                    break
            taken.discard(number)

        return app(seat)

    script = (Send("a"), Expect("a 1"), Send("b", by="b"), Expect("b 2", by="b"))
    report = explore(make=make, script=script, rules=[answers_everything], endings=["close", "reset"])
    assert report.ok, report


def test_no_answer_is_expected_to_a_line_that_was_left_out():
    """Client b says what a was told; a has left before it was told anything."""
    script = (Send("s1"), Expect(bind="it"), Send("{it}", by="b"), Expect("s1", by="b"), Leave(), Send("{it}", by="b"))
    assert explore(app(echo), (*script, Expect("s1", by="b")), rules=[answers_everything]).ok


def test_clients_are_told_apart_whoever_comes_first():
    script = (
        Send("x"),
        Expect("x"),
        Leave(),
        Send("c", by="c"),
        Expect("c", by="c"),
        Send("b", by="b"),
        Expect(by="b"),
    )
    for session in (replay(app(echo), "granian/close@end", script), asyncio.run(run(app(echo), script))):
        assert [each.received for each in (session, *session.others)] == [1, 1, 1]
        assert set(missed(session)) == {"a", "b", "c"}
    script = (*script[:-1], Expect("d", by="b"))
    assert missed(replay(app(echo), "granian/close@end", script)) == {"a": [], "b": [SILENT], "c": []}
    assert [each.facts["unanswered"] for each in asyncio.run(run(app(echo), script)).others] == [[SILENT], []]


# ---- apps that close, each client in its own time -------------------------------------------------------------------


def answers_once():
    """Return an app that answers a line and closes: a slow one when a quick one has been closed."""
    quick = asyncio.Event()

    async def once(websocket):
        await websocket.accept()
        text = await websocket.receive_text()
        if text == "slow":
            await quick.wait()
        await websocket.send_text(text)
        await websocket.close()
        if text == "quick":
            quick.set()

    async def status(_):
        return PlainTextResponse("done")

    return Starlette(routes=[WebSocketRoute("/", once), Route("/status", status)])


@pytest.mark.parametrize(("one", "other"), [("ab"), ("ba")])
def test_what_came_before_the_app_closed_is_heard(one, other):
    """Client `one` is answered and closed while the script waits for the other's answer; its own stands after that."""
    script = [Send("slow", by=other), Send("quick", by=one), Expect("slow", by=other), Expect("quick", by=one)]
    assert played(answers_once(), script) == {"a": [], "b": []}
    script[-1] = Expect("another", by=one)
    wrong = {other: [], one: ["expected 'another', got 'quick'"]}
    assert played(answers_once(), script) == wrong
    script[-1:] = [Expect("quick", by=one), Expect(by=one)]
    assert played(answers_once(), script) == {other: [], one: [CLOSED]}


@pytest.mark.parametrize("after", [[Wait(60), Expect("quick")], [Expect("quick"), Request("GET", "/status")]])
def test_an_app_that_closes_before_its_clients_last_step_is_not_blamed(after):
    """Who is idle is told so and closed while the script pauses; a result is fetched by HTTP once all is said."""
    assert explore(make=answers_once, script=[Send("quick"), *after], rules=[answers_everything]).ok
    script = [Send("quick"), *after, Send("more")]
    assert not explore(make=answers_once, script=script, rules=[answers_everything]).ok
