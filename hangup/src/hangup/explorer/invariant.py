"""An invariant of an app: a function that says what is wrong with the app when a session is over, or nothing."""

from collections.abc import Callable
from dataclasses import replace

from hangup.explorer.report import Report
from hangup.explorer.unknown import Unknown
from hangup.record.errors import describe
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import Rule, rule

Invariant = Callable[[ASGIApp], str | None]
Probe = Callable[[ASGIApp, Session], None]
NOT_FRESH = "your app may keep something of an earlier exploration; pass make=, which makes it anew for each session"


def no_facts(*_: object) -> None:
    """Add no facts: the probe of who has none."""


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
        session.facts.pop("cut", None)  # what is left undone the invariant says
        if session.letter == "a":
            session.facts["invariant"] = says(invariant, app)

    return both


def is_wrong(invariant: Invariant, app: ASGIApp) -> bool:
    """Return whether an invariant says that something is wrong with an app; one that raises says nothing."""
    try:
        return bool(invariant(app))
    except Exception:
        return False


def says(invariant: Invariant, app: ASGIApp) -> str | None:
    """Return what an invariant says is wrong with an app."""
    try:
        return invariant(app) or None
    except Exception as error:
        return f"the invariant itself raised {describe(error)}"


def rules_with(rules: "tuple[Rule, ...]", invariant: Invariant | None) -> tuple[Rule, ...]:
    """Return rules, and that of the invariant if there is one."""
    return rules if invariant is None else (*rules, keeps_its_invariant)


def not_fresh(report: Report) -> Report:
    """Accuse no app by an invariant that may speak of what earlier explorations have left; nor acquit it."""
    rule = keeps_its_invariant.sentence
    broken, later = (tuple(b for b in found if b.rule != rule) for found in (report.broken, report.later))
    return replace(
        report, broken=broken, later=later, unknown=(*report.unknown, Unknown("the invariant", NOT_FRESH, rule))
    )


def with_its_doubt(report: Report, alone: Callable[[], Report], *, beside: bool) -> Report:
    """Tell an invariant that breaks only beside the second client, which hangup added, as not known.

    `report` is of two who say the same, if `beside`; `alone` explores the app with one.
    """
    rule = keeps_its_invariant.sentence
    found = [broken for broken in report.broken if broken.rule == rule]
    if not (found and beside):
        return report
    one = alone()
    if one.verdicts[rule] == "broken" or rule in {each.rule for each in one.unknown}:
        return report
    why = f"with one client it holds, and beside a second one that says the same not: {found[0].got}"
    unknown = Unknown("the invariant", f"{why} ({found[0].schedule}); a script, or --crowd 2, asks for two", rule)
    others = tuple(broken for broken in report.broken if broken not in found)
    return replace(report, broken=others, unknown=(*report.unknown, unknown), orders=one.orders)
