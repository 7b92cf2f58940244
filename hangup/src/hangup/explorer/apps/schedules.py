"""One schedule of an app's exploration: which server, how the connection ends, and when.

A schedule has a name, such as `granian/reset@receive#2`, by which it is found again; `uvicorn/close@end~a-4.1` is one
whose order of tasks deviates from asyncio's own.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from hangup.explorer.orders.names import Deviations
from hangup.servers.memory import Moment
from hangup.servers.models import ENDINGS, FURTHER
from hangup.servers.players import is_known, is_model, model_of

CANCELS = ("cancel", "cancel-twice")
"""The app's task is cancelled; with the second, once more at its next await, while it cleans up."""
USUAL = (*ENDINGS, "cancel")
"""The endings that an exploration tries if nobody says which."""
EVERY = (*USUAL, *FURTHER, "cancel-twice")
"""All endings that it knows."""


@dataclass(unsafe_hash=True)
class Schedule:
    """Which server, how the connection ends, and when: before a call (`moment`), or the app's task is cancelled.

    Without a moment client a says all its lines and then leaves. `cancel_at` counts the awaits of the app's task.
    Nobody changes one; to be frozen would cost each session a hundredth of its time.
    """

    model: str
    ending: str
    moment: Moment | None = None
    cancel_at: int = 0
    twice: bool = False
    """Whether it is cancelled again at its next await."""
    order: Deviations | None = None
    """What comes later than it might; None: the order is not looked at, and asyncio's own."""
    name: str = field(init=False, compare=False, repr=False)
    """The stable name."""

    def __post_init__(self) -> None:
        """Make the name."""
        if self.cancel_at:
            self.name = f"{self.model}/{CANCELS[self.twice]}@await#{self.cancel_at}"
            return
        when = "end" if self.moment is None else f"{self.moment.call}#{self.moment.number}"
        order = "" if self.order is None else str(self.order)
        self.name = f"{self.model}/{self.ending}@{when}{order}"

    def __str__(self) -> str:
        return self.name

    @property
    def left_when(self) -> str:
        """When client a leaves, in words."""
        if self.moment is None:
            return "at the end"
        return "before accept" if self.moment == Moment("send", 1) else f"while the app {self.moment.call}s"

    @classmethod
    def each(cls, model: str, endings: Sequence[str], moments: "Sequence[Moment | None]") -> "list[Schedule]":
        """Return a schedule for each of these endings at each of these moments: the same ones each time."""
        keys = [("end", 0) if moment is None else (moment.call, moment.number) for moment in moments]
        return [_schedule(model, ending, *key) for ending in endings for key in keys]

    @classmethod
    def parse(cls, name: str) -> "Schedule":
        """Return the schedule of that name; raise ValueError with a sentence if there is none."""
        undisturbed, tilde, deviations = name.partition("~")
        order = Deviations.parse(deviations) if tilde else None
        model, _, rest = undisturbed.partition("/")
        ending, _, when = rest.partition("@")
        call, _, number = when.partition("#")
        known = is_known(model) and ending in EVERY and call in ("end", "receive", "send", "await")
        if ending in FURTHER and not is_model(model):
            known = False
        if tilde and model_of(model) != model:  # an order is played on models
            known = False
        if (call == "await") != (ending in CANCELS) or (tilde and call == "await"):
            known = False
        if not known or (call == "end") == bool(number) or (number and not number.isdigit()):
            raise ValueError(
                f"{name!r} is no schedule: they look like granian/reset@receive#2 or uvicorn/cancel@await#3."
            )
        if call == "await":
            return cls(model, "close", cancel_at=int(number), twice=ending == "cancel-twice")
        return cls(model, ending, None if call == "end" else Moment(call, int(number)), order=order)


@functools.lru_cache(maxsize=4_096)
def _schedule(model: str, ending: str, call: str, number: int) -> Schedule:
    return Schedule(model, ending, None if call == "end" else Moment(call, number))


@functools.lru_cache(maxsize=256)
def moments_of(sends: int, receives: int) -> tuple[Moment, ...]:
    """Return the moments of so many calls of an app, at each of which its client may leave: but the first receive()."""
    first = (Moment("send", n + 1) for n in range(sends))
    return (*first, *(Moment("receive", n + 2) for n in range(max(receives - 1, 0))))


@functools.lru_cache(maxsize=256)
def schedules_of(model: str, endings: tuple[str, ...], sends: int, receives: int) -> tuple[Schedule, ...]:
    """Return a schedule for each ending at each of those moments, and at the end."""
    return tuple(Schedule.each(model, endings, (*moments_of(sends, receives), None)))
