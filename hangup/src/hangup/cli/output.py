"""What the command prints beside its report: the line that it begins with, a bar, why it has given up."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import TextIO

from hangup.explorer.report import Broken, Report
from hangup.explorer.unknown import Unknown
from hangup.record.rules import heeds_cancellation
from hangup.record.threads import Escaped, Stuck

Progress = Callable[[int, int], None]


class GivenUp(SystemExit):
    """What was explored may still run, even when the interpreter ends: the process should leave at once."""


@contextlib.contextmanager
def given_up(what: str, tell: Callable[[Report], None] = lambda _: None) -> Iterator[None]:
    """Say in a sentence why an exploration of `what`, such as "the app", did not come to its end; raise GivenUp.

    `tell` is called with what was found before that, and with this.
    """
    try:
        yield
    except (Stuck, Escaped) as problem:
        at = f" ({schedule})" if (schedule := getattr(problem, "schedule", "")) else ""
        said = f"The exploration was given up: {problem.why(what, '--limit')}{at}"
        sys.stderr.write(f"{said}.\n")
        tell(_with_end(problem, said))
        raise GivenUp(1) from None


def _with_end(problem: Stuck | Escaped, said: str) -> Report:
    """Return what was found before an exploration was given up, with what goes on though it is cancelled."""
    found = problem.found or Report(0, 0, (), ())
    found = replace(found, unknown=(*found.unknown, Unknown("what was not explored", said)))
    if isinstance(problem, Stuck) and problem.tasks and problem.schedule:
        got = f"cancelled again and again, and still running: {', '.join(problem.tasks)}"
        found = replace(found, broken=(*found.broken, Broken(heeds_cancellation.sentence, problem.schedule, got)))
    return found


def begin(line: str, stream: TextIO) -> None:
    """Print at once what is about to be explored, so that nobody waits for a sign of life."""
    stream.write(f"{line}\n")
    stream.flush()


@contextlib.contextmanager
def bar(stream: TextIO) -> Iterator[Progress]:
    """Give a function that draws a bar, where somebody sees it, and wipe the bar away afterwards."""

    def draw(done: int, total: int) -> None:
        stream.write(f"\r{'█' * (30 * done // total):░<30} {done:,} of {total:,}")
        stream.flush()

    if not stream.isatty():
        yield lambda *_: None
        return
    try:
        yield draw
    finally:
        stream.write(f"\r{' ' * 60}\r")


def as_json(report: Report, *, ended: bool = False, **more: object) -> str:
    """Return a report as JSON, with more at its beginning; `ended` says that its exploration was given up."""
    kept = {"explored": report.explored, "schedules": report.schedules, "ok": report.ok and not ended}
    found = {
        name: [asdict(each) for each in getattr(report, name)] for name in ("broken", "later", "remarks", "unknown")
    }
    return json.dumps({**more, **kept, **found, "verdicts": report.verdicts, "untried": report.untried}, indent=2)


def summary(report: Report, again: str) -> str:
    """Return each broken rule once more, for the top has scrolled away, and the command that shows the first again."""
    lines = [
        f"✗ {rule}: broken by {len(report.schedules_breaking(rule)):,} of {report.explored:,} schedules"
        for rule in dict.fromkeys(broken.rule for broken in report.broken)
    ]
    return "\n".join((*lines, f"see it again: {again}"))
