"""The lifespan protocol with an app: `start` before its sessions, `stop` after them (asgi lifespan.rst)."""

import asyncio
from typing import Any

from hangup.explorer.waiting import Wait
from hangup.record.recorder import Message, Recorder

STARTS = 600.0  # virtual seconds that an app may take to start


class NotStarted(Exception):
    """The app's lifespan never answered lifespan.startup, or answered that it had failed: no server would go on."""


class Lifespan:
    """Plays the server's part of the lifespan protocol; `state` is what the app put there for its connections."""

    def __init__(self, recorder: Recorder) -> None:
        self.state: dict[str, Any] = {}
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.4"}, "state": self.state}
        self.task = asyncio.get_running_loop().create_task(_quiet(recorder(scope, self._messages.get, self._send)))
        self.task.add_done_callback(lambda _: self._started.set())
        self.failed: str | None = None

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self.failed = message.get("message", "").strip().rpartition("\n")[2] or "it did not say why"
        if message["type"].startswith("lifespan.startup."):
            self._started.set()

    async def start(self, wait: Wait) -> None:
        """Return when the app has started, or will not: an app need not speak this protocol. Raises NotStarted."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        wait.begin(STARTS)
        told = asyncio.get_running_loop().create_task(self._started.wait())
        told.add_done_callback(lambda _: wait.end())
        await wait.over()
        told.cancel()
        if self.failed is not None:
            raise NotStarted(f"the app's lifespan failed at startup: {self.failed}")
        if not self._started.is_set():
            raise NotStarted("the app's lifespan never answered lifespan.startup: a server would wait for ever")

    def stop(self) -> "list[asyncio.Task[Any]]":
        """Tell the app that the server stops, and return what to wait for."""
        if self.task.done():
            return []
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        return [self.task]


async def _quiet(call: Any) -> None:
    try:
        await call
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:  # the recorder has it; nobody else will ask this task for it
        return
