"""A script as an exploration reads it, once: its steps, who connects when, and which answers are owed to whom."""

from dataclasses import dataclass

from hangup.servers.clients.answers import names_of
from hangup.servers.script import (
    Act,
    Client,
    Expect,
    Leave,
    Script,
    Send,
    Step,
    Wait,
    at_first,
    before_all,
    goodbye,
    letters,
    steps_of,
)


@dataclass(frozen=True)
class ParsedScript:
    """What each session of an exploration asks of a script."""

    steps: list[Step]
    """All but how the clients connect."""
    leaves_at: int
    """The place of `Leave()`, or the end."""
    alone: bool
    """Whether client a is the only one."""
    first: list[str]
    """Who connects at the beginning."""
    order: list[str]
    """Who takes part, if they do not come in the order of their letters."""
    opens_at: int
    """How many steps are done before anybody connects."""
    owed: frozenset[int]
    """The places of what others expect though client a has gone, for they ask for it themselves."""
    clients: dict[str, Client]
    names: frozenset[str]
    """What the script binds."""
    pauses: float
    """How many seconds its clients wait in all because it says so."""
    patient: bool
    """Whether client a passes over messages that it does not expect: they may be for somebody the script knows not."""
    goodbye: int | None = 1001
    """The code with which client a closes, None for a close frame without one."""

    @classmethod
    def of(cls, script: Script, *, patient: bool = False) -> "ParsedScript":
        """Read a script; raise TypeError or ValueError with a sentence for what is none."""
        all_steps = steps_of(script)
        steps: list[Step] = [step for step in all_steps if not isinstance(step, Client)]
        leaves_at = next((n for n, step in enumerate(steps) if isinstance(step, Leave)), len(steps))
        alone = letters(steps) == ["a"]
        return cls(
            steps,
            leaves_at,
            alone,
            at_first(steps),
            _order(steps),
            before_all(steps),
            frozenset() if alone else _owed(steps),
            {step.by: step for step in all_steps if isinstance(step, Client)},
            names_of(steps),
            sum(step.seconds for step in steps if isinstance(step, Wait)),
            patient,
            goodbye(steps),
        )


def _order(steps: list[Step]) -> list[str]:
    """Return all clients if they come in another order, by which a picture would call them, than their letters'."""
    turns = [step.by for step in steps if isinstance(step, Send | Expect)]
    order = list(dict.fromkeys([*at_first(steps), *turns]))
    return [] if order == sorted(order) else sorted(order)


def _owed(steps: list[Step]) -> frozenset[int]:
    """Return where a client expects the answer to its own line.

    What it did before was to send, and client a neither sends nor leaves between the two: that might be waited for.
    """
    owed: set[int] = set()
    asks: dict[str, bool] = {}
    for place, step in enumerate(steps):
        if isinstance(step, Leave) or (isinstance(step, Send) and step.by == "a"):
            asks.clear()
        if isinstance(step, Expect) and step.by != "a" and asks.get(step.by):
            owed.add(place)
        if isinstance(step, Act):
            asks[step.by] = isinstance(step, Send)
    return frozenset(owed)
