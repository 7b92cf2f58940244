"""The connections of one session: whenever a client connects, the app is called for it, in a task of its own.

They are in memory, on the server that the schedule names; client a's ends as the schedule says.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.awaits import CountedAwaits
from hangup.explorer.waiting import nothing
from hangup.record.current import task_of_nobody
from hangup.record.recorder import Recorder, Session
from hangup.servers.clients.handshake import Asked
from hangup.servers.memory import MemoryConnection
from hangup.servers.memory.exchange import Exchange
from hangup.servers.memory.scope import http_scope, websocket_scope
from hangup.servers.players import Connection, connection_for, row_of
from hangup.trace.events import Event


class Connections:
    """Opens connections to an app: `of` holds each client's, `tasks` the tasks in which the app serves them.

    `state` is the lifespan's. `on_spin` is called when an app asks for messages again and again, `on_ended` with a
    client's letter when the app has ended its session.
    """

    def __init__(
        self,
        recorder: Recorder,
        schedule: Schedule,
        state: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop,
        on_spin: Callable[[], None],
        on_ended: Callable[[str], None],
    ) -> None:
        self.recorder, self.schedule, self.state = recorder, schedule, state
        self._loop, self.on_spin, self.on_ended = loop, on_spin, on_ended
        self.kind: Callable[..., Connection] = connection_for
        self.running = 0
        """In how many sessions the app has not ended."""
        self.awaits = 0
        """How often the app has waited in client a's session, if the schedule counts that."""
        self.of: dict[str, Connection] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.requests: list[asyncio.Task[None]] = []
        """The tasks in which the app serves HTTP requests."""

    def open(self, letter: str, asked: Asked) -> Connection:
        """Let a client connect: call the app for it."""
        schedule, port, trace = self.schedule, ord(letter), self.recorder.trace
        ending, moment = (schedule.ending, schedule.moment) if letter == "a" else ("close", None)
        lost = ending == "early"  # the first to connect, whom the recorder calls number 0
        drawn = None if trace.silent else trace
        self.of[letter] = connection = self.kind(schedule.model, ending, moment, drawn, letter)
        if schedule.cancel_at or schedule.order is not None:
            connection.calls.yields = True
        connection.calls.on_spin = self.on_spin
        if drawn is not None:
            drawn.peer(0 if lost else port)
            opening, line = Event(f"client {letter}", "GET", asked.path, "server"), (f"client {letter}",)
            drawn.record(opening, chains=line, gives=f"{letter}.open", rank=(2, letter))
        self.running += 1
        client = None if lost else ("127.0.0.1", port)
        scope = websocket_scope(asked).copy()
        scope["state"], scope["client"] = dict(self.state), client
        if not connection.model.denies:
            scope["extensions"] = {}
        self.tasks[letter] = task_of_nobody(self._serve(letter, scope, connection), self._loop)
        if lost:
            connection.leave()
        return connection

    def absent(self, letter: str) -> None:
        """Let a client never connect: it has a session in which nothing happens."""
        session = Session(self.recorder.trace, letter, ended="returned")
        session.end()
        self.recorder.sessions.append(session)
        self.of[letter] = connection = MemoryConnection(row_of(self.schedule.model), "fin", letter=letter)
        connection.gone = "fin"

    def ask(self, letter: str, asked: Asked, on_done: Callable[[], None]) -> Exchange:
        """Let a client make an HTTP request: call the app for it."""
        trace = self.recorder.trace
        exchange = Exchange(asked, letter, None if trace.silent else trace, on_done)
        scope = http_scope(asked) | {"state": dict(self.state), "client": ("127.0.0.1", ord(letter))}
        self.requests.append(task_of_nobody(exchange.serve(self.recorder, scope), self._loop))
        return exchange

    async def _serve(self, letter: str, scope: dict[str, Any], connection: Connection) -> None:
        call: Any = self.recorder.websocket(scope, connection.receive, connection.send)
        counted = None
        if letter == "a" and self.schedule.cancel_at:
            at = self.schedule.cancel_at
            twice = self.schedule.twice
            call = counted = CountedAwaits(call, at, on_cancel=self._cancelled, on_thrown=self._thrown, twice=twice)
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
                self.recorder.sessions[0].facts |= {"cut": counted.cut, "in a group": counted.in_group}
            connection.ended(how)
            connection.done = True
            self.on_ended(letter)

    def _cancelled(self) -> None:
        self.recorder.sessions[0].cancelled_by = "schedule"

    def _thrown(self) -> None:
        facts = self.recorder.sessions[0].facts
        facts.setdefault("interrupted", "while it cleaned up" if self.of["a"].gone else "while it worked")

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.on_spin = self.on_ended = nothing
        for connection in self.of.values():
            connection.client.on_change = connection.calls.on_spin = nothing
            connection.unlink()
