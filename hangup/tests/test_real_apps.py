"""The recipes of docs/real-apps.md do what they say, and the pages for programs say what is there."""

import asyncio
import importlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys

import pytest

from hangup.cli import main
from support import readme

DOCS = readme.ROOT / "docs"
PAGE = (DOCS / "real-apps.md").read_text(encoding="utf-8")
FILES = {block.split()[1]: block for block in readme.blocks(PAGE, "python")}
COMMANDS = re.findall(r"^hangup (.*?) +# (\d)$", "".join(readme.blocks(PAGE, "sh")), re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Be where the files of the page are."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in {name.removesuffix(".py") for name in FILES} & (set(sys.modules) - before):
        del sys.modules[name]


def status(command, capsys):
    """Run the command; return its exit status and what it printed."""
    found: object
    try:
        found = main(shlex.split(command))
    except SystemExit as end:
        found = end.code
    return found, capsys.readouterr()


def test_every_recipe_has_a_command():
    assert len(COMMANDS) == 6
    assert set(FILES) == {"shop.py", "login.py", "rooms.py", "proxied.py", "notes.py", "tested.py", "counter.py"} | {
        "faked.py",
        "real.py",
    }


# a handler that is cancelled while it closes its database leaves that to the collector; Python 3.13 says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_a_recipe_does_what_it_says(command, expected, capsys, request):
    if "faked" in command:
        pytest.importorskip("fakeredis")
    found, printed = status(command, capsys)
    assert (found, expected) == (int(expected), expected), printed.out + printed.err
    assert "explored alone" not in printed.out


def test_the_counter_is_played_with_a_real_redis(tmp_path):
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server")
    sys.path.insert(0, str(tmp_path))
    path = tmp_path / "redis.sock"
    command = [server, "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("eady to accept connections" in line for line in process.stdout)
            played = asyncio.run(importlib.import_module("real").play(f"unix://{path}"))
        finally:
            process.terminate()
    assert played == [[], []]


# ---- the pages for programs ------------------------------------------------------------------------------------------

SCHEMA = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
STOCK = """
import asyncio

def make():
    lock, other = asyncio.Lock(), asyncio.Lock()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            for _ in range(5 * (message["text"] == "slow")):
                await asyncio.sleep(0)
            first, second = (other, lock) if message["text"] == "slow" else (lock, other)
            async with first:
                await asyncio.sleep(0)
                async with second:
                    await asyncio.sleep(0)
            try:
                await send({"type": "websocket.send", "text": "done"})
            except OSError:
                return
    return app

async def stubborn(*_):
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def leaves(*_):
    raise SystemExit("leaves")
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("explore shop:app --script login.py --json", 0),
        ("explore shop:app --path /orders --json", 1),
        ("explore rooms:app --path '/rooms/1?name=x' --limit 3 --json", 0),
        ("explore rooms:app --path '/rooms/1?name=x' --limit 3 --order 20 --json", 0),
        ("explore shop:app --script login.py --server installed:uvicorn --server uvicorn==0.52.1 --order 9 --json", 0),
        ("explore stock:make() --client 'text:1, b.text:slow, expect, b.expect' --limit 1 --order 60 --json", 1),
        ("explore stock:stubborn --lifespan off --json", 1),
        ("explore stock:leaves --lifespan off --json", 1),
        ("client stock:stubborn --server listener:server --json", 1),
        ("client listener:listen --server listener:server --fault silence --json", 1),
    ],
)
def test_the_json_has_the_shape_of_the_schema(command, expected, capsys, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    (tmp_path / "stock.py").write_text(STOCK)
    (tmp_path / "listener.py").write_text(readme.blocks(readme.README.read_text(encoding="utf-8"), "python")[1])
    found, printed = status(command, capsys)
    assert found == expected
    if "stock:stubborn" in command:  # given up, and told all the same
        broken = json.loads(printed.out)["broken"][-1]
        assert broken["got"].startswith("cancelled again and again, and still running: the ")
    validator = jsonschema.Draft202012Validator(SCHEMA)
    report = json.loads(printed.out)
    validator.validate(report)
    assert set(report) <= set(SCHEMA["properties"])
    if "--order" in command:
        assert report["order"]["played"] == report["order"]["asked"]
        assert bool(report["order"]["found"]) == ("stock" in command)
        for key in report["order"]:
            assert not validator.is_valid(report | {"order": {k: v for k, v in report["order"].items() if k != key}})
    if "leaves" not in command:  # nobody knows which rule
        assert not validator.is_valid(report | {"ok": not report["ok"]})
    assert not validator.is_valid({key: value for key, value in report.items() if key not in {"app", "client"}})


def test_the_page_for_programs_names_every_key():
    text = (DOCS / "command.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    assert set(SCHEMA["properties"]) <= named
    assert set(SCHEMA["properties"]["broken"]["items"]["properties"]) <= named


def test_a_free_port_is_not_needed():
    """Nothing of an exploration listens: it works where sockets are forbidden."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "bind", None)
        assert main(["explore", "rooms:app", "--path", "/rooms/1?name=x", "--limit", "3"]) == 0
