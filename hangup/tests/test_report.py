"""What a report says: each kind of outcome once, remarks apart, and three values for each rule."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from hangup.explorer.apps.explore import explore
from hangup.explorer.findings import Findings
from hangup.record.evidence.logged import Logged
from hangup.record.rules import ABOUT_MORE, GENERAL, STRICT, ends_quietly, shows_more
from hangup.record.session import Session
from hangup.trace.trace import Trace
from support.apps import app, echo

QUIET = ends_quietly.sentence


def closing(catch):
    """Return an app that closes what its peer has closed, and catches so much of what comes of it."""

    async def raw(scope, receive, send):
        await receive()
        with contextlib.suppress(OSError):
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
            await asyncio.sleep(0.01)
        with contextlib.suppress(*catch):
            await send({"type": "websocket.close"})

    return raw


def test_what_a_real_server_takes_in_silence_is_a_remark():
    """Uvicorn catches its own ClientDisconnected; its older implementation raises a RuntimeError, and logs it."""
    report = explore(closing([]), endings=["close"])
    assert {each.schedule.partition("/")[0] for each in report.broken} == {"uvicorn-websockets"}
    got = "the handler lets ClientDisconnected out, of which this server says nothing"
    assert {each.got for each in report.remarks} == {got}
    assert {each.schedule.partition("/")[0] for each in report.remarks} == {"uvicorn", "uvicorn-wsproto"}
    strict = explore(closing([]), endings=["close"], rules=STRICT)
    assert {each.schedule.partition("/")[0] for each in strict.broken} >= {"uvicorn", "uvicorn-wsproto"}


async def another(websocket):
    """Turn the exception that told of the end into one of its own."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as error:
        if error.code == 1006:
            raise LookupError("no such room")  # noqa: B904 - its context is what counts


def test_an_exception_that_only_came_of_a_refused_send_is_not_forgiven():
    report = explore(app(another), models=["uvicorn"])
    assert {each.got for each in report.broken} == {"LookupError: no such room"}
    assert {each.schedule.partition("@")[2] for each in report.broken} == {"send#2"}


def test_a_send_after_a_close_of_the_apps_own_is_not_forgiven():
    async def raw(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.close"})
        await send({"type": "websocket.send", "text": "one more"})

    report = explore(raw, ["hello"], models=["uvicorn"], endings=["close"])
    assert any(each.schedule == "uvicorn/close@end" and each.rule == QUIET for each in report.broken)


@pytest.mark.parametrize(("kinds", "more"), [(5, 0), (7, 2)])
def test_outcomes_of_one_rule_that_differ_in_kind_have_a_line_each(kinds, more):
    names = [f"{chr(97 + n)}-room" for n in range(kinds)]
    sessions = []

    async def fails(websocket):
        await websocket.accept()
        sessions.append(1)
        number = len(sessions)
        async for text in websocket.iter_text():
            await websocket.send_text(text)
        raise LookupError(f"{names[number % kinds]} {number}")

    report = explore(app(fails), models=["granian"], endings=["close", "fin", "reset"])
    lines = [line for line in str(report).splitlines() if line.startswith("✗ ")]
    assert len(lines) == min(kinds, 5) + (more > 0)
    assert (lines[-1] == f"✗ {QUIET}: and {more} more kinds") == (more > 0)


def test_one_cause_has_one_line():
    async def fails(websocket):
        await websocket.accept()
        raise LookupError("no such room")

    report = explore(app(fails), endings=["close"])
    at_the_end = [each.got for each in report.broken if each.schedule == "granian/close@end"]
    assert len(at_the_end) == 1
    assert at_the_end[0].endswith("the handler raised LookupError: no such room")


def of_a_schedule(session):
    session.cancelled_by, session.ended = "schedule", "returned"
    session.facts["interrupted"] = "while it worked"


BREAKS = {
    "answers_everything": lambda session: session.facts.update(unanswered=["no answer came"]),
    "does_not_spin": lambda session: session.facts.update(spun=True),
    "heeds_cancellation": of_a_schedule,
    "leaves_no_task": lambda session: setattr(session, "left_for_good", ["pump"]),
    "leaves_no_thread": lambda session: session.facts.update(threads=["pump"]),
    "hides_no_error": lambda session: setattr(session, "never_retrieved", ["pump (OSError)"]),
    "keeps_no_connection": lambda session: session.facts.update(kept="in a list"),
    "logs_no_error": lambda session: setattr(session, "logged", [Logged(("", "", ""), "ERROR")]),
    "runs_what_it_adds": lambda session: setattr(session, "unrun", ["mail"]),
    "leaves_the_loop_free": lambda session: session.facts.update(held_for="0.1 s"),
}


def test_who_has_more_to_say_than_how_it_ended_is_asked_by_every_rule():
    assert {rule.name for rule in GENERAL if rule.test in ABOUT_MORE} == set(BREAKS)
    for rule in GENERAL:
        session = Session(Trace(silent=True), "a", ended="returned")
        session.facts.update(unanswered=[], spun=False, threads=[], fired=True)
        assert not shows_more(session)
        assert rule.test(session) is None
        if rule.name in BREAKS:
            BREAKS[rule.name](session)
            assert rule.test(session) is not None
            assert shows_more(session), rule.name
            judged = Findings(GENERAL).judge("uvicorn/close@end", [session])
            assert [broken.rule for _, broken in judged.broken] == [rule.sentence]
    session = Session(Trace(silent=True), "a")
    session.outside = ("a callback fails",)
    assert shows_more(session)


def test_a_rule_holds_is_broken_or_is_not_known():
    assert set(explore(app(echo)).verdicts) == {rule.sentence for rule in GENERAL}
    assert set(explore(app(echo)).verdicts.values()) == {"held"}

    async def spins(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await asyncio.sleep(0)

    report = explore(spins)
    assert set(report.verdicts.values()) == {"broken", "not known"}
    unknown = list(report.verdicts.values()).count("not known")
    assert f"? of {unknown} rules that did not break it is not known whether they hold" in str(report)


PINGS = """
import asyncio

async def ping():
    await asyncio.sleep({seconds})

async def app(scope, receive, send):
    await receive()
    await send({{"type": "websocket.accept"}})
    app.task = asyncio.create_task(ping())
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await send({{"type": "websocket.send", "text": message["text"]}})
    except OSError:
        pass
"""


def hangup(*arguments: str, at: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command in a directory."""
    command = [sys.executable, "-m", "hangup", *arguments]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def test_the_command_tells_remarks_and_takes_excuses(tmp_path):
    (tmp_path / "brief.py").write_text(PINGS.format(seconds=25))
    (tmp_path / "endless.py").write_text(PINGS.format(seconds=2_500_000))
    brief = hangup("explore", "brief.py:app", "--json", at=tmp_path)
    assert brief.returncode == 0
    assert {each["got"] for each in json.loads(brief.stdout)["remarks"]} == {
        "a task of the handler (ping) ends 25 s after it"
    }
    replayed = hangup("replay", "brief.py:app", "uvicorn/fin@send#2", at=tmp_path).stdout
    assert replayed.endswith("✓ every rule holds\n· remark: a task of the handler (ping) ends 25 s after it\n")
    assert hangup("explore", "endless.py:app", at=tmp_path).returncode == 1
    assert hangup("explore", "endless.py:app", "--excuse", "ping", at=tmp_path).returncode == 0
