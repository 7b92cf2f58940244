"""Plays one schedule: an app and the clients of a script, in memory and in virtual time, until all has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from hangup.explorer.apps import ending
from hangup.explorer.apps.connections import Connections
from hangup.explorer.apps.lifespan import Lifespan, Mode, NotStarted
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.apps.talk.conversation import Conversation
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.further.remarks import nobody_is_left, remarks, who_waits
from hangup.explorer.waiting import Wait
from hangup.record.evidence import forget, write_down_unrun
from hangup.record.evidence.files import own_files
from hangup.record.internals import watches_files
from hangup.record.recorder import ASGIApp, Recorder, Session
from hangup.servers.models import FURTHER
from hangup.servers.players import row_of
from hangup.servers.script import SILENT
from hangup.time.jobs import newly_held
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

LIFETIME = 600.0  # virtual seconds that a session may take in all
_UNTOLD = ("silence", "shutdown")  # of which some servers never tell
UNTOLD = 300.0  # virtual seconds in which an app may notice by itself what its server never tells
CHANCES = (
    3  # how many jobs in threads end after client a has left, until an app is believed not to mind what they bring
)


class Play:
    """One session of an app by a schedule: explorer and replay make one for each, and call `play` once.

    Then `calls`, `awaits` and `spins` say what the app did. `beside` is a lifespan that lasts longer than the session;
    `loop` is the running one, for whoever knows it.
    """

    def __init__(
        self,
        app: ASGIApp,
        script: ParsedScript,
        schedule: Schedule,
        trace: Trace,
        path: str,
        lifespan: Mode = False,
        excuse: Collection[str] = (),
        patience: ending.Patience | None = None,
        beside: Lifespan | None = None,
        loop: VirtualLoop | None = None,
    ) -> None:
        if loop is None:
            here = asyncio.get_running_loop()
            assert isinstance(here, VirtualLoop)
            loop = here
        self.loop = loop
        self.schedule = schedule
        self.recorder = recorder = Recorder(app, trace, excuse, loop)
        self.lifespan: Lifespan | None = None
        if lifespan not in (False, "off") and beside is None:
            self.lifespan = Lifespan(recorder, needed=lifespan == "on")
        self.wait = wait = Wait(loop)
        lasts = self.lifespan or beside
        state = lasts.state if lasts is not None else {}
        for letter in () if script.alone else script.order:
            trace.peer(0 if letter == "a" and schedule.ending == "early" else ord(letter))
        self.connections = Connections(recorder, schedule, state, loop, wait.end, self._app_ended)
        self.conversation = Conversation(script, self.connections, loop, path, self._a_left, self._all_left)
        self.patience = patience
        self.held = ""
        """The line at which the app held the event loop, until it was ended."""
        self.last_word: Callable[[], Awaitable[None]] | None = None
        """What happens when all clients have had their say, and before the app is stopped."""
        self.speaks_no_lifespan = False
        """Whether the app was asked for a lifespan, and has none."""
        self.spins = False
        """Whether the loop turned again and again."""
        self.busy = 0.0
        """For how many virtual seconds it did so, until it was given up."""
        self._sends_before: dict[str, int] = {}
        """How often the app had sent to each client when its lifespan began to shut down."""
        self._ended_before = 0
        """How many jobs in threads had ended by then."""
        self.calls = {"send": 0, "receive": 0}
        """How often the app had called each when client a was gone: the moments at which it can leave."""

    @property
    def awaits(self) -> int:
        """How often the app waited in client a's session, if the schedule counts that."""
        return self.connections.awaits

    async def play(self) -> Session:
        """Run the app to its end and return client a's session, with nothing left of it on the loop."""
        loop, wait, recorder = self.loop, self.wait, self.recorder
        sessions = recorder.sessions
        loop.alarms = (wait, *self.conversation.alarms)
        loop.elsewhere.begin_session()
        if self.lifespan is not None:
            self.lifespan.on_stop = self._lifespan_stops
            try:
                await self.lifespan.start(wait)
            except NotStarted:
                await ending.stop((), [self.lifespan.task], None, wait, None)
                raise
            if not self.lifespan.spoken:
                self.lifespan, self.speaks_no_lifespan = None, True
        loop.know_threads()
        wait.begin(LIFETIME + self.conversation.script.pauses)
        self.conversation.start()
        await wait.over()
        self.conversation.stopped = True
        if self.last_word is not None:
            await self.last_word()
        if not sessions:  # what stands before the connections never came to an end
            self.connections.absent("a")
        recorder.trace.ordered = len(sessions) > 1
        self.spins = loop.turns > loop.most_turns
        self.busy = self.conversation.waited if self.spins else 0.0
        served = (*self.connections.tasks.values(), *self.connections.requests)
        if not ending.at_rest(sessions, served, self.lifespan, wait):
            await ending.stop(sessions, served, self.lifespan, wait, self.patience)
        forget(loop)
        write_down_unrun()
        self._note_facts()
        first = sessions[0]
        first.facts["threads"], first.facts["pools"] = loop.forgotten_threads(), loop.new_pools
        if loop.others or watches_files(loop):
            self._note_what_is_elsewhere(first)
        if len(sessions) > 1:
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
        self.calls = {"send": a.calls.sends, "receive": a.calls.receives}
        self._ended_before = self.loop.elsewhere.ended

    def _all_left(self) -> None:
        """All clients are gone: the app has some time to end."""
        if not self.connections.running:
            self.wait.end()
            return
        a = self.connections.of["a"]
        takes = a.lasting.seconds if a.lasting is not None else 0.0
        untold = a.gone in _UNTOLD and a.gone not in row_of(self.schedule.model).told
        if untold and a.gone == "silence":
            self.wait.give(UNTOLD, self._shut_down)
        elif untold and row_of(self.schedule.model).cancels:
            self.wait.give(ending.LINGER + takes, self._shut_down)
        else:
            self.wait.give(ending.LINGER + takes)

    def _shut_down(self) -> None:
        """The server's graceful shutdown has lasted long enough."""
        ending.cancel_as_a_server(self.recorder.sessions)
        self.wait.give(ending.LINGER)

    def _lifespan_stops(self) -> None:
        self._sends_before = {letter: each.calls.sends for letter, each in self.connections.of.items()}
        for session in self.recorder.sessions:
            held = session.connection is not None and session.connection() is not None
            session.facts["outlives"] = held and session.finished.is_set()

    # ---- what rules look at --------------------------------------------------------------------------------------

    def _note_facts(self) -> None:
        schedule, conversation, sessions = self.schedule, self.conversation, self.recorder.sessions
        name, cancelled = schedule.name, schedule.cancel_at != 0
        remarkable = schedule.ending in FURTHER or conversation.held_by or self._sends_before
        for session in sessions:
            letter, facts = session.letter, session.facts
            connection, missed = self.connections.of[letter], conversation.missed.setdefault(letter, [])
            if not (connection.accepted or missed or connection.gone or cancelled):
                missed.append("the connection was not accepted")
            if not (schedule.moment or missed) and (cut := conversation.cut_off(letter)):
                missed.append(SILENT if self.spins else cut)
            session.schedule = name
            facts["unanswered"] = [] if cancelled else missed
            facts["spun"] = connection.calls.spun
            if remarkable:
                self._note_remarks(session)
            session.retrieve_exceptions()
        first, gone = sessions[0], self.connections.of["a"].gone
        if len(conversation.missed) > len(sessions) and not cancelled:  # of those who never came to connect
            heard = {session.letter for session in sessions}
            for who, problems in conversation.missed.items():
                if problems and who not in heard:
                    first.facts["unanswered"] += [f"client {who}: {each}" for each in problems]
        first.facts["gone"] = gone
        first.facts["fired"] = bool(gone or (cancelled and first.cancelled_by == "schedule"))
        if self.held:
            first.facts["held"] = f"it was still at {self.held}, when it was ended"
        if self.busy >= 1.0 or self.loop.elsewhere.given_up or self.loop.elsewhere.timed:
            self._note_what_never_came(first)

    def _note_what_never_came(self, first: Session) -> None:
        """Know whether anything may have come of what was not waited for to the end: a job, a thread, or busy hours."""
        elsewhere = self.loop.elsewhere
        if self.busy >= 1.0:
            first.facts["unknown"] = f"given up after {self.loop.most_turns:,} turns of its loop in {self.busy:.0f} s"
        elif elsewhere.given_up:
            first.facts["unknown"] = elsewhere.in_vain
        elif elsewhere.ended - self._ended_before < CHANCES and any(map(_is_stuck, self.recorder.sessions)):
            first.facts["unknown"] = (
                f"{elsewhere.timed} waits at a queue for a while, and was not waited for to the end"
            )

    def _note_what_is_elsewhere(self, first: Session) -> None:
        """Know what the session has left outside of the loop's tasks and timers, if there is anything."""
        loop, sessions = self.loop, self.recorder.sessions
        files = {name for _, name in own_files(loop, sessions).values()}
        left = {"jobs": newly_held(loop), "rings": loop.elsewhere.rings.look(), "files": sorted(files)}
        if any(left.values()):
            first.facts.update(left, elsewhere=True)

    def _note_remarks(self, session: Session) -> None:
        schedule, connection = self.schedule, self.connections.of[session.letter]
        said = list(remarks(schedule, connection, session)) if schedule.ending in FURTHER else []
        sends = connection.calls.sends
        sends -= self._sends_before.get(session.letter, sends)
        if sends and any(each.left_at_shutdown for each in self.recorder.sessions):
            sends = 0  # it is told of those tasks, which speak on
        for word in (who_waits(session.letter, self.conversation.held_by, session), nobody_is_left(sends)):
            said += [word] if word else []
        if said:
            session.facts["remarks"] = [*session.facts.get("remarks", ()), *said]


def _is_stuck(session: Session) -> bool:
    """Return whether somebody waited in vain in a session, or it had to be ended."""
    return bool(session.facts["unanswered"]) or session.cancelled_by == "server"
