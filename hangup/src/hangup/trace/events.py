"""One thing that happened in a run, as a value, and the Run of many that is shown, with long repetitions folded."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

LONGEST_DETAIL = 60
LONGEST_NOTE = 200
BROKEN = frozenset({"raises", "send raises", "receive raises", "still running", "never returns", "not released"})
CUTS = frozenset({"TCP FIN", "TCP RST"})


@dataclass(frozen=True)
class Event:
    """One thing that happened: a message when `to` names a lifeline, otherwise a note on `actor`'s lifeline.

    `action` holds a name from ASGI (`websocket.receive`), RFC 6455 (`close`) or TCP (`TCP RST`), or a verb (`raises`).
    `detail` is text as a person reads it: one line, cut with an ellipsis after `LONGEST_DETAIL` characters, in a note
    after `LONGEST_NOTE`.
    `folded` is above zero only in what `fold` returns: so many repetitions are left out here.
    """

    actor: str
    action: str
    detail: str = ""
    to: str = ""
    folded: int = 0

    @property
    def broken(self) -> bool:
        """Whether a picture shows this event in red."""
        return self.action in BROKEN

    @property
    def cut(self) -> bool:
        """Whether the connection ends here without a closing handshake (RFC 6455 section 7.1.5: code 1006)."""
        return self.action in CUTS

    @property
    def label(self) -> str:
        """Action and detail on one line; of a plain note only its text."""
        return self.detail if self.action == "note" else f"{self.action} {self.detail}".rstrip()

    def __str__(self) -> str:
        """Return the event as a line of a timeline, not aligned."""
        if self.folded:
            return f"… {self.folded} more"
        arrow = f" → {self.to}" if self.to else ""
        return f"{self.actor}{arrow}: {'✗ ' if self.broken else ''}{self.label}"


@dataclass(frozen=True)
class Run:
    """What a picture or a text shows: rows from top to bottom, and each lifeline's title, from left to right."""

    rows: Sequence[Event]
    titles: dict[str, str]


def one_line(text: str, longest: int = LONGEST_DETAIL) -> str:
    r"""Return `text` as one printable line of at most `longest` characters.

    Control characters are written as Python escapes (`\n`, `\x00`), as are lone surrogates; a cut ends in an ellipsis.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    line = "".join(c if _printable(c) else c.encode("unicode_escape").decode("ascii") for c in cut)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _printable(character: str) -> bool:
    return character == " " or unicodedata.category(character) not in {"Cc", "Cs", "Cn", "Co", "Zl", "Zp", "Cf"}


def fold(events: Sequence[Event]) -> list[Event]:
    """Replace long repetitions: of a block that comes four times or more, keep the first and the last.

    Blocks are equal when actor, action and target are; between the two kept blocks stands an Event with `folded` set.
    """
    shapes = [(e.actor, e.action, e.to) for e in events]
    shown: list[Event] = []
    at = 0
    while at < len(events):
        length, times = _repetition(shapes, at)
        if times < 4:
            shown.append(events[at])
            at += 1
            continue
        end = at + length * times
        shown += events[at : at + length]
        shown.append(replace(events[at], detail="", folded=times - 2))
        shown += events[end - length : end]
        at = end
    return shown


def _repetition(shapes: Sequence[tuple[str, str, str]], at: int, longest: int = 8) -> tuple[int, int]:
    """Return length and count of the block at `at` that, repeated, covers most; ties go to the shorter block."""
    best = (1, 1)
    for length in range(1, longest + 1):
        block, times = shapes[at : at + length], 1
        while shapes[at + times * length : at + (times + 1) * length] == block:
            times += 1
        if times >= 4 and length * times > best[0] * best[1]:
            best = (length, times)
    return best
