"""The exercises of lesson 06: senders that know at once, that know in time when the peer is silent, that count acks.

An answer here is a client's coroutine. It talks to a scripted peer over real sockets and a proxy, in virtual time, in a
handful of scenes: each says how messages come, what the peer does, and how and when the connection ends.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection

from helpers import recorder, rules
from helpers.client import connect
from helpers.exercises import exercise
from helpers.exercises.answers import is_starter, no_answer
from helpers.exercises.exercise import Exercise, _where
from helpers.exercises.verdict import Verdict
from helpers.loopback import LoopbackLoop
from helpers.memory import TURNS
from helpers.peer import ENDINGS, Peer, peer
from helpers.recorder import Session, describe, watch_tasks
from helpers.rules import Rule, rule
from helpers.threads import Escaped, Stuck, run_in_thread
from helpers.trace import Event, Trace

LESSON = "06-late-send"
INTERVAL = 20.0  # seconds
HOUR = 3600.0
LIMIT = 2 * HOUR  # virtual seconds that a scene may take
GRACE = 30.0  # virtual seconds in which what is on the wire may still arrive
PROMPT = 0.1  # virtual seconds within which "at once" is
UNREAD = 16  # messages, after which websockets reads no further


@dataclass(frozen=True)
class Scene:
    """One session. `pauses` are the seconds before each message, so their number is that of the messages.

    The connection ends in the way of `ending` ("cancel": the sender is cancelled), `wait` seconds after the peer has
    `after` messages. Everything takes `seconds` each way. `words` is what the peer says of its own accord.
    """

    name: str
    pauses: tuple[float, ...]
    ending: str = ""
    after: int = 1
    wait: float = 0.0
    seconds: float = 0.0
    words: int = 0
    tail: float = 0.0
    """Seconds after the last message in which it is not known yet that it was the last."""

    @property
    def when(self) -> str:
        """Say what happens, and when, in words."""
        if not self.ending:
            return self.name
        what = "the sender is cancelled" if self.ending == "cancel" else ENDINGS[self.ending]
        later = f"{self.wait:g} s after" if self.wait else "when"
        return f"{self.name} · {what} {later} the peer has message {self.after}"


class Messages:
    """An async iterator over `message 1`, `message 2` and so on, with a pause before each; `taken` counts them."""

    def __init__(self, scene: Scene) -> None:
        self._pauses = scene.pauses
        self._tail = scene.tail
        self.taken = 0

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        """Return the next message when it is time; without a pause, at once."""
        if self.taken == len(self._pauses):
            await asyncio.sleep(self._tail)
            raise StopAsyncIteration
        if pause := self._pauses[self.taken]:
            await asyncio.sleep(pause)
        self.taken += 1
        return f"message {self.taken}"


# ---- a probe ---------------------------------------------------------------------------------------------------------


async def late_sends(far: bool) -> str:
    """Send ten messages to a server that has hung up, under any release of websockets; say how many raise nothing.

    A `far` server has a thread of its own, and hangs up after one message; otherwise it lives on the client's loop and
    hangs up directly after the handshake.
    """
    import asyncio
    import concurrent.futures
    import contextlib
    import select
    import threading

    import websockets

    port: concurrent.futures.Future[Any] = concurrent.futures.Future()
    over, done = threading.Event(), 0

    async def listen(websocket: Any) -> None:
        if far:
            await websocket.recv()

    async def serve() -> None:
        async with websockets.serve(listen, "127.0.0.1", 0) as server:
            port.set_result(next(iter(server.sockets)).getsockname()[1])
            await asyncio.to_thread(over.wait)

    running: Coroutine[Any, Any, None] = asyncio.to_thread(asyncio.run, serve()) if far else serve()
    server = asyncio.create_task(running)
    async with websockets.connect(f"ws://127.0.0.1:{await asyncio.wrap_future(port)}") as client:
        if far:
            await client.send("one")
            select.select([client.transport.get_extra_info("socket")], [], [])  # until its close frame has come
        with contextlib.suppress(websockets.ConnectionClosed):
            while done < 10:
                await client.send("late")
                done += 1
    over.set()
    await server
    return f"{done} of 10 raise nothing"


# ---- one session -----------------------------------------------------------------------------------------------------

Call = Callable[["_Run"], Coroutine[Any, Any, None]]
Script = Callable[["_Run", ServerConnection], Coroutine[Any, Any, None]]


class _Run:
    """Plays one scene against an answer."""

    def __init__(self, answer: Any, scene: Scene, call: Call, script: Script) -> None:
        self.answer, self.scene, self.call, self.script = answer, scene, call, script
        self.trace = Trace(server="server")
        self.session = Session(self.trace, "a", schedule=scene.when)
        self.got: list[str | bytes] = []
        self.messages = Messages(scene)
        self.task: asyncio.Task[Any]
        self.peer: Peer
        self.ended_at: float | None = None
        self.took: float | None = None
        """Seconds from the end of the connection to that of the answer."""
        self.heard = 0

    async def play(self) -> Session:
        """Run the scene to its end, and return what came of it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        loop.turns = 0
        wake = loop.create_future()

        def give_up() -> None:
            if not wake.done():
                wake.set_result(None)

        loop.on_idle = give_up
        async with peer(self._serve, trace=self.trace, seconds=self.scene.seconds) as self.peer:
            self.task = loop.create_task(self._call())
            limit = loop.call_later(LIMIT, give_up)
            await asyncio.wait([self.task, wake], return_when=asyncio.FIRST_COMPLETED)
            limit.cancel()
            self.session.facts["spun"] = not self.task.done() and loop.turns > TURNS
            loop.on_idle = lambda: None
            loop.turns = 0
            await self._finish()
            await asyncio.sleep(GRACE)
            drawn = len(self.trace._entries)
        del self.trace._entries[drawn:]  # what the peer does when all is over
        self._facts()
        return self.session

    async def _call(self) -> None:
        """Run the answer with what `call` gives it; what it does is in the session."""
        with contextlib.suppress(Exception):  # `answers` has taken note of it
            await self.call(self)

    async def answers(self, *given: Any) -> None:
        """Call the answer, and take note of how it ends; what runs until then is the learner's."""
        session = self.session
        token = recorder._current.set(session)
        try:
            session.facts["value"] = value = await self.answer(*given)
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            self._note("is cancelled")
            raise
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = recorder._stack(error)[1:]
            self._note("raises", describe(error))
            raise
        else:
            session.ended = "returned"
            self._note("returns", repr(value))
        finally:
            recorder._current.reset(token)
            session.left = [session.name_of(task) for task in session.tasks if not task.done()]
            self.heard = self._heard()
            self.took = asyncio.get_running_loop().time() - self.ended_at if self.ended_at is not None else None

    def _note(self, action: str, detail: str = "") -> None:
        if self.ended_at is not None and action != "raises":
            detail += f"{', ' * bool(detail)}{asyncio.get_running_loop().time() - self.ended_at:.3g} s after the end"
        self.session.record(Event(self.session.app, action, detail.strip()), final=True)

    async def _serve(self, websocket: ServerConnection) -> None:
        for number in range(self.scene.words):
            await websocket.send(f"word {number + 1}")
        await self.script(self, websocket)

    def has(self, message: str | bytes) -> None:
        """Take note of a message that has come to the server's handler; it may be the one after which all ends."""
        self.got.append(message)
        if self.scene.ending and len(self.got) == self.scene.after:
            asyncio.get_running_loop().call_later(self.scene.wait, self.end)

    def end(self) -> None:
        """End the connection, or cancel the sender."""
        self.ended_at = asyncio.get_running_loop().time()
        if self.scene.ending == "cancel":
            self.session.cancelled_by = "schedule"
            self.session.facts["interrupted"] = "while it worked"
            self.task.cancel()
        else:
            self.peer.end(self.scene.ending)

    @property
    def sent(self) -> int:
        """How many messages the client has written to its socket."""
        return sum(e.event.action == "text" and e.event.actor == "client a" for e in self.trace._entries)

    def _heard(self) -> int:
        """Return how many messages are acknowledged, by what has come to the client until now."""
        events = [entry.event for entry in self.trace._entries if entry.event.action == "text"]
        words = [event.detail.strip("'") for event in events if event.actor == "server"]
        return max((int(word.removeprefix("ack ")) for word in words if word.startswith("ack ")), default=0)

    async def _finish(self) -> None:
        """Cancel what is left."""
        session = self.session
        if not self.task.done():
            session.cancelled_by = "server"
            self._note("never returns", "it is cancelled now")
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

    def _draw(self) -> None:
        """Keep the order in which things happened, which one loop alone decides; the app is the client here."""
        trace = self.trace
        silent, entries = False, []
        for entry in trace._entries:
            silent = silent or "(BlackHole)" in entry.event.detail
            cut = silent and entry.event.to in {"server", "client a"}
            event = replace(entry.event, to="network") if cut else entry.event
            entries.append(replace(entry, event=event, chains=(*entry.chains, "all")))
        trace._entries[:] = entries
        names = {"app a": "app a"} | trace._names
        trace._names.update({key: name.replace("app a", "client a") for key, name in names.items()})

    def _facts(self) -> None:
        self._draw()
        self.session.facts |= {
            "scene": self.scene,
            "got": self.got,
            "sent": self.sent,
            "took": self.took,
            "heard": self.heard,
            "opened": self.peer.opened,
        }
        self.session.look_at_errors()


async def _collect(run: _Run, websocket: ServerConnection) -> None:
    async for message in websocket:
        run.has(message)


# ---- rules -----------------------------------------------------------------------------------------------------------


def _scene(session: Session) -> Scene:
    scene: Scene = session.facts["scene"]
    return scene


@rule
def delivers(session: Session) -> str | None:
    """While the peer is there, every message reaches it, in order."""
    scene, got = _scene(session), session.facts["got"]
    due = [f"message {number + 1}" for number in range(scene.after if scene.ending else len(scene.pauses))]
    if got[: len(due)] == due and (scene.ending or len(got) == len(due)):
        return None
    raised = f"; the sender raised {describe(session.error)}" if session.ended == "raised" and session.error else ""
    return f"the server has {len(got)} of {len(due)} messages{raised}"


@rule
def ends_quietly(session: Session) -> str | None:
    """The sender returns when it is done or the connection is over, and raises nothing."""
    if session.ended == "cancelled" and not session.cancelled_by:
        return "CancelledError left the sender, which nobody had cancelled"
    if session.ended == "raised" and session.error is not None:
        return describe(session.error)
    return None


@rule
def ends(session: Session) -> str | None:
    """The sender returns when all is sent or the connection is over."""
    if session.cancelled_by != "server":
        return None
    if session.facts["spun"]:
        return "it asks again and again whether something has happened, and lets no time pass"
    return "it was still running two hours later"


@rule
def knows_at_once(session: Session) -> str | None:
    """The sender returns at once when the connection ends, also while it waits for the next message."""
    took = session.facts["took"]
    return f"it ended {took:g} s after the connection" if took is not None and took > PROMPT else None


@rule
def knows_in_time(session: Session) -> str | None:
    """The sender returns within two intervals when the peer goes silent."""
    took = session.facts["took"]
    if took is None or took <= 2 * INTERVAL + PROMPT:
        return None
    return f"it ended after {took:g} s; two intervals are {2 * INTERVAL:g} s"


@rule
def gives_way(session: Session) -> str | None:
    """The sender lets others run between two messages."""
    scene, sent = _scene(session), session.facts["sent"]
    if len(scene.pauses) < BURST or sent <= scene.after + BURST // 5:
        return None
    return f"the peer closed when it had message {scene.after}, and {sent} went out"


@rule
def counts_what_it_sent(session: Session) -> str | None:
    """The sender returns how many messages it has sent."""
    value, sent = session.facts.get("value"), session.facts["sent"]
    if session.ended != "returned" or (type(value) is int and value == sent):
        return None
    return f"it returned {value!r}; {sent} messages had gone out"


@rule
def counts(session: Session) -> str | None:
    """When all is sent, the sender returns how many messages that was."""
    value, got = session.facts.get("value"), len(session.facts["got"])
    if session.ended != "returned" or _scene(session).ending or (type(value) is int and value == got):
        return None
    return f"it returned {value!r}; the server has {got} messages"


@rule
def claims_no_more(session: Session) -> str | None:
    """The sender counts only messages that the peer has acknowledged."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or (type(value) is int and value <= heard):
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def forgets_none(session: Session) -> str | None:
    """The sender counts every acknowledgement that has come, also those that came just before the end."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or value == heard:
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def connects_once(session: Session) -> str | None:
    """The sender opens one connection."""
    opened = session.facts["opened"]
    return None if opened == 1 else f"it opened {opened}"


# ---- checking --------------------------------------------------------------------------------------------------------


@dataclass
class ClientExercise(Exercise):
    """An exercise whose answer is a client's coroutine: it is played in each of `scenes`, then judged by the rules."""

    scenes: Sequence[Scene] = ()
    call: Call = lambda run: run.answers(run.peer.url, run.messages)
    script: Script = _collect

    def check(self, *answers: Any) -> Verdict:
        """Judge an answer in every scene; never raises for anything an answer does."""
        if problem := no_answer(answers, self.kind, self.parameters):
            return Verdict(self.name, "no answer", problem, note=f"Try: ex{self.number}.check({self._starter_name})")
        try:
            work = functools.partial(self._play, answers[0])
            sessions = run_in_thread(work, seconds=exercise.DEADLINE, loop_factory=LoopbackLoop)
        except Stuck as stuck:
            runs = "does not end, not even when it is cancelled", "cancellable"
            held = "holds the event loop: nothing else can run", "yields"
            words, name = runs if stuck.loop_runs else held
            return Verdict(self.name, "fail", f"your answer {words}", note=self._stuck, rule=name)
        except Escaped as error:
            headline = f"your answer raised {describe(error.error)}, which ends the whole program"
            return Verdict(self.name, "fail", headline, note=self._stuck, rule="survives")
        return self._verdict(answers[0], sessions)

    @property
    def _rules(self) -> list[Rule]:
        return list(self.rules)

    async def _play(self, answer: Any) -> list[Session]:
        sessions = []
        with watch_tasks(asyncio.get_running_loop()):
            for scene in self.scenes:
                sessions.append(await _Run(answer, scene, self.call, self.script).play())
                if sessions[-1].cancelled_by == "server":
                    break  # all others may take as long
        return sessions

    def _verdict(self, answer: Any, sessions: Sequence[Session]) -> Verdict:
        for place, each in enumerate(self._rules):
            broken = [(session, got) for session in sessions if (got := each.test(session)) is not None]
            if broken:
                return self._broken(answer, *broken[0], place, f"{len(broken)} of {len(sessions)} sessions")
        headline = f"all {len(self._rules)} rules hold in {len(sessions)} sessions"
        return Verdict(self.name, "pass", headline)

    def _broken(self, answer: Any, session: Session, got: str, place: int, count: str) -> Verdict:
        broken = self._rules[place]
        if isinstance(session.error, NotImplementedError):
            return Verdict(self.name, "not attempted", "not attempted: the starter still raises NotImplementedError")
        headline = f"rule {place + 1} of {len(self._rules)}: {broken.sentence}"
        facts = [("when", session.schedule), ("got", got)]
        if where := _where(session):
            facts.append(("where", where))
        verb = "breaks" if count.startswith("1 of") else "break"
        note = f"{count} {verb} this rule · {self._stuck}"
        if is_starter(answer, self._starter):
            headline = f"not attempted: this is the starter. It breaks {headline}"
            return Verdict(self.name, "not attempted", headline, tuple(facts), note, broken.name, session.trace)
        return Verdict(self.name, "fail", headline, tuple(facts), note, broken.name, session.trace)


def _no_app(answer: Any) -> Any:
    raise TypeError("an answer of this lesson is a client, not an app")


async def _over_websocket(run: _Run) -> None:
    """Give the answer an open connection, with websockets' own keepalive."""
    async with connect(run.peer.url, ping_interval=20, ping_timeout=20, close_timeout=1) as websocket:
        await run.answers(websocket, run.messages)


async def _over_url(run: _Run) -> None:
    """Give the answer a URL: it connects by itself."""
    await run.answers(run.peer.url, run.messages, INTERVAL)


# ---- 1: knows at once ------------------------------------------------------------------------------------------------

BURST = 500
MORE = (0.0, HOUR)
ex1 = ClientExercise(
    lesson=LESSON,
    number=1,
    title="Know at once",
    kind="handler",
    parameters=("websocket", "messages"),
    mount=_no_app,
    call=_over_websocket,
    scenes=(
        Scene("three messages, a second apart", (1.0, 1.0, 1.0)),
        Scene("no message at all", ()),
        Scene("the next message is an hour away", MORE, "close"),
        Scene("the next message is an hour away", MORE, "fin"),
        Scene("the next message is an hour away", MORE, "reset"),
        Scene("messages come without a pause", (0.0,) * BURST, "close", after=3),
        Scene("the peer says a word, which is not the end", (1.0, 1.0), words=1),
        Scene(f"the peer says {2 * UNREAD} words", (1.0, HOUR), "close", words=2 * UNREAD, wait=1.0),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
        Scene("a message a second", (1.0,) * 9, "close", after=4, wait=0.5),
    ),
    rules=(
        ends,
        delivers,
        knows_at_once,
        ends_quietly,
        gives_way,
        counts_what_it_sent,
        rules.heeds_cancellation,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Two things can happen next: a message comes, or the connection ends. Have a task for each.",
        "The task that learns of the end reads: `async for _ in websocket: pass` ends when the connection does (with "
        "`ConnectionClosedError` unless it was closed politely).",
        "`asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)`, then cancel both and wait for them, "
        "in a `finally`. Between two messages `await asyncio.sleep(0)` lets the reader run.",
    ),
)


# ---- 2: the silent peer ----------------------------------------------------------------------------------------------

TALK = (2.0,) * 150
ex2 = ClientExercise(
    lesson=LESSON,
    number=2,
    title="Know in time",
    kind="handler",
    parameters=("url", "messages", "interval"),
    mount=_no_app,
    call=_over_url,
    scenes=(
        Scene("three messages, a second apart", (1.0, 1.0, 1.0)),
        Scene(f"a slow wire, {INTERVAL / 10:g} s each way", (1.0, 6 * INTERVAL, 1.0), seconds=INTERVAL / 10),
        *(
            Scene("a message every two seconds", TALK, "silence", after=1, wait=share * INTERVAL)
            for share in (0.03, 0.3, 0.49, 0.51, 0.7, 0.99, 1.01, 1.49, 1.99, 2.01, 3.7)
        ),
        Scene("a message every two seconds", TALK, "close", after=3),
        Scene("a message every two seconds", TALK, "reset", after=3),
        Scene("a message every two seconds", TALK, "cancel", after=3, wait=1.0),
    ),
    rules=(
        ends,
        delivers,
        connects_once,
        knows_in_time,
        ends_quietly,
        counts,
        rules.heeds_cancellation,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Add up what the chart shows: the ping is up to one `ping_interval` away, its pong may take `ping_timeout`, "
        "and then the closing handshake waits for `close_timeout`.",
        "`connect(url, ping_interval=interval / 2, …)`: all three together must stay below two intervals. (The "
        "course's `connect` sends no pings unless you ask.)",
        "Halves will do: half until the ping, half for its pong, half for the goodbye.",
    ),
)


# ---- 3: what is certain ----------------------------------------------------------------------------------------------

QUIET = 1.0  # seconds after which the peer acknowledges what it has


async def _acknowledge(run: _Run, websocket: ServerConnection) -> None:
    """Read messages; say `ack N` after every third one, or when a second has passed without any."""
    said = 0
    while True:
        try:
            async with asyncio.timeout(QUIET if said < len(run.got) else None):
                message = await websocket.recv()
        except TimeoutError:
            pass
        except websockets.ConnectionClosed:
            return
        else:
            run.got.append(message)
            if len(run.got) < said + 3:
                continue
        said = len(run.got)
        with contextlib.suppress(websockets.ConnectionClosed):
            await websocket.send(f"ack {said}")
        if run.scene.ending and run.ended_at is None and said >= run.scene.after:
            asyncio.get_running_loop().call_later(run.scene.wait, run.end)


ex3 = ClientExercise(
    lesson=LESSON,
    number=3,
    title="Count what is certain",
    kind="handler",
    parameters=("websocket", "messages"),
    mount=_no_app,
    call=_over_websocket,
    script=_acknowledge,
    scenes=(
        Scene("seven messages without a pause", (0.0,) * 7),
        Scene("four messages, two seconds apart", (2.0,) * 4),
        Scene("six messages, and it takes a minute to know that there are no more", (0.0,) * 6, tail=60.0),
        Scene("no message at all", ()),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=3),
        Scene("messages come without a pause", (0.0,) * 9, "close", after=6),
        Scene("messages come without a pause", (0.0,) * 9, "fin", after=6),
        Scene("messages come without a pause", (0.0,) * 9, "reset", after=6),
        Scene("a message every tenth of a second", (0.1,) * 40, "close", after=9),
        Scene("a message every tenth of a second", (0.1,) * 40, "reset", after=9, wait=0.15),
        Scene("the next message is an hour away", (0.0, 0.0, 0.0, HOUR), "close", after=3),
        Scene("a message every ten seconds", (10.0,) * 40, "silence", after=3, wait=0.5),
        Scene("the next message is an hour away", MORE, "cancel", wait=1.0),
    ),
    rules=(
        ends,
        delivers,
        ends_quietly,
        claims_no_more,
        forgets_none,
        rules.heeds_cancellation,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "Whoever counts what was sent counts wishes. Read the number in the acknowledgement: `ack 6` speaks of six.",
        "Let the reader decide: `async for text in websocket` gives you also those acknowledgements that came just "
        "before the end.",
        "When the writer has no more messages it says how many there were, and the reader stops when that many are "
        "acknowledged. When the reader stops, cancel the writer.",
    ),
)
