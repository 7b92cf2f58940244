"""A Report for a pull request on GitHub: a job summary in Markdown, and annotations at the app's own lines.

Both are workflow commands of GitHub Actions: the summary is a file, an annotation a line that a step prints.
"""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from hangup.explorer.report import Report
from hangup.explorer.showing.outcomes import (
    Outcome,
    heading,
    line_in_words,
    outcomes,
    own_line,
    remarks,
    seen_from,
    unknowns,
)
from hangup.explorer.showing.page import Command
from hangup.record.session import Session

SHOWN = 20  # outcomes, and lines of a list
DRAWN = 200  # lines of a picture: GitHub refuses longer ones


def job_summary(report: Report, *, title: str, first: Session | None = None, command: Command = str) -> str:
    """Return the report as Markdown; `first` is the session of its first outcome, played again for the picture."""
    found = outcomes(report)
    lines = [f"### {'✓' if report.ok else '✗'} {_words(title)}", "", _words(heading(report)), ""]
    lines += [_row(report.table.header), _row("---" for _ in report.table.header), *map(_row, report.table.rows), ""]
    for outcome in found[:SHOWN]:
        session = first if first is not None and outcome is found[0] else None
        lines += _told(outcome, report, session)
    if len(found) > SHOWN:
        lines += [f"and {len(found) - SHOWN} more outcomes", ""]
    if first is not None and len(drawn := first.trace.mermaid().splitlines()) <= DRAWN:
        lines += [*_block("\n".join(drawn), "mermaid"), ""]
    if found:
        lines += ["See it again:", "", *_block(command(found[0].schedule), "console"), ""]
    for name, said in (("Not known", unknowns(report)), ("Remarks", remarks(report))):
        lines += [f"**{name}**", "", *(f"- {_words(line)}" for line in said[:SHOWN]), ""] if said else []
    return "\n".join(lines)


def annotation(outcome: Outcome, session: Session, root: Path) -> str:
    """Return the line that marks the app's own line in a pull request; an empty text if the line is not known.

    `root` is the folder of the repository.
    """
    frame = own_line(outcome, session)
    if frame is None:
        return ""
    file = seen_from(root, str(Path(frame.filename).resolve()))
    place = f"file={_property(file)},line={frame.lineno},title={_property(f'hangup: {outcome.rule}')}"
    return f"::error {place}::{_data(f'{outcome.got} ({outcome.when})')}"


def _told(outcome: Outcome, report: Report, session: Session | None) -> list[str]:
    frame = own_line(outcome, session) if session is not None else None
    lines = [outcome.got, f"when: {outcome.when}", *([f"where: {line_in_words(frame)}"] if frame else [])]
    return [f"**✗ {_words(outcome.rule)}**: {outcome.how_often(report)}", "", *_block("\n".join(lines), ""), ""]


def _block(text: str, language: str) -> list[str]:
    """Return a fenced block whose fence is longer than any in the text (CommonMark 0.31, section 4.5)."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [f"{fence}{language}", text, fence]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_words(cell) for cell in cells)} |"


def _words(text: str) -> str:
    """Return text that Markdown takes as words: any ASCII punctuation may have a backslash (CommonMark, 2.4)."""
    return re.sub(r"([\\`*_\[\]|~#@])", r"\\\1", escape(" ".join(text.split()), quote=False))


def _data(text: str) -> str:
    printable = text.encode("utf-8", "backslashreplace").decode()  # an app may say lone surrogates
    return printable.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
