"""What a check says: the rule in plain words, when it broke, what happened, where, the picture, and how often."""

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

from hangup.trace.picture import html
from hangup.trace.table import BAD, GOOD, QUIET
from hangup.trace.trace import Trace

Outcome = Literal["pass", "fail", "not attempted", "no answer", "not known"]
MARKS = {"pass": "✓", "fail": "✗", "not attempted": "○", "no answer": "✗", "not known": "?"}
_COLOURS = {"pass": GOOD, "fail": BAD, "not attempted": QUIET, "no answer": BAD, "not known": QUIET}


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check; the last line of a cell shows it with the picture of the session that broke.

    `facts` are pairs such as ("when", "granian · …"); `note` is the closing line; `rule` names the broken rule.
    """

    exercise: str
    outcome: Outcome
    headline: str
    facts: tuple[tuple[str, str], ...] = ()
    note: str = ""
    rule: str = ""
    trace: Trace | None = None

    @property
    def passed(self) -> bool:
        """Whether the answer kept every rule."""
        return self.outcome == "pass"

    def __str__(self) -> str:
        """Return the verdict as text, with the session as a timeline."""
        return "\n".join(self._lines(str(self.trace) if self.trace is not None else ""))

    __repr__ = __str__

    def _lines(self, session: str) -> list[str]:
        lines = [f"{MARKS[self.outcome]} {self.exercise} · {self.headline}"]
        lines += [f"  {name:6} {text}" for name, text in self.facts]
        lines += [f"    {line}" for line in session.splitlines()]
        return lines + ([f"  {self.note}"] if self.note else [])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        rows = "".join(
            f'<tr><td style="text-align:left;vertical-align:top;opacity:0.65">{escape(name)}</td>'
            f'<td style="text-align:left"><code>{escape(text)}</code></td></tr>'
            for name, text in self.facts
        )
        picture = html(self.trace.run, str(self.trace)) if self.trace is not None else ""
        page = (
            f'<p><b style="color:{_COLOURS[self.outcome]}">{MARKS[self.outcome]} {escape(self.exercise)}</b> · '
            f"{_prose(self.headline)}</p>"
            + (f"<table>{rows}</table>" if rows else "")
            + picture
            + (f"<p>{_prose(self.note)}</p>" if self.note else "")
        )
        return {"text/html": page, "text/plain": str(self)}


def _prose(text: str) -> str:
    """Return a sentence as HTML, in which what stands between two backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))
