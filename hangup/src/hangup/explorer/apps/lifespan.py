"""The lifespan protocol with an app: `start` before its sessions, `stop` after them (asgi lifespan.rst)."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Literal

from hangup.explorer.further.held import before_or_after
from hangup.explorer.waiting import Wait, nothing
from hangup.record.errors import describe
from hangup.record.recorder import Message, Recorder

Mode = bool | Literal["auto", "on", "off"]
"""Whether an app's lifespan is run: True and "auto" if it has one, "on" if it must have one."""
STARTUP = 600.0  # virtual seconds that an app may take to start


class NotStarted(Exception):
    """Raised where no server would begin to serve: the app's lifespan failed, or there is none though there must be."""


class Lifespan:
    """Plays the server's part of the lifespan protocol; `state` is what the app put there for its connections."""

    def __init__(self, recorder: Recorder, *, needed: bool = False) -> None:
        self.state: dict[str, Any] = {}
        self._needed = needed
        self._recorder = recorder
        self.on_stop: Callable[[], None] = nothing
        """Called when the app is told to shut down."""
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answer = ""
        self._words = ""
        self._begun: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()  # one that nobody else holds is lost
        self._on_answer: Callable[[], None] = nothing
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.4"}, "state": self.state}
        self.task = asyncio.get_running_loop().create_task(_quiet(recorder(scope, self._messages.get, self._send)))
        self.task.add_done_callback(lambda _: self._on_answer())

    async def _send(self, message: Message) -> None:
        if message["type"].startswith("lifespan.startup."):
            self._answer = message["type"]
            self._words = message.get("message", "").strip().rpartition("\n")[2]
            self._on_answer()

    async def start(self, wait: Wait) -> None:
        """Return when the app has started; an app need not speak this protocol.

        Raises NotStarted when it fails or does not answer, and where it is needed, when it does not speak it.
        """
        before = asyncio.all_tasks()
        wait.begin(STARTUP)
        self._on_answer = wait.end
        self._messages.put_nowait({"type": "lifespan.startup"})
        with before_or_after():
            await wait.over()
        self._on_answer = nothing
        if self.spoken:
            self._begun = weakref.WeakSet(asyncio.all_tasks() - before)
            return
        error = self._recorder.lifespan_error
        why = f": in its lifespan it raised {describe(error)}" if error is not None else ""
        if self._answer:
            said = f": it said lifespan.startup.failed{self._words and ', ' + repr(self._words)}"
            raise NotStarted(f"The app did not start{why or said}.") from error
        if not self.task.done():
            raise NotStarted("The app did not start: it does not answer lifespan.startup.")
        if self._needed:
            raise NotStarted(f"The app does not speak the lifespan protocol{why}.") from error

    @property
    def spoken(self) -> bool:
        """Whether the app speaks this protocol, and has started."""
        return self._answer == "lifespan.startup.complete"

    def still_running(self) -> list[str]:
        """Return the names of the tasks that the app began when it started, and that still run."""
        return sorted(getattr(task.get_coro(), "__name__", "task") for task in self._begun if not task.done())

    def stop(self) -> "list[asyncio.Task[Any]]":
        """Tell the app that the server stops, and return what to wait for."""
        if self.task.done():
            return []
        self.on_stop()
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        return [self.task]


async def _quiet(call: Any) -> None:
    try:
        await call
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:  # the recorder has it; nobody else will ask this task for it
        return
