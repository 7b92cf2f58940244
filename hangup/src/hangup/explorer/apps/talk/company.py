"""A second client that says the same beside client a, where the script has one: what happens to a must not happen to b.

Whether an app lets two be served at once, and goes on to serve the one when the other has left, is for the app to say.
So it is played first, where nothing goes wrong: nobody leaves before all is said; and client a leaves in order, with
time for the app to notice, on a server that lets an app send to a peer that is gone. Whatever happens to either of the
two then is nobody's fault: client a is explored alone, and the report says what happened. Only what goes well there is
asked for at every moment.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.report import Broken
from hangup.record.rules import leaves_no_task_for_good
from hangup.record.session import Session
from hangup.servers.script import Act, Expect, Leave, Send, Step, Wait, beside, by

Played = Callable[[ParsedScript, Schedule], Awaitable[Sequence[Session]]]
"""Plays a script by a schedule, and returns the sessions of its clients."""
QUIET = Schedule("granian", "close")
"""The schedule in which nothing goes wrong: granian's send() to a peer that is gone does nothing."""
NOTICED = 1.0  # virtual seconds after which an app has seen that a peer is gone

HELD_ALONE = "client a is explored alone: its first session already holds the event loop"
"""What is said of an app for which nobody looks whether a second client is served."""


@dataclass(frozen=True)
class _Company:
    """Two who say the same, and what the one who stays says when client a has left."""

    both: list[Step]
    again: list[Step]

    @property
    def script(self) -> ParsedScript:
        return ParsedScript.of([*self.both, Leave(), *self.again], patient=True)

    @property
    def nobody_leaves(self) -> ParsedScript:
        """Nobody leaves before all is said."""
        return ParsedScript.of([*self.both, *self.again], patient=True)

    @property
    def a_leaves(self) -> ParsedScript:
        """Client a leaves in order, and the app has time to notice."""
        return ParsedScript.of([*self.both, Leave(), Wait(NOTICED), *self.again], patient=True)


async def accompanied(alone: ParsedScript, play: Played) -> tuple[ParsedScript, str]:
    """Return the script with a second client, or, where that does not go well undisturbed, `alone` and why."""
    why = ""
    if _trouble(await play(alone, QUIET)):
        return alone, ""  # a second client makes no difference
    for company in _companies(alone):
        if why := _trouble(await play(company.nobody_leaves, QUIET)):
            continue  # it may be that an app answers once; then less is said
        if not (why := _trouble(await play(company.a_leaves, QUIET))):
            return company.script, ""
        break
    return alone, f"client a is explored alone: beside it, a second client says the same, and then {why}"


def noting(play: Played, left: list[Broken]) -> Played:
    """Wrap `play`: tasks that its sessions leave for good, which nothing else judges, are added to `left`."""

    async def played(script: ParsedScript, schedule: Schedule) -> Sequence[Session]:
        sessions, rule = await play(script, schedule), leaves_no_task_for_good
        got = [(each.letter, rule.test(each)) for each in sessions]
        left.extend(Broken(rule.sentence, str(schedule), words, letter) for letter, words in got if words)
        return sessions

    return played


def _companies(alone: ParsedScript) -> list[_Company]:
    """Return what may be played, the most telling first: b says its last line again when a has left, or nothing."""
    acts = [step for step in alone.steps if isinstance(step, Act | Wait)]
    said: list[Step] = [*alone.clients.values(), *acts]
    both = beside(said, [_any(step) for step in said])
    last = max((n for n, step in enumerate(acts) if isinstance(step, Send)), default=len(acts))
    again = by("b", [_any(step) for step in acts[last:]])
    return [_Company(both, again), _Company(both, [])] if again else [_Company(both, [])]


def _any(step: Step) -> Step:
    """Return a step of a client whom nobody has asked for: any answer will do, unless something of it is said later."""
    return Expect(by=step.by) if isinstance(step, Expect) and not step.bind else step


def _trouble(sessions: Sequence[Session]) -> str:
    """Return what went wrong for one of the clients."""
    missed = ((session.letter, each) for session in sessions for each in session.facts["unanswered"])
    return next((f"client {letter}: {got}" for letter, got in missed), "")
