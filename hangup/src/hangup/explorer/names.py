"""Checks the names of models, endings and faults that a caller gives: an unknown one raises ValueError."""

from collections.abc import Collection, Sequence


def choose(what: str, asked: Sequence[str], names: Collection[str]) -> None:
    """Raise ValueError, with a sentence, for a name that is asked for and that there is not."""
    for name in asked:
        if name not in names:
            raise ValueError(f"There is no {what} {name!r}: choose among {', '.join(names)}.")
