"""Each server as its own command, in a process of its own: what its app lives to see when it gets SIGTERM.

Nothing of hangup.servers.serve runs here, which stops servers in ways of its own: whoever cancels the app is the
server.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import websockets

from hangup.servers.stalls import patience, pending, rest

PATHS = ("/listens", "/runs")
GRACE = 1  # seconds that a server gives its apps before it cancels them; commands take whole ones
PATIENCE = 8 * GRACE  # seconds that a client waits for the end; then it leaves, and the server gets as many to end
STARTS = 90.0  # seconds in which a server's process starts and calls its app
DAPHNES_ROUND = 2.5  # seconds in which daphne has forgotten a handshake's request: until then, its stop fails
ROOT = Path(__file__).parent.parent


def command(server: str, fd: int, port: int) -> list[str]:
    """Return the command line by which a server serves support/running.py on a socket, or binds to its port."""
    name, _, ws = server.partition("-")
    options = {
        "uvicorn": f"--fd {fd} --ws {ws or 'websockets-sansio'} --timeout-graceful-shutdown {GRACE}",
        "granian": f"--interface asgi --port {port}",
        "hypercorn": f"--bind fd://{fd} --graceful-timeout {GRACE}",
        "daphne": f"--fd {fd}",
    }[name]
    return [sys.executable, "-W", "ignore", "-m", name, *options.split(), "support.running:app"]


@contextlib.asynccontextmanager
async def running(server: str, *, lifespan: bool) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a server's command; yield its process and its port. It is gone when the block ends."""
    with socket.socket() as sock:
        if server == "granian" and sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # granian, which binds by itself, joins
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        if server == "granian" and sys.platform != "linux":
            sock.close()
        elif server != "granian":
            sock.listen()
        process = await asyncio.create_subprocess_exec(
            *command(server, sock.fileno(), port),
            cwd=ROOT,
            env=os.environ | ({"LIFESPAN": "yes"} if lifespan else {}),
            pass_fds=() if server == "granian" else (sock.fileno(),),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=server == "granian",  # it starts a process of its own for its worker
        )
        try:
            yield process, port
        finally:
            with contextlib.suppress(ProcessLookupError):
                if server == "granian":
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
            await process.communicate()


async def shutdown(server: str, *, lifespan: bool) -> dict[str, list[str]]:
    """Return, for each path, what its app printed after SIGTERM, and which close code ended its client.

    A client that nothing ends leaves after some time, and has seen nothing.
    """
    async with running(server, lifespan=lifespan) as (process, port):
        assert process.stdout is not None
        clients = {path: asyncio.ensure_future(_client(port, path)) for path in PATHS}
        try:
            if problem := await _begins(process.stdout):
                return {path: [] for path in PATHS} | {"server": [problem]}
            if server == "daphne":
                await rest(DAPHNES_ROUND)
            process.send_signal(signal.SIGTERM)
            stay = await pending(clients.values(), PATIENCE)
        finally:
            for client in clients.values():
                client.cancel()
            await asyncio.wait(clients.values())
        lines = []
        with contextlib.suppress(TimeoutError):
            async with patience(PATIENCE):
                async for data in process.stdout:
                    lines.append(data.decode())
                lines.append("server ends")
    said = [line.strip().partition(" ") for line in lines]
    for path, client in clients.items():
        said.append((path, " ", f"client sees {None if client in stay else client.result()}"))
    return {who: [words for name, _, words in said if name == who] for who in (*PATHS, "server")}


async def _begins(stdout: asyncio.StreamReader) -> str:
    """Wait until the app has been called for each path; return what went wrong, or nothing."""
    begun = 0
    try:
        async with asyncio.timeout(STARTS):
            while begun < len(PATHS):
                line = (await stdout.readline()).decode()
                if not line:
                    return "ends before it is told to"
                begun += line.endswith(" begins\n")
    except TimeoutError:
        return f"does not call its app within {STARTS:.0f} s"
    return ""


async def _client(port: int, path: str) -> int | str | None:
    """Connect, say nothing, and return what ends it: a close code, or why it was not let in."""
    url = f"ws://127.0.0.1:{port}{path}"
    while True:
        try:
            async with websockets.connect(url, open_timeout=None, close_timeout=GRACE, proxy=None) as client:
                await client.wait_closed()
                return client.close_code
        except ConnectionRefusedError:  # it does not listen yet
            await asyncio.sleep(0.02)
        except (websockets.InvalidHandshake, websockets.InvalidMessage, OSError) as error:
            return f"{type(error).__name__}: {error}"
