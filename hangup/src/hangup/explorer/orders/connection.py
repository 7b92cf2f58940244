"""A connection in memory on which what the client says arrives in an order's own time."""

from collections.abc import Callable
from typing import Any

from hangup.explorer.waiting import nothing
from hangup.record.recorder import Message
from hangup.servers.memory import MemoryConnection
from hangup.servers.script import SILENT
from hangup.time.order import Order


class LateConnection(MemoryConnection):
    """A connection whose client's messages, and its end, are events of an Order; they stay in their order.

    `on_silence` is called when the client has waited for an answer in vain.
    """

    def __init__(self, order: Order, *args: Any) -> None:
        super().__init__(*args)
        self.order = order
        self.asked = 0
        """How many calls of receive() wait for a message."""
        self.on_silence: Callable[[LateConnection], None] = nothing

    @property
    def _lane(self) -> str:
        return f"+{self.client.letter}"

    async def receive(self) -> Message:
        """Return the next message."""
        self.asked += 1
        try:
            return await super().receive()
        finally:
            self.asked -= 1

    def say(self, *said: Any) -> None:
        """Let the client send a message, which arrives later."""
        what = f"message {said[0]!r}"
        self.order.comes(self._lane, lambda: self.gone or super(LateConnection, self).say(*said), what)

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """Let the client leave, after all that it has said; a server that shuts down does so at once."""
        if self.departure.moment is not None or self.departure.ending == "shutdown":
            self.order.forget(self._lane)
            super().leave(code, reason)
        else:
            self.order.comes(self._lane, lambda: super(LateConnection, self).leave(code, reason), "end")

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        super().remark(text)
        if text.endswith(SILENT):
            self.on_silence(self)
