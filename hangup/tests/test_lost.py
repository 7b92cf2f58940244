"""A server loses a message: the session says so, and is played again."""

import asyncio
import enum

import pytest

from hangup.servers import sessions
from hangup.servers.script import HELLO, SILENT, Expect, Leave, Send
from hangup.servers.sessions import TRIES, compare, run, run_anew
from support.apps import app, deaf, echo
from support.losing import ALWAYS, loses

SOON = 0.3  # seconds in which a message that is lost does not come either
WORDS = {
    "up": "client a said 1 message; receive() has returned 0",
    "down": "send() has taken 1 message for client a; 0 came",
}
BOTH = pytest.mark.parametrize("direction", WORDS)


def played(endpoint, script=HELLO, ending="close"):
    return asyncio.run(run(app(endpoint), script, ending=ending, patience=SOON))


async def says_so_first(websocket):
    await websocket.accept()
    for text in ("one", "two"):
        await websocket.send_text(text)
    async for _ in websocket.iter_text():
        pass


async def goes_first(websocket):
    """Closes before it has heard everything, and is told of the end that it has made."""
    await websocket.accept()
    await websocket.receive_text()
    await websocket.close()
    await websocket.receive()


async def two_readers(websocket):
    """One of its readers takes what is said, and does nothing."""

    async def read():
        async for _ in websocket.iter_text():
            pass

    await websocket.accept()
    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    async for text in websocket.iter_text():
        await websocket.send_text(text)
    await reader


async def impatient(websocket):
    """Asks, gives up, and works on."""
    await websocket.accept()
    asking = asyncio.create_task(websocket.receive())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.Event().wait()


@BOTH
def test_a_session_tells_what_its_server_has_lost(monkeypatch, direction):
    loses(monkeypatch, direction)
    facts = played(echo).facts
    assert (facts["unanswered"], facts["lost"]) == ([SILENT], [WORDS[direction]])


def test_who_hears_the_second_message_first_has_lost_the_first(monkeypatch):
    """The second send() may not have returned by then: what was lost is known by what came."""
    loses(monkeypatch, "down")
    facts = played(says_so_first, [Expect("one")]).facts
    assert facts["unanswered"] == ["expected 'one', got 'two'"]
    assert facts["lost"] == ["client a missed one of 2 messages that send() was given"]


def test_what_another_client_waits_for_is_lost_too(monkeypatch):
    """Client b waits for what client a said, which the app has not heard."""
    loses(monkeypatch, "up", 1)
    room = []

    async def relays(websocket):
        await websocket.accept()
        room.append(websocket)
        async for text in websocket.iter_text():
            for each in room:
                await each.send_text(text)

    session = played(relays, [Send("one"), Expect("one", by="b")])
    assert session.facts["unanswered"] == []
    assert [each.facts["lost"] for each in (session, *session.others)] == [[WORDS["up"]]] * 2


def test_nothing_is_lost_where_nobody_waits_in_vain():
    assert played(echo).facts["lost"] == []


@pytest.mark.parametrize(
    ("endpoint", "script"),
    [(deaf, HELLO), (goes_first, [Send("one"), Send("two"), Expect()]), (two_readers, HELLO), (impatient, HELLO)],
    ids=["deaf", "goes first", "two readers", "impatient"],
)
def test_what_an_app_does_itself_is_not_lost_by_its_server(endpoint, script):
    facts = played(endpoint, script).facts
    assert facts["unanswered"]
    assert facts["lost"] == []


def test_who_has_left_takes_along_what_was_not_read():
    script = [Send("one"), Expect("one"), Send("two"), Leave(), Send("three", by="b"), Expect("four", by="b")]
    assert played(echo, script, ending="reset").facts["lost"] == []


@pytest.fixture
def plays(monkeypatch):
    """Count the sessions."""
    found = []

    async def counted(*arguments, **options):
        found.append(await run(*arguments, **(options | {"patience": SOON})))
        return found[-1]

    monkeypatch.setattr(sessions, "run", counted)
    return found


@BOTH
@pytest.mark.parametrize(("connections", "times"), [(0, 1), (1, 2), (2, 3), (ALWAYS, TRIES)])
def test_a_session_is_played_again_with_a_fresh_app(monkeypatch, plays, direction, connections, times):
    loses(monkeypatch, direction, connections)
    made = []

    def make():
        made.append(app(echo))
        return made[-1]

    got, session = asyncio.run(run_anew(make))
    assert (len(made), got, session) == (times, made[-1], plays[-1])
    assert session.facts["unanswered"] == ([SILENT] if connections == ALWAYS else [])


def test_what_is_not_lost_is_played_once(plays):
    asyncio.run(run_anew(lambda: app(deaf)))
    assert len(plays) == 1


def test_a_table_has_what_came_of_a_session_in_which_nothing_was_lost(monkeypatch, plays):
    loses(monkeypatch, "up", 1)
    table = asyncio.run(
        compare(app(echo), what=lambda session: session.received, servers=["uvicorn"], endings=["close"])
    )
    assert table.rows == (("uvicorn", "1"),)
    assert len(plays) == 2


class Word(enum.StrEnum):
    """A text whose repr says more."""

    SO = "so"


@pytest.mark.parametrize(
    "said", ["so", b"so", "straße\n", b"\x00\xff", "", Word.SO, bytearray(b"so"), memoryview(b"so")]
)
def test_what_comes_is_what_was_said(said):
    """Else every session in which somebody waits in vain would count as one of a message that was lost."""

    async def says(websocket):
        await websocket.accept()
        await (websocket.send_text if isinstance(said, str) else websocket.send_bytes)(said)
        await websocket.receive()

    facts = played(says, [Expect(), Expect()]).facts
    assert (facts["unanswered"], facts["lost"]) == ([SILENT], [])
