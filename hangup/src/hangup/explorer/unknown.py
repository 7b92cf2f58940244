"""What an exploration does not know: neither that a rule broke, nor that it held."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """Something that is not known, such as a schedule, and why."""

    what: str
    why: str
    rule: str = ""
    """The sentence of the one rule that this is about; without one it is about all."""

    def __str__(self) -> str:
        """Return it in words."""
        return f"not known: {self.what}: {self.why}"


def in_words(unknown: Sequence[Unknown]) -> list[str]:
    """Return a line for each reason: the first that it concerns, and how many more."""
    whys = dict.fromkeys(each.why for each in unknown)
    lines = []
    for why in whys:
        of = [each.what for each in unknown if each.why == why]
        more = f" and {len(of) - 1:,} more" if len(of) > 1 else ""
        lines.append(f"? {of[0]}{more}: not known: {why}")
    return lines
