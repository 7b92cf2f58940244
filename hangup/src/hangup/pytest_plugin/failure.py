"""What a failed test says: each outcome in a few lines, the first with its picture, and one command to paste."""

import contextlib
from collections.abc import Callable, Sequence

from hangup.explorer.report import Report, kind_of
from hangup.explorer.showing.outcomes import (
    Outcome,
    Play,
    line_in_words,
    outcomes,
    own_line,
    summary,
    unknowns,
)
from hangup.pytest_plugin.targets import Target
from hangup.record.session import Session
from hangup.trace.events import one_line

SHOWN = 5  # outcomes
LONGEST = 400  # characters of what happened
TOP, END = 40, 20  # lines of a picture


def failure(report: Report, target: Target, command: Callable[[str], str], before: Sequence[str] = ()) -> str:
    """Return what a report that is not ok says; `before` are lines that stand before the outcomes."""
    found = outcomes(report)
    if not found:
        return report.findings
    lines = [summary(report), *before]
    for number, outcome in enumerate(found[:SHOWN]):
        session = _played(target.play, outcome.schedule)
        again = session if session is not None and _is_same(outcome, session, target) else None
        lines += ["", *_told(outcome, report, again)]
        if session is not None and again is None:
            lines.append("  but    played again it went otherwise: this app does not do the same thing twice")
        elif number == 0 and session is not None:
            lines += ["", *(f"  {line}" for line in picture(session))]
    if len(found) > SHOWN:
        lines += ["", f"and {len(found) - SHOWN} more outcomes; --hangup-report DIR writes all"]
    lines += ["", *(f"? {line}" for line in unknowns(report)[:SHOWN])]
    return "\n".join((*lines, f"see it again: {command(found[0].schedule)}"))


def picture(session: Session) -> list[str]:
    """Return the picture of a session as lines of text, without the middle of a long one."""
    lines = str(session.trace).splitlines()
    left = len(lines) - TOP - END
    return lines if left <= 1 else [*lines[:TOP], f"… {left} more lines", *lines[-END:]]


def _told(outcome: Outcome, report: Report, session: Session | None) -> list[str]:
    frame = None if session is None else own_line(outcome, session)
    lines = [f"✗ {outcome.rule}", f"  when   {outcome.when}", f"  got    {one_line(outcome.got, LONGEST)}"]
    if frame is not None:
        lines.append(f"  where  {line_in_words(frame)}")
    return [*lines, f"  often  {outcome.how_often(report)}"]


def _played(play: Play, name: str) -> Session | None:
    """Play a schedule again; if that fails, there is no picture, and the failure is told all the same."""
    with contextlib.suppress(Exception):
        return play(name)
    return None


def _is_same(outcome: Outcome, session: Session, target: Target) -> bool:
    """Return whether a session that was played again shows the outcome."""
    broken = target.judged({outcome.schedule: session}).broken
    return any(each.rule == outcome.rule and kind_of(each.got) == kind_of(outcome.got) for each in broken)
