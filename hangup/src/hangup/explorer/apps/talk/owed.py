"""Which answers the clients of a conversation are owed, and what they take for them.

Until client a has left, each gets what its script says. When a has left early, what a may have caused cannot be
expected: an answer is owed to a client only for its own line, with no line of a's between the two, and may come after
other messages, which are kept.
"""

from collections import deque

from hangup.explorer.apps.talk.known import Known
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.servers.players import Connection
from hangup.servers.script import Expect, Send, Step


class Owed:
    """Judges what clients hear. `gone` is the connection of client a once it has left."""

    def __init__(self, script: ParsedScript, known: Known) -> None:
        self.gone: Connection | None = None
        self._script, self._known = script, known
        self._unsaid: set[str] = set()

    def says(self, who: str, *, said: bool) -> None:
        """Take note of whether a client's last line was said, or left out."""
        if said:
            self._unsaid.discard(who)
        else:
            self._unsaid.add(who)

    @property
    def left(self) -> bool:
        """Whether client a is gone."""
        return self.gone is not None

    def early(self, place: int) -> bool:
        """Whether client a has gone before its time, as seen from the step at `place`."""
        return self.left and place < self._script.leaves_at

    def spares(self, step: Step, place: int) -> bool:
        """Whether this step's missing answer is forgiven: client a, who has gone, might have caused it."""
        if self.gone is None or not isinstance(step, Send | Expect):
            return False
        if isinstance(step, Expect) and step.by in self._unsaid:
            return True
        return (self.early(place) or self.gone.unnoticed) and place not in self._script.owed

    def take(self, step: Expect, place: int, heard: deque[str | bytes]) -> tuple[bool, str]:
        """Take the answer from what a client has heard; return whether it waits no more, and what is wrong."""
        spared = self.gone is not None and self.spares(step, place)
        if spared and not step.bind:
            return True, ""
        if self.gone is not None and self.early(place):
            found = self._known.among(step, heard)
            if found is not None and not spared:
                heard.remove(found)
            return found is not None, ""
        exact = not self._script.patient and place < self._script.leaves_at
        while heard:
            problem = self._known.problem(step, heard.popleft())
            if exact or not problem:
                return True, problem
        return False, ""
