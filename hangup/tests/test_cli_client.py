"""`hangup client`: exit statuses, what is printed, and a sentence for what cannot be used."""

import json
import shlex
import subprocess
import sys

import pytest

from hangup import cli as command

CLIENTS = """
import websockets

async def trusting(url):
    print("a client comes")
    async with websockets.connect(url, ping_interval=None, compression=None, proxy=None) as websocket:
        await websocket.send("one")
        await websocket.recv()

async def polite(url):
    async with websockets.connect(url, compression=None, proxy=None) as websocket:
        await websocket.send("one")
        await websocket.recv()

async def holds(url):
    while True:
        pass

async def leaves(url):
    raise SystemExit("leaves")

async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)

class Server:
    async def __call__(self, websocket):
        await echo(websocket)

def odd(one, two):
    pass
"""


@pytest.fixture
def client(tmp_path, monkeypatch, capsys):
    """Call the command in a directory with clients; return its exit status, its stdout and its stderr."""
    (tmp_path / "someclients.py").write_text(CLIENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "someclients", raising=False)

    def call(*arguments: str) -> tuple[int | str | None, str, str]:
        status: int | str | None
        try:
            status = command.main(["client", *arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize("server", ["echo", "Server"])
def test_a_client_that_keeps_every_rule_gives_the_table_and_0(client, server):
    status, out, _ = client("someclients:polite", "--server", f"someclients:{server}", "--fault", "reset")
    heading, table, found = out.split("\n\n")
    assert status == 0
    assert heading == f"someclients:polite against someclients:{server}; faults: reset"
    assert table.startswith("stream      undisturbed  reset\n")
    assert found.endswith("; 0 break a rule\n")


def test_a_client_that_waits_for_ever_gives_a_picture_1_and_the_command_that_shows_it_again(client):
    status, out, err = client("someclients:trusting", "--server", "someclients:echo")
    *_, picture, summary = out.split("\n\n")
    assert (status, err.splitlines()[0]) == (1, "a client comes")
    assert picture.startswith(
        "the wire goes silent before your client's frame 1 has passed (upstream/silence@frame#1)\n"
    )
    again = shlex.split(summary.rpartition("see it again: ")[2])
    assert again[:2] == ["hangup", "client"]
    status, out, _ = client(*again[2:])
    assert status == 1
    assert out.split("\n\n")[0] == picture
    assert out.splitlines()[-1].endswith("whatever happens to the connection: it was still waiting an hour later")


def test_a_schedule_that_breaks_no_rule_gives_0(client):
    options = "--server", "someclients:echo", "--replay", "downstream/reset@frame#1.inside"
    status, out, _ = client("someclients:polite", *options)
    assert (status, out.splitlines()[-1]) == (0, "✓ every rule holds")


def test_json_is_the_same_each_time(client):
    options = "someclients:trusting", "--server", "someclients:echo", "--fault", "silence", "--json"
    first, second = client(*options), client(*options)
    assert first[:2] == second[:2]
    report = json.loads(first[1])
    told = ["broken", "later", "remarks", "unknown", "verdicts", "untried"]
    assert list(report) == ["client", "server", "explored", "schedules", "ok", *told]
    assert (first[0], report["ok"], report["broken"][0]["schedule"]) == (1, False, "upstream/silence@frame#1")


def test_a_limit_is_kept(client):
    _, out, _ = client("someclients:polite", "--server", "someclients:echo", "--limit", "3")
    assert "explored 3 of " in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["someclients:polite"], "the following arguments are required: --server"),
        (
            ["someclients:polite", "--server", "someclients"],
            "argument --server: 'someclients' names no server: it looks",
        ),
        (
            ["someclients", "--server", "someclients:echo"],
            "argument MODULE:CLIENT: 'someclients' names no client: it l",
        ),
        (["someclients:no", "--server", "someclients:echo"], "there is no 'no' in module 'someclients': "),
        (
            ["someclients:polite", "--server", "someclients:odd"],
            "'someclients:odd' is no server: it is neither a corout",
        ),
        (["a:b", "--server", "a:c", "--fault", "flood"], "argument --fault: invalid choice: 'flood' (choose from "),
        (["a:b", "--server", "a:c", "--replay", "fin"], "argument --replay: 'fin' is no schedule: they look like upst"),
        (
            ["a:b", "--server", "a:c", "--replay", "client/cancel@await#1", "--json"],
            "argument --json: not allowed with a",
        ),
        (
            ["someclients:polite", "--server", "someclients:echo", "--replay", "client/cancel@await#99"],
            "the client never comes to client/cancel@await#99.",
        ),
        (
            ["someclients:polite", "--server", "someclients:echo", "--replay", "upstream/fin@frame#99"],
            "the client never comes to upstream/fin@frame#99.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_used_is_one_sentence_and_2(client, arguments, sentence):
    status, _, err = client(*arguments)
    assert status == 2
    assert len(err.splitlines()) == 1
    assert err.startswith(f"hangup client: error: {sentence}")


def test_a_client_that_ends_the_exploration_is_one_sentence(client):
    status, _, err = client("someclients:leaves", "--server", "someclients:echo")
    assert status == 1
    assert err.splitlines()[-1] == "The exploration was given up: the client raised SystemExit('leaves')."


def test_without_websockets_the_command_says_what_to_install(client, tmp_path):
    code = "import sys; sys.modules['websockets'] = None; from hangup.cli import main; main()"
    arguments = [sys.executable, "-c", code, "client", "someclients:polite", "--server", "someclients:echo"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    needs = "hangup client: error: hangup client needs the package websockets: pip install 'hangup[client]'\n"
    assert (done.returncode, done.stderr) == (2, needs)


def test_a_page_and_a_summary_are_written_as_of_an_app(client, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    fault = ("--fault", "silence")
    status, out, _ = client(
        "someclients:trusting", "--server", "someclients:echo", *fault, "--html", "page.html", "--github", "--json"
    )
    page, text = ((tmp_path / name).read_text(encoding="utf-8") for name in ("page.html", "summary.md"))
    assert (status, json.loads(out)["ok"]) == (1, False)
    assert '<h1><span class="bad">✗</span> someclients:trusting</h1>' in page
    assert "against someclients:echo; faults: silence" in page
    assert page.count("<svg") >= 1
    assert "hangup client someclients:trusting --server someclients:echo --replay " in page
    assert text.startswith("### ✗ someclients:trusting\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--html", "no/page.html"], "argument --html: there is no folder 'no'."),
        (["--html", "page.html", "--replay", "upstream/reset@frame#1"], "--html and --github are of an exploration, "),
    ],
)
def test_where_nothing_can_be_written_is_a_sentence(client, options, sentence):
    status, _, err = client("someclients:polite", "--server", "someclients:echo", *options)
    assert status == 2
    assert sentence in err
