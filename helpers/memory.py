"""A connection in memory, on a server that behaves as its Model says, and a clock that does not wait.

Nothing here touches the network or the wall clock. `VirtualLoop` moves its clock to the next timer when it is idle;
when there is none, nothing can ever happen again, and it says so through `on_idle`.
"""

import asyncio
import math
import re
import selectors
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from helpers.events import Event
from helpers.models import SAME, Early, Model, Seen
from helpers.recorder import Message
from helpers.trace import Trace

TURNS = 20_000  # how often the loop may turn in one session
POLL = 0.02  # seconds for which the loop looks whether a thread has something for it
GRACE = 0.2  # seconds in which a thread that is about to end does
WORKERS = ("asyncio_", "AnyIO worker thread", "ThreadPoolExecutor")  # threads of a pool, which wait for more work
SPINS = 200  # how often a server repeats its disconnect before we call it a spin


@dataclass(eq=False)
class Alarm:
    """Calls `ring` at the virtual time `when`, once. It costs nothing to set, which a timer of the loop's own does."""

    ring: Callable[[], None]
    when: float = math.inf


_NEVER = Alarm(lambda: None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it has nothing to do, and then at once.

    `on_idle` is called when no callback is ready and neither timer nor alarm is set, and at every turn after the
    `most_turns`-th since `turns` was set to 0: a loop that turns and turns without letting time pass spins. While
    threads that were started since run (an executor, anyio's workers), the loop waits for them, really, before it lets
    time pass.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = self.turn = 0
        self.most_turns = TURNS
        self.on_idle: Callable[[], None] = lambda: None
        self.alarms: Sequence[Alarm] = ()
        self.looks_every = 64
        """At which turn the loop looks for events, while it has enough to do without: only threads bring any."""
        self.threads = threading.active_count()
        self._known = set(threading.enumerate())
        self._grace = GRACE
        self._thread = threading.get_ident()
        self._jobs = self._waited = 0
        super().__init__(_Selector(self))

    def settle(self) -> bool:
        """Let what is on its way arrive; return whether something may have. In memory nothing is ever on its way."""
        return False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """Call from the loop's own thread, as asyncio does to close an async generator, without a write to a socket."""
        if threading.get_ident() == self._thread:
            return self.call_soon(callback, *args, context=context)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Run a function in a thread, and know when it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_is_done)
        return future

    def _job_is_done(self, _: object) -> None:
        self._jobs -= 1
        self._waited = 0

    @property
    def threads_work(self) -> bool:
        """Whether a thread may be about to give the loop something to do."""
        return threading.active_count() > self.threads

    def waits_for_a_thread(self) -> bool:
        """Return whether time must not pass yet, because a job in a thread is under way; it is waited for a second."""
        self._waited += self._jobs > 0
        return 0 < self._waited * POLL < 1 and self._jobs > 0

    def forgotten_threads(self) -> list[str]:
        """Return the names of the threads that were started since the last call and run on; workers do not count.

        A thread gets a moment to end, until the first one does not.
        """
        if threading.active_count() <= self.threads:
            return []
        new = [t for t in threading.enumerate() if t not in self._known and not t.name.startswith(WORKERS)]
        for thread in new:
            thread.join(self._grace)
        left = [thread for thread in new if thread.is_alive()]
        if left:
            self._known.update(left)
            self.threads, self._grace = self.threads + len(left), 0.0
        return [_thread_name(thread) for thread in left]

    def let_time_pass(self, until: float) -> None:
        """Move the clock on to the next alarm, or else to `until`."""
        alarm = min(self.alarms, key=lambda alarm: alarm.when, default=_NEVER)
        if alarm.when < math.inf and alarm.when <= until:
            self.now, alarm.when = max(self.now, alarm.when), math.inf
            alarm.ring()
        elif until < math.inf:
            self.now = until
        else:
            self.on_idle()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        """Look for events without waiting; when there are none, and none on their way, let the clock jump instead."""
        loop = self.loop
        loop.turns += 1
        loop.turn += 1
        if loop.turns > loop.most_turns:
            loop.on_idle()
        if timeout == 0:
            return [] if loop.turns % loop.looks_every else super().select(0)
        events = super().select(POLL if loop.threads_work else 0)
        if events or loop.waits_for_a_thread():
            return events
        if loop.settle():
            events = super().select(0)
        if not events:
            loop.let_time_pass(math.inf if timeout is None else loop.now + timeout)
        return events


def _thread_name(thread: threading.Thread) -> str:
    """Return a thread's name without the number that Python gives it, for it is another one each time."""
    found = re.fullmatch(r"Thread-\d+(?: \((.*)\))?", thread.name)
    return thread.name if found is None else found[1] or "Thread"


def _turn() -> int:
    """Return how often the running loop has turned."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.turn


@dataclass(frozen=True)
class Moment:
    """When the connection ends: before the app's `number`-th call of `call` ("receive" or "send") returns."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


@dataclass
class MemoryConnection:
    """The server's side of one connection; `receive` and `send` are what the app gets.

    `leave` ends it, and does so before the call that `moment` names. `on_change` is called when the client may have
    something to read, and when the connection has ended. With `yields` every call gives way once, so that a task can be
    cancelled there.
    """

    model: Model
    ending: str
    moment: Moment | None = None
    trace: Trace | None = None
    letter: str = "a"
    yields: bool = False
    on_change: Callable[[], None] = lambda: None
    on_spin: Callable[[], None] = lambda: None
    receives: int = 0
    sends: int = 0
    gone: str = ""
    """The ending that has happened, "own" when the app closed first, or nothing yet."""
    done: bool = False
    """Whether the app has ended the session."""
    spun: bool = False
    accepted: bool = False
    outbox: deque[str] = field(default_factory=deque)
    """What the client has not read yet."""
    _code: int | None = 1001
    _reason: str = ""
    _early: Early | None = None
    """What the model says of an ending before the app had accepted."""
    _answered: bool = False
    """Whether the app has accepted, or closed instead, though the peer was gone."""
    _forever: int | None = None
    _read: bool = False
    _closes: int = -1
    """Up to which turn of the loop the closing handshake is under way."""
    _closed: bool = False
    _repeated: int = 0
    _ups: int = 0
    _downs: int = 0
    _inbox: deque[Message] = field(default_factory=deque)
    _waiters: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next message, as the model says once the peer is gone."""
        self.receives += 1
        if self.receives == 1:
            if self.yields:
                await asyncio.sleep(0)
            return {"type": "websocket.connect"}
        if self.moment is not None and self.moment.number == self.receives and self.moment.call == "receive":
            self._inbox.clear()
            self.leave()
        if self.yields:  # where a server might let others run (a full buffer, a lock); uvicorn does only if it must
            await asyncio.sleep(0)
        while not self._inbox:
            if self._forever is not None:
                await asyncio.sleep(0)
                return self._again()
            await self._something()
        message = self._inbox.popleft()
        if message["type"] == "websocket.disconnect":
            self._read = True
        return message

    async def _something(self) -> None:
        """Wait until there may be a message."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _again(self) -> Message:
        self._repeated += 1
        if self._repeated > SPINS:
            self.spun = True
            self.on_spin()
        self._read = True
        return {"type": "websocket.disconnect", "code": self._forever}

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        self.sends += 1
        leaves = self.moment is not None and self.moment.number == self.sends and self.moment.call == "send"
        if leaves:
            self._inbox.clear()
            self.leave()
        kind: str = message["type"]
        if self.gone and not self._served:
            late = self._late(kind)  # a server looks when it is called, and waits for the network after that
            if leaves:
                await asyncio.sleep(0)
            if late is not None:
                raise late(kind)
            return
        if kind == "websocket.accept":
            self.accepted = True
            self._say("server", "101", "Switching Protocols", needs="accept")
        elif kind == "websocket.send":
            text = message.get("text")
            self.outbox.append(text if text is not None else repr(message.get("bytes")))
            self._say("server", "text", repr(self.outbox[-1]))
        elif kind == "websocket.close":
            self._close(message.get("code") or 1000, message.get("reason") or "")
        self.on_change()
        if self.yields:
            await asyncio.sleep(0)

    @property
    def _served(self) -> bool:
        """Whether the server shuts down and lets this connection be for as long as the app runs."""
        known = "shutdown" in self.model.told or "shutdown" in self.model.early
        return self.gone == "shutdown" and not known and not self._closed

    def _close(self, code: int, reason: str) -> None:
        """Close for the app: its own close is the ending."""
        self._closed = self._answered = True
        self._code, self._reason = code, reason
        seen = "" if self.model.drops_reason else reason
        self._show(Seen(403, code), "closing", seen)
        self._end("own")

    def _late(self, kind: str) -> Callable[[str], Exception] | None:
        """Return what makes the exception for a message that comes too late, None if it is ignored."""
        word = kind.removeprefix("websocket.")
        call: Callable[[str], Exception] | None
        if self._early is not None:
            call = getattr(self._early, "reject" if word == "close" and not self._answered else word, None)
        elif self._closed:
            call = getattr(self.model, f"{word}_closed", None)
        else:
            closing = self._read and word == "close" and _turn() <= self._closes
            moment = "closing" if closing else "read" if self._read else "gone"
            call = getattr(self.model, f"{word}_{moment}", None)
        if word in {"accept", "close"} and not self.accepted and not self._answered:
            self._answered = True
            if self._early is None:
                self._tell(self.gone if word == "accept" else "own", accepted=word == "accept")
        return call

    def ended(self, how: str) -> None:
        """Let the client see that the app has "returned", "raised" or been "cancelled", if it has not closed."""
        if not self.gone or self._served:
            self._show(self.model.ends[how], "ended")

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Let the client send a text message."""
        self._say("client", "text", repr(text))
        self._inbox.append({"type": "websocket.receive", "text": text})
        self._wake()

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        if self.trace is not None:
            self.trace.record(Event(f"client {self.letter}", "note", text), chains=(f"client {self.letter}",))

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone:
            return
        self._code, self._reason = code, reason
        how = "fin" if self.ending == "close" and not self.accepted else self.ending
        cuts = {"close": ("close", _frame(code, reason)), "fin": ("TCP FIN", ""), "reset": ("TCP RST", "")}
        if how in cuts:
            self._say("client", *cuts[how], gives=f"{self.letter}.end")
        else:
            if self.letter == "a":
                self._say("server", "note", "shuts down", gives="stop")
            if self.model.shuts_down is not None:
                self._show(self.model.shuts_down, "stop")
        self._end(how)
        self.on_change()

    def _end(self, how: str) -> None:
        self.gone = self.gone or how
        if how in {"close", "shutdown"}:
            self._closes = _turn() + 1
        self._early = None if self.accepted else self.model.early.get(how)
        if self.accepted or self._early is not None:
            self._tell(how, accepted=self.accepted)

    def _tell(self, how: str, *, accepted: bool) -> None:
        """Put into the inbox what the app is told of an ending."""
        early = Early() if accepted else self.model.early[how]
        told = self.model.told.get(how, ()) if accepted else early.told
        self._forever = early.forever if not accepted else self.model.forever if how in self.model.told else None
        same = self._code if self._code is not None else self.model.no_code
        for place, code in enumerate(told):
            message: dict[str, object] = {"type": "websocket.disconnect", "code": same if code == SAME else code}
            if accepted and place == 0 and how in self.model.reason:
                message["reason"] = self._reason
            self._inbox.append(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def _show(self, seen: Seen, cause: str, reason: str = "") -> None:
        """Draw what the client sees of an ending that is not its own, and how it answers."""
        code = seen.open if self.accepted else seen.handshake
        if code is None:
            return
        if code == 1006:
            self._say("server", "TCP FIN", needs=cause)
        elif self.accepted:
            self._say("server", "close", _frame(None if code == 1005 else code, reason), needs=cause)
            self._say("client", "close", _frame(None if code == 1005 else code, reason), gives=f"{self.letter}.end")
        else:
            self._say("server", str(code), HTTPStatus(code).phrase, needs=cause)

    def _say(self, actor: str, action: str, detail: str = "", *, gives: str = "", needs: str = "") -> None:
        """Draw a message between client and server; the app's side is drawn by the recorder."""
        if self.trace is None:
            return
        client, chain = f"client {self.letter}", (f"client {self.letter}",)
        if action == "note":
            self.trace.record(Event("server", action, detail), chains=chain, gives=gives)
        elif actor == "client":
            self._ups += action == "text"
            event, gives = Event(client, action, detail, "server"), gives or f"{self.letter}.up.{self._ups}"
            self.trace.record(event, chains=chain, gives=gives, rank=(2, self.letter))
        else:
            self._downs += action == "text"
            need = needs if needs == "stop" else f"{self.letter}.{needs or f'down.{self._downs}'}"
            event = Event("server", action, detail, client)
            self.trace.record(event, chains=chain, needs=[need], rank=(-1, self.letter))


def _frame(code: int | None, reason: str = "") -> str:
    """Return what a picture says of a close frame."""
    return "without a code" if code is None else f"{code} {reason}".rstrip()
