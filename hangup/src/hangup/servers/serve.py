"""Real ASGI servers on the running loop, only inside `async with serve(...)`.

Each server is an async context manager that takes an app and a bound socket and yields when it listens.
`serve` adds what all share: the recorder, log records that become notes, the interrupt button, and a stop that leaves
nothing behind. Stopping goes in this order: apps whose client has gone get time to end; the server shuts down as it
does in production; then what is left is cancelled, and the trace says so.
"""

import asyncio
import contextlib
import importlib.util
import logging
import socket
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from hangup.network.ports import traces
from hangup.record.logs import logs_of
from hangup.record.recorder import ASGIApp, Recorder, Session, describe, watch_tasks
from hangup.servers.running.interrupt import interruptible
from hangup.trace.events import Event
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"


class ServerError(RuntimeError):
    """A server that did not start: an unknown name, a missing package, a taken port, an app that failed to start."""


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
    run = _runner(server)
    trace = Trace() if trace is None else trace
    trace.server = server
    recorder = Recorder(app, trace)
    loop = asyncio.get_running_loop()
    with _bound_socket(port) as sock, watch_tasks(loop), logs_of(recorder), interruptible(loop) as interrupted:
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
                    await _let_finish(recorder, graceful_timeout)
                    _note_stop(recorder)
        finally:
            del traces[number]
            await _clean_up(recorder)
            recorder.cut()


def _runner(name: str) -> "Callable[[Recorder, socket.socket, float], AbstractAsyncContextManager[None]]":
    if name not in _SERVERS:
        raise ServerError(f"There is no server called {name!r}: choose one of {', '.join(SERVERS)}.")
    package, run = _SERVERS[name]
    if importlib.util.find_spec(package) is None:
        raise ServerError(f"{name} needs the package {package}, which is not installed: pip install {package}")
    return run


@contextmanager
def _bound_socket(port: int) -> Iterator[socket.socket]:
    """Yield a TCP socket bound to 127.0.0.1; whoever serves may close it first."""
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


# ---- servers -----------------------------------------------------------------------------------------------------


def _uvicorn(ws: str) -> "Callable[[Recorder, socket.socket, float], AbstractAsyncContextManager[None]]":
    @asynccontextmanager
    async def run(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
        import uvicorn

        config = uvicorn.Config(recorder, ws=ws, log_config=None, access_log=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ws="websockets" is deprecated and taught on purpose
            config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        try:
            await server.startup(sockets=[sock])
        except SystemExit:
            raise _lifespan_error(recorder) from None
        await server.on_tick(0)
        try:
            yield
        finally:
            await _stop_uvicorn(server, graceful_timeout)

    return run


async def _stop_uvicorn(server: "uvicorn.Server", graceful_timeout: float) -> None:
    """Do what Server.shutdown does, waiting for events where it polls ten times a second."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await asyncio.sleep(0)
    if tasks := set(server.server_state.tasks):
        _, pending = await asyncio.wait(tasks, timeout=graceful_timeout)
        for task in pending:
            task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
        if pending:
            await asyncio.wait(pending, timeout=graceful_timeout)
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await server.lifespan.shutdown()


@asynccontextmanager
async def _granian(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    from granian.constants import Interfaces
    from granian.net import SocketSpec  # type: ignore[attr-defined]
    from granian.server.embed import Server

    class Embedded(Server):
        """On Linux, Server binds once more, to see whether it can, and never closes that socket. Not so here."""

        def _init_shared_socket(self) -> None:
            if sys.platform == "linux":
                self._ssp: Any = SocketSpec(self.bind_addr, self.bind_port, self.backlog)
            else:
                super()._init_shared_socket()

    port = sock.getsockname()[1]
    if sys.platform != "linux":
        sock.close()  # granian binds by itself; only Linux lets two sockets share a port on which one listens
    # Its default logging configuration would close every handler of the process; this one changes nothing.
    quiet: dict[str, Any] = {"incremental": True, "handlers": {}, "loggers": {}}
    server = Embedded(recorder, address=HOST, port=port, interface=Interfaces.ASGI, log_dictconfig=quiet)
    async with _until_listening(asyncio.ensure_future(server.serve()), port, recorder, graceful_timeout, server.stop):
        try:
            yield
        finally:
            # granian leaves open WebSockets open when it stops, and with each of them a thread
            await _end_handlers(recorder)
            await _until_clients_left(recorder, graceful_timeout)


@asynccontextmanager
async def _hypercorn(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    port = sock.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = graceful_timeout
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loud = loop.get_exception_handler()

    def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), asyncio.CancelledError):  # said of each connection it cuts
            loud(loop, context) if loud else loop.default_exception_handler(context)

    loop.set_exception_handler(quiet)
    serving = serve(recorder, config, shutdown_trigger=stop.wait, mode="asgi")  # type: ignore[arg-type]
    try:
        async with _until_listening(asyncio.ensure_future(serving), port, recorder, graceful_timeout, stop.set):
            yield
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(loud)


@asynccontextmanager
async def _until_listening(
    serving: "asyncio.Future[None]", port: int, recorder: Recorder, graceful_timeout: float, stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Run a server that is one coroutine: wait until the port answers; at the end stop it, and wait for it."""
    try:
        while not serving.done() and not await _listens(port):
            await asyncio.sleep(0.001)
        if serving.done():
            raise _lifespan_error(recorder)
        yield
    finally:
        stop()
        _, pending = await asyncio.wait([serving], timeout=2 * graceful_timeout)
        if pending:  # since Python 3.12, hypercorn waits for its connections before it looks at its graceful timeout
            await _end_handlers(recorder)
            await asyncio.wait([serving], timeout=2 * graceful_timeout)
        serving.cancel()
        await asyncio.wait([serving])
        if not serving.cancelled():
            serving.exception()  # seen: what stopped the server is told by ServerError


async def _until_clients_left(recorder: Recorder, seconds: float) -> None:
    """Wait until this process's own clients know that their connections are closed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while recorder.trace.connected:
                await asyncio.sleep(0.001)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _lifespan_error(recorder: Recorder) -> ServerError:
    error = recorder.lifespan_error
    why = f"in its lifespan it raised {describe(error)}" if error else "it said lifespan.startup.failed"
    return ServerError(f"The app did not start: {why}")


Run = Callable[[Recorder, socket.socket, float], AbstractAsyncContextManager[None]]
_SERVERS: dict[str, tuple[str, Run]] = {
    "uvicorn": ("uvicorn", _uvicorn("websockets-sansio")),
    "uvicorn-websockets": ("uvicorn", _uvicorn("websockets")),
    "uvicorn-wsproto": ("wsproto", _uvicorn("wsproto")),
    "granian": ("granian", _granian),
    "hypercorn": ("hypercorn", _hypercorn),
}
SERVERS = tuple(_SERVERS)
"""Names of the servers: uvicorn with each of its three WebSocket implementations (its default first), and two more."""


# ---- the end of a run ----------------------------------------------------------------------------------------------


async def _let_finish(recorder: Recorder, graceful_timeout: float) -> None:
    """Wait for apps whose client has left, as far as this process knows."""
    waiting = [s for s in recorder.sessions if s.letter not in recorder.trace.connected and not s.finished.is_set()]
    if waiting:
        ends = [asyncio.ensure_future(session.finished.wait()) for session in waiting]
        _, pending = await asyncio.wait(ends, timeout=graceful_timeout)
        for end in pending:
            end.cancel()


def _note_stop(recorder: Recorder) -> None:
    """Draw the server's stop when an app still runs."""
    running = [s for s in recorder.sessions if not s.finished.is_set()]
    for session in running:
        session.cancelled_by = "server"
    if running:
        chains = [f"{who} {s.letter}" for s in running for who in ("session", "client")]
        recorder.trace.record(Event("server", "note", "shuts down"), chains=chains, gives="stop", rank=(1, ""))


async def _end_handlers(recorder: Recorder) -> None:
    """Cancel handlers that still run, and their tasks only if they wait for them: the lifespan may wait for others."""
    for session in recorder.sessions:
        if session.main and not session.finished.is_set():
            _note_that_it_never_returns(session)
            session.main.cancel()
            await asyncio.wait([session.main], timeout=0.5)
            if not session.main.done():
                await _cancel([task for task in (*session.tasks, session.main) if not task.done()])


async def _clean_up(recorder: Recorder) -> None:
    """Cancel what the server's stop left behind, and let the trace say what it was."""
    for session in recorder.sessions:
        for task, line in session.tasks.items():
            if not task.done() and not task.cancelling():
                session.record(Event(line, "still running", "after the server has stopped"), final=True)
        if session.main and not session.finished.is_set():
            _note_that_it_never_returns(session)
        await _cancel([t for t in (*session.tasks, session.main) if t is not None and not t.done()])
        for error in (session.error, *session.look_at_errors()):
            _forget_frames(error)


def _note_that_it_never_returns(session: Session) -> None:
    session.record(Event(session.app, "never returns", "(the server has stopped; it is cancelled now)"), final=True)


def _forget_frames(error: BaseException | None) -> None:
    """Clear the local variables that an exception keeps alive; through them it would hold a server's threads."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        if (error := waiting.pop()) is None or id(error) in seen:
            continue
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        waiting += [error.__cause__, error.__context__]
        waiting += error.exceptions if isinstance(error, BaseExceptionGroup) else ()


async def _cancel(tasks: "list[asyncio.Task[Any]]") -> None:
    """Cancel tasks until they are done, three times at most: one that swallows it is given up."""
    for _ in range(3):
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=0.5)
            tasks = list(pending)
