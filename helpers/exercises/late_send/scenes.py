"""Exercises whose answer is a client that is given messages to send: judged in scenes, then by the client's explorer.

The explorer ends a short session at every frame. A scene is a longer one, written by hand: how messages come, what the
server says, how and when the connection ends; its time is virtual, so an hour of silence costs nothing.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection

from hangup.explorer.clients.play import ClientSession
from hangup.explorer.clients.schedules import ClientSchedule
from hangup.network.client import connect
from hangup.record.errors import describe, stack
from hangup.record.session import Session, in_session, watch_tasks
from hangup.record.threads import Stuck, run_in_thread
from hangup.time.loopback import LoopbackLoop
from hangup.trace.events import Event
from hangup.trace.trace import Trace
from helpers.judging.client_exercise import ClientExercise
from helpers.judging.exercise import _left
from helpers.judging.verdict import Verdict
from helpers.props.peer import ENDINGS, Peer, peer

LIMIT = 7_200.0  # virtual seconds that a scene may take
TURNS = 30_000  # how often the loop may turn in one scene, in which hundreds of messages may pass
GRACE = 30.0  # virtual seconds in which what is on the wire may still arrive
KEEPALIVE: dict[str, Any] = {"ping_interval": 20, "ping_timeout": 20, "close_timeout": 1}


@dataclass(frozen=True)
class Scene:
    """One session. `pauses` are the seconds before each message, so their number is that of the messages.

    The connection ends in the way of `ending` ("cancel": the client is cancelled), `wait` seconds after the server has
    `after` messages. Everything takes `seconds` each way. `words` is what the server says of its own accord. `tail` is
    how many seconds after the last message it becomes known that it was the last.
    """

    name: str
    pauses: tuple[float, ...]
    ending: str = ""
    after: int = 1
    wait: float = 0.0
    seconds: float = 0.0
    words: int = 0
    tail: float = 0.0

    @property
    def when(self) -> str:
        """Say what happens, and when, in words."""
        if not self.ending:
            return self.name
        what = "your client is cancelled" if self.ending == "cancel" else ENDINGS[self.ending]
        later = f"{self.wait:g} s after" if self.wait else "once"
        return f"{self.name} · {what} {later} message {self.after} has come"


class Messages:
    """An async iterator over `message 1`, `message 2` and so on, with a pause before each; `taken` counts them."""

    def __init__(self, scene: Scene) -> None:
        self._pauses, self._tail = scene.pauses, scene.tail
        self.taken = 0

    def __aiter__(self) -> "Messages":
        return self

    async def __anext__(self) -> str:
        """Return the next message when it is time; without a pause, at once."""
        if self.taken == len(self._pauses):
            if self._tail:
                await asyncio.sleep(self._tail)
            raise StopAsyncIteration
        if pause := self._pauses[self.taken]:
            await asyncio.sleep(pause)
        self.taken += 1
        return f"message {self.taken}"


class Line:
    """What an answer talks to: a websockets handler, which keeps what it got, and the messages to send.

    `sent` and `heard` are what had passed at the client's end when the answer ended: messages that were written, and
    how many were acknowledged by what had come. `trace` holds what passed there; `drawn` says that the wire draws it.
    """

    def __init__(self, script: "Script", scene: Scene) -> None:
        self.scene, self.script = scene, script
        self.messages = Messages(scene)
        self.trace = Trace()
        self.got: list[str | bytes] = []
        self.called = self.drawn = False
        self.sent = self.heard = 0
        self.on_message: Callable[[int], None] = lambda _: None

    async def __call__(self, websocket: ServerConnection) -> None:
        """Serve: say the words of the scene, then play the script."""
        for number in range(self.scene.words):
            await websocket.send(f"word {number + 1}")
        await self.script(self, websocket)

    def has(self, message: str | bytes) -> None:
        """Take note of a message that has come to the server."""
        self.got.append(message)
        self.on_message(len(self.got))

    async def answers(self, answer: Any, *given: Any) -> Any:
        """Call the answer, and take note of what had passed when it ended."""
        self.called = True
        try:
            return await answer(*given)
        finally:
            texts = [entry.event for entry in self.trace.entries if entry.event.action == "text"]
            words = [event.detail.strip("'") for event in texts if event.actor == "server"]
            acks = [int(word.removeprefix("ack ")) for word in words if word.startswith("ack ")]
            self.sent, self.heard = len(texts) - len(words), max(acks, default=0)


Script = Callable[[Line, ServerConnection], Coroutine[Any, Any, None]]


async def collect(line: Line, websocket: ServerConnection) -> None:
    """Read for ever: the script of a server that says nothing."""
    async for message in websocket:
        line.has(message)


async def with_a_websocket(answer: Any, url: str, line: Line) -> Any:
    """Give the answer an open connection, with websockets' own keepalive; None if there is none to be had."""
    try:
        websocket = await connect(url, trace=None if line.drawn else line.trace, **KEEPALIVE)
    except (OSError, websockets.WebSocketException):
        return None
    try:
        return await line.answers(answer, websocket, line.messages)
    finally:
        await websocket.close()


# ---- one scene -------------------------------------------------------------------------------------------------------


class _Play:
    """Plays one scene against an answer."""

    def __init__(self, exercise: "SceneExercise", answer: Any, scene: Scene) -> None:
        self.exercise, self.answer, self.scene = exercise, answer, scene
        self.line = Line(exercise.script, scene)
        self.trace = self.line.trace
        self.session = ClientSession(self.trace, "a", schedule=scene.when)
        self.line.on_message, self.line.drawn = self._on_message, True
        self.ended_at: float | None = None
        self.due = False

    async def play(self) -> Session:
        """Run the scene to its end, and return what came of it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        over = loop.create_future()

        def give_up() -> None:
            if not over.done():
                over.set_result(None)

        loop.turns, loop.most_turns, loop.on_idle = 0, TURNS, give_up
        async with peer(self.line, trace=self.trace, seconds=self.scene.seconds) as self.peer:
            self.task = loop.create_task(self._client(self.peer))
            limit = loop.call_later(LIMIT, give_up)
            await asyncio.wait([self.task, over], return_when=asyncio.FIRST_COMPLETED)
            limit.cancel()
            self.session.facts["spun"] = not self.task.done() and loop.turns > loop.most_turns
            loop.turns, loop.on_idle = 0, lambda: None
            await self._finish()
            await asyncio.sleep(GRACE)
            drawn, left_open = len(self.trace.entries), self.peer.now_open
        del self.trace.entries[drawn:]  # what the server does when all is over
        self.trace.ordered = True
        self._lose_what_is_lost()
        facts = facts_of(self.line, self.scene) | {"opened": self.peer.opened, "open": left_open}
        self.session.facts |= facts
        self.session.retrieve_exceptions()
        return self.session

    async def _client(self, here: Peer) -> None:
        with contextlib.suppress(Exception):  # _noted has taken note of it
            await self.exercise.call(self._noted, here.url, self.line)

    async def _noted(self, *given: Any) -> Any:
        """Call the answer, and take note of how it ends; what runs until then is the learner's."""
        session, loop = self.session, asyncio.get_running_loop()
        session.main = asyncio.current_task()
        try:
            with in_session(session):
                session.facts["value"] = value = await self.answer(*given)
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            self._note("is cancelled")
            raise
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = stack(error)[1:]
            self._note("raises", describe(error))
            raise
        else:
            session.ended = "returned"
            self._note("returns", repr(value))
            return value
        finally:
            session.facts["took"] = None if self.ended_at is None else loop.time() - self.ended_at
            session.left = [session.name_of(task) for task in session.tasks if not task.done()]

    def _note(self, action: str, detail: str = "") -> None:
        if self.ended_at is not None and action != "raises" and self.scene.ending != "cancel":
            detail += f"{', ' * bool(detail)}{asyncio.get_running_loop().time() - self.ended_at:.3g} s after the end"
        self.session.record(Event(self.session.app, action, detail), final=True)

    def _on_message(self, count: int) -> None:
        if self.scene.ending and count >= self.scene.after and not self.due:
            self.due = True
            asyncio.get_running_loop().call_later(self.scene.wait, self._end)

    def _end(self) -> None:
        self.ended_at = asyncio.get_running_loop().time()
        if self.scene.ending == "cancel":
            self.session.cancelled_by = "schedule"
            self.session.facts["interrupted"] = "while it worked"
            self.task.cancel()
        else:
            self.peer.end(self.scene.ending)

    async def _finish(self) -> None:
        """Cancel what is left."""
        session = self.session
        if not self.task.done():
            session.cancelled_by = "server"
            self._note("never returns", "(it is cancelled now)")
        for _ in range(3):
            left = [task for task in (*session.tasks, self.task) if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=60)
        if not self.task.done():
            raise Stuck(loop_runs=True)
        if not self.task.cancelled():
            self.task.exception()

    def _lose_what_is_lost(self) -> None:
        """Let what was sent into a silent wire end at the network, in the picture."""
        silent, entries = False, self.trace.entries
        for number, entry in enumerate(entries):
            silent = silent or "(BlackHole)" in entry.event.detail
            if silent and entry.event.to in {"server", "client a"}:
                entries[number] = replace(entry, event=replace(entry.event, to="network"))


def facts_of(line: Line, scene: Scene) -> dict[str, Any]:
    """Return what rules ask about."""
    return {"scene": scene, "got": line.got, "sent": line.sent, "heard": line.heard, "called": line.called}


# ---- the exercise ----------------------------------------------------------------------------------------------------


def _probe(line: Line, session: Session) -> None:
    """Add the facts to a session of the explorer."""
    schedule = ClientSchedule.parse(session.schedule)
    ending = "cancel" if schedule.cancel_at else schedule.fault
    scene = replace(line.scene, ending=ending, after=0)
    early = bool(schedule.fault) and schedule.frame == 0
    facts = facts_of(line, scene) | {"opened": session.facts["connections"], "open": 0, "early": early}
    session.facts |= facts
    if early:
        session.facts["took"] = None  # there was no connection yet that could have ended


@dataclass(kw_only=True)
class SceneExercise(ClientExercise):
    """An exercise for a client that sends messages: played in each of `scenes`, then explored with those of `short`.

    `call` calls the answer with a URL and a Line; `script` is what the server does.
    """

    scenes: Sequence[Scene]
    short: Scene
    script: Script = collect
    server: Callable[[], Any] = lambda: None  # made of script and short
    call: Callable[[Any, str, Any], Coroutine[Any, Any, Any]] = with_a_websocket
    probe: Callable[[Any, Session], None] = _probe

    def __post_init__(self) -> None:
        self.server = functools.partial(Line, self.script, self.short)

    def _judge(self, answer: Any, until: float) -> Verdict:
        """Play the scenes, judge them, and explore only what holds there."""
        work = functools.partial(self._play, answer)
        sessions = run_in_thread(work, seconds=_left(until), loop_factory=LoopbackLoop)
        for place, rule in enumerate(self._rules):
            broken = [(session, got) for session in sessions if (got := rule.test(session)) is not None]
            if broken:
                return self._broken(answer, *broken[0], place, f"{len(broken)} of {len(sessions)} scenes")
        explored = super()._judge(answer, until)
        if not explored.passed:
            return explored
        where = f"{len(sessions)} scenes, and when a short session ends at any frame"  # how many depends on the Python
        return replace(explored, headline=f"all {len(self._rules)} rules hold in {where}")

    async def _play(self, answer: Any) -> list[Session]:
        sessions = []
        with watch_tasks(asyncio.get_running_loop()):
            for scene in self.scenes:
                sessions.append(await _Play(self, answer, scene).play())
                if sessions[-1].cancelled_by == "server":
                    break  # all others may take as long
        return sessions

    def _when(self, session: Session) -> str:
        return session.schedule if "early" not in session.facts else super()._when(session)
