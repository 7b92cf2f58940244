"""The distinct outcomes of an exploration, in words: what broke, when first, how often, and at which line of the app.

A page, a job summary and a failed test all tell these; reports of apps and of clients have them alike.
"""

import functools
import site
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary
from typing import Any

import hangup
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.clients.schedules import ClientSchedule
from hangup.explorer.report import Broken, Report, kind_of
from hangup.record.errors import describe
from hangup.record.session import Session
from hangup.servers.memory import Moment

Play = Callable[[str], Session]
"""Plays the schedule of that name again and returns client a's session."""
ENDS = {
    "close": "the client closes with 1001",
    "fin": "the client's connection ends (TCP FIN)",
    "reset": "the client's connection is reset (TCP RST)",
    "shutdown": "the server shuts down",
}
LATER = "only after earlier sessions: "


@dataclass(frozen=True)
class Outcome:
    """One way in which a rule broke: the first schedule that broke it so, and the names of all."""

    rule: str
    got: str
    schedule: str
    schedules: tuple[str, ...]
    client: str = "a"
    """In whose session it broke first."""

    @property
    def when(self) -> str:
        """When it broke first, in words, with the schedule's name."""
        beside = f", in client {self.client}'s session" if self.client != "a" else ""
        return f"{when(self.schedule)}{beside}"

    def how_often(self, report: Report) -> str:
        """Return of how many explored schedules how many broke the rule in this way."""
        return f"{len(self.schedules):,} of {report.explored:,} schedules"


def outcomes(report: Report) -> list[Outcome]:
    """Return each rule's distinct outcomes: those whose words are the same but for numbers are one."""
    kinds: dict[tuple[str, str], list[Broken]] = {}
    for before, all_broken in (("", report.broken), (LATER, report.later)):
        for broken in all_broken:
            key = before + broken.rule, kind_of(broken.got)
            kinds.setdefault(key, []).append(broken)
    found = []
    for (rule, _), kind in kinds.items():
        first, names = kind[0], tuple(dict.fromkeys(each.schedule for each in kind))
        found.append(Outcome(rule, first.got, first.schedule, names, first.client))
    return found


def summary(report: Report) -> str:
    """Return in a line how many schedules break a rule, and which they break first."""
    rules = list(dict.fromkeys(outcome.rule for outcome in outcomes(report)))
    bad = len({name for outcome in outcomes(report) for name in outcome.schedules})
    more = f" (and {len(rules) - 1} more)" if len(rules) > 1 else ""
    first = f": {rules[0]}{more}" if rules else ""
    return f"{bad:,} of {report.explored:,} schedules break a rule{first}"


def heading(report: Report) -> str:
    """Return in a line how many schedules were explored and how many of them break a rule."""
    bad = len({name for outcome in outcomes(report) for name in outcome.schedules})
    cut = f" of {report.schedules:,}, {report.cut}" if report.explored < report.schedules else ""
    return f"explored {report.explored:,}{cut}; {bad:,} break a rule"


def unknowns(report: Report) -> list[str]:
    """Return in lines what the exploration does not know."""
    lines = []
    if report.unfired:
        lines.append(f"{report.unfired:,} never came to their moment: this app does not do the same thing twice")
    whys: dict[str, list[str]] = {}
    for each in report.unknown:
        whys.setdefault(each.why, []).append(each.what)
    for why, whats in whys.items():
        more = f" and {len(whats) - 1:,} more" if len(whats) > 1 else ""
        lines.append(f"{whats[0]}{more}: {why}".removeprefix(": "))
    lines += [
        f"{rule}: not known whether it holds" for rule, verdict in report.verdicts.items() if verdict == "not known"
    ]
    return lines


def remarks(report: Report) -> list[str]:
    """Return in lines what breaks no rule and is worth a word."""
    kinds: dict[str, list[Any]] = {}
    for each in report.remarks:
        kinds.setdefault(kind_of(each.got), []).append(each)
    return [f"{kind[0].got} (first at {kind[0].schedule}, {len(kind):,} in all)" for kind in kinds.values()]


def when(name: str) -> str:
    """Return in words what happens under the schedule of that name, and when; the name alone if it is another kind."""
    try:
        return ClientSchedule.parse(name).words
    except ValueError:
        pass
    try:
        schedule = Schedule.parse(name)
    except ValueError:
        return name
    if schedule.cancel_at:
        return f"{schedule.model} · the app is cancelled at its await number {schedule.cancel_at} ({name})"
    moment = schedule.moment
    at = f"before {moment.call}() number {moment.number}" if moment else "when it has said all"
    early = schedule.ending == "close" and moment == Moment("send", 1)  # before it is accepted, a client cannot close
    ending = "fin" if early else schedule.ending
    return f"{schedule.model} · {ENDS.get(ending, ending)} {at} ({name})"


# ---- the app's own line ------------------------------------------------------------------------------------------


def own_line(outcome: Outcome, session: Session) -> FrameSummary | None:
    """Return the innermost line of the app's own that an exception passed through, if the outcome tells of one.

    `session` is client a's, of the outcome's schedule.
    """
    for each in (session, *session.others):
        if each.letter == outcome.client and each.error is not None and describe(each.error) in outcome.got:
            own = [frame for frame in each.where if not _is_library(frame.filename)]
            return own[-1] if own else None
    return None


def line_in_words(frame: FrameSummary) -> str:
    """Return where a line is, seen from the current directory, and what stands there."""
    return f"{seen_from(Path.cwd(), frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}"


def seen_from(folder: Path, filename: str) -> str:
    """Return a file's path, relative if it is below the folder."""
    path = Path(filename)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


@functools.cache
def _libraries() -> tuple[Path, ...]:
    paths = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), str(Path(hangup.__file__).parent)}
    return tuple(Path(path).resolve() for path in paths)


def _is_library(filename: str) -> bool:
    return filename.startswith("<") or any(map(Path(filename).resolve().is_relative_to, _libraries()))
