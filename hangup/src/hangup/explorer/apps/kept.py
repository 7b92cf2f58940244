"""What an exploration says of the connections that an app keeps though they are gone: when it counts, and in words."""

from collections.abc import Iterable, Sequence

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.keeping import Kept
from hangup.explorer.unknown import Unknown
from hangup.record.rules import keeps_no_connection
from hangup.record.session import Session
from hangup.servers.memory import Moment

STAYS = " stays reachable: "


def ends_all(schedule: Schedule) -> bool:
    """Return whether the process is about to end, so that nothing is kept, and who would clean up need not."""
    return schedule.ending == "shutdown" or bool(schedule.cancel_at)


def may_keep(schedule: Schedule, sessions: Sequence[Session]) -> bool:
    """Return whether a connection that is still reachable counts as kept: what runs on holds its own.

    When the server shuts down, or cancels its apps for that, the process is about to end. Who holds the event loop has
    been ended, and what it would have let go of nobody knows; to ask again takes long. So it is where something was
    waited for in vain, such as a `threading.Timer`: it may let go when it comes, and each session more costs that time.
    """
    if ends_all(schedule) or any(each.facts.get("held") or each.facts.get("unknown") for each in sessions):
        return False
    return not any(each.left_for_good or each.cancelled_by == "server" for each in sessions)


def who_stays(kept: "Sequence[Kept[Schedule]]") -> str:
    """Say who stays reachable, and where."""
    *whens, last = dict.fromkeys(_when(each) for each in kept)
    when = f"{', '.join(whens)} or {last}" if whens else last
    where = ", ".join(dict.fromkeys(each.where for each in kept))
    return f"who leaves {when}{STAYS}{where}"


def doubt(kept: "Sequence[Kept[Schedule]]", stopped: Iterable[str]) -> Unknown:
    """Say that it is not known whether a connection is kept: a task that was stopped might have let go of it."""
    names = ", ".join(stopped)
    why = f"{who_stays(kept)}; a task that was stopped when its session was over ({names}) might let go of it"
    return Unknown("whether a connection that is gone is kept", why, keeps_no_connection.sentence)


def _when(kept: "Kept[Schedule]") -> str:
    schedule = kept.schedule
    if schedule.moment is None or kept.letter != "a":  # whoever stays beside client a leaves when all is said
        return "at the end"
    return "before accept" if schedule.moment == Moment("send", 1) else f"while the app {schedule.moment.call}s"
