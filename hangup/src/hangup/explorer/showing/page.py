"""A Report as one HTML page that needs nothing else: table, outcomes with pictures, what is not known, every schedule.

It follows the reader's light or dark, can be printed, and asks no other host for anything.
"""

from collections.abc import Callable, Iterable
from html import escape
from importlib.resources import files

from hangup.explorer.report import Report
from hangup.explorer.showing.outcomes import (
    Outcome,
    Play,
    heading,
    line_in_words,
    outcomes,
    own_line,
    remarks,
    unknowns,
)
from hangup.record.session import Session
from hangup.trace.picture import svg

PICTURES = 12  # schedules that are played again to draw them, at most
LARGEST = 100_000  # characters of a picture; a longer run is told in words
LONGEST = 20_000  # characters of a run in words
ROWS = 5_000  # schedules that are listed, at most
SEARCH = (
    '<p><input type="search" aria-label="search" placeholder="search: granian reset, raised, send#2 …">'
    '<span class="quiet" id="found" aria-live="polite"></span></p>'
)
Command = Callable[[str], str]
"""Returns the command that plays the schedule of that name again."""


def page(report: Report, *, title: str = "", about: str = "", play: Play | None = None, command: Command = str) -> str:
    """Return a report as an HTML document.

    `about` is a line or more on what was explored and how. `play` plays a schedule again, for the picture of the first
    of each outcome, of `PICTURES` at most; without it there are none. `command` returns what plays it for a reader.
    """
    found = outcomes(report)
    mark = '<span class="good">✓</span>' if report.ok else '<span class="bad">✗</span>'
    title = title or "What hangup found"
    quiet = f'<p class="quiet">{escape(about)}</p>' if about else ""
    parts = [
        f"<h1>{mark} {escape(title)}</h1>{quiet}<p>{escape(heading(report))}</p>{_table(report)}",
        SEARCH,
        _outcomes(found, report, play, command),
        _list("Not known", unknowns(report)),
        _list("Remarks", remarks(report)),
        _schedules(report, found),
    ]
    here = files("hangup.explorer.showing")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>\n{style}</style></head>\n'
        f"<body>\n{body}\n<script>\n{script}</script></body></html>\n"
    )


def _table(report: Report) -> str:
    """Return the table; what is in a field is found by a click on it."""
    head, rows = report.table.header, report.table.rows
    lines = [f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>"]
    for first, *rest in rows:
        cells = [_field(f"{first}/{ending}@", cell) for ending, cell in zip(head[1:], rest, strict=True)]
        lines.append(f"<tr><th>{escape(first)}</th>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _field(query: str, cell: str) -> str:
    colour = {"✗": "bad", "✓": "good"}.get(cell[:1], "quiet")
    inside = f'<button value="{escape(query)}">{escape(cell)}</button>' if cell else ""
    return f'<td class="{colour}">{inside}</td>'


# ---- outcomes ----------------------------------------------------------------------------------------------------


def _outcomes(found: list[Outcome], report: Report, play: Play | None, command: Command) -> str:
    """Return a card for each outcome; the pictures are drawn once for each schedule."""
    names = list(dict.fromkeys(outcome.schedule for outcome in found))[:PICTURES]
    played = {name: play(name) for name in names} if play is not None else {}
    cards = [_card(each, report, played, command) for each in found]
    return f"<h2>What broke, {len(found):,} outcome{'s' * (len(found) > 1)}</h2>{''.join(cards)}" if cards else ""


def _card(outcome: Outcome, report: Report, played: dict[str, Session], command: Command) -> str:
    session = played.pop(outcome.schedule, None)
    frame = None if session is None else own_line(outcome, session)
    lines = {
        "when": outcome.when,
        "got": outcome.got,
        "where": line_in_words(frame) if frame else "",
        "how often": outcome.how_often(report),
        "again": command(outcome.schedule),
    }
    told = "".join(f"<dt>{name}</dt><dd>{escape(words)}</dd>" for name, words in lines.items() if words)
    find = escape(f"{outcome.rule} {outcome.got} {' '.join(outcome.schedules)}".lower())
    picture = "" if session is None else _picture(session)
    return (
        f'<section class="outcome" data-find="{find}"><h3>✗ {escape(outcome.rule)}</h3><dl>{told}</dl>'
        f"{picture}</section>"
    )


def _picture(session: Session) -> str:
    run, text = session.trace.run, str(session.trace)
    shown = f"<pre>{escape(text[:LONGEST])}{'…' * (len(text) > LONGEST)}</pre>"
    image = svg(run)
    if len(image) > LARGEST:
        return shown
    return f'<figure class="picture">{image}</figure><details><summary>as text</summary>{shown}</details>'


# ---- lists -------------------------------------------------------------------------------------------------------


def _list(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{title}</h2><ul>{items}</ul>" if items else ""


def _schedules(report: Report, found: list[Outcome]) -> str:
    """Return every schedule that was explored, how the app ended under it, and what it broke."""
    broke: dict[str, list[str]] = {}
    for outcome in found:
        for name in outcome.schedules:
            broke.setdefault(name, []).append(outcome.rule)
    lines = [_row(name, ended, broke.get(name, [])) for name, ended in report.how[:ROWS]]
    more = len(report.how) - ROWS
    left = f'<p class="quiet">{more:,} more are not listed.</p>' if more > 0 else ""
    head = "<tr><th>schedule</th><th>ended</th><th>broke</th></tr>"
    return (
        f'<h2>Every schedule</h2><details id="all"><summary>{len(report.how):,} schedules</summary>'
        f'<div class="wide"><table>{head}{"".join(lines)}</table></div>{left}</details>'
    )


def _row(name: str, ended: str, rules: list[str]) -> str:
    mark = '<span class="bad">✗</span>' if rules else '<span class="good">✓</span>'
    words = escape("; ".join(dict.fromkeys(rules)))
    find = escape(f"{name} {ended} {words}".lower())
    return f'<tr data-find="{find}"><td>{mark} {escape(name)}</td><td>{escape(ended)}</td><td>{words}</td></tr>'
