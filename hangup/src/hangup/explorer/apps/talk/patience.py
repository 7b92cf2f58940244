"""For how long the clients of a conversation wait in one step of their script: for an answer, or because it pauses."""

import math
from collections.abc import Callable

from hangup.time.virtual import Alarm, VirtualLoop

PATIENCE = 5.0  # virtual seconds for which a client waits for an answer


class Patience(Alarm):
    """Who waits in the step that has begun, and until when; `bored` is called when that time is over."""

    __slots__ = ("_begun", "_loop", "since", "who")

    def __init__(self, loop: VirtualLoop, bored: Callable[[], None]) -> None:
        self.ring, self.when = bored, math.inf
        self.who = ""
        """The letter of the client that waits for an answer; nobody's during a pause."""
        self._loop = loop
        self._begun, self.since = -1, loop.now
        """In which step somebody waits or waited last, and since when."""

    def begin(self, place: int, who: str, seconds: float = PATIENCE) -> bool:
        """Begin to wait in the step at `place`; return whether this is the first time in this step."""
        if self._begun == place:
            return False
        self._begun, self.who = place, who
        self.since = self._loop.now
        self.when = self.since + seconds
        return True

    def end(self) -> None:
        """Wait no longer."""
        self.when = math.inf

    @property
    def over(self) -> bool:
        """Whether nobody waits now."""
        return self.when == math.inf
