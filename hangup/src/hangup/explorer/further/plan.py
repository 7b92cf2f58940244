"""Which schedules there are of the further endings: of each, those moments at which it is something of its own."""

from collections.abc import Sequence

from hangup.explorer.apps.schedules import Schedule
from hangup.servers.memory import Moment
from hangup.servers.models import FURTHER
from hangup.servers.players import is_model, row_of

_ACCEPT = Moment("send", 1)  # of nearly every app; before it a client can do nothing but leave


def further(model: str, endings: Sequence[str], calls: Sequence[Moment]) -> list[Schedule]:
    """Return the schedules of those endings that are further ones, on a model; none on a server that has no such end.

    `calls` are the moments that the app came to undisturbed.
    """
    return [
        Schedule(model, ending, moment)
        for ending in endings
        if ending in FURTHER and is_model(model) and row_of(model).further
        for moment in _moments(model, ending, calls)
    ]


def _moments(model: str, ending: str, calls: Sequence[Moment]) -> Sequence[Moment | None]:
    row = row_of(model)
    if ending == "silence":
        return (*calls, None)
    if ending == "idle":
        return (None,)
    if ending == "unread" or (ending == "too-big" and "too-big" in row.told):
        return (*(moment for moment in calls if moment != _ACCEPT), None)
    if ending == "closing" and row.early_closing is not None:
        return [moment for moment in calls if moment.call == "send"]
    if ending == "early" and row.loses_client:
        return (Moment("receive", 1),)
    return ()
