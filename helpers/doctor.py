"""`python -m helpers doctor` looks at the machine: one line for each thing that the course needs, and what to do.

What is needed and missing makes it exit with 1. What is optional, or only not the release in the lock, does not.
"""

import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from helpers import lessons
from helpers.workspace import files

Grade = Literal["ok", "missing", "note"]
_MARKS: dict[Grade, str] = {"ok": "✓", "missing": "✗", "note": "○"}
OLDEST = (3, 11)
INSTALL = f"{sys.executable} -m pip install -r requirements.txt"


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing: `missing` is needed, `note` is good to know."""

    name: str
    grade: Grade
    words: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{_MARKS[self.grade]} {self.name:13} {self.words}"


def examine() -> Iterator[Finding]:
    """Yield a finding for each thing, the quick ones first; nothing that goes wrong raises."""
    checks: tuple[Callable[[], Finding], ...] = (python, packages, folder, loopback, kernel, redis, uv, chromium)
    for check in checks:
        try:
            yield check()
        except Exception as error:
            yield Finding(check.__name__, "missing", f"{type(error).__name__}: {error}")


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Find out whether this Python is new enough."""
    name = ".".join(map(str, version))
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return Finding("python", "missing", f"{name} is too old: install {wanted} or newer, and make .venv with it")
    return Finding("python", "ok", f"{name}, {sys.executable}")


def packages() -> Finding:
    """Compare what is installed with the lock."""
    pins = dict(_pins((lessons.ROOT / "requirements.txt").read_text(encoding="utf-8")))
    found = {name: _installed(name) for name in pins}
    missing = [name for name in pins if found[name] is None]
    other = [f"{name} {found[name]} (lock: {pins[name]})" for name in pins if pins[name] not in ("", found[name])]
    if missing:
        return Finding("packages", "missing", f"{_listed(missing)} not installed: {INSTALL}")
    if other:
        return Finding("packages", "note", f"other releases than the lock's, {_listed(other)}: {INSTALL}")
    return Finding("packages", "ok", f"{len(pins)} as in the lock")


def _pins(lock: str) -> Iterator[tuple[str, str]]:
    """Yield the packages that the lock wants on this machine, with their releases; "" for the course's own."""
    from packaging.requirements import Requirement

    for line in lock.splitlines():
        if line.startswith("-e "):
            yield {".": "after-the-disconnect"}.get(line[3:].strip(), Path(line[3:].strip()).name), ""
        elif line and not line.startswith(("#", "-")):
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate():
                yield wanted.name, str(wanted.specifier).removeprefix("==")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def folder() -> Finding:
    """Find out whether work/ can be written to."""
    work = files.work()
    try:
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work):
            pass
    except OSError as error:
        words = f"cannot be written to ({error.strerror}): name another folder in the environment, {files.WORK}"
        return Finding("work folder", "missing", f"{files.shown(work)} {words}")
    return Finding("work folder", "ok", str(work))


def loopback() -> Finding:
    """Listen on 127.0.0.1, connect, and pass a byte."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            with socket.create_connection(server.getsockname(), timeout=5) as client, server.accept()[0] as peer:
                client.sendall(b"x")
                peer.settimeout(5)
                heard = peer.recv(1)
    except OSError as error:
        words = f"127.0.0.1 cannot be used ({error}): a firewall or a sandbox forbids it; every lesson needs it"
        return Finding("loopback", "missing", words)
    return Finding("loopback", "ok" if heard == b"x" else "missing", "127.0.0.1 listens and answers")


_KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
try:
    print(client.execute_interactive("import sys; print(sys.executable)", timeout=60)["content"]["status"])
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


def kernel() -> Finding:
    """Start a kernel and run a cell, in a process of its own, which may hang."""
    try:
        done = _run([sys.executable, "-c", _KERNEL], timeout=120)
    except subprocess.TimeoutExpired:
        return Finding(
            "kernel", "missing", "did not answer in two minutes: is a firewall between programs of this machine?"
        )
    lines = done.stdout.split()
    if lines[-1:] != ["ok"]:
        reason = (done.stderr.strip().splitlines() or ["no reply"])[-1]
        return Finding("kernel", "missing", f"does not start ({reason}): {INSTALL}")
    if not Path(lines[0]).exists() or Path(lines[0]).parent != Path(sys.executable).parent:
        return Finding(
            "kernel", "note", f"runs {lines[0]}, not this Python: {sys.executable} -m ipykernel install --sys-prefix"
        )
    return Finding("kernel", "ok", "starts and runs a cell")


def redis() -> Finding:
    """Find redis-server, which lesson 07 uses if it is there."""
    found = shutil.which("redis-server")
    if found is None:
        ways = "apt install redis-server, brew install redis, or conda install redis-server"
        return Finding("redis-server", "note", f"not found; lesson 07 does without. {ways}")
    return Finding("redis-server", "ok", _first_line([found, "--version"]))


def uv() -> Finding:
    """Find uv, which fetches older releases."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        return Finding("uv", "note", f"not found; recorded runs stand in for older releases. {INSTALL}")
    return Finding("uv", "ok", _first_line([found, "--version"]))


def chromium() -> Finding:
    """Find a browser without a window, with which authors look at lessons."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name)) is not None), None)
    if found is None:
        return Finding("chromium", "note", "not found; only authors need it, to look at lessons")
    return Finding("chromium", "ok", found)


def _first_line(command: list[str]) -> str:
    return (_run(command, timeout=20).stdout.splitlines() or [command[0]])[0]


def _run(command: list[str], *, timeout: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=os.environ)
