"""Names that are given to an exploration, of models, endings or faults, and the sentence for one that there is not."""

from collections.abc import Collection, Sequence


def choose(what: str, asked: Sequence[str], names: Collection[str]) -> None:
    """Raise ValueError, with a sentence, for a name that is asked for and that there is not."""
    for name in asked:
        if name not in names:
            raise ValueError(f"There is no {what} {name!r}: choose among {', '.join(names)}.")
