"""What the command prints beside its report: the line that it begins with, a bar, why it has given up."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TextIO

from hangup.explorer.report import Report
from hangup.record.threads import Escaped, Stuck

Progress = Callable[[int, int], None]


class GivenUp(SystemExit):
    """What was explored may still run, even when the interpreter ends: the process should leave at once."""


@contextlib.contextmanager
def given_up(what: str) -> Iterator[None]:
    """Say in a sentence why an exploration of `what`, such as "the app", did not come to its end; raise GivenUp."""
    try:
        yield
    except (Stuck, Escaped) as problem:
        if isinstance(problem, Escaped):
            why = f"{what} raised {problem}"
        elif problem.loop_runs:
            why = f"{what} runs on though it is cancelled again and again, or a lower --limit is needed"
        else:
            why = f"{what} holds its event loop{f' at {problem.where}' if problem.where else ''}"
        at = f" ({schedule})" if (schedule := getattr(problem, "schedule", "")) else ""
        sys.stderr.write(f"The exploration was given up: {why}{at}.\n")
        raise GivenUp(1) from None


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


def as_json(report: Report, **more: object) -> str:
    """Return a report as JSON, with more at its beginning."""
    kept = {"explored": report.explored, "schedules": report.schedules, "ok": report.ok}
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
