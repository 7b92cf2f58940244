"""The connections of one session: whenever a client connects, the app is called for it, in a task of its own.

They are in memory, on the model of a server that the schedule names; client a's ends as the schedule says.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.awaits import CountedAwaits
from hangup.explorer.waiting import nothing
from hangup.record.recorder import Recorder, current
from hangup.servers.memory import MemoryConnection
from hangup.servers.models import MODELS
from hangup.trace.events import Event

SCOPE: dict[str, Any] = {
    "type": "websocket",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "scheme": "ws",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
    "subprotocols": [],
    "extensions": {},
}
"""The scope of a connection, but for its path, client and state (asgi www.rst, "WebSocket Connection Scope")."""


class Connections:
    """Opens connections to an app: `of` holds each client's, `tasks` the tasks in which the app serves them.

    `state` is the lifespan's. `on_spin` is called when an app asks for messages again and again, `on_ended` with a
    client's letter when the app has ended its session.
    """

    def __init__(
        self,
        recorder: Recorder,
        schedule: Schedule,
        path: str,
        state: Mapping[str, Any],
        *,
        on_spin: Callable[[], None],
        on_ended: Callable[[str], None],
    ) -> None:
        self.recorder, self.schedule, self.path, self.state = recorder, schedule, path, state
        self.on_spin, self.on_ended = on_spin, on_ended
        self.of: dict[str, MemoryConnection] = {}
        self.kind: Callable[..., MemoryConnection] = MemoryConnection
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.running = 0
        """In how many sessions the app has not ended."""
        self.awaits = 0
        """How often the app has waited in client a's session, if the schedule counts that."""

    def open(self, letter: str) -> MemoryConnection:
        """Let a client connect: call the app for it."""
        schedule, port, trace = self.schedule, ord(letter), self.recorder.trace
        ending, moment = (schedule.ending, schedule.moment) if letter == "a" else ("close", None)
        drawn = None if trace.silent else trace
        self.of[letter] = connection = self.kind(MODELS[schedule.model], ending, moment, drawn, letter)
        connection.yields = schedule.cancel_at != 0 or schedule.order is not None
        connection.on_spin = self.on_spin
        if drawn is not None:
            drawn.peer(port)
            opening, line = Event(f"client {letter}", "GET", self.path, "server"), (f"client {letter}",)
            drawn.record(opening, chains=line, gives=f"{letter}.open", rank=(2, letter))
        self.running += 1
        scope = _scope_of(self.path) | {"state": dict(self.state), "client": ("127.0.0.1", port)}
        served, loop = self._serve(letter, scope, connection), asyncio.get_running_loop()
        if current() is None:
            self.tasks[letter] = loop.create_task(served)
        else:  # this client connects while an app runs, whose task it is not
            self.tasks[letter] = loop.create_task(served, context=contextvars.Context())
        return connection

    async def _serve(self, letter: str, scope: dict[str, Any], connection: MemoryConnection) -> None:
        call: Any = self.recorder(scope, connection.receive, connection.send)
        counted = None
        if letter == "a" and self.schedule.cancel_at:
            at = self.schedule.cancel_at
            call = counted = CountedAwaits(call, at, on_cancel=self._cancelled, on_thrown=self._thrown)
        how = "raised"
        try:
            await call
            how = "returned"
        except (SystemExit, KeyboardInterrupt):
            raise
        except asyncio.CancelledError:
            how = "cancelled"
        except BaseException:  # the recorder has it; nobody else will ask this task for it
            return
        finally:
            self.running -= 1
            if counted is not None:
                self.awaits = counted.awaits
            connection.ended(how)
            connection.done = True
            self.on_ended(letter)

    def _cancelled(self) -> None:
        self.recorder.sessions[0].cancelled_by = "schedule"

    def _thrown(self) -> None:
        facts = self.recorder.sessions[0].facts
        facts["interrupted"] = "while it cleaned up" if self.of["a"].gone else "while it worked"

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.on_spin = self.on_ended = nothing
        for connection in self.of.values():
            connection.on_change = connection.on_spin = nothing


@functools.cache
def _scope_of(path: str) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    return SCOPE | {"path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode()}
