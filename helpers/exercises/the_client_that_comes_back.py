"""The exercises of lesson 08: a receiver that comes back, a sender whose messages are applied once, one with an outbox.

An answer is a client's coroutine. The explorer breaks its connection everywhere; then come cases of their own: a server
that refuses a dozen times, throws out, closes for good, acknowledges late or forgets. Every case is a class of scripted
servers; the explorer makes one for each session, and rules look at what it has.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection

from helpers.client_schedules import Client, ClientPlay, ClientSchedule, Handler
from helpers.exercises.client_exercise import ClientExercise
from helpers.exercises.exercise import _left
from helpers.exercises.verdict import Verdict
from helpers.explore_client import explore_client, replay_client
from helpers.loopback import LoopbackLoop
from helpers.outbox import Outbox
from helpers.recorder import Session, describe, watch_tasks
from helpers.report import Broken, Report
from helpers.rules import Rule, rule
from helpers.threads import run_in_thread
from helpers.trace import Trace

LESSON = "08-the-client-that-comes-back"
REFUSALS = 12
SOON = 30.0  # virtual seconds in which a client is back after one loss that it can see
EASY = 90.0  # virtual seconds that REFUSALS attempts should take at least
PATIENCE = 5.0  # real seconds that a case gets at least, once the answer has ended in the first one
LATE = 0.1  # virtual seconds after which a ledger acknowledges what it has
HANGS = 3  # sessions that never end after which no more are played
MOST = 3 * REFUSALS  # connections after which a server plays no further
FOREVER = 7_200.0  # virtual seconds, which is longer than a session lives
TURNS = 60_000  # how often the loop may turn in one session before it counts as a spin
REFUSED = f"upstream/reset@frame#0x{REFUSALS}"
DARK = "upstream/reset@frame#0x9999"
UNDISTURBED = "client/undisturbed@end"


FOR_GOOD = {1002, 1003, 1007, 1008, 1009, 1010, *range(4000, 5000)}


def for_good(code: int | None) -> bool:
    """Return whether it is in vain to come back after this close code (RFC 6455 section 7.4)."""
    return code in FOR_GOOD


# ---- scripted servers ------------------------------------------------------------------------------------------------


class Scripted:
    """A websockets handler that keeps book; `give` calls the answer. `came` has the seconds at which it was reached."""

    for_good: int | None = None
    """The code with which it closes for good, if it does."""

    def __init__(self) -> None:
        self.came: list[float] = []
        self.ended_at: float | None = None
        self.stopped_at: float | None = None
        asyncio.get_running_loop().most_turns = TURNS  # type: ignore[attr-defined]  # a VirtualLoop's

    async def __call__(self, websocket: ServerConnection) -> None:
        """Serve one connection."""
        self.came.append(_now())
        if len(self.came) > MOST:
            await asyncio.sleep(FOREVER)  # enough is known of this client
        await self.serve(websocket)

    async def serve(self, websocket: ServerConnection) -> None:
        """Serve one connection, the last of `came`."""
        raise NotImplementedError

    async def give(self, answer: Any, url: str) -> Any:
        """Call the answer with what it takes."""
        try:
            return await self.call(answer, url)
        finally:
            self.ended_at = _now()

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Return the answer's coroutine."""
        raise NotImplementedError


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Case:
    """A kind of server, and the schedules under which it is visited; without any, the explorer visits all."""

    words: str
    make: Callable[[], Scripted]
    schedules: tuple[str, ...] = ()
    long: bool = False
    """Whether a session takes long, and is not worth it when something is broken already."""


# ---- rules -----------------------------------------------------------------------------------------------------------


def _server(session: Session) -> Any:
    return session.facts["server"]


def _lost(session: Session) -> str:
    """Say how a client ended that should not have."""
    if session.ended == "raised" and session.error is not None:
        return f"; the client raised {describe(session.error)}"
    return "; the client returned" if session.ended == "returned" else ""


@rule
def none_is_lost(session: Session) -> str | None:
    """None is lost, whatever happens to the connection."""
    book, due = session.facts["book"], session.facts["due"]
    missing = [each for each in due if each not in book]
    if not missing or session.cancelled_by or session.facts.get("excused"):
        return None
    return f"{missing[0]!r} is lost{_lost(session)}"


@rule
def none_is_twice(session: Session) -> str | None:
    """None is applied twice."""
    book: list[str] = session.facts["book"]
    twice = [each for each in dict.fromkeys(book) if book.count(each) > 1] if len(set(book)) < len(book) else []
    return f"{twice[0]!r} is in the book {book.count(twice[0])} times" if twice else None


def books(due: Sequence[str]) -> Callable[[Any, Session], None]:
    """Return a probe that tells rules what a server has in its `book`, and what is due."""
    return lambda server, session: session.facts.update(book=server.book, due=due)


@rule
def keeps_the_order(session: Session) -> str | None:
    """What is there is in order."""
    book, due = session.facts["book"], session.facts["due"]
    place = {text: number for number, text in enumerate(due)}
    strange = [text for text in book if text not in place]
    if strange:
        return f"{strange[0]!r} is not one of them"
    numbers = [place[text] for text in book]
    later = next((n for n, number in enumerate(numbers[1:]) if number < numbers[n]), None)
    return None if later is None else f"{book[later + 1]!r} came after {book[later]!r}"


@rule
def stays_away(session: Session) -> str | None:
    """A client that is told not to come back lets that ConnectionClosed out, and does not come back."""
    code, came = _server(session).for_good, len(_server(session).came)
    if code is None or session.cancelled_by == "schedule":
        return None
    if came > 1:
        return f"the server closed with {code}; the client came {came} times"
    if isinstance(session.error, websockets.ConnectionClosed):
        return None
    return f"the server closed with {code}; the client {session.ended}" + (
        f" {describe(session.error)}" if session.error else ""
    )


@rule
def eases_off(session: Session) -> str | None:
    """While the server refuses or throws it out, the client comes less and less often."""
    server, took = _server(session), session.facts.get("took")
    if session.cancelled_by or session.ended != "returned":
        return None
    if session.schedule == REFUSED and took is not None and took < EASY:
        return f"{REFUSALS} attempts in {took:.3g} s"
    thrown = server.thrown_out if isinstance(server, Feed) else 0
    if thrown and len(server.came) > thrown and server.came[thrown] - server.came[0] < EASY:
        return f"thrown out {thrown} times in {server.came[thrown] - server.came[0]:.3g} s"
    return None


@rule
def is_back_soon(session: Session) -> str | None:
    """After one loss the client is back within half a minute."""
    if session.cancelled_by or not (lost := ClientSchedule.parse(session.schedule)).fault or lost.times > 1:
        return None
    took, server = session.facts["took"], _server(session)
    if lost.fault == "silence" or took is None:
        return None
    return f"it took {took:.3g} s" if took > SOON + server.needs else None


@rule
def comes_at_its_own_time(session: Session) -> str | None:
    """Two clients that lose the server at the same moment do not come back at the same moment."""
    server = _server(session)
    if not isinstance(server, Pair) or session.cancelled_by or len(server.came) < 4:
        return None
    first, second = server.came[2] - server.lost_at, server.came[3] - server.lost_at
    return f"both came back after {first:.3g} s" if second - first < 0.01 else None


@rule
def stops(session: Session) -> str | None:
    """When it is told to stop, the client returns within a second, also in the middle of a pause."""
    server = _server(session)
    if server.stopped_at is None or session.cancelled_by == "schedule":
        return None
    if session.ended == "raised" and session.error is not None:
        return f"it raised {describe(session.error)}"
    if server.ended_at is None or session.cancelled_by:
        return "it was still running an hour later"
    took = server.ended_at - server.stopped_at
    return f"it returned {took:.3g} s later" if took > 1 else None


@rule
def resumes(session: Session) -> str | None:
    """After a loss it sends only what the server does not have."""
    repeated = _server(session).repeated
    return f"{repeated} messages came that the server had already" if repeated else None


@rule
def returns_when_acknowledged(session: Session) -> str | None:
    """The client returns only when the last message is acknowledged."""
    server = _server(session)
    if session.ended != "returned" or session.cancelled_by or session.facts["excused"]:
        return None
    if server.acknowledged >= len(server.due):
        return None
    return f"it returned when {server.acknowledged} of {len(server.due)} were"


@rule
def does_not_wait_for_each(session: Session) -> str | None:
    """Messages do not wait for each other's acknowledgements."""
    server = _server(session)
    if session.schedule != UNDISTURBED or session.ended != "returned" or server.for_good:
        return None
    took = (server.ended_at or 0.0) - server.came[0]
    return f"{len(server.due)} messages took {took:.3g} s" if took > 1 + 2 * LATE + server.needs else None


# ---- the exercise ----------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class ReturningExercise(ClientExercise):
    """An exercise whose answer is a client that comes back: explored, then visited in cases of its own."""

    cases: Sequence[Case]
    server: Callable[[], Handler] = Scripted
    call: Callable[[Any, str, Any], Awaitable[Any]] = lambda answer, url, server: server.give(answer, url)
    _case: str = field(default="", repr=False)

    def _judge(self, answer: Any, until: float) -> Verdict:
        """Visit the cases, and tell the first broken rule, with a replay of the schedule that broke it."""
        reports: list[tuple[Case, Report]] = []
        for case in self.cases:
            if any(report.broken for _, report in reports) and case.long:
                continue
            report, hangs = self._visit(answer, case, until)
            reports.append((case, report))
            if hangs:
                break  # each session of such an answer takes long
        total = sum(report.explored for _, report in reports)
        sentences = [rule.sentence for rule in self._rules]
        found = [(case, report.broken[0]) for case, report in reports if report.broken]
        if not found:
            # How often a client waits differs between releases of Python: only the other sessions are counted.
            total -= sum(name.startswith("client/cancel") for _, report in reports for name, _ in report.how)
            headline = f"all {len(self._rules)} rules hold in {total} sessions, and wherever the client is cancelled"
            return Verdict(self.name, "pass", headline)
        case, broken = min(found, key=lambda each: sentences.index(each[1].rule))
        client, server = self._pair(answer, case)
        session = replay_client(client, broken.schedule, server, probe=_facts, seconds=max(_left(until), PATIENCE))
        count = sum(len(report.schedules_breaking(broken.rule)) for _, report in reports)
        self._case = case.words
        place = sentences.index(broken.rule)
        return self._broken(answer, session, broken.got, place, f"{count} of {total} sessions")

    def _when(self, session: Session) -> str:
        return f"{self._case} · {super()._when(session)}"

    def _pair(self, answer: Any, case: Case) -> tuple[Client, Callable[[], Scripted]]:
        """Return a client and a function that makes its server; each session's client talks to the latest server."""
        latest: list[Scripted] = []

        def server() -> Scripted:
            latest[:] = [case.make()]
            return latest[0]

        return lambda url: self.call(answer, url, latest[0]), server

    def _visit(self, answer: Any, case: Case, until: float) -> tuple[Report, bool]:
        """Visit a case under its schedules, or under all; say whether that was stopped because the answer hangs."""
        client, make = self._pair(answer, case)
        sessions = _Sessions(self._rules)

        def server() -> Scripted:
            if sessions.hung == HANGS:
                raise _Enough
            return make()

        seconds = max(_left(until), 0 if case is self.cases[0] else PATIENCE)
        try:
            if case.schedules:
                work = functools.partial(_play, client, server, case.schedules, sessions)
                run_in_thread(work, seconds=seconds, loop_factory=LoopbackLoop)
            else:
                explore_client(client, server, rules=(), probe=sessions.add, seconds=seconds)
        except _Enough:
            pass
        return sessions.report, sessions.hung > 0


class _Enough(Exception):
    """An answer has been waited for in vain so often that no more sessions are played."""


class _Sessions:
    """Judges sessions as they come, and makes a Report of them; `hung` counts those that never ended."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.hung = 0
        self._found: dict[str, list[Broken]] = {rule.sentence: [] for rule in rules}
        self._how: list[tuple[str, str]] = []

    def add(self, server: Any, session: Session) -> None:
        """Judge a session and forget it."""
        _facts(server, session)
        self.hung += session.cancelled_by == "server"
        self._how.append((session.schedule, session.ended))
        for each in self.rules:
            if (got := each.test(session)) is not None:
                self._found[each.sentence].append(Broken(each.sentence, session.schedule, got))

    @property
    def report(self) -> Report:
        """What was found, in the order of the rules."""
        broken = tuple(each for found in self._found.values() for each in found)
        return Report(len(self._how), len(self._how), broken, tuple(self._how), rows="stream")


async def _play(client: Client, server: Callable[[], Scripted], schedules: Sequence[str], sessions: _Sessions) -> None:
    """Play some schedules, as explore_client plays all."""
    with watch_tasks(asyncio.get_running_loop()):
        for name in schedules:
            handler = server()
            play = ClientPlay(client, handler, ClientSchedule.parse(name), Trace(silent=True))
            sessions.add(handler, await play.play())


def _facts(server: Any, session: Session) -> None:
    session.facts |= {"server": server, "book": server.book, "due": server.due}
    session.facts["excused"] = server.for_good is not None or server.stopped_at is not None


# ---- 1: the receiver -------------------------------------------------------------------------------------------------

NEWS = ("it rains", "it pours", "the river rises", "the sun is back")


class Feed(Scripted):
    """Tells the news, one a second, from where the client says, and closes with 1000 when there are no more.

    With `for_good` it closes with that code after two of them; with `thrown_out` it does so with 1011 at once, so many
    times; with `closes` it closes so after each of the first two.
    """

    due = NEWS
    needs = float(len(NEWS))

    def __init__(self, *, for_good: int | None = None, thrown_out: int = 0, closes: int | None = None) -> None:
        super().__init__()
        self.for_good, self.thrown_out, self.closes = for_good, thrown_out, closes
        self.inbox: list[str] = []

    @property
    def book(self) -> list[str]:
        """What the client has."""
        return self.inbox

    async def serve(self, websocket: ServerConnection) -> None:
        """Hear `after 2`, tell from the third on."""
        if len(self.came) <= self.thrown_out:
            await websocket.close(1011)
        word, _, number = str(await websocket.recv()).partition(" ")
        if word != "after" or not number.isdigit():
            await websocket.close(4000, "say after 0, or another number")
        for place, news in enumerate(NEWS[int(number) :], int(number) + 1):
            await asyncio.sleep(1)
            await websocket.send(news)
            if self.for_good and place == 2:
                await websocket.close(self.for_good)
            if self.closes and len(self.came) <= 2:
                await websocket.close(self.closes) if self.closes != 1005 else await _close_without_code(websocket)

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Give the answer its inbox."""
        return answer(url, self.inbox)  # type: ignore[no-any-return]  # any awaitable will do


async def _close_without_code(websocket: ServerConnection) -> None:
    async with websocket.send_context():
        websocket.protocol.send_close()


class Pair(Feed):
    """Has two clients, and loses both with 1012 in the same moment, when both are there."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_at = 0.0
        self._both = asyncio.Event()

    async def serve(self, websocket: ServerConnection) -> None:
        """Close with 1012 when the second one has come; later, serve."""
        if len(self.came) > 2:
            await super().serve(websocket)
            return
        if len(self.came) == 2:
            self.lost_at = _now()
            self._both.set()
        await self._both.wait()
        await websocket.close(1012)

    async def call(self, answer: Any, url: str) -> Any:
        """Run two clients."""
        async with asyncio.TaskGroup() as group:
            group.create_task(answer(url, self.inbox), context=Context())
            group.create_task(answer(url, []), context=Context())


def _passing(*codes: int) -> tuple[Case, ...]:
    return tuple(
        Case(f"the server closes with {code}, twice", functools.partial(Feed, closes=code), (UNDISTURBED,))
        for code in codes
    )


def _lasting(make: Callable[..., Scripted], *codes: int) -> tuple[Case, ...]:
    return tuple(
        Case(f"the server closes with {code}", functools.partial(make, for_good=code), (UNDISTURBED,)) for code in codes
    )


ex1 = ReturningExercise(
    lesson=LESSON,
    number=1,
    title="Come back",
    kind="handler",
    parameters=("url", "inbox"),
    cases=(
        Case("four pieces of news", Feed),
        Case("the server refuses", Feed, (REFUSED,)),
        Case("the server throws it out", functools.partial(Feed, thrown_out=REFUSALS), (UNDISTURBED,)),
        *_lasting(Feed, 1003, 1008, 4001, 4999),
        *_passing(1001, 1005, 1011, 1012, 1013),
        Case("two clients, one server", Pair, (UNDISTURBED,)),
    ),
    rules=(none_is_lost, none_is_twice, keeps_the_order, stays_away, is_back_soon, eases_off, comes_at_its_own_time),
    hints=(
        "`len(inbox)` is how many you have: say it on each connection. And who goes silent is found by a ping: "
        "`connect(url, ping_interval=10, ping_timeout=10, close_timeout=1)`.",
        "`async for news in websocket` ends without an exception for 1000, and for 1001 and 1005 too. Look at "
        "`websocket.close_code`: only 1000 is the end.",
        "Keep `pauses = full_jitter()` outside the loop, and take the next one before you go round; after good news "
        "begin anew. `reconnect_delays=full_jitter` is for attempts that get no connection.",
    ),
)


# ---- 2: the sender ---------------------------------------------------------------------------------------------------


class Book(Scripted):
    """Says `have 2` on each connection, hears `3 text`, and says `ack 3` for all that it has, a little later."""

    needs = 0.0

    def __init__(self, count: int = 4, *, for_good: int | None = None) -> None:
        super().__init__()
        self.for_good = for_good
        self.due: Sequence[str] = [f"payment {number + 1}" for number in range(count)]
        self.book: list[str] = []
        self.repeated = 0
        self.acknowledged = 0

    async def serve(self, websocket: ServerConnection) -> None:
        """Write down what is next, in order; close with 4002 at a gap."""
        self.acknowledged = max(self.acknowledged, self.have)
        await websocket.send(f"have {self.have}")
        heard = asyncio.Event()
        acknowledging = asyncio.create_task(self._acknowledge(websocket, heard))
        try:
            async for text in websocket:
                number, _, payment = str(text).partition(" ")
                if not number.isdigit() or number == "0":
                    await websocket.close(4000, "say a number from 1, a space and the payment")
                await self.take(websocket, int(number), payment)
                heard.set()
                if self.for_good and len(self.book) == 2:
                    await websocket.close(self.for_good)
        finally:
            acknowledging.cancel()

    @property
    def have(self) -> int:
        """The number of the last message that it has."""
        return len(self.book)

    async def take(self, websocket: ServerConnection, number: int, payment: str) -> None:
        """Write a payment down, if it is the next one."""
        if number <= len(self.book):
            self.repeated += 1
        elif number == len(self.book) + 1:
            self.book.append(payment)
        else:
            await websocket.close(4002, f"{len(self.book) + 1} is missing")

    async def _acknowledge(self, websocket: ServerConnection, heard: asyncio.Event) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await heard.wait()
                await asyncio.sleep(LATE)
                heard.clear()
                self.acknowledged = max(self.acknowledged, self.have)
                await websocket.send(f"ack {self.have}")

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Give the answer its messages."""
        return answer(url, tuple(self.due))  # type: ignore[no-any-return]  # any awaitable will do


MANY = 10_000
ex2 = ReturningExercise(
    lesson=LESSON,
    number=2,
    title="Pay once",
    kind="handler",
    parameters=("url", "messages"),
    cases=(
        Case("four payments", Book),
        Case("no payment at all", functools.partial(Book, 0), (UNDISTURBED,)),
        *_lasting(Book, 1008, 4001),
        Case("a hundred payments", functools.partial(Book, 100), (UNDISTURBED,)),
        Case(f"{MANY:,} payments", functools.partial(Book, MANY), ("upstream/reset@frame#4000.insidex2",), long=True),
    ),
    rules=(
        none_is_lost,
        none_is_twice,
        keeps_the_order,
        returns_when_acknowledged,
        resumes,
        does_not_wait_for_each,
        stays_away,
        is_back_soon,
    ),
    hints=(
        "Two things go on at once on a connection: a task writes, and your loop reads acknowledgements.",
        "`have` says where the writer begins. It is done when it has sent all; you are done when the last one is "
        "acknowledged, and that may be on a later connection.",
        "Cancel the writer in a `finally`, and wait for it: `await asyncio.gather(writing, return_exceptions=True)`.",
    ),
)


# ---- 3: the outbox ---------------------------------------------------------------------------------------------------


class Archive(Book):
    """A Book that forgets at a restart what it has not acknowledged, and minds no gaps: an outbox may drop messages.

    A reading a second is put into the outbox, `count` in all. With `stop_at` the client is told to stop then.
    """

    def __init__(self, count: int = 4, *, for_good: int | None = None, stop_at: float | None = None) -> None:
        super().__init__(count, for_good=for_good)
        self.due = [f"reading {number + 1}" for number in range(count)]
        self.needs = float(count)
        self.stop_at = stop_at
        self.outbox = Outbox(1_000)
        self.stop = asyncio.Event()
        self._numbers: list[int] = []

    async def serve(self, websocket: ServerConnection) -> None:
        """Forget what was not acknowledged, then go on as a Book."""
        kept = sum(number <= self.acknowledged for number in self._numbers)
        del self.book[kept:], self._numbers[kept:]
        await super().serve(websocket)

    @property
    def have(self) -> int:
        """The number of the last message that it has."""
        return self._numbers[-1] if self._numbers else 0

    async def take(self, websocket: ServerConnection, number: int, payment: str) -> None:
        """Write a reading down, if it is new."""
        if number <= self.have:
            self.repeated += 1
            return
        self.book.append(payment)
        self._numbers.append(number)

    async def call(self, answer: Any, url: str) -> Any:
        """Give the answer its outbox, and readings to the outbox."""
        loop = asyncio.get_running_loop()
        reading = loop.create_task(self._read(), context=Context())
        try:
            return await answer(url, self.outbox, self.stop)
        finally:
            reading.cancel()

    async def _read(self) -> None:
        for text in self.due:
            await asyncio.sleep(1)
            await self.outbox.put(text)
        self.outbox.close()
        if self.stop_at is not None:
            await asyncio.sleep(self.stop_at - _now())
            self.stopped_at = _now()
            self.stop.set()


@rule
def keeps_what_is_not_acknowledged(session: Session) -> str | None:
    """What the server has not acknowledged stays in the outbox."""
    server = _server(session)
    kept = [*server.book[: sum(n <= server.acknowledged for n in server._numbers)], *server.outbox]
    gone = [text for text in server.due[: server.outbox._last] if text not in kept]
    return f"{gone[0]!r} is neither acknowledged nor in the outbox" if gone else None


ex3 = ReturningExercise(
    lesson=LESSON,
    number=3,
    title="Survive the restart",
    kind="handler",
    parameters=("url", "outbox", "stop"),
    cases=(
        Case("four readings", Archive),
        Case("the server is away", functools.partial(Archive, 60), (REFUSED,)),
        Case("told to stop, and the server is away", functools.partial(Archive, stop_at=100.5), (DARK,)),
        Case("told to stop, and all is well", functools.partial(Archive, 3, stop_at=2.5), (UNDISTURBED,)),
        *_lasting(Archive, 1008, 4001),
    ),
    rules=(
        none_is_lost,
        none_is_twice,
        keeps_the_order,
        returns_when_acknowledged,
        keeps_what_is_not_acknowledged,
        stops,
        stays_away,
        is_back_soon,
        eases_off,
    ),
    hints=(
        "Exercise 2's shape fits: `outbox.after(known)` in place of the list. The writer waits in it for more.",
        "`outbox.acknowledge(n)` forgets. Call it only with what an `ack` or a `have` says.",
        "Run the whole loop as a task beside `stop.wait()`. Whichever is first, cancel the other, wait for both, and "
        "then ask the loop's task for its `result()`.",
    ),
)
