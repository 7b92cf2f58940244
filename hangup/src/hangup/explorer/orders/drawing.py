"""Which events are held back: one at a time, every one; then, by a seed, a few of them, or many.

A few are drawn as in probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): a bug of depth d needs the
right d events, whatever else happens. Many are a random walk.
"""

import itertools
import random
from collections.abc import Callable, Collection, Sequence

from hangup.time.order import AFTER, AT_ONCE, BEFORE, FAR, LAST, LATENCY, TURNS, WITH

_TASKS = (LAST, LAST, LAST, *TURNS)
_CLIENTS = (LAST, LAST, WITH, WITH, AFTER, BEFORE, 2, 4)
_TIME = (LAST, 2, 3)
_WALKS = (0.1, 0.25, 0.5)
LATENCIES = 12  # different ones, at most


class Drawing:
    """Draws for one schedule: `events` are those of the session without deviations, `delays` its timers' seconds.

    A message's latency is such that two timers may meet that begin with different messages.
    """

    def __init__(self, events: Sequence[str], delays: Collection[float]) -> None:
        self.events = events
        pairs = itertools.combinations(sorted({0.0, *delays}), 2)
        seconds = sorted({round(more - less, 3) for less, more in pairs if 0.001 <= more - less <= FAR})
        self.latencies = tuple(LATENCY + round(1000 * each) for each in seconds[:LATENCIES])

    def last(self) -> list[dict[str, int]]:
        """Return all that deviate once, as each event comes last, or a message with the app's next timer."""
        last = [{name: LAST} for name in self.events]
        return [*last, *({name: choice} for choice in (WITH, AFTER, BEFORE) for name in self._said())]

    def other_singles(self) -> list[dict[str, int]]:
        """Return more that deviate once: a message has one of the latencies, a task is held for some turns."""
        tasks = [name for name in self.events if name[0].isalpha() and not name.startswith("time")]
        late = [{name: choice} for choice in self.latencies for name in self._said()]
        return [*late, *({name: choice} for choice in reversed(TURNS) for name in tasks)]

    def drawn(self, seed: int) -> Callable[[str], int]:
        """Return what is chosen for an event, by a seed."""
        dice = random.Random(seed)
        if seed % 2 and self.events:
            few = dice.sample(self.events, min(len(self.events), dice.choice((2, 2, 3, 4))))
            chosen = {name: dice.choice(self._choices(name)) for name in few}
            return lambda name: chosen.get(name, AT_ONCE)
        share = dice.choice(_WALKS)
        return lambda name: dice.choice(self._choices(name)) if dice.random() < share else AT_ONCE

    def _said(self) -> list[str]:
        return [name for name in self.events if name.startswith("+")]

    def _choices(self, name: str) -> Sequence[int]:
        if name.startswith("+"):
            return (*_CLIENTS, *self.latencies[:4])
        return _TIME if name.startswith("time") else _TASKS
