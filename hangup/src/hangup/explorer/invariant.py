"""An invariant of an app: a function that says what is wrong with the app when a session is over, or nothing."""

from collections.abc import Callable

from hangup.record.errors import describe
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import Rule, rule

Invariant = Callable[[ASGIApp], str | None]
Probe = Callable[[ASGIApp, Session], None]


@rule
def keeps_its_invariant(session: Session) -> str | None:
    """When a session is over, the app is as its invariant says."""
    wrong: str | None = session.facts.get("invariant")
    return wrong


def with_invariant(probe: Probe, invariant: Invariant | None) -> Probe:
    """Return a probe that also asks the invariant, once for a session of all clients."""
    if invariant is None:
        return probe

    def both(app: ASGIApp, session: Session) -> None:
        probe(app, session)
        if session.letter == "a":
            try:
                wrong = invariant(app)
            except Exception as error:
                wrong = f"the invariant itself raised {describe(error)}"
            session.facts["invariant"] = wrong or None

    return both


def rules_with(rules: "tuple[Rule, ...]", invariant: Invariant | None) -> tuple[Rule, ...]:
    """Return rules, and that of the invariant if there is one."""
    return rules if invariant is None else (*rules, keeps_its_invariant)
