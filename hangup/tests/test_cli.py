"""`hangup explore` and `hangup replay`: exit statuses, what is printed, a sentence for what cannot be used."""

import functools
import io
import json
import os
import shlex
import subprocess
import sys

import pytest

from hangup import cli as command

APPS = """
import os

print("the module says hello")

class Rooms:
    def __init__(self, app):
        self.app = app

async def twice(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
    await receive()

async def echo(scope, receive, send):
    print("a session begins")
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})

async def routed(scope, receive, send):
    if scope["path"] == "/ws room" and scope["query_string"] == b"n=1":
        await echo(scope, receive, send)

async def leaves(scope, receive, send):
    raise SystemExit("leaves")

async def exits(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        os._exit(0)
    await echo(scope, receive, send)

async def holds(scope, receive, send):
    while True:
        try:
            await receive()
        except BaseException:
            pass

def make():
    return twice

class Counter:
    def __init__(self):
        self.count = self.asked = 0

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            self.asked += 1
            before = self.count
            await send({"type": "websocket.send", "text": "counted"})
            self.count = before + 1

def miscounted(app):
    return f"{app.count} of {app.asked} counted" if app.count < app.asked else None

rooms = Rooms(echo)
number = 7
"""


PRINTED = ("the module says hello", "a session begins")  # by the apps
HEADING = "someapps:{} on 5 models (uvicorn, uvicorn-websockets, uvicorn-wsproto, granian, hypercorn); client: "


@pytest.fixture
def hangup(tmp_path, monkeypatch, capsys):
    """Call the command in a directory with apps; return its exit status, its stdout and its stderr."""
    (tmp_path / "someapps.py").write_text(APPS)
    (tmp_path / "needs.py").write_text("import no_such_package")
    (tmp_path / "typo.py").write_text("x = 1\nx +")
    (tmp_path / "fails.py").write_text("\n1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("someapps", "needs", "typo", "fails"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def call(*arguments: str) -> tuple[int | str | None, str, str]:
        status: int | str | None
        try:
            status = command.main(list(arguments))
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def explore(hangup):
    """Call `hangup explore`."""
    return functools.partial(hangup, "explore")


@pytest.fixture
def replay(hangup):
    """Call `hangup replay`."""
    return functools.partial(hangup, "replay")


def test_an_app_that_keeps_every_rule_gives_the_table_and_0(explore):
    status, out, _ = explore("someapps:echo")
    assert status == 0
    heading, _, report = out.partition("\n\n")
    assert (
        heading.splitlines()[0] == HEADING.format("echo") + 'text:"hello", expect; a second one says the same beside it'
    )
    assert report.startswith("server              close  fin  reset  shutdown  cancel\n")
    assert out.splitlines()[-3].endswith("; 0 break a rule")
    assert out.splitlines()[-2].startswith("not tried: silence, ")
    assert out.splitlines()[-1] == "order of tasks: not tried; --order 200"
    assert "✗" not in out


def test_what_the_app_prints_is_not_in_the_report(explore):
    _, out, err = explore("someapps:echo", "--limit", "3")
    assert out.splitlines()[-3].startswith("explored 3 of ")
    assert err.startswith("the module says hello\na session begins\n")


def test_an_app_that_receives_once_too_often_gives_a_picture_and_1(explore):
    status, out, _ = explore("someapps:twice", "--server", "hypercorn", "--ending", "close")
    heading, table, found, picture, summary = out.split("\n\n")
    assert status == 1
    assert (
        heading.splitlines()[0]
        == 'someapps:twice on 1 model (hypercorn); client: text:"hello", expect; a second one says the same beside it'
    )
    assert table.splitlines()[-1] == "hypercorn  ✗ 5 of 5"
    assert found.splitlines()[1].startswith("✗ the handler ends when the peer leaves: ")
    first, _, drawn = picture.partition("\n")
    assert f"first at {first}, " in found
    assert "never returns" in drawn.splitlines()[-2]
    assert summary.splitlines() == [
        "✗ the handler ends when the peer leaves: broken by 5 of 5 schedules",
        f"see it again: hangup replay someapps:twice '{first}' --alone",
    ]


def test_the_command_that_it_names_shows_the_same_picture(explore, hangup):
    _, out, _ = explore(
        "someapps:make", "--factory", "--lifespan", "auto", "--path", "/a b", "--client", r"text:a\, b, expect"
    )
    *_, picture, summary = out.split("\n\n")
    again = shlex.split(summary.rpartition("see it again: ")[2])
    assert again[0] == "hangup"
    status, out, _ = hangup(*again[1:])
    assert status == 1
    assert out.split("\n\n")[0] == picture


def test_a_schedule_is_replayed_by_its_name(replay):
    status, out, _ = replay("someapps:twice", "hypercorn/close@end")
    name, _, rest = out.partition("\n")
    assert (status, name) == (1, "hypercorn/close@end")
    assert "GET /" in rest
    assert rest.splitlines()[-1].startswith("✗ the handler ends when the peer leaves: ")
    status, out, _ = replay("someapps:twice", "granian/close@end")
    assert (status, out.splitlines()[-1]) == (0, "✓ every rule holds")


def test_a_picture_can_be_mermaid_and_nothing_else(replay):
    status, out, err = replay("someapps:twice", "hypercorn/close@end", "--mermaid")
    assert status == 1
    assert out.startswith("sequenceDiagram\n")
    assert "✗ the handler ends when" not in out
    assert "✗ the handler ends when" in err


def test_json_is_the_same_each_time(explore):
    first, second = (explore("someapps:twice", "--json") for _ in range(2))
    assert first[:2] == second[:2]
    report = json.loads(first[1])
    assert list(report) == [
        "app",
        "models",
        "company",
        "explored",
        "schedules",
        "ok",
        "broken",
        "later",
        "remarks",
        "unknown",
        "verdicts",
        "untried",
    ]
    assert report["models"] == ["uvicorn", "uvicorn-websockets", "uvicorn-wsproto", "granian", "hypercorn"]
    assert first[2].startswith(HEADING.format("twice"))
    assert (first[0], report["ok"]) == (1, False)
    assert report["explored"] == report["schedules"]
    assert report["broken"][0] == {
        "rule": "the handler ends when the peer leaves",
        "schedule": "uvicorn/fin@receive#2",
        "got": "the handler was still running when the server had stopped; it had to be cancelled",
        "client": "a",
    }


def test_an_attribute_of_an_object_can_be_an_app(explore):
    assert explore("someapps:rooms.app", "--limit", "5")[0] == 0


def test_the_client_asks_for_a_path(explore):
    assert explore("someapps:routed", "--path", "/ws%20room?n=1")[0] == 0
    status, out, _ = explore("someapps:routed", "--path", "/ws")
    assert status == 1
    assert "GET /ws\n" in out


def test_the_client_says_what_it_is_told_to(explore, replay):
    steps = r"text:hello\, you, expect:hello\, you, text:again, expect, close:1001"
    status, out, _ = replay("someapps:echo", "uvicorn/close@end", "--client", steps)
    assert status == 0
    assert "'hello, you'" in out
    assert "'again'" in out
    status, out, _ = explore("someapps:echo", "--client", "text:a, expect:b")
    assert status == 1
    assert "expected 'b', got 'a'" in out
    assert explore("someapps:echo", "--client", "close", "--limit", "1")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["someapps"], "'someapps' names no app: it looks like package.module:app or path/to/file.py:app."),
        (["nowhere:app"], "there is no module 'nowhere', neither in "),
        (["someapps.inner:app"], "there is no module 'someapps.inner', neither in "),
        (["someapps:ap"], "there is no 'ap' in module 'someapps': "),
        (["someapps:rooms.ap"], "there is no 'rooms.ap' in module 'someapps': 'Rooms' object has no attribute 'ap'."),
        (["someapps:number"], "'someapps:number' is no app: it is of type int, which nobody can call."),
        (["needs:app"], "module 'needs' cannot be imported: ModuleNotFoundError: No module named 'no_such_package' ("),
        (["typo:app"], "module 'typo' cannot be imported: SyntaxError: invalid syntax (typo.py, line 2)"),
        (["fails:app"], "fails.py, line 2)"),
        (["someapps:echo", "--client", "text:a, bark"], "argument --client: 'bark' is no step: a step is text:WORDS, "),
        (
            ["someapps:echo", "--client", "text:a, close:1000"],
            "'close:1000': the client closes once, as its last step,",
        ),
        (["someapps:echo", "--client", "close, expect"], "argument --client: 'close': the client closes once, "),
        (["someapps:echo", "--path", "ws"], "argument --path: a path begins with /, and 'ws' does not."),
        (["someapps:echo", "--server", "nginx"], "argument --server: There is no model 'nginx': choose among "),
        (["someapps:echo", "--ending", "bang"], "argument --ending: invalid choice: 'bang' (choose from "),
        (["someapps:echo", "--limit", "0"], "argument --limit: '0' is no whole number above 0."),
        (
            ["rooms/someapps:echo"],
            "'rooms/someapps' is no module: a file is named with its ending, rooms/someapps.py:echo.",
        ),
        (["rooms/some.py:app"], "there is no file 'rooms/some.py', seen from "),
        (["someapps:.app"], "'someapps:.app' names no app: "),
        (["someapps:echo", "--server", "granian", "--ending", "shutdown"], "no schedule of granian with shutdown for "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_used_is_one_sentence_and_2(explore, arguments, sentence):
    status, out, err = explore(*arguments)
    assert status == 2
    assert out == "" or out.startswith(f"{arguments[0]} on ")
    said = [line for line in err.splitlines() if line not in PRINTED]
    assert len(said) == 1
    assert said[0].startswith("hangup explore: error: ")
    assert sentence in said[0]


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("fin", "argument SCHEDULE: 'fin' is no schedule: they look like granian/"),
        ("granian/fin@send#9", "the app never comes to granian/fin@send#9."),
        ("granian/cancel@await#99", "the app never comes to granian/cancel@await#99."),
    ],
)
def test_a_schedule_that_cannot_be_replayed_is_one_sentence_and_2(replay, schedule, sentence):
    status, out, err = replay("someapps:echo", schedule)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"hangup replay: error: {sentence}")


def test_an_app_that_ends_the_exploration_is_one_sentence(explore):
    status, out, err = explore("someapps:leaves")
    assert (status, len(out.splitlines())) == (1, 2)
    assert err.splitlines()[-1] == "The exploration was given up: the app raised SystemExit('leaves')."


def test_an_app_that_ends_its_process_when_it_shuts_down_does_not_end_the_exploration_as_if_all_held(explore):
    """Its status would be that of a report in which every rule held; without its lifespan it can be explored."""
    leave = os._exit
    status, out, err = explore("someapps:exits")
    assert (status, len(out.splitlines())) == (1, 2)
    assert err.splitlines()[-1] == "The exploration was given up: the app raised SystemExit('os._exit(0)')."
    assert explore("someapps:exits", "--lifespan", "off", "--limit", "3")[1].count("explored 3 of") == 1
    assert os._exit is leave


def test_an_app_that_ignores_even_its_end_does_not_hold_the_command(explore):
    arguments = [sys.executable, "-m", "hangup", "explore", "someapps:holds"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 2)
    assert done.stderr.splitlines()[-1].startswith("The exploration was given up: the app runs on though it is ")


def test_a_bar_is_drawn_where_somebody_sees_it_and_wiped_away(explore, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert explore("someapps:twice", "--limit", "2", "--server", "granian", "--ending", "close")[0] == 0
    bars = terminal.getvalue().rpartition("\n")[2].split("\r")
    assert bars == ["", f"{'█' * 15}{'░' * 15} 1 of 2", f"{'█' * 30} 2 of 2", " " * 60, ""]


def test_the_command_finds_the_app_in_the_current_directory_and_imports_no_client(explore):
    code = "import sys, hangup.cli as m; s = m.main(); assert 'websockets' not in sys.modules; sys.exit(s)"
    arguments = [sys.executable, "-c", code, "explore", "someapps:twice", "--server", "hypercorn"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the module says hello\n")


def test_help_has_an_example(explore):
    status, out, _ = explore("--help")
    assert status == 0
    assert 'hangup explore chat:app --path /ws --client "text:hello, expect, close:1001"' in out


def test_other_orders_of_tasks_are_played_if_asked_for_and_an_invariant_judges_them(explore, replay):
    options = ("--invariant", "someapps:miscounted", "--client", "text:x, expect", "--alone")
    status, out, _ = explore("someapps:Counter", "--factory", "--order", "20", "--limit", "1", *options)
    assert (status, "✗" in out) == (0, False)
    told = json.loads(explore("someapps:Counter", "--factory", "--order", "7", "--limit", "1", "--json", *options)[1])
    assert (told["order"]["played"], told["order"]["found"]) == (7, [])
    assert "\norder of tasks: 20 sessions in other orders; 0 break a rule\n" in out
    status, out, _ = replay("someapps:Counter", "uvicorn/close@end~a-1.1", "--factory", *options)
    assert status == 0
    assert "⏸ held, until nothing else can go on" in out
    assert out.endswith("`await receive()` until nothing else can go on\n✓ every rule holds\n")


def test_what_is_no_number_of_sessions_and_no_invariant_is_said(explore):
    for words in (("--order", "many"), ("--invariant", "someapps"), ("--invariant", "someapps:number")):
        status, _, err = explore("someapps:echo", *words)
        assert status == 2
        assert words[1] in err
