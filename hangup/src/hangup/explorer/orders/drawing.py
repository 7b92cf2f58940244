"""Which events are held back: one at a time, every one; then, by a seed, a few of them, or many.

A few are drawn as in probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): a bug of depth d needs the
right d events, whatever else happens. Many are a random walk.
"""

import random
from collections.abc import Callable, Sequence

from hangup.time.order import AFTER, AT_ONCE, BEFORE, LAST, WITH

_TASKS = (LAST, LAST, LAST, 2, 3, 4, 5)
_CLIENTS = (LAST, LAST, WITH, WITH, AFTER, BEFORE, 2, 4)
_TIME = (LAST, 2, 3)
_WALKS = (0.1, 0.25, 0.5)


def singles(events: Sequence[str]) -> list[dict[str, int]]:
    """Return all that deviate once: each event comes last; and then, a message comes with the app's next timer."""
    said = [name for name in events if name.startswith("+")]
    last = [{name: LAST} for name in events]
    return [*last, *({name: choice} for choice in (WITH, AFTER, BEFORE) for name in said)]


def drawn(seed: int, events: Sequence[str]) -> Callable[[str], int]:
    """Return what is chosen for an event, by a seed; `events` are those of the session without deviations."""
    dice = random.Random(seed)
    if seed % 2 and events:
        few = dice.sample(events, min(len(events), dice.choice((2, 2, 3, 4))))
        chosen = {name: dice.choice(_choices(name)) for name in few}
        return lambda name: chosen.get(name, AT_ONCE)
    share = dice.choice(_WALKS)
    return lambda name: dice.choice(_choices(name)) if dice.random() < share else AT_ONCE


def _choices(name: str) -> Sequence[int]:
    return _CLIENTS if name.startswith("+") else _TIME if name.startswith("time") else _TASKS
