"""For `replay`: plays more sessions where one cannot show what broke, such as a connection that is kept."""

from collections.abc import Sequence

from hangup.explorer.apps.exploration import Exploration
from hangup.explorer.apps.kept import may_keep, who_stays
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.further.lasting import kept_while_it_lasts
from hangup.record.session import Session


async def look_closer(exploration: Exploration, schedule: Schedule, sessions: Sequence[Session]) -> None:
    """Let sessions know whether their connections are kept, or more and more; forgive what the app logs undisturbed."""
    if any(each.logged for each in sessions):
        await exploration.undisturbed(Schedule(schedule.model, "close"))
        for each in sessions:
            each.logged = [logged for logged in each.logged if logged.key not in exploration.usual]
    await exploration.growing.look(exploration, schedule, sessions)
    if not may_keep(schedule, sessions):
        return
    keeping, app = exploration.keeping, exploration.make()
    kept = []
    if not any(each.stopped() for each in sessions):
        keeping.look(app, schedule, await exploration.played(app, schedule))
        kept = await keeping.confirm()
    if not kept:
        outlived = [(schedule, each.letter) for each in sessions if each.facts.get("outlives")]
        kept = await kept_while_it_lasts(exploration, outlived)
    for each in sessions:
        if mine := [one for one in kept if one.letter == each.letter]:
            each.facts["kept"] = who_stays(mine)
