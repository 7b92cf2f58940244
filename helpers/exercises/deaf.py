"""A source that has failed once: whoever is still there afterwards reads what comes, and has to ask it again."""

from hangup.record.recorder import Session
from hangup.record.rules import rule
from hangup.servers.script import CLOSED


@rule
def goes_on_or_ends(session: Session) -> str | None:
    """Once an answer has failed the handler ends, or asks for the next one."""
    asked = session.facts.get("asked", 0)
    undisturbed = session.schedule.endswith("@end") and session.codes and not (session.closes or session.cancelled_by)
    if undisturbed and session.facts.get("failed") and session.received > asked:
        return f"it read {session.received} texts, asked for the answers to {asked}, and was there until the peer left"
    return None


def asks(session: Session, question: str) -> None:
    """Take note of what a source is asked for, but not of what has failed when that is asked for once more."""
    if not (session.facts.get("failed") and session.facts["asked last"] == question):
        session.facts["asked"] = session.facts.get("asked", 0) + 1
    session.facts["asked last"] = question


def may_end(session: Session) -> None:
    """Let a handler be that has ended because its source failed: what the peer says then is not answered."""
    if session.facts.get("failed") and session.sent:
        session.facts["unanswered"] = [each for each in session.facts["unanswered"] if each != CLOSED]
