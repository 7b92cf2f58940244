"""What is worth a word of a session in a further ending, though it breaks no rule: who is told of it, and when.

A server that never tells its app leaves it nothing to break.
"""

from collections.abc import Iterator, Mapping

from hangup.explorer.apps.schedules import Schedule
from hangup.record.session import Session
from hangup.servers.models.words import LIMIT
from hangup.servers.players import Connection, row_of


def remarks(schedule: Schedule, connection: Connection, session: Session) -> Iterator[str]:
    """Yield what client a's session shows of the ending of its schedule."""
    if connection.departure.ending != schedule.ending or schedule.cancel_at:
        return
    if schedule.ending == "silence" and connection.gone == "silence":
        yield _silence(schedule, session)
    elif schedule.ending == "too-big" and connection.gone == "too-big" and session.codes:
        yield _too_big(schedule, session)
    elif schedule.ending == "idle" and connection.lasting is not None:
        yield _idle(schedule, connection, session)
    elif schedule.ending == "unread" and connection.lasting is not None and connection.lasting.waited:
        yield "send() waits for a peer that does not read, for as long as it is there; no server tells the app"


def _silence(schedule: Schedule, session: Session) -> str:
    model = row_of(schedule.model)
    by_itself = "; the app ends by itself" if session.ended == "returned" and not session.codes else ""
    if "silence" not in model.told:
        return f"{schedule.model} never tells the app that its peer has fallen silent{by_itself}"
    if not session.codes:
        return f"{schedule.model} would tell the app of its silent peer after {model.after['silence']:g} s{by_itself}"
    return f"{schedule.model} tells the app {session.codes[0]}, {model.after['silence']:g} s after its peer fell silent"


def _too_big(schedule: Schedule, session: Session) -> str:
    model = row_of(schedule.model)
    told = f"the app {session.codes[0]}" + (f" after {model.after['too-big']:g} s" if "too-big" in model.after else "")
    return f"a message above the limit: {schedule.model} tells {told}, and the client {model.big_seen.open}"


def _idle(schedule: Schedule, connection: Connection, session: Session) -> str:
    name, model, lasting = schedule.model, row_of(schedule.model), connection.lasting
    assert lasting is not None
    limit = f"behind a proxy with an idle limit of {LIMIT:g} s"
    if lasting.kept == "pings":
        return f"{limit}: open, {name} pings every {model.pings_every:g} s"
    if lasting.kept == "app":
        return f"{limit}: open on {name}, what the app sends keeps it so"
    if connection.gone != "fin":
        return f"{limit}: the app ends before, on {name}"
    told = f"the app is told {session.codes[0]}" if session.codes else "the app is told nothing"
    return f"{limit}: cut on {name}, which sends no pings; {told}"


def who_waits(letter: str, held_by: Mapping[str, str], session: Session) -> str | None:
    """Return who keeps this client waiting: `held_by` says of a client for whose reading the app waited meanwhile."""
    if letter not in held_by or not session.facts.get("unanswered"):
        return None
    return f"{letter} waits while the app sends to {held_by[letter]}, who does not read"


def nobody_is_left(sends: int) -> str | None:
    """Return what there is to say of messages that an app sends while its lifespan shuts down."""
    if not sends:
        return None
    return "at lifespan.shutdown nobody is left to be told: what the app sends then goes nowhere"
