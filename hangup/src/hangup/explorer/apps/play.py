"""Plays one schedule: an app and the clients of a script, in memory and in virtual time, until all has ended."""

import asyncio
from collections.abc import Collection

from hangup.explorer.apps import ending
from hangup.explorer.apps.connections import Connections
from hangup.explorer.apps.conversation import Conversation, ParsedScript
from hangup.explorer.apps.lifespan import Lifespan
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.waiting import Wait
from hangup.record.evidence import forget, write_down_unrun
from hangup.record.recorder import ASGIApp, Recorder, Session
from hangup.servers.models import MODELS
from hangup.servers.script import CLOSED, SILENT
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

LIFETIME = 600.0  # virtual seconds that a session may take in all


class Play:
    """One session of an app by a schedule: explorer and replay make one for each, and call `play` once.

    Then `calls`, `awaits` and `spins` say what the app did.
    """

    def __init__(
        self,
        app: ASGIApp,
        script: ParsedScript,
        schedule: Schedule,
        trace: Trace,
        path: str,
        *,
        lifespan: bool = False,
        excuse: Collection[str] = (),
        patience: ending.Patience | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.schedule = schedule
        self.recorder = recorder = Recorder(app, trace, excuse=excuse)
        self.lifespan = Lifespan(recorder) if lifespan else None
        self.wait = wait = Wait(loop)
        state = self.lifespan.state if self.lifespan is not None else {}
        self.connections = Connections(recorder, schedule, path, state, on_spin=wait.end, on_ended=self._app_ended)
        self.conversation = Conversation(script, self.connections, loop, self._a_left, self._all_left)
        self.patience = patience
        self.calls = {"send": 0, "receive": 0}
        """How often the app had called each when client a was gone: the moments at which it can leave."""
        self.spins = False
        """Whether the loop turned again and again without letting time pass."""

    @property
    def awaits(self) -> int:
        """How often the app waited in client a's session, if the schedule counts that."""
        return self.connections.awaits

    async def play(self) -> Session:
        """Run the app to its end and return client a's session, with nothing left of it on the loop."""
        loop, wait, recorder = self.loop, self.wait, self.recorder
        sessions = recorder.sessions
        loop.alarms = (wait.limit, *self.conversation.alarms)
        if self.lifespan is not None:
            await self.lifespan.start()
        wait.begin(LIFETIME)
        self.conversation.start()
        await wait.over()
        recorder.trace.ordered = len(sessions) > 1
        self.spins = loop.turns > loop.most_turns
        await ending.stop(sessions, self.connections.tasks.values(), self.lifespan, wait, self.patience)
        forget(loop)
        write_down_unrun()
        self._note_facts()
        first = sessions[0]
        first.facts["threads"] = loop.forgotten_threads()
        first.others = sessions[1:]
        self._unlink()
        return first

    def _unlink(self) -> None:
        """Break the circles of references: a collector that has to find them costs more than the session."""
        self.loop.alarms = ()
        self.wait.unlink()
        self.conversation.unlink()
        self.connections.unlink()

    # ---- who has come to an end --------------------------------------------------------------------------------

    def _app_ended(self, letter: str) -> None:
        """The app has ended a session."""
        self.conversation.go_on()
        if self.conversation.over and not self.connections.running:
            self.wait.end()

    def _a_left(self) -> None:
        """Client a is gone: what the app does from here on is no moment for it to leave."""
        a = self.connections.of["a"]
        self.calls = {"send": a.sends, "receive": a.receives}

    def _all_left(self) -> None:
        """All clients are gone: the app has some time to end."""
        if not self.connections.running:
            self.wait.end()
            return
        model = MODELS[self.schedule.model]
        untold = self.connections.of["a"].gone == "shutdown" and "shutdown" not in model.told and model.cancels
        self.wait.give(ending.LINGER, self._shut_down if untold else None)

    def _shut_down(self) -> None:
        """The server's graceful shutdown has lasted long enough."""
        ending.cancel_as_a_server(self.recorder.sessions)
        self.wait.give(ending.LINGER)

    # ---- what rules look at --------------------------------------------------------------------------------------

    def _note_facts(self) -> None:
        schedule, conversation, first = self.schedule, self.conversation, self.recorder.sessions[0]
        for session in self.recorder.sessions:
            connection, missed = self.connections.of[session.letter], conversation.missed[session.letter]
            if not (missed or connection.accepted or connection.gone or schedule.cancel_at):
                missed.append("the connection was not accepted")
            if not missed and not schedule.moment and conversation.cut_off(session.letter):
                missed.append(SILENT if self.spins else CLOSED)
            session.schedule = str(schedule)
            session.facts["unanswered"] = [] if schedule.cancel_at else missed
            session.facts["spun"] = connection.spun
            session.retrieve_exceptions()
        cancelled = schedule.cancel_at and first.cancelled_by == "schedule"
        first.facts["gone"] = self.connections.of["a"].gone
        first.facts["fired"] = bool(cancelled or first.facts["gone"])
