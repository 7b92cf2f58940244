"""The rows of older releases tell the truth: the probes log on them what they have logged on both ends of each row."""

import asyncio
import difflib
import json
from collections.abc import Awaitable, Callable

import pytest

from hangup import explore
from hangup.cli import main
from hangup.servers import players
from hangup.servers.memory import MemoryConnection
from hangup.servers.models import model_for
from hangup.servers.models.more.older import OLDER
from hangup.servers.script import Expect, Send, Step
from hangup.time.virtual import VirtualLoop
from support.older import LOGS
from support.playing_in_memory import in_memory
from support.probes import PROBES, Logged

KEPT: dict[str, dict[str, list[str]]] = json.loads(LOGS.read_text("utf-8"))
SCRIPT: list[Step] = [Send("hi"), Expect()]
FLOW = "RuntimeError (not OSError): ASGI flow error: Transport not initialized or closed"


@pytest.mark.parametrize("releases", KEPT)
def test_a_row_logs_what_its_releases_have_logged(releases):
    """`python -m support.older` writes what is compared here."""
    probes = {probe.__name__: probe for probe in PROBES}
    for release in releases.split(", "):
        for case, real in KEPT[releases].items():
            probe, _, ending = case.partition(", ")
            modelled = in_memory(release, probes[probe], ending)
            diff = "\n".join(difflib.ndiff(modelled, real))
            assert modelled == real, f"the row (-) and {release} (+) differ in {case}:\n{diff}"


def test_every_row_was_probed_at_both_ends_and_by_every_probe():
    assert list(KEPT) == [
        ", ".join(f"{row.name}=={release}" for release in dict.fromkeys((row.since, row.measured))) for row in OLDER
    ]
    every = {f"{probe.__name__}, {ending}" for probe, endings in PROBES.items() for ending in endings}
    for releases, logged in KEPT.items():
        stops = {case for case in every if case.endswith("shutdown")}
        assert set(logged) == (every - stops if releases.startswith("granian") else every)


# ---- what a row of an older release does in an exploration -----------------------------------------------------------


async def reads_on(scope, receive, send):
    """Echo, and receive until an exception ends that."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


async def closes_late(scope, receive, send):
    """Echo; when the client is gone close, and wait to be told of that."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    try:
        await send({"type": "websocket.close", "code": 4000})
    except OSError:
        return
    assert (await receive())["code"] == 4000


async def sends_until_it_raises(scope, receive, send):
    """Send on and on, and end when a send raises whatever it is."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(1)
    except Exception:
        return


def broken(app, model, script=SCRIPT):
    """Return what is said of the app's end in a reset, on this model."""
    return [str(each) for each in explore(app, script, models=[model], endings=["reset"], beside=False).broken]


@pytest.mark.parametrize(
    ("model", "words"), [("granian==2.7.0", "ASGI flow error"), ("granian==2.7.1", "again and again")]
)
def test_up_to_granian_2_7_0_who_reads_on_gets_an_error_and_then_the_same_for_ever(model, words):
    said = "\n".join(broken(reads_on, model))
    assert words in said
    assert ("ASGI flow error" in said) == (words == "ASGI flow error")


@pytest.mark.parametrize("model", ["uvicorn-wsproto==0.52.0", "uvicorn-wsproto==0.45.0"])
def test_an_older_uvicorn_wsproto_tells_an_app_of_its_own_late_close(model):
    assert broken(closes_late, model) == []


def test_before_granian_2_8_4_who_only_sends_is_told_by_the_second_send():
    assert broken(sends_until_it_raises, "granian==2.8.3", [Expect()]) == []
    assert broken(sends_until_it_raises, "granian", [Expect()]) != []


def played(model: str, ending: str, work: Callable[[Logged, MemoryConnection], Awaitable[None]]) -> list[str]:
    """Play a case on the row of a release and return its log."""

    async def play() -> list[str]:
        connection = MemoryConnection(model_for(model), ending)
        app = Logged(connection.receive, connection.send)
        app.leave()
        await connection.receive()
        await app.send("accept")
        await work(app, connection)
        connection.unlink()
        return app.lines[1:]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play())


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        ("uvicorn==0.52.0", ["send returns", "websocket.disconnect {'code': 1005}"]),
        ("uvicorn-wsproto==0.52.0", ["send never returns", "websocket.disconnect {'code': 1005}"]),
        ("granian==2.7.1", [f"send raises {FLOW}", "websocket.disconnect {'code': 1005}"]),
        (
            "granian==2.3.4",
            [f"send raises {FLOW.rpartition(': ')[0]}", "websocket.disconnect {'code': 1005}"],
        ),
    ],
)
def test_a_send_to_a_peer_that_does_not_read_and_is_reset(model, lines):
    """As `support.further.unread` has logged on these releases."""

    async def work(app, connection):
        connection.leave()
        waiting = asyncio.ensure_future(app.send("send"))
        await asyncio.sleep(1)
        assert connection.waiting_sends == (model != "uvicorn==0.52.0")
        connection.lasting._end("reset")
        await waiting
        await app.receive()

    assert played(model, "unread", work) == lines


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-wsproto"])
@pytest.mark.parametrize(("ending", "code"), [("silence", 1005), ("too-big", 1009)])
def test_up_to_0_52_0_uvicorn_takes_its_own_close_for_the_apps(server, ending, code):
    """As `support.further` has logged of a send, and of a close in its place."""

    async def work(app, connection):
        connection.leave()
        await asyncio.sleep(connection.model.after.get(ending, 0.1))
        await app.receive()
        await asyncio.sleep(0.1)
        for kind in ("send", "close"):
            await app.send(kind)

    told, *late = played(f"{server}==0.52.0", ending, work)
    assert f"'code': {code}" in told
    words = "Unexpected ASGI message 'websocket.{}', after sending 'websocket.close'."
    assert late == [f"{kind} raises RuntimeError (not OSError): {words.format(kind)}" for kind in ("send", "close")]


def test_a_further_ending_is_tried_on_the_row_of_a_release():
    report = explore(reads_on, SCRIPT, models=["uvicorn-wsproto==0.45.0"], endings=["silence", "too-big"], beside=False)
    assert "uvicorn-wsproto==0.45.0 never tells the app that its peer has fallen silent" in str(report.remarks)
    assert not any("too-big" in name for name, _ in report.how)


def test_an_older_release_that_is_installed_is_told_of_its_row(monkeypatch, capsys):
    here = {"granian": "2.7.1", "uvicorn": "0.51.0", "hypercorn": "0.16.0"}
    models = ["uvicorn", "uvicorn-websockets", "uvicorn-wsproto", "granian", "hypercorn", "granian==2.8.0"]
    rows = ["uvicorn==0.51.0", "uvicorn-wsproto==0.51.0", "granian==2.7.1"]
    assert players.of_older_releases(models, here.get) == rows
    assert players.of_older_releases(models, {"granian": "2.0.0"}.get) == []
    monkeypatch.setattr(players, "of_older_releases", lambda _: ["granian==2.7.1"])
    main(["explore", "support.running:app", "--server", "granian", "--ending", "close"])
    assert "\ngranian 2.7.1, which is installed here, has a row: --server granian==2.7.1\n" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["granian==2.7.1", "granian==2.2.6", "uvicorn-wsproto==0.51.0"])
def test_the_command_explores_an_older_release(model, capsys):
    assert main(["explore", "support.running:app", "--server", model, "--ending", "close"]) in {0, 1}
    assert f"the models are true of {model.partition('==')[0]} ({model_for(model).releases}" in capsys.readouterr().out
