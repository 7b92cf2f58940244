"""The wheel, as somebody installs it: into an empty environment, beside FastAPI, far from the course.

It is built and installed by `uv`, which asks the network for hatchling and FastAPI unless its cache has them. Where
there is no network this is skipped; on CI it never is.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

HANGUP = Path(__file__).parent.parent
OFFLINE = r"(?i)error sending request|dns error|failed to (?:fetch|connect)|network (?:is unreachable|was disabled)"
APP = """\
from fastapi import FastAPI, WebSocket

from helpers import GREETING

app = FastAPI()


@app.websocket("/ws")
async def echo(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(GREETING + text)


@app.websocket("/clock")
async def clock(websocket: WebSocket):
    await websocket.accept()
    while True:
        await websocket.receive()
"""


def variables() -> dict[str, str]:
    """Return the environment without what leads to this project or this process's Python."""
    own = {name: value for name, value in os.environ.items() if not re.match(r"PYTHON|VIRTUAL_ENV|UV_PYTHON", name)}
    return own | {"UV_SYSTEM_CERTS": "1"}  # as pip does: a company's network may have a certificate of its own


def call(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends."""
    return subprocess.run(
        command, cwd=cwd, env=variables(), capture_output=True, text=True, encoding="utf-8", check=False, timeout=300
    )


def run_uv(*arguments: str | Path, cwd: Path) -> str:
    """Run uv and return what it prints; skip the test where it has no network."""
    done = call(uv.find_uv_bin(), *arguments, cwd=cwd)
    if done.returncode and re.search(OFFLINE, done.stderr) and not os.environ.get("CI"):
        pytest.skip(f"there is no network: {done.stderr.strip().splitlines()[-1].strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run_uv("build", "--wheel", "--out-dir", folder, HANGUP, cwd=folder)
    (built,) = folder.glob("*.whl")
    return Path(built)


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> tuple[Path, list[str]]:
    """Make an environment with the wheel and FastAPI; return its bin and what was there before FastAPI came."""
    home = tmp_path_factory.mktemp("environment") / "env"
    bin_ = home / ("Scripts" if sys.platform == "win32" else "bin")
    run_uv("venv", "--no-python-downloads", "--python", sys.executable, home, cwd=home.parent)
    run_uv("pip", "install", "--python", bin_ / "python", wheel, cwd=home.parent)
    listed = json.loads(run_uv("pip", "list", "--format", "json", "--python", bin_ / "python", cwd=home.parent))
    run_uv("pip", "install", "--no-build", "--python", bin_ / "python", "fastapi", cwd=home.parent)
    return bin_, [each["name"] for each in listed]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an app in a module whose name starts with a digit, and a package that is called helpers."""
    (tmp_path / "2048.py").write_text(APP)
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").write_text("GREETING = 'hello '\n")
    return tmp_path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = HANGUP / "src"
    files = {path.relative_to(source).as_posix() for path in (source / "hangup").rglob("*") if path.is_file()}
    assert held == {name for name in files if "__pycache__" not in name}
    assert "hangup/py.typed" in held


def test_hangup_pulls_nothing_in(environment):
    assert environment[1] == ["hangup"]


@pytest.mark.parametrize("name", ["2048:app", "2048.py:app"])
def test_an_app_is_explored_from_a_folder_that_has_helpers_of_its_own(environment, folder, name):
    steps = "text:you, expect:hello you"
    done = call(environment[0] / "hangup", "explore", name, "--path", "/ws", "--client", steps, cwd=folder)
    heading, *_, found = done.stdout.split("\n\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert heading.startswith(f"{name} at /ws on 5 models (uvicorn, ")
    assert re.match(r"explored \d+; 0 break a rule\n", found)


def test_an_app_that_breaks_a_rule_gives_1_and_a_command_that_shows_it_again(environment, folder):
    steps = "text:you"
    explored = call(environment[0] / "hangup", "explore", "2048:app", "--path", "/clock", "--client", steps, cwd=folder)
    assert explored.returncode == 1
    schedule = re.findall(r"(?m)^    first at (\S+), ", explored.stdout)[0]
    assert f"\nsee it again: hangup replay 2048:app '{schedule}' --path /clock --client text:you\n" in explored.stdout
    replay = "replay", "2048:app", schedule, "--path", "/clock", "--client", steps
    replayed = call(environment[0] / "python", "-m", "hangup", *replay, cwd=folder)
    assert replayed.returncode == 1
    assert replayed.stdout.split("\n\n")[0] in explored.stdout


def test_what_needs_an_extra_says_which(environment, folder):
    done = call(environment[0] / "hangup", "client", "x:client", "--server", "x:server", cwd=folder)
    needs = "needs the package websockets: pip install 'hangup[client]'"
    assert (done.returncode, done.stderr) == (2, f"hangup client: error: hangup client {needs}\n")
    done = call(environment[0] / "python", "-c", "from hangup import connect", cwd=folder)
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: hangup.connect {needs}"


def test_serve_says_which_server_is_missing(environment, folder):
    code = """
import asyncio, hangup
async def main():
    async with hangup.serve(print):
        pass
asyncio.run(main())
"""
    done = call(environment[0] / "python", "-c", code, cwd=folder)
    assert "uvicorn needs the package uvicorn, which is not installed: pip install " in done.stderr.splitlines()[-1]
