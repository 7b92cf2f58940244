"""The command lines of the matrix's servers (add one here): installed, or a release in its own environment."""

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hangup.servers import stalls
from hangup.servers.matrix import asked
from hangup.servers.models.doubts import installed
from hangup.servers.releases import environment

GRACE = 1
"""Seconds that a server gives its apps before it cancels them; commands take whole ones."""

_COMMANDS = {
    "uvicorn": f"-m uvicorn {{app}} --port {{port}} --ws {{ws}} --timeout-graceful-shutdown {GRACE}",
    "granian": "-m granian --interface asgi --port {port} {app}",
    "hypercorn": f"-m hypercorn --bind 127.0.0.1:{{port}} --graceful-timeout {GRACE} {{app}}",
    "daphne": "-m daphne --port {port} {app}",
    "gunicorn": f"-m gunicorn -k asgi --bind 127.0.0.1:{{port}} --graceful-timeout {GRACE} {{app}}",
    "anycorn": f"-m anycorn --bind 127.0.0.1:{{port}} --graceful-timeout {GRACE} {{app}}",
}
_WS = {"": "auto", "sansio": "websockets-sansio", "websockets": "websockets", "wsproto": "wsproto"}
_SPEAKS = {"uvicorn": ("websockets", "wsproto")}
"""What a server needs beside itself to speak WebSocket."""
_SLOW_TO_STOP = {"daphne": 2.5}
"""Seconds in which daphne has forgotten a handshake's request: until then, its stop fails."""

NAMES = ("uvicorn", "uvicorn-websockets", "uvicorn-wsproto", "granian", "hypercorn", "daphne", "gunicorn", "anycorn")
"""The servers whose command is known."""


@dataclass(frozen=True)
class Server:
    """A server to ask: its name, its release if known, and the command that serves `{app}` on `{port}`."""

    name: str
    release: str
    command: str
    waits: float = 0.0
    """Seconds that must pass between the last handshake and its stop."""
    beside: tuple[str, ...] = ()
    """What is installed beside it in its environment, such as `websockets 17.4`."""

    @property
    def speaks(self) -> tuple[str, ...]:
        """The packages by which it speaks WebSocket."""
        return _SPEAKS.get(_package(self.name), ())

    @property
    def title(self) -> str:
        """Return the name and the release."""
        return f"{self.name} {self.release}".strip()

    def words(self, app: str, port: int) -> list[str]:
        """Return the command's words for this app and port."""
        return [word.replace("{app}", app).replace("{port}", str(port)) for word in shlex.split(self.command)]


def given(command: str) -> Server:
    """Return the server of a command line; raise ValueError if it does not say where app and port belong."""
    for part in ("{app}", "{port}"):
        if part not in command:
            raise ValueError(f"A command says where {part} belongs: uvicorn {{app}} --port {{port}}; yours does not.")
    words = [word for word in shlex.split(command) if not word.startswith("-")]
    return Server(Path(words[0]).name, "", command)


def here() -> list[Server]:
    """Return the servers that are installed here: uvicorn with each of its WebSocket implementations."""
    return [of(name) for name in NAMES if installed(_package(name)) and not _too_old(name)]


def of(name: str) -> Server:
    """Return a server that is installed here; raise ValueError with a sentence if it is not."""
    if name not in NAMES:
        raise ValueError(f"There is no server {name!r}: choose among {', '.join(NAMES)}, or give its --command.")
    if installed(_package(name)) is None:
        raise ValueError(
            f"{_package(name)} is not installed here: --release {_package(name)}==... asks one that is not."
        )
    return _server(name, installed(_package(name)) or "", sys.executable)


@contextlib.contextmanager
def released(requirement: str) -> Iterator[Server]:
    """Make an environment of one release, such as `granian==2.2.6`, and yield its server.

    Raises ValueError for what names no release of a known server, NoEnvironmentError if it cannot be installed.
    """
    name, _, release = requirement.partition("==")
    if name not in NAMES or not release:
        raise ValueError(f"{requirement!r} names no release: it looks like granian==2.2.6, of {', '.join(NAMES)}.")
    package = _package(name)
    beside = [f"{each}=={installed(each)}" if installed(each) else each for each in _SPEAKS.get(package, ())]
    with tempfile.TemporaryDirectory(prefix="release-", ignore_cleanup_errors=True) as folder:
        python = environment(Path(folder), (f"{package}=={release}", *beside))
        yield replace(_server(name, release, str(python)), beside=tuple(each.replace("==", " ") for each in beside))


def _server(name: str, release: str, python: str) -> Server:
    package, _, ws = name.partition("-")
    command = _COMMANDS[package].replace("{ws}", _WS[ws])
    return Server(name, release, f"{shlex.quote(python)} -W ignore {command}", _SLOW_TO_STOP.get(package, 0.0))


def _package(name: str) -> str:
    return name.partition("-")[0]


def _too_old(name: str) -> bool:
    """Whether what is installed here has no worker for ASGI: gunicorn before 24."""
    return name == "gunicorn" and int((installed("gunicorn") or "0").partition(".")[0]) < 24


def copy_app(folder: Path, name: str) -> None:
    """Copy the app to a folder, and what it waits with to where it looks for that: hangup need not be installed."""
    shutil.copyfile(asked.__file__, folder / f"{name}.py")
    package = folder / "hangup" / "servers"
    package.mkdir(parents=True)
    for each in (package.parent, package):
        (each / "__init__.py").touch()
    shutil.copyfile(stalls.__file__, package / "stalls.py")


def variables(folder: Path, logs: Path, *, lifespan: bool) -> dict[str, str]:
    """Return a server's environment: this one's, the folder of the app first in what Python sees, and the app's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "HANGUP_ASKS": str(logs)}
    return kept | own | ({"HANGUP_LIFESPAN": "yes"} if lifespan else {})
