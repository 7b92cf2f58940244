"""`import hangup`: few names, needs Python only, says what to install for the rest, and type checkers see it all."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hangup

SOURCE = Path(hangup.__file__).parent.parent
WITH_A_CLIENT = ("ENDINGS", "compare", "connect", "explore_client", "proxy", "replay_client", "run")


def alone(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code with hangup and Python's own modules, and nothing that is installed."""
    first = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); "
    command = [sys.executable, "-I", "-S", "-c", first + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", hangup.__all__)
def test_every_name_is_there_and_says_what_it_is(name):
    assert name in dir(hangup)
    found = getattr(hangup, name)
    assert isinstance(found, tuple) or found.__doc__


def test_what_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'hangup' has no attribute 'exploer'$"):
        hangup.exploer  # noqa: B018


def test_exploring_and_the_command_need_python_only():
    app = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})

from hangup import explore, replay
import hangup.cli
print(explore(app).ok, replay(app, "granian/reset@receive#2").ended)
"""
    done = alone(app)
    assert (done.stdout, done.stderr) == ("True returned\n", "")


@pytest.mark.parametrize("name", WITH_A_CLIENT)
def test_a_name_that_needs_an_extra_says_which(name):
    done = alone(f"from hangup import {name}")
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        rf"ModuleNotFoundError: hangup\.{name} needs the package (websockets|wsproto): pip install 'hangup\[client\]'",
        last,
    )
    assert "During handling" not in done.stderr


def test_the_other_names_need_no_extra():
    others = sorted(set(hangup.__all__) - set(WITH_A_CLIENT))
    done = alone(f"from hangup import {', '.join(others)}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_type_checker_sees_the_types_of_names_that_are_imported_late(tmp_path):
    (tmp_path / "learner.py").write_text(
        "import hangup\nreveal_type(hangup.connect)\nreveal_type(hangup.explore_client)\nhangup.explore(7)\n"
    )
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--strict", "learner.py"]
    environment = {"MYPYPATH": str(SOURCE), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    connect, explore_client, seven, *_ = done.stdout.splitlines()
    assert connect.endswith('-> hangup.network.client.connect"')
    assert explore_client.endswith('-> hangup.explorer.report.Report"')
    assert 'Argument 1 to "explore" has incompatible type "int"' in seven
