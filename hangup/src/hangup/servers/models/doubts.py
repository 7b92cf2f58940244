"""Where a model may not be true of the server that is installed here: its release is older or newer than measured."""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from hangup.servers.models.model import Model

_found = functools.cache(version)
Installed = Callable[[str], str | None]
"""Returns the installed release of a distribution, None if it is not installed."""


def installed(package: str) -> str | None:
    """Return the release of a distribution that is installed here, None if there is none.

    Once found, it is not looked for again: what is imported stays what it is.
    """
    try:
        return _found(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Doubt:
    """One line on a server whose installed release its models may not be true of.

    A `warning` is of a release older than a model: what the model does, the server is known to do otherwise, or was
    never seen to do. Without it the release is newer than all that were measured, which has seldom changed a thing.
    """

    words: str
    warning: bool

    def __str__(self) -> str:
        """Return the line, a warning with a mark before it."""
        return f"! {self.words}" if self.warning else self.words


def doubts(models: Iterable[Model], installed: Installed = installed) -> list[Doubt]:
    """Return one Doubt at most for each server of these models; none for a server that is not installed."""
    of_packages: dict[str, list[Model]] = {}
    for model in models:
        of_packages.setdefault(model.package, []).append(model)
    found = (_doubt(package, rows, installed(package)) for package, rows in of_packages.items())
    return [doubt for doubt in found if doubt is not None]


def _doubt(package: str, models: list[Model], release: str | None) -> Doubt | None:
    if release is None:
        return None
    here = f"{package} {release} is installed here"
    if older := [model for model in models if order(release) < order(model.since)]:
        rows = ", ".join(f"{model.name} (true since {model.since})" for model in older)
        return Doubt(f"{here}, older than what is modelled: {rows}.", warning=True)
    measured = max((model.measured for model in models), key=order)
    if order(release) > order(measured):
        return Doubt(f"{here}; the newest release that was measured is {measured}.", warning=False)
    return None


def with_releases(models: Iterable[Model], installed: Installed = installed) -> str:
    """Return the names of these models with their releases, and which server is not installed here, in one line."""
    absent = {True: ", not installed here", False: ""}
    return ", ".join(f"{each.name} ({each.releases}{absent[installed(each.package) is None]})" for each in models)


def order(release: str) -> tuple[tuple[int, ...], bool]:
    """Return what sorts releases (PEP 440): the numbers, and then a pre-release before the release itself."""
    numbers = [int(number) for number in re.findall(r"\d+", re.split(r"[^0-9.]|\.dev|\.post", release)[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), re.search(r"\d(a|b|rc|\.?dev)\d", release) is None
