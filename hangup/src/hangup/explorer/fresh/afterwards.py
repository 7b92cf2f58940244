"""What an app keeps of a session with which its process ends is no fault: nothing comes after that.

An exploration goes on with the same app all the same. So what broke only after such sessions is played again without
them, on an app made anew; and an app that is another one at the end is made anew before it is explored again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hangup.explorer.apps.kept import ends_all
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.findings import Findings
from hangup.explorer.fresh.anew import anew
from hangup.explorer.further.costly import Costly
from hangup.explorer.further.held import Holding
from hangup.explorer.report import Report
from hangup.record.evidence import watch
from hangup.record.recorder import ASGIApp
from hangup.record.rules import keeps_no_connection

if TYPE_CHECKING:
    from hangup.explorer.apps.exploration import Exploration

COUNTED = "/cancel@await#"
SECONDS = 60.0
KEPT = keeps_no_connection.sentence  # which is not asked of the sessions with which a process ends


def without_what_nobody_sees(report: Report, app: ASGIApp, exploration: "Exploration") -> Report:
    """Return the report without what breaks `later` only if sessions come after the end of a process.

    The app is one that is known to keep something.
    """
    names = [name for name, _ in report.how]
    lasting = [name for name in names if not ends_all(Schedule.parse(name))]
    end = next((place for place, name in enumerate(names) if ends_all(Schedule.parse(name))), len(names))
    before = set(names[: end + 1])
    sure = {each.rule for each in report.later if each.schedule in before or each.rule == KEPT}
    if sure.issuperset(each.rule for each in report.later):
        return report
    with anew(app) as made:
        if made is app:
            return report
        sure |= _break_later(lasting, made, exploration, {(b.schedule, b.rule, b.client) for b in report.broken})
    return replace(report, later=tuple(each for each in report.later if each.rule in sure))


def is_another_one(report: Report, exploration: "Exploration") -> bool:
    """Return whether the app, undisturbed, waits more often or less often than it did when the plan was made."""
    counted = [name for name, _ in report.how if COUNTED in name]
    if not counted or report.explored < report.schedules or exploration.costly.holds:
        return False
    first = replace(Schedule.parse(counted[0]), cancel_at=-1)

    exploration.run(_watched(lambda: exploration.unjudged(first)), seconds=SECONDS)
    return exploration.playing is not None and exploration.playing.awaits != len(counted)


def _break_later(
    names: Collection[str], app: ASGIApp, exploration: "Exploration", fresh: "set[tuple[str, str, str]]"
) -> set[str]:
    """Play schedules one after the other on one app; return the rules that break, but for those on a fresh app."""
    again = replace(exploration, make=lambda: app, findings=Findings(exploration.findings.rules), early={}, first={})
    again.costly, again.holding = Costly(), Holding(looks=0)

    async def all_of_them() -> None:
        for name in names:
            await again.judged(Schedule.parse(name))

    again.run(_watched(all_of_them), seconds=SECONDS)
    found = again.findings.report().broken
    return {each.rule for each in found if (each.schedule, each.rule, each.client) not in fresh}


def _watched(play: Callable[[], Awaitable[object]]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        with watch(asyncio.get_running_loop()):
            await play()

    return work
