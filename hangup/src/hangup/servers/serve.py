"""Real ASGI servers on the running loop, only inside `async with serve(...)`.

`hangup.servers.running` has a module for each server. `serve` adds what all share: the recorder, log records that
become notes, the interrupt button, and a stop that leaves nothing behind. Stopping goes in this order: apps whose
client has gone get time to end; the server shuts down as it does in production; then what is left is cancelled, and
the trace says so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hangup.network.ports import traces
from hangup.record.recorder import ASGIApp, Recorder, Session, watch_tasks
from hangup.servers.running import RUNNERS
from hangup.servers.running.interrupt import interruptible
from hangup.servers.running.listening import HOST, Run, ServerError, bound_socket
from hangup.servers.running.logs import logs_of
from hangup.servers.running.stopping import clean_up, let_finish, note_stop
from hangup.trace.trace import Trace

__all__ = ["HOST", "SERVERS", "ServerError", "Url", "serve"]

SERVERS = tuple(RUNNERS)
"""Names of the servers: uvicorn with each of its three WebSocket implementations (its default first), and two more."""


class Url(str):
    """The URL of a running server, `ws://127.0.0.1:<port>`; `sessions` are those of its connections, in order."""

    sessions: list[Session]
    trace: Trace


@asynccontextmanager
async def serve(
    app: ASGIApp,
    *,
    server: str = "uvicorn",
    trace: Trace | None = None,
    port: int = 0,
    graceful_timeout: float = 1.0,
) -> AsyncIterator[Url]:
    """Serve an ASGI app on 127.0.0.1 while the block runs; yield its Url.

    `server` is one of `SERVERS`. `trace` collects what happens; port 0 takes a free one.
    When the block ends, apps whose client has left get `graceful_timeout` seconds to finish, then the server stops,
    with the same number of seconds for its own graceful shutdown. Raises ServerError when it cannot start.
    """
    run = _run_of(server)
    trace = Trace() if trace is None else trace
    trace.server = server
    recorder = Recorder(app, trace)
    loop = asyncio.get_running_loop()
    with bound_socket(port) as sock, watch_tasks(loop), logs_of(recorder), interruptible(loop) as interrupted:
        number: int = sock.getsockname()[1]
        traces[number] = trace
        url = Url(f"ws://{HOST}:{number}")
        url.sessions, url.trace = recorder.sessions, trace
        try:
            async with run(recorder, sock, graceful_timeout):
                try:
                    yield url
                except asyncio.CancelledError:
                    if interrupted():
                        raise KeyboardInterrupt from None
                    raise
                finally:
                    await let_finish(recorder, graceful_timeout)
                    note_stop(recorder)
        finally:
            del traces[number]
            await clean_up(recorder)
            recorder.cut()


def _run_of(name: str) -> Run:
    if name not in RUNNERS:
        raise ServerError(f"There is no server called {name!r}: choose one of {', '.join(SERVERS)}.")
    if missing := RUNNERS[name].missing(name):
        raise ServerError(missing)
    return RUNNERS[name].run
