"""A connection in memory: a scripted client, a server that behaves as its Model says, and a clock that does not wait.

Nothing here touches the network or the wall clock. `VirtualLoop` moves its clock to the next timer when it is idle;
when there is none, nothing can ever happen again, and it says so through `on_idle`.
"""

import asyncio
import selectors
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import EllipsisType

from helpers.models import SAME, Model
from helpers.recorder import Message
from helpers.sessions import Expect, Script, Send, as_expected
from helpers.trace import Event, Trace

LATENCY = 0.001  # virtual seconds after which a client that has nothing more to say leaves
PATIENCE = 5.0  # virtual seconds for which a client waits for an answer
TURNS = 20_000  # how often the loop may turn in one session
SPINS = 200  # how often a server repeats its disconnect before we call it a spin


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it has nothing to do, and then at once.

    `on_idle` is called when no callback is ready and no timer is set, and at every turn after the `turns`-th since it
    was set to 0: a loop that turns and turns without letting time pass spins. While threads that were started since
    run (an executor, anyio's workers), the loop waits for them, really, before it lets time pass.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.on_idle: Callable[[], None] = lambda: None
        self.threads = threading.active_count()
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        """Look for events without waiting; when there are none, let the clock jump instead."""
        self.loop.turns += 1
        if self.loop.turns > TURNS:
            self.loop.on_idle()
        if timeout == 0 and self.loop.turns % 64:
            return []
        busy = timeout != 0 and threading.active_count() > self.loop.threads
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0.02 if busy else 0)
        if not events and timeout is None:
            self.loop.on_idle()
        elif not events and timeout:
            self.loop.now += timeout
        return events


@dataclass(frozen=True)
class Moment:
    """When the connection ends: before the app's `number`-th call of `call` ("receive" or "send") returns."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


@dataclass
class MemoryConnection:
    """The server's and the client's side of one connection; `receive` and `send` are what the app gets.

    `moment` None lets the client say all its lines and then leave; else it leaves at that moment. With `yields` every
    call gives way once, so that a task can be cancelled there.
    """

    model: Model
    script: Script
    ending: str
    moment: Moment | None = None
    trace: Trace | None = None
    yields: bool = False
    receives: int = 0
    sends: int = 0
    missed: list[str] = field(default_factory=list)
    gone: str = ""
    """The ending that has happened, "own" when the app closed first, or nothing yet."""
    fired: bool = False
    spun: bool = False
    left_at: float = 0.0
    accepted: bool = False
    _read: bool = False
    _closing: bool = False
    _closed: bool = False
    _step: int = 0
    _code: int = 1001
    _repeated: int = 0
    _ups: int = 0
    _downs: int = 0
    _inbox: deque[Message] = field(default_factory=deque)
    _outbox: deque[str] = field(default_factory=deque)
    _waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None
    _goodbye: asyncio.TimerHandle | None = None
    on_leave: Callable[[], None] = lambda: None

    async def _breathe(self) -> None:
        """Let others run, where a server might (a full buffer, a lock). uvicorn's calls do not when they need not."""
        if self.yields:
            await asyncio.sleep(0)

    async def receive(self) -> Message:
        """Return the next message, as the model says once the peer is gone."""
        self.receives += 1
        if self.receives == 1:
            await self._breathe()
            return {"type": "websocket.connect"}
        if self.moment is not None and (self.moment.call, self.moment.number) == ("receive", self.receives):
            self._inbox.clear()
            self.leave()
        await self._breathe()
        while not self._inbox:
            if self.gone and self._told_of_end and self.model.forever is not None:
                await asyncio.sleep(0)
                return self._again()
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        message = self._inbox.popleft()
        if message["type"] == "websocket.disconnect":
            self._read = True
        return message

    @property
    def _told_of_end(self) -> bool:
        return self.gone in self.model.told

    def _again(self) -> Message:
        self._repeated += 1
        if self._repeated > SPINS:
            self.spun = True
            self.on_leave()
        self._read = True
        return {"type": "websocket.disconnect", "code": self.model.forever}

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        self.sends += 1
        kind: str = message["type"]
        if self.moment is not None and (self.moment.call, self.moment.number) == ("send", self.sends):
            self._inbox.clear()
            self.leave()
            await asyncio.sleep(0)
        if (late := self._late(kind)) is not ...:
            if late is not None:
                raise late
            return
        if kind == "websocket.accept":
            self.accepted = True
            self._say("server", "101", "Switching Protocols", gives="")
        elif kind == "websocket.send":
            text = message.get("text")
            self._outbox.append(text if text is not None else repr(message.get("bytes")))
            self._say("server", "text", repr(self._outbox[-1]))
        elif kind == "websocket.close":
            self._closed = True
            self._code = message.get("code") or 1000
            self._end("own")
        self._pump()
        await self._breathe()

    def _late(self, kind: str) -> "Exception | EllipsisType | None":
        """Return the exception for a message that comes too late, None if it is ignored, or `...` if it is in time."""
        word = kind.removeprefix("websocket.")
        if self._closed:
            moment = "closed"
        elif not self.gone:
            return ...
        elif word == "accept":
            moment = "gone"
        else:
            moment = "closing" if self._closing and self._read and word == "close" else "read" if self._read else "gone"
        call = getattr(self.model, f"{word}_{moment}", None)
        return call(kind) if call is not None else None

    # ---- the client --------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Let the client go on with its script as far as it can."""
        if self.gone or not self.accepted:
            return
        while self._step < len(self.script):
            step = self.script[self._step]
            if isinstance(step, Expect):
                if not self._outbox:
                    self._wait_for_answer()
                    return
                if problem := as_expected(step, self._outbox.popleft()):
                    self._give_up(problem)
                    return
            else:
                text = step.text if isinstance(step, Send) else step
                self._say("client", "text", repr(text))
                self._put({"type": "websocket.receive", "text": text})
            self._step += 1
        if self._timer is not None:
            self._timer.cancel()
        if self.moment is None and self._goodbye is None:
            self._goodbye = asyncio.get_running_loop().call_later(LATENCY, self.leave)

    def _wait_for_answer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        step, loop = self._step, asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE, self._bored, step)

    def _bored(self, step: int) -> None:
        if self._step == step:
            self._give_up("waited for an answer that did not come")

    def _give_up(self, problem: str) -> None:
        if not self.gone:
            self.missed.append(problem)
            self._say("client", "note", self.missed[-1])
            self.leave()

    @property
    def unfinished(self) -> bool:
        """Whether the client has lines left to say or answers to get."""
        return self._step < len(self.script)

    def leave(self) -> None:
        """End the connection now, in the way of `ending`."""
        if not self.gone:
            self.fired = True
            cuts = {"close": ("close", "1001"), "fin": ("TCP FIN", ""), "reset": ("TCP RST", "")}
            if self.ending in cuts:
                self._say("client", *cuts[self.ending], gives="a.end")
            else:
                self._say("server", "note", "shuts down", gives="stop")
            self._end(self.ending)

    def _end(self, how: str) -> None:
        loop = asyncio.get_running_loop()
        self.gone, self.left_at = how, loop.time()
        for timer in (self._timer, self._goodbye):
            if timer is not None:
                timer.cancel()
        for code in self.model.told.get(how, ()):
            message: dict[str, object] = {"type": "websocket.disconnect", "code": code if code != SAME else self._code}
            first = code == self.model.told[how][0]
            if first and how in self.model.reason:
                message["reason"] = self.model.reason[how]
            self._put(message)
        if how in {"close", "shutdown"}:
            self._closing = True
            loop.call_soon(loop.call_soon, self._lost)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.on_leave()

    def _lost(self) -> None:
        self._closing = False

    def _put(self, message: Message) -> None:
        self._inbox.append(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def _say(self, actor: str, action: str, detail: str = "", gives: str = "") -> None:
        """Draw a message between client and server; the app's side is drawn by the recorder."""
        if self.trace is None:
            return
        client, chain = "client a", ("client a",)
        if action == "note":
            self.trace.record(
                Event(client if actor == "client" else "server", action, detail), chains=chain, gives=gives
            )
        elif actor == "client":
            self._ups += action == "text"
            event, gives = Event(client, action, detail, "server"), gives or f"a.up.{self._ups}"
            self.trace.record(event, chains=chain, gives=gives, rank=(2, "a"))
        else:
            self._downs += action == "text"
            need = "a.accept" if action == "101" else f"a.down.{self._downs}"
            self.trace.record(Event("server", action, detail, client), chains=chain, needs=[need], rank=(-1, "a"))
