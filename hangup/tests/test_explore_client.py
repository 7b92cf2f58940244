"""The client's explorer finds, in short clients, what breaks at one frame, and names the schedule."""

import asyncio
import contextlib
from typing import Any

import pytest
import websockets

from hangup.explorer.clients.explore import explore_client, replay_client
from hangup.explorer.clients.schedules import FAULTS, ClientSchedule
from hangup.explorer.clients.trouble import DOWN
from hangup.network.toxics import Bytes, Frame
from hangup.record.recorder import note
from hangup.record.rules import rule
from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop

QUIET: dict[str, Any] = {"compression": None, "proxy": None}


def echo():
    """Return a server that says everything back."""

    async def handler(websocket):
        async for message in websocket:
            await websocket.send(message)

    return handler


async def polite(url):
    """Asks twice, with websockets' own keepalive, and lets its exceptions out."""
    async with websockets.connect(url, **QUIET) as websocket:
        for word in ("one", "two"):
            await websocket.send(word)
            assert await websocket.recv() == word


async def trusting(url):
    """Switches keepalive off: a silent peer is waited for, for ever."""
    async with websockets.connect(url, ping_interval=None, **QUIET) as websocket:
        await websocket.send("one")
        await websocket.recv()


async def swallowing(url):
    """Takes its own cancellation for the end of the connection."""
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await polite(url)


async def forgetful(url):
    """Leaves a task behind when its connection breaks."""
    async with websockets.connect(url, **QUIET) as websocket:
        task = asyncio.create_task(asyncio.Event().wait(), name="waiting")
        await websocket.send("one")
        await websocket.recv()
        task.cancel()
        await asyncio.wait([task])


async def buggy(url):
    """Has a bug of its own where the connection broke."""
    try:
        await polite(url)
    except websockets.ConnectionClosed:
        note("what now?")
        raise KeyError("plan B") from None


async def insistent(url):
    """Comes back until it has heard the word."""
    async for websocket in websockets.connect(url, **QUIET):
        with contextlib.suppress(websockets.ConnectionClosed):
            await websocket.send("one")
            await websocket.recv()
            return


def first(client, server=echo, **options):
    """Return rule, words and schedule of the first thing that breaks."""
    broken = explore_client(client, server, **options).broken
    return (broken[0].rule, broken[0].got, broken[0].schedule) if broken else None


def test_a_client_that_lets_the_connections_exceptions_out_is_fine():
    report = explore_client(polite, echo)
    assert report.ok
    assert (report.schedules, report.explored, report.unfired) == (69, 69, 0)


def test_a_silent_wire_holds_who_sends_no_pings():
    _, got, schedule = first(trusting)
    assert (got, schedule) == ("it was still waiting an hour later", "upstream/silence@frame#1")


def test_a_swallowed_cancellation_is_found():
    assert first(swallowing)[1:] == (
        "it was cancelled and returned as if nothing had happened",
        "client/cancel@await#1",
    )


def test_a_forgotten_task_is_found():
    assert first(forgetful)[1:] == ("still running: waiting", "upstream/close@frame#1")


def test_a_bug_of_the_clients_own_is_found():
    assert first(buggy)[1:] == ("KeyError: 'plan B'", "upstream/close@frame#1")


def test_who_comes_back_is_fine_whatever_happens_three_times():
    assert explore_client(insistent, echo, times=(1, 3)).ok


def test_a_restart_is_survived_by_who_waits_long_enough():
    session = replay_client(insistent, "upstream/restart@frame#1", echo)
    assert session.ended == "returned"
    assert session.facts["took"] >= DOWN


def test_the_same_client_gives_the_same_report():
    reports = [explore_client(insistent, echo, times=(2,)) for _ in range(2)]
    assert reports[0] == reports[1]
    assert str(reports[0]) == str(reports[1])


@pytest.mark.parametrize(
    "name", ["upstream/silence@frame#1", "downstream/reset@frame#1.inside", "client/cancel@await#3"]
)
def test_a_replay_is_the_same_each_time(name):
    pictures = [str(replay_client(insistent, name, echo).trace) for _ in range(3)]
    assert pictures[0] == pictures[1] == pictures[2]


def test_a_picture_shows_what_was_lost_where():
    trace = replay_client(polite, "upstream/silence@frame#2", echo).trace
    assert ("client", "text", "'two'", "network") in [(e.actor, e.action, e.detail, e.to) for e in trace]


def test_facts_come_from_the_server_as_well():
    """A server that applies a message twice is caught by a rule that looks at what it has."""

    class Server:
        def __init__(self) -> None:
            self.got: list[str] = []

        async def __call__(self, websocket) -> None:
            async for message in websocket:
                self.got.append(message)
                await websocket.send(message)

    @rule
    def applied_once(session):
        """A message is applied once."""
        got = session.facts["got"]
        return f"the server has {got}" if len(got) > 1 else None

    report = explore_client(
        insistent, Server, rules=[applied_once], probe=lambda server, session: session.facts.update(got=server.got)
    )
    assert report.broken[0].schedule == "upstream/close@frame#1"
    assert {broken.got for broken in report.broken} == {"the server has ['one', 'one']"}


def test_a_client_that_spins_is_found(monkeypatch):
    async def spins(url):
        while True:
            await asyncio.sleep(0)

    monkeypatch.setattr("hangup.time.loopback.TURNS", 20_000)
    assert first(spins)[1] == "it asks again and again"


@pytest.mark.parametrize(("counts_as", "most"), [(0, 400), (200, 20)])
def test_who_connects_without_a_pause_spins_sooner_where_a_connection_counts_more(counts_as, most):
    async def hammers(url):
        while True:
            with contextlib.suppress(websockets.InvalidHandshake, OSError):
                await websockets.connect(url, **QUIET)

    def server():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        loop.most_turns, loop.turns_of_a_connection = 4_000, counts_as
        return echo()

    session = replay_client(hammers, "upstream/reset@frame#0x9999", server)
    assert session.facts["spun"]
    assert most / 10 < session.facts["connections"] <= most


def test_a_client_that_holds_the_loop_is_given_up():
    async def holds(url):
        while True:
            pass

    with pytest.raises(Stuck):
        explore_client(holds, echo, seconds=0.5)


@pytest.mark.parametrize(
    "schedule",
    [
        ClientSchedule(),
        ClientSchedule(cancel_at=3),
        ClientSchedule("reset", "downstream", 2, inside=True),
        ClientSchedule("silence", "upstream", 0, times=3),
    ],
    ids=str,
)
def test_a_name_leads_back_to_its_schedule(schedule):
    assert ClientSchedule.parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    "name", ["", "upstream", "upstream/flood@frame#1", "sideways/reset@frame#1", "upstream/fin@await#1"]
)
def test_what_is_no_name_gets_a_sentence(name):
    with pytest.raises(ValueError, match="is no schedule: they look like"):
        ClientSchedule.parse(name)


def test_a_fault_that_there_is_not_is_one_sentence():
    with pytest.raises(
        ValueError, match=r"^There is no fault 'flood': choose among close, fin, reset, silence, restar"
    ):
        explore_client(polite, echo, faults=["flood"])


def test_frame_0_is_the_handshake():
    assert ClientSchedule("fin", frame=0).at == Bytes(0)
    assert isinstance(ClientSchedule("fin", frame=0, inside=True).at, Bytes)
    assert ClientSchedule("fin", frame=2, inside=True).at == Frame(2, inside=True)


def test_every_fault_says_what_it_is():
    for fault in FAULTS:
        assert FAULTS[fault] in ClientSchedule(fault, frame=1).words


def test_a_server_that_never_ends_does_not_keep_the_exploration_from_ending():
    def sleeper():
        async def handler(websocket):
            await asyncio.Event().wait()

        return handler

    async def leaves(url):
        async with websockets.connect(url, **QUIET) as websocket:
            await websocket.send("hello")

    assert explore_client(leaves, sleeper, faults=["reset"], seconds=20).explored > 1


def test_the_picture_shows_the_message_that_a_reset_lost():
    trace = replay_client(polite, "downstream/reset@frame#1", echo).trace
    assert any(event.actor == "server" and event.to == "network" and "one" in event.detail for event in trace)


async def stubborn(url):
    """Sends the same again, whatever the server said of it."""
    async for connection in websockets.connect(url, proxy=None):
        try:
            await connection.send("a long message")
            await connection.recv()
        except websockets.ConnectionClosed:
            continue
        return


async def sensible(url):
    """Gives up what is too big."""
    async with websockets.connect(url, proxy=None) as connection:
        for text in ("short", "a longer one"):
            await connection.send(text)
            await connection.recv()


def test_who_sends_again_what_is_too_big_is_named():
    report = explore_client(stubborn, lambda: echoes, faults=["too-big"])
    assert [broken.got for broken in report.broken] == [
        "it sends the same again and again, which the server refuses each time, more than 20 times"
    ]


def test_who_sends_what_the_server_itself_finds_too_big_is_named_too():
    """It never gets further, undisturbed or not."""

    async def huge(url):
        async for connection in websockets.connect(url, proxy=None, compression=None):
            try:
                await connection.send(b"x" * 2**21)
                await connection.recv()
            except websockets.ConnectionClosed:
                continue
            return

    report = explore_client(huge, lambda: echoes, faults=["too-big"], limit=3)
    assert {broken.got for broken in report.broken} == {
        "it sends the same again and again, which the server refuses each time, more than 20 times"
    }


def test_who_gives_up_what_is_too_big_is_sound():
    report = explore_client(sensible, lambda: echoes, faults=["too-big"])
    assert report.ok, str(report)
    assert [name for name, _ in report.how][1:] == ["upstream/too-big@frame#1", "upstream/too-big@frame#2"]
    assert report.unfired == 0


async def echoes(connection):
    async for message in connection:
        await connection.send(message)
