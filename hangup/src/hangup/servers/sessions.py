"""One scripted session on a real server: the client says its lines, then the connection ends in a way you choose.

A script is a list of steps, as data, so that the same script can be played in memory as well.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from hangup.network.client import Connection
from hangup.record.recorder import ASGIApp, Session
from hangup.servers.clients.playing import Clients
from hangup.servers.script import HELLO, Script, goodbye, steps_of
from hangup.servers.serve import SERVERS, serve
from hangup.trace.table import Table
from hangup.trace.trace import Trace

TRIES = 3
"""How often a session is played in all whose server loses a message."""

CUT = "the network is cut in the middle of the client's next message"
"""The ending `cut`: a proxy resets the connection when half of a frame has passed."""

ENDINGS: dict[str, tuple[str, Callable[[Connection], Awaitable[None]]]] = {
    "close": ("the client closes with 1001", lambda client: client.close(1001)),
    "fin": ("the client's process dies (TCP FIN)", lambda client: client.fin()),
    "reset": ("the network resets the connection (TCP RST)", lambda client: client.reset()),
}
"""How a connection ends: a short name, its description, and what the client does."""


async def run(
    app: ASGIApp,
    script: Script = HELLO,
    *,
    ending: str = "close",
    server: str = "uvicorn",
    patience: float = 1.0,
    path: str = "/",
) -> Session:
    """Play `script` against `app` on a real server, end client a's connection, and return the app's Session of it.

    `ending` is a key of `ENDINGS`, or `cut`: one message more is sent, and a proxy resets the connection in the middle
    of it. `server` is one of `SERVERS`, `patience` how many seconds a client waits for an expected message, and the app
    for its own end. Clients ask for `path` unless the script says for what. What a client missed is in its
    `session.facts["unanswered"]`; if the server had not handed on everything by then, `session.facts["lost"]` says so.
    The sessions of other clients are in `session.others`.
    """
    if ending not in (*ENDINGS, "cut"):
        raise ValueError(f"There is no ending called {ending!r}: choose one of {', '.join(ENDINGS)}, cut.")
    trace = Trace()
    code = goodbye(steps_of(script))
    end = None if ending == "cut" else _closing(code) if ending == "close" and code != 1001 else ENDINGS[ending][1]
    async with serve(app, server=server, trace=trace, graceful_timeout=patience) as url:
        clients = Clients(steps_of(script), end, patience, trace, path, url.sessions)
        async with contextlib.AsyncExitStack() as stack:
            await clients.play(str(url), stack)
    sessions = {clients.names.get(session.letter, session.letter): session for session in url.sessions}
    sessions.setdefault("a", Session(trace, "a"))
    for letter in {*clients.missed} - {*sessions}:  # who has not come as far as a connection
        clients.missed["a"] += [f"client {letter}: {each}" for each in clients.missed[letter]]
    for letter, session in sessions.items():
        session.schedule = f"{server}/{ending}"
        session.facts |= {"unanswered": clients.missed.get(letter, []), "fired": clients.fired, "lost": clients.lost}
    first = sessions.pop("a")
    first.others = [sessions[letter] for letter in sorted(sessions)]
    return first


async def run_anew(
    make: Callable[[], ASGIApp],
    script: Script = HELLO,
    *,
    ending: str = "close",
    server: str = "uvicorn",
    patience: float = 1.0,
    path: str = "/",
) -> tuple[ASGIApp, Session]:
    """Do what `run` does with an app of `make`, and again with another one as long as the server loses a message.

    It is played `TRIES` times at most: what is lost each time may be the app's own doing, such as a `receive()` that it
    cancels when the message is on its way. Return the app and the Session of the last time. For what is lost see
    `hangup.servers.clients.lost`.
    """
    for _ in range(TRIES):
        app = make()
        session = await run(app, script, ending=ending, server=server, patience=patience, path=path)
        if not session.facts["lost"]:
            break
    return app, session


def _closing(code: int | None) -> Callable[[Connection], Awaitable[None]]:
    """Return what closes a connection with this code, or with a close frame that has none."""

    async def close(client: Connection) -> None:
        if code is not None:
            await client.close(code)
            return
        client.protocol.send_close()
        client.send_data()
        await client.wait_closed()

    return close


async def compare(
    app: ASGIApp,
    script: Script = HELLO,
    *,
    what: Callable[[Session], object] | None = None,
    servers: Sequence[str] = SERVERS,
    endings: Sequence[str] = tuple(ENDINGS),
    path: str = "/",
) -> Table:
    """Run the same session on every server under every ending, and put what came of it into a table.

    A session in which the server loses a message is played again, as `run_anew` does.
    `what` takes a Session and returns what its field of the table says; by default, how the app ended.
    """
    rows = []
    for server in servers:
        played = [await run_anew(lambda: app, script, ending=ending, server=server, path=path) for ending in endings]
        rows.append((server, *(str((what or how_it_ended)(session)) for _, session in played)))
    return Table(("server", *endings), tuple(rows))


def how_it_ended(session: Session) -> str:
    """Return a few words on how the app ended, with a mark: quietly, with an exception, or not at all."""
    if session.ended == "returned":
        return "✓ returns"
    if session.ended == "raised":
        error = session.error
        inner = f" [{type(error.exceptions[0]).__name__}]" if isinstance(error, BaseExceptionGroup) else ""
        return f"✗ {type(error).__name__}{inner}"
    return "✗ never ends"
