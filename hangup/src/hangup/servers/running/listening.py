"""How a server begins: its port, when it listens, and the sentence that says why it does not."""

import asyncio
import contextlib
import importlib.util
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass

from hangup.record.recorder import Recorder, describe
from hangup.servers.running.stopping import end_handlers
from hangup.servers.stalls import pending

HOST = "127.0.0.1"


class ServerError(RuntimeError):
    """A server that did not start: an unknown name, a missing package, a taken port, an app that failed to start."""


Run = Callable[[Recorder, socket.socket, float], AbstractAsyncContextManager[None]]
"""Serves an app on a bound socket while the block runs, which begins when the server listens.

The number is the seconds that its own graceful shutdown may take.
"""


@dataclass(frozen=True)
class Runner:
    """A server that can be run, if the modules that it `needs` are installed: hangup's `extra` brings them."""

    extra: str
    needs: tuple[str, ...]
    run: Run

    def missing(self, name: str) -> str:
        """Return one sentence on the first module that is missing, for the server called `name`; or nothing."""
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                extra = f"pip install 'hangup[{self.extra}]'"
                return f"{name} needs the package {module}, which is not installed: {extra}"
        return ""


@contextmanager
def bound_socket(port: int) -> Iterator[socket.socket]:
    """Yield a TCP socket bound to 127.0.0.1, at a free port if `port` is 0; whoever serves may close it first.

    Raises ServerError when the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets NODELAY only on this
    try:
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # lets granian, which binds by itself, join
        if port and _taken(port):
            raise ServerError(f"Port {port} on {HOST} is taken: choose another, or leave it out to get a free one.")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        yield sock
    finally:
        sock.close()


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


@asynccontextmanager
async def until_listening(
    serving: "asyncio.Future[None]", port: int, recorder: Recorder, graceful_timeout: float, stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Run a server that is one coroutine: wait until the port answers; at the end stop it, and wait for it."""
    try:
        while not serving.done() and not await _listens(port):
            await asyncio.sleep(0.001)
        if serving.done():
            raise lifespan_error(recorder)
        yield
    finally:
        stop()
        if await pending([serving], 2 * graceful_timeout):
            # since Python 3.12, hypercorn waits for its connections before it looks at its graceful timeout
            await end_handlers(recorder)
            await pending([serving], 2 * graceful_timeout)
        serving.cancel()
        await asyncio.wait([serving])
        if not serving.cancelled():
            serving.exception()  # seen: what stopped the server is told by ServerError


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def lifespan_error(recorder: Recorder) -> ServerError:
    """Return the error that says why a server did not start: its app failed in its lifespan."""
    error = recorder.lifespan_error
    why = f"in its lifespan it raised {describe(error)}" if error else "it said lifespan.startup.failed"
    return ServerError(f"The app did not start: {why}")
