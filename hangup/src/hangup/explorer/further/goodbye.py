"""Whether an app wants to tell its clients something when its lifespan shuts down: by then nobody is left.

A server ends its connections first, so that a handler which takes its client out of a list leaves that list empty.
To see what the app would say, its lifespan shuts down once while everybody is still there.
"""

from hangup.explorer.apps import ending
from hangup.explorer.apps.exploration import Exploration
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.further.remarks import nobody_is_left
from hangup.explorer.report import Remark
from hangup.record.recorder import Message, current
from hangup.servers.memory import MemoryConnection
from hangup.servers.players import row_of
from hangup.trace.trace import Trace


class _Stays(MemoryConnection):
    """A connection whose client does not leave; `told` counts what nobody's session sends to it."""

    told = 0

    async def send(self, message: Message) -> None:
        self.told += current() is None and message["type"] != "websocket.accept"
        await super().send(message)

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        self.calls.on_spin()  # it would leave now: that ends the wait


async def goodbye(exploration: Exploration, schedule: Schedule) -> list[Remark]:
    """Return a Remark on an app whose lifespan sends to clients when it shuts down, or none."""
    play = Play(
        exploration.make(),
        exploration.script,
        schedule,
        Trace(silent=True),
        exploration.path,
        lifespan=exploration.lifespan,
        excuse=exploration.excuse,
    )
    there: list[_Stays] = []

    def connect(model: str, *args: object) -> _Stays:
        there.append(_Stays(row_of(model), *args))  # type: ignore[arg-type]  # as Connections calls it
        return there[-1]

    async def shut_down() -> None:
        for each in there:
            each.told = 0  # what a request, or a task of the lifespan's, has sent before is no goodbye
        if play.lifespan is not None:
            await ending.until_done(play.lifespan.stop(), play.wait)

    play.connections.kind, play.last_word = connect, shut_down
    exploration.playing = play
    (await play.play()).drop_references()
    words = nobody_is_left(sum(each.told for each in there))
    return [Remark(str(schedule), words, "a")] if words else []
