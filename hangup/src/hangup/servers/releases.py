"""Runs a probe under other releases than those installed here, in an environment of its own, and keeps what it prints.

A probe is a function that imports all it needs, or the text of a program. `uv` makes an environment of this same
interpreter and the packages that the probe names, in a temporary folder; the wheels stay in uv's cache, so that the
second run asks no network.

The probe's process inherits few variables, nothing of this process's Python. It and whatever it starts are gone when
`isolated` returns, raises or is interrupted.
"""

import inspect
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

INSTALLING = 40.0  # seconds that uv may take to fetch packages
PRINTED = 200_000  # bytes that a probe may print on each of stdout and stderr
INHERITED = r"PATH|HOME|USER|LANG|LC_\w+|TZ|TE?MP|TMPDIR|XDG_\w+|UV_\w+|SSL_CERT_\w+|(?:HTTPS?|ALL|NO)_PROXY"
INHERITED += r"|SYSTEMROOT|SYSTEMDRIVE|USERPROFILE|(?:LOCAL)?APPDATA|PATHEXT|COMSPEC"
REFUSED = r"UV_(?:NO_CACHE|PROJECT\w*|PYTHON\w*|WORKING\w*|OVERRIDE|CONSTRAINT|NO_BINARY\w*|SYSTEM\w*|TARGET|PREFIX)"
Probe = Callable[..., object] | str


class ProbeError(RuntimeError):
    """A probe failed, took too long or printed too much."""


class NoEnvironmentError(RuntimeError):
    """No environment could be made for a probe; the words are uv's."""


@dataclass(frozen=True)
class Run:
    """What a probe printed under some releases, and where that comes from."""

    under: tuple[str, ...]
    lines: tuple[str, ...]
    recorded: str = ""
    """Empty when the probe has run here; else why it could not, and which run this is instead."""

    @property
    def values(self) -> list[Any]:
        """The lines, each read as JSON."""
        return [json.loads(line) for line in self.lines]

    @property
    def origin(self) -> str:
        """Where the lines come from, in one line; tests/sanitize.cfg holds that both kinds are equal to nbval."""
        return f"({self.recorded or 'this ran here, now'})"

    def __str__(self) -> str:
        """Return the releases, the lines, and their origin."""
        return "\n".join((f"── {' · '.join(self.under)}", *self.lines, self.origin))

    def __repr__(self) -> str:
        """Show itself in a notebook as its text."""
        return str(self)


def isolated(probe: Probe, *args: object, under: Sequence[str], timeout: float = 20.0) -> Run:
    """Run `probe` under the releases `under`, such as `["granian==2.2.6"]`, and return what it prints.

    A probe that is a function gets `args`: values that JSON can hold; a function among them arrives as its source
    text. What it returns is printed as a line of JSON, unless it is None; it may be a coroutine function.
    Blocks for at most `timeout` seconds, and `INSTALLING` more the first time. Raises ProbeError when the probe fails,
    NoEnvironmentError when no environment can be made.
    """
    return run_program(program_of(probe, args), tuple(under), timeout)


# ---- the probe's text ------------------------------------------------------------------------------------------------


def program_of(probe: Probe, args: Sequence[object]) -> str:
    """Return the program that is run: the probe's source and a call of it."""
    if isinstance(probe, str):
        if args:
            raise TypeError("A probe that is a text takes no arguments.")
        return probe
    given = json.dumps([_source(each) if inspect.isfunction(each) else each for each in args])
    return f"""from __future__ import annotations

{_source(probe)}
if __name__ == "__main__":
    import asyncio, inspect, json
    result = {probe.__name__}(*json.loads({given!r}))
    result = asyncio.run(result) if inspect.iscoroutine(result) else result
    if result is not None:
        print(json.dumps(result))
"""


def _source(function: Callable[..., object]) -> str:
    return textwrap.dedent(inspect.getsource(function)).rstrip() + "\n"  # a cell need not end with a newline


# ---- an environment and a process ------------------------------------------------------------------------------------


def run_program(text: str, under: tuple[str, ...], timeout: float) -> Run:
    """Run the text of a program under these releases, for at most `timeout` seconds, and return what it prints."""
    with tempfile.TemporaryDirectory(prefix="probe-", ignore_cleanup_errors=True) as folder:
        python = environment(Path(folder), under)
        program = Path(folder, "probe.py")
        program.write_text(text, "utf-8")
        code, out, err = _process([str(python), "-I", "-u", str(program)], folder, timeout)
        if code:
            raise ProbeError(f"the probe ended with {code} under {', '.join(under)}:\n{err[-2_000:].strip()}")
        return Run(under, tuple(out.splitlines()))


def environment(folder: Path, under: Sequence[str]) -> Path:
    """Make an environment from uv's cache, or from the package index if the cache does not hold all; return python."""
    home = folder / "env"
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    _uv(folder, "venv", "--no-python-downloads", "--python", sys.executable, str(home))
    if not under:
        return python
    install = ("pip", "install", "--no-build", "--python", str(python), *under)
    try:
        _uv(folder, "--offline", *install)
    except NoEnvironmentError:
        _uv(folder, *install)
    return python


def _uv(folder: Path, *arguments: str) -> None:
    import uv  # the extra `releases`

    try:
        code, _, err = _process([uv.find_uv_bin(), "-q", *arguments], str(folder), INSTALLING)
    except ProbeError:
        raise NoEnvironmentError(f"uv did not end within {INSTALLING:.0f} s") from None
    if code:
        said = [re.sub(r"^(error|cause):", "", line.strip()).strip(" :.") for line in err.splitlines() if line.strip()]
        raise NoEnvironmentError(": ".join(said[:2]) or f"uv ended with {code}")


def _variables() -> dict[str, str]:
    """Return what a child inherits: where it is, where packages come from, and nothing about Python."""
    asked = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"}
    asked["UV_SYSTEM_CERTS"] = "1"  # as pip does: a company's network may have a certificate of its own
    own = {
        name: value
        for name, value in os.environ.items()
        if re.fullmatch(INHERITED, name.upper()) and not re.fullmatch(REFUSED, name.upper())
    }
    return asked | own


def _process(command: Sequence[str], folder: str, timeout: float) -> tuple[int, str, str]:
    """Run a command in a process group of its own, which is gone at the end; return its code, stdout and stderr."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = _read(process, timeout)
        finally:
            _end(process)
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _read(process: "subprocess.Popen[bytes]", timeout: float) -> tuple[bytes, bytes]:
    """Return what a process prints until it ends; raise ProbeError when it takes too long or prints too much."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams: tuple[IO[bytes], IO[bytes]] = (process.stdout, process.stderr)
    printed = {stream: bytearray() for stream in streams}
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ, printed[stream])
        while selector.get_map():
            ended = process.poll() is not None
            ready = selector.select(0.1)
            for key, _ in ready:
                data = os.read(key.fd, 65_536)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
                if len(key.data) > PRINTED:
                    raise ProbeError(f"the probe printed more than {PRINTED:,} bytes")
            if ended and not ready:
                break  # a child of it still holds the pipe
            if time.monotonic() > deadline:
                break
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(deadline - time.monotonic(), 0.1))
    out, err = (bytes(printed[stream]) for stream in streams)
    if process.returncode is None:
        said = "".join(f"\n{text[-1_000:].decode('utf-8', 'replace').strip()}" for text in (out, err) if text)
        raise ProbeError(f"the probe did not end within {timeout:g} s{said and '; it printed:' + said}")
    return out, err


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that still runs, and whatever it has started."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # macOS: no permission for a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
