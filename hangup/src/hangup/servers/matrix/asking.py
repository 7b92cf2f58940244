"""Starts a server by its own command, in a process of its own; connects clients that leave in every way, or stay.

Nothing here waits without an end. What does not happen is a line of the log, or an empty one.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import websockets

from hangup.network.client import Connection, connect
from hangup.servers.matrix import asked
from hangup.servers.matrix.commands import GRACE, Server, copy_app, variables
from hangup.servers.stalls import patience, pending, rest

STARTS = 30.0  # seconds in which a server's process listens
SOON = 6 * asked.WAITS + 2.0  # seconds in which a probe has ended whose server answers each call
WATCHES = 3.0  # seconds for which a client stays to see how an app has ended, once it has
PATIENCE = 8 * GRACE  # seconds in which a server that was told to stop does
APP = "hangup_asks"
_PORTS = list(range(18_000, 30_000))  # below those that systems give to clients
HANDSHAKE = (
    "GET {0} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class AskingError(RuntimeError):
    """A server's command does not serve: it ends, or does not listen."""


@dataclass
class Logs:
    """What was logged by each path's app, and what each path's client saw: a close code, an HTTP status, or nothing."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    saw: dict[str, int | None] = field(default_factory=dict)
    spec_version: str = ""
    """The version of the specification that the server says it speaks (asgi.rst, "Versions")."""


async def _no_code(client: Connection) -> None:
    with contextlib.suppress(TimeoutError, websockets.ConnectionClosed):
        async with asyncio.timeout(asked.WAITS):
            async with client.send_context():
                client.protocol.send_close()
            await client.wait_closed()


LEAVE: dict[str, Callable[[Connection], Awaitable[None]]] = {
    "close": lambda client: client.close(1001),
    "close 1000": lambda client: client.close(1000),
    "close with a reason": lambda client: client.close(3001, "bye"),
    "close without a code": _no_code,
    "fin": lambda client: client.fin(),
    "reset": lambda client: client.reset(),
}


async def ask(server: Server, least: "asyncio.Semaphore | None" = None) -> tuple[Logs, Logs, Logs]:
    """Ask one server; return what its probes log, and what happens at SIGTERM with a lifespan and without.

    `least` bounds how many processes run at once. Raises AskingError when the command does not serve.
    """
    least = least or asyncio.Semaphore(3)

    async def bounded(work: Awaitable[Logs]) -> Logs:
        async with least:
            return await work

    runs = (
        _probes(server),
        _stop(server, "runs", lifespan=True),
        _stop(server, "listens", "runs", lifespan=False),
        _stop(server, "early", lifespan=False),  # by itself: a handshake that is pending may keep a server from ending
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bounded(run)) for run in runs]
    probes, with_one, without, early = (task.result() for task in tasks)
    return probes, with_one, Logs(without.lines | early.lines, without.saw | early.saw)


# ---- a process -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _running(server: Server, *, lifespan: bool) -> AsyncIterator[tuple[Process, int, Path]]:
    """Run a server's command; yield its process, its port and the folder of its logs. It ends with the block."""
    with tempfile.TemporaryDirectory(prefix="asks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        logs = folder / "logs"
        logs.mkdir()
        copy_app(folder, APP)
        port = _free_port()
        with (folder / "err").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *server.words(f"{APP}:app", port),
                cwd=folder,
                env=variables(folder, logs, lifespan=lifespan),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=err,
                stderr=err,
                start_new_session=True,  # it may start processes of its own for its workers
            )
        try:
            await _listens(process, port, folder / "err", server)
            yield process, port, logs
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _free_port() -> int:
    """Return a port that is free, and that no other server of this process was given or a client is likely to take."""
    while True:
        port = random.choice(_PORTS)
        _PORTS.remove(port)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


async def _listens(process: Process, port: int, err: Path, server: Server) -> None:
    """Wait until the server takes connections."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STARTS):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)
    said = _read(err)
    why = f"ends with {process.returncode}" if process.returncode is not None else f"does not listen in {STARTS:.0f} s"
    raise AskingError(f"{server.title} {why}{': ' + said[-1] if said else ''}")


# ---- probes ----------------------------------------------------------------------------------------------------------


async def _probes(server: Server) -> Logs:
    """Run all probes at once, but those for which the server must stop."""
    logs = Logs()
    cases = [
        (f"/{probe.__name__}/{ending.replace(' ', '-')}", ending)
        for probe, endings in asked.PROBES.items()
        for ending in endings
        if not ending.endswith("shutdown")
    ]
    ends = [f"/ends/{when}/{how}" for how in asked.ENDED for when in ("early", "accepted")]
    async with _running(server, lifespan=False) as (_, port, folder), asyncio.TaskGroup() as group:
        for path, ending in cases:
            group.create_task(_probe(port, path, ending, folder, logs))
        for path in ends:
            group.create_task(_end(port, path, _file(folder, path, "log"), logs))
        logs.spec_version = await _version(folder)
    return logs


async def _version(folder: Path) -> str:
    """Return what the app wrote of the server, once it was called."""
    with contextlib.suppress(TimeoutError):
        async with patience(STARTS):
            while not (said := _read(folder / "spec_version")):
                await asyncio.sleep(0.05)
            return said[0]
    return ""


def _file(folder: Path, path: str, kind: str) -> Path:
    return folder / f"{path.strip('/').replace('/', '_')}.{kind}"


async def _probe(port: int, path: str, ending: str, folder: Path, logs: Logs) -> None:
    """Be the client of a probe, until its app has ended or has had enough time."""
    log, left = _file(folder, path, "log"), _file(folder, path, "left")
    staying = asyncio.ensure_future(_client(port, path, ending, log, left))
    await _until_done(log)
    staying.cancel()
    await asyncio.wait([staying])
    logs.lines[path] = [line for line in _read(log) if line != "done"]


async def _until_done(log: Path) -> None:
    """Wait until an app has ended, or has had enough time."""
    with contextlib.suppress(TimeoutError):
        async with patience(SOON + asked.NEVER):
            while _read(log)[-1:] != ["done"]:
                await asyncio.sleep(0.05)


async def _end(port: int, path: str, log: Path, logs: Logs) -> None:
    """Be the client of an app that ends, and take note of what it sees then."""
    watching = asyncio.ensure_future(_watched(port, path, logs, STARTS))
    await _until_done(log)
    await pending([watching], WATCHES)
    watching.cancel()
    await asyncio.wait([watching])


def _read(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []


def _touch(file: Path) -> None:
    file.touch()


def _is_there(file: Path) -> bool:
    return file.exists()


async def _client(port: int, path: str, ending: str, log: Path, left: Path) -> None:
    """Leave in the way of the ending, or stay until the app or the server ends it."""
    if ending.startswith("early"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE.format(path).encode())
        await _exists(log)
        if ending == "early reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        _touch(left)
        return
    if ending == "own":
        _touch(left)
    with contextlib.suppress(websockets.InvalidHandshake, websockets.InvalidMessage, OSError):
        url = f"ws://127.0.0.1:{port}{path}"
        async with connect(url, close_timeout=asked.WAITS, open_timeout=None, proxy=None) as client:
            if ending in LEAVE:
                try:
                    await LEAVE[ending](client)
                finally:
                    _touch(left)
            await client.wait_closed()


async def _exists(file: Path) -> None:
    while not _is_there(file):
        await asyncio.sleep(0.02)


async def _watched(port: int, path: str, logs: Logs, seconds: float) -> None:
    """Stay until the connection is ended, and take note of what the client sees; None: nothing in that time."""
    logs.saw[path] = None
    with contextlib.suppress(TimeoutError, OSError):
        async with patience(seconds):
            try:
                url = f"ws://127.0.0.1:{port}{path}"
                async with connect(url, close_timeout=asked.WAITS, open_timeout=None, proxy=None) as client:
                    await client.wait_closed()
                    logs.saw[path] = client.close_code
            except websockets.InvalidStatus as error:
                logs.saw[path] = error.response.status_code
            except (websockets.InvalidHandshake, websockets.InvalidMessage, EOFError):
                logs.saw[path] = 1006


# ---- SIGTERM ---------------------------------------------------------------------------------------------------------


async def _stop(server: Server, *how: str, lifespan: bool) -> Logs:
    """Tell the server to stop while apps run, and return what they live to see."""
    logs = Logs()
    paths = [f"/stops/{each}" for each in how]
    async with _running(server, lifespan=lifespan) as (process, port, folder):
        clients = [asyncio.ensure_future(_watched(port, path, logs, STARTS + 2 * PATIENCE)) for path in paths]
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STARTS):
                    for path in paths:
                        while "begins" not in _read(_file(folder, path, "log")):
                            await asyncio.sleep(0.05)
            await rest(server.waits)
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with patience(PATIENCE):
                    await process.wait()
            await pending(clients, 2.0)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.wait(clients)
        for path in paths:
            logs.lines[path] = [line for line in _read(_file(folder, path, "log")) if line != "done"]
    return logs
