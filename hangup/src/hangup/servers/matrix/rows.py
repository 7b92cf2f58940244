"""What was measured: a Row for a server and its release, kept as JSON, and shown side by side or against another."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from hangup.servers.matrix.specification import SAYS, departs
from hangup.servers.models.doubts import order
from hangup.trace.table import Table


@dataclass(frozen=True)
class Row:
    """One server's answers: `release` and `date` (ISO 8601) say of what and when, `python` on which Python.

    `oserrors` names those exceptions among the answers that are subclasses of OSError.
    """

    server: str
    release: str
    date: str
    python: str
    answers: dict[str, str]
    oserrors: tuple[str, ...] = ()
    spec_version: str = ""
    """The version of the specification that the server names to its apps; what holds for it depends on that."""
    beside: tuple[str, ...] = ()
    """What else was installed that the server speaks WebSocket with, such as `websockets 17.4`."""

    @property
    def title(self) -> str:
        """The server and its release."""
        return f"{self.server} {self.release}".strip()

    def departs(self, question: str) -> bool:
        """Whether the answer to a question is other than what the specification says."""
        return departs(question, self.answers[question], set(self.oserrors), self.spec_version)


def as_json(rows: Sequence[Row]) -> str:
    """Return rows as JSON, which `read` reads back."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def read(text: str) -> list[Row]:
    """Return the rows that are in a JSON; raise ValueError with a sentence if there are none."""
    try:
        found = json.loads(text)
        return [Row(**{**each, "oserrors": tuple(each["oserrors"]), "beside": tuple(each["beside"])}) for each in found]
    except (ValueError, TypeError, KeyError):
        raise ValueError("this is no JSON that `hangup servers --json` has written.") from None


def measured() -> list[Row]:
    """Return the rows that come with hangup, by server, then by release, the newest first."""
    kept = files("hangup.servers.matrix") / "measured"
    rows = [row for each in kept.iterdir() if each.name.endswith(".json") for row in read(each.read_text("utf-8"))]
    rows.sort(key=lambda row: order(row.release), reverse=True)
    return sorted(rows, key=lambda row: row.server)


def keep(row: Row, folder: Path) -> Path:
    """Write a row into a file of its own, named by the server and its release."""
    file = folder / f"{row.server}-{row.release}.json"
    file.write_text(as_json([row]), encoding="utf-8")
    return file


# ---- shown -----------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row], *, specification: bool = True) -> Table:
    """Return the rows side by side, a column each; ✗ departs from the specification, whose words are last."""
    header = ("", *(row.title for row in rows), *(["the specification"] if specification else []))
    lines = [
        (question, *(_field(row, question) for row in rows), *([SAYS[question]] if specification else []))
        for question in SAYS
    ]
    return Table(header, tuple(lines))


def in_words(row: Row) -> str:
    """Return one server's answers, each with what the specification says below it."""
    width = max(map(len, SAYS))
    lines = [f"{row.title}, which names version {row.spec_version or '?'} of the specification, asked on {row.date}"]
    for question, says in SAYS.items():
        lines += [f"{question:{width}}  {_field(row, question)}", f"{'':{width}}    {says}"]
    return "\n".join(lines)


def _field(row: Row, question: str) -> str:
    return f"{'✗ ' if row.departs(question) else ''}{row.answers[question]}"


def against(row: Row, other: Row) -> list[str]:
    """Return a line for each answer in which a row differs from another, such as the last release's."""
    return [
        f"{question}: {other.answers.get(question, '?')} -> {answer}"
        for question, answer in row.answers.items()
        if not same(answer, other.answers.get(question, "?"))
    ]


def same(one: str, another: str) -> bool:
    """Whether two answers mean the same: a code that is told and then told for ever is told for ever."""
    return _plain(one) == _plain(another)


def _plain(answer: str) -> str:
    first, comma, rest = answer.partition(", ")
    return rest if comma and rest == f"{first} for ever" else answer


def changes(rows: Sequence[Row]) -> Table:
    """Return, for each server, the releases of which one row is true, and how many answers changed with the next."""
    lines: list[tuple[str, ...]] = []
    before: Row | None = None
    for row in reversed(rows):
        changed = against(row, before) if before is not None and before.server == row.server else None
        words = "" if changed is None else "as before" if not changed else f"{len(changed)} differ"
        lines.append((row.title, row.date, words))
        before = row
    return Table(("", "measured", "from the release before"), tuple(lines))


def html(rows: Sequence[Row]) -> str:
    """Return a page of its own with the rows side by side."""
    shown: dict[str, str] = table(rows)._repr_mimebundle_()
    dates = ", ".join(dict.fromkeys(row.date for row in rows))
    style = "body{font:15px/1.4 system-ui,sans-serif;margin:2em;color-scheme:light dark}td,th{padding:.2em .8em}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>What each server does</title><style>{style}</style>"
        f"<h1>What each server does once the peer is gone</h1><p>Asked on {escape(dates)}. "
        f"✗ departs from what the specification says or recommends.</p>{shown['text/html']}</html>\n"
    )
