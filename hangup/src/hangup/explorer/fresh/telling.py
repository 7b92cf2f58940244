"""Tells what breaks on a fresh app from what breaks only after earlier sessions, and remembers who keeps something."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.findings import Findings
from hangup.explorer.fresh.afterwards import is_another_one, without_what_nobody_sees
from hangup.explorer.fresh.anew import remember
from hangup.explorer.fresh.apart import WHAT, WHETHER, origin_of, packed, told_apart
from hangup.explorer.fresh.within import as_at_first
from hangup.explorer.further.costly import Costly
from hangup.explorer.further.growing import takes_many
from hangup.explorer.further.held import Holding
from hangup.explorer.invariant import Invariant, rules_with
from hangup.explorer.report import Broken, Report
from hangup.explorer.unknown import Unknown
from hangup.record.evidence import watch
from hangup.record.recorder import ASGIApp
from hangup.record.rules import GENERAL, leaves_the_loop_free

if TYPE_CHECKING:
    from hangup.explorer.apps.exploration import Exploration


def told(
    report: Report,
    app: ASGIApp | None,
    exploration: "Exploration",
    left: Sequence[Broken],
    *,
    invariant: Invariant | None,
    probed: bool,
) -> Report:
    """Tell apart what breaks on a fresh app, tell who was left before, and remember an app that keeps something.

    `left` is who ran on in sessions that nobody has judged. What has been `probed` by a function of somebody's is not
    asked of another interpreter.
    """
    if app is not None and not report.ok:
        report = _told_apart(report, app, exploration, invariant, probed=probed)
    broken = {each.rule for each in report.broken}
    if left and not report.company and left[0].rule not in broken:
        report = replace(report, later=(*report.later, left[0]))
    others = {each.rule for each in report.broken if each not in exploration.opening}
    first = {each.rule for each in report.broken if each in exploration.opening}
    if app is not None and (report.later or first - others):
        remember(app)
    elif app is not None and (exploration.keeps_some or not report.ok) and is_another_one(report, exploration):
        remember(app, sure=not report.ok)
    return without_what_nobody_sees(report, app, exploration) if app is not None and report.later else report


def _told_apart(
    report: Report, app: ASGIApp, exploration: "Exploration", invariant: Invariant | None, *, probed: bool
) -> Report:
    """Tell what breaks on a fresh app from what breaks only after earlier sessions."""
    ordered = tuple(each for each in report.broken if "~" in each.schedule)  # each was played again
    if exploration.costly.holds or len(ordered) == len(report.broken):
        return report  # to see that again takes too long
    if ordered:
        plain = replace(report, broken=tuple(each for each in report.broken if each not in ordered))
        apart = _told_apart(plain, app, exploration, invariant, probed=probed)
        return replace(apart, broken=(*apart.broken, *ordered))
    script = packed(exploration.script)
    general = not probed and tuple(exploration.findings.rules) == rules_with(GENERAL, invariant)
    origin = origin_of(app) if script and general else None
    asks = None if origin is None or invariant is None else origin_of(invariant)
    if origin is not None and (invariant is None or asks is not None):
        found = told_apart(
            report,
            origin,
            script,
            exploration.path,
            lifespan=exploration.lifespan,
            excuse=exploration.excuse,
            invariant=asks,
        )
        if found is not None:
            return found
    if invariant is None:
        same = _repeats_itself(exploration, report)
    else:
        with as_at_first(app, invariant, probed=probed) as (made, _):
            exploration.make = lambda: made
            same = _repeats_itself(exploration, report)
    if same:
        return report
    why = f"{WHETHER}: your app keeps something of earlier sessions; pass make=, which makes it anew for each"
    return replace(report, unknown=(*report.unknown, Unknown(WHAT, why)))


def _repeats_itself(exploration: "Exploration", report: Report) -> bool:
    """Return whether the undisturbed runs, and the first of each outcome, break the same rules twice more."""
    asked = [each for each in report.broken if not takes_many(each)]  # by which it was confirmed
    first = {(each.rule, each.got): each.schedule for each in reversed(asked)}
    names = list(dict.fromkeys((*exploration.first, *first.values())))
    seen = leaves_the_loop_free.sentence  # only in several sessions, of the first that has it: that it is so
    breaks = {
        name: {each.rule for each in asked if each.schedule == name and each.rule != seen} for name in names
    } | exploration.first
    return all(breaks == _breaks(exploration, names) for _ in range(2))


def _breaks(exploration: "Exploration", names: Sequence[str]) -> dict[str, set[str]]:
    """Play schedules and return for each the rules that it breaks."""
    again = replace(exploration, findings=Findings(exploration.findings.rules), early={}, first={}, costly=Costly())
    again.holding = Holding(looks=0)

    async def work() -> None:
        with watch(asyncio.get_running_loop()):
            for name in names:
                await again.judged(Schedule.parse(name))

    again.run(work, seconds=60.0)
    breaks: dict[str, set[str]] = {name: set() for name in names}
    for each in (found for found in again.findings.report().broken if not takes_many(found)):
        breaks[each.schedule].add(each.rule)
    return breaks
