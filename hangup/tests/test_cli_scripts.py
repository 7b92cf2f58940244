"""What clients do, said to the command: as a line of steps, in a file, with how many, and how the app starts."""

import argparse
import sys

import pytest

from hangup import Expect, Leave, Send, Wait
from hangup import cli as command
from hangup.cli.script.steps import line, script
from hangup.servers.script import Step

APPS = """
import contextlib

async def echo(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("none")
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        with contextlib.suppress(OSError):
            await send({**message, "type": "websocket.send"})

def create():
    return echo

async def started(scope, receive, send):
    if scope["type"] != "lifespan":
        assert scope["state"]["started"]
        return await echo(scope, receive, send)
    await receive()
    scope["state"]["started"] = True
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def fails(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed"})

async def hangs(scope, receive, send):
    import asyncio
    await receive()
    await asyncio.Event().wait()

async def raises(scope, receive, send):
    await receive()
    try:
        raise ValueError("no database")
    except ValueError:
        await send({"type": "lifespan.startup.failed"})

slots = []

async def only_five(scope, receive, send):
    await receive()
    if len(slots) == 5:
        raise TimeoutError("no connection is free")
    slots.append(True)
    try:
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            with contextlib.suppress(OSError):
                await send({**message, "type": "websocket.send"})
    finally:
        slots.pop()
"""
SCRIPT = """
from hangup import Expect, Send
path = "/ws"
lifespan = "off"
script = [Send(b"hi"), Expect(b"hi")]
"""


@pytest.fixture
def hangup(tmp_path, monkeypatch, capsys):
    """Call the command in a directory with apps; return its exit status, its stdout and its stderr."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lineapps.py").write_text(APPS)
    (tmp_path / "said.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text("script = [7]")
    (tmp_path / "nowhere.py").write_text("path = 'ws'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("lineapps", "said", "wrong", "nowhere"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def call(verb, app, *arguments):
        status: object
        try:
            status = command.main([verb, f"lineapps:{app}", "--app-dir", "src", *arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


LINE = (
    r'text:a\, b, expect, b.json:{"a": [1, 2]}, b.expect-json:{"a": [1, 2]}, binary:00ff, expect:x, wait:1.5, leave, '
    "b.text:bye"
)


def test_a_line_says_every_step_and_is_written_as_it_was():
    steps: list[Step] = [
        *(Send("a, b"), Expect(), Send(json={"a": [1, 2]}, by="b"), Expect(json={"a": [1, 2]}, by="b")),
        *(Send(b"\x00\xff"), Expect("x"), Wait(1.5), Leave(), Send("bye", by="b")),
    ]
    assert script(LINE) == steps
    assert script(line(steps)) == steps


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("json:{,expect", "what follows the colon is no JSON"),
        ('json:1 2, text:"a"', "there is more than one JSON value before the comma"),
        ("binary:xyz", "bytes are written as hexadecimal digits"),
        ("wait:soon", "a pause is a number of seconds"),
        ("wait:-1", "a pause is a number of seconds"),
        ("b.leave", "is no step"),
        ("json", "is no step"),
    ],
)
def test_a_line_that_says_nothing_is_a_sentence(text, sentence):
    with pytest.raises(argparse.ArgumentTypeError, match=sentence):
        script(text)


def test_a_file_says_what_clients_do(hangup):
    status, out, _ = hangup("explore", "echo", "--script", "said.py", "--limit", "5")
    assert status == 0
    assert out.startswith("lineapps:echo at /ws on 5 models")
    assert "client: said.py; a second one says the same beside it" in out
    _, out, _ = hangup("replay", "echo", "granian/close@end", "--script", "said.py", "--alone", "--path", "/")
    assert "binary b'hi'" in out
    assert "GET /\n" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--script", "wrong.py"], "wrong.py: A script is a list of Send(text), "),
        (["--script", "nowhere.py"], "nowhere.py: path begins with /, and 'ws' does not."),
        (["--script", "missing.py"], "module 'missing.py' cannot be imported: FileNotFoundError"),
        (["--script", "said.py", "--client", "expect"], "argument --client: not allowed with argument --script"),
        (["--crowd", "27"], "argument --crowd: '27' is no number of clients from 1 to 26."),
        (["--crowd", "3", "--alone"], "argument --alone: not allowed with argument --crowd"),
    ],
)
def test_what_cannot_be_said_is_a_sentence_and_2(hangup, arguments, sentence):
    status, _, err = hangup("explore", "echo", *arguments)
    assert status == 2
    assert sentence in err


def test_a_function_with_parentheses_makes_an_app(hangup):
    assert hangup("explore", "create()", "--limit", "5")[0] == 0
    assert hangup("replay", "create()", "granian/close@end")[0] == 0


def test_a_crowd_finds_a_pool_that_is_too_small_and_its_replay_shows_it(hangup):
    status, out, _ = hangup("explore", "only_five", "--crowd", "6", "--ending", "close", "--server", "granian")
    assert status == 1
    assert '6 clients: text:"hello", expect' in out
    assert "the handler raised TimeoutError: no connection is free" in out
    status, out, _ = hangup("replay", "only_five", "granian/close@end", "--crowd", "6")
    assert "app f               ✗ raises TimeoutError: no connection is free" in out
    assert hangup("explore", "only_five", "--crowd", "5", "--ending", "close")[0] == 0


def test_the_lifespan_is_run_if_there_is_one(hangup):
    assert hangup("explore", "started", "--limit", "5")[0] == 0
    assert hangup("explore", "echo", "--limit", "5")[0] == 0
    assert hangup("explore", "started", "--lifespan", "off", "--limit", "5")[0] == 1


@pytest.mark.parametrize(
    ("app", "option", "sentence"),
    [
        ("echo", "on", "the app does not speak the lifespan protocol: in its lifespan it raised RuntimeError: none."),
        ("fails", "auto", "the app did not start: it said lifespan.startup.failed."),
        ("raises", "auto", "the app did not start: in its lifespan it raised ValueError: no database."),
        ("hangs", "auto", "the app did not start: it does not answer lifespan.startup."),
    ],
)
def test_an_app_that_does_not_start_is_a_sentence_and_2(hangup, app, option, sentence):
    for verb in (["explore", app], ["replay", app, "granian/close@end"]):
        status, _, err = hangup(*verb, "--lifespan", option)
        assert (status, err.splitlines()[-1]) == (2, f"hangup {verb[0]}: error: {sentence}")
