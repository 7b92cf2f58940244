"""A real redis-server for the length of a block: on 127.0.0.1, in a temporary directory, with nothing kept on disk.

`redis_server()` yields a Redis, which can be stopped and started again on its port, as in a night's maintenance.
Without a redis-server on the PATH it raises NoRedis, whose sentence says how to get one; `redis_or_memory()` prints
that sentence instead and yields something with the URL `memory://`; `redis_or_recorded()`, for a block in which Redis
goes away, prints what the block printed elsewhere.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from helpers.props.elsewhere import HOST, wait_for_end

ANSWERS_WITHIN = 20.0  # seconds; it takes 0.01 on an idle machine
ASKED_AGAIN_AFTER = 0.5  # seconds in which somebody else on its port may keep silent
PORTS = 5  # how many are tried, if others take them first
MISSING = (
    "There is no redis-server on this machine, so the room lives in memory:// now, and two processes cannot share it. "
    "To get one: apt install redis-server, or brew install redis, or conda install -c conda-forge redis-server."
)
RECORDED = "There is no redis-server on this machine that could go away. With one, this cell printed:"


class NoRedis(RuntimeError):
    """There is no redis-server on the PATH, or it does not start."""


class _PortTaken(NoRedis):
    """Somebody else took the port between the moment it was found and the moment Redis wanted it."""


@dataclass(eq=False)
class Redis:
    """A redis-server and its port; `url` is what clients connect to."""

    command: str
    port: int
    folder: Path
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:<port>`, the same after a restart."""
        return f"redis://{HOST}:{self.port}"

    async def start(self) -> None:
        """Start it, and return when it answers. Raises NoRedis when it does not."""
        options = {"bind": HOST, "port": self.port, "dir": self.folder, "save": "", "appendonly": "no"}
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = await asyncio.create_subprocess_exec(
            self.command, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                while not await self._answers():
                    await asyncio.sleep(0.005)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise NoRedis(f"{self.command} did not answer on port {self.port} in {ANSWERS_WITHIN} s.") from None
            raise

    async def stop(self) -> None:
        """Stop it as an administrator does, with SIGTERM: clients see their connections closed. Twice is once."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await wait_for_end(process)

    async def listeners(self, channel: str) -> int:
        """Return how many connections have subscribed to a channel, as Redis itself counts them (PUBSUB NUMSUB)."""
        answer = await self._ask(f"PUBSUB NUMSUB {channel}", lines=4)
        return int(answer[-1].removeprefix(b":"))

    async def until_listeners(self, count: int, channel: str) -> None:
        """Wait until `count` connections have subscribed to a channel. Raises TimeoutError after some seconds."""
        async with asyncio.timeout(ANSWERS_WITHIN):
            while await self.listeners(channel) != count:
                await asyncio.sleep(0.005)

    async def _answers(self) -> bool:
        """Tell whether it answers, and not somebody else on its port; raise when the process has ended."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise _PortTaken(f"{self.command} ended at once: is port {self.port} taken, or the folder not writable?")
        try:
            async with asyncio.timeout(ASKED_AGAIN_AFTER):
                answer = await self._ask("CONFIG GET dir", lines=5)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return False
        return answer[-1] == os.fsencode(self.folder)

    async def _ask(self, command: str, *, lines: int) -> list[bytes]:
        """Send an inline command and return so many lines of the answer, without their ends."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(command.encode() + b"\r\n")
            return [(await reader.readuntil(b"\r\n"))[:-2] for _ in range(lines)]
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def redis_server() -> AsyncIterator[Redis]:
    """Run a redis-server while the block runs; yield its Redis. Raises NoRedis when there is none."""
    command = shutil.which("redis-server")
    if command is None:
        raise NoRedis(MISSING)
    with _folder() as folder:
        redis = await _start_somewhere(command, folder)
        try:
            yield redis
        finally:
            await redis.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a temporary directory, by the name that Redis will call it."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder).resolve()


async def _start_somewhere(command: str, folder: Path) -> Redis:
    """Start a Redis on a free port. Redis cannot be given a socket, so another process may take the port first."""
    for _ in range(PORTS):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            redis = Redis(command, probe.getsockname()[1], folder)
        try:
            await redis.start()
            return redis
        except _PortTaken as error:
            failed = error
    raise failed


class NotRedis:
    """Stands where a Redis would: everything in one process."""

    url = "memory://"

    async def until_listeners(self, count: int, channel: str) -> None:
        """Do nothing."""


@asynccontextmanager
async def redis_or_memory() -> AsyncIterator[Redis | NotRedis]:
    """Yield a Redis, or, after a sentence that says so, a NotRedis."""
    if shutil.which("redis-server") is None:
        print(MISSING)  # noqa: T201 - a notebook's cell shows it
        yield NotRedis()
        return
    async with redis_server() as redis:
        yield redis


class _Asked(Exception):
    """Somebody wants the URL of a Redis that is not there."""


class _Nowhere(Redis):
    """Stands where a Redis would that can go away."""

    @property
    def url(self) -> str:
        """Raise _Asked, which ends the block."""
        raise _Asked


@asynccontextmanager
async def redis_or_recorded(recorded: str) -> AsyncIterator[Redis]:
    """Yield a Redis; without one, print what was recorded, and end the block where it asks for the URL."""
    if shutil.which("redis-server") is not None:
        async with redis_server() as redis:
            yield redis
        return
    print(RECORDED, recorded, sep="\n")  # noqa: T201 - a notebook's cell shows it
    with contextlib.suppress(_Asked):
        yield _Nowhere("", 0, Path())
