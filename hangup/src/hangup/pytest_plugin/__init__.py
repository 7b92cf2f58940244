"""For pytest: the fixture `hang_up`, which explores an app or a client in a test and fails it in words.

pytest loads this module in every run, so it imports nothing of hangup before a test asks for the fixture.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hangup.pytest_plugin.exploring import HangUp

__all__ = ["HangUp", "hang_up"]

NOT_KNOWN, REPLAYED, WRITTEN = "hangup not known", "hangup replay", "hangup report"
"""Names of the properties and sections by which a test tells, from a worker too, what the summary shows."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the three options."""
    group = parser.getgroup("hangup", "connections that end (hangup)")
    group.addoption("--hangup-replay", metavar="NAME", help="play this schedule alone, and show its picture")
    group.addoption("--hangup-limit", metavar="N", help="explore at most N schedules each time, spread evenly")
    group.addoption("--hangup-report", metavar="DIR", help="write an HTML report of each exploration to this folder")


def pytest_configure(config: pytest.Config) -> None:
    """Say in a sentence what is wrong with the options."""
    limit, name = config.getoption("hangup_limit"), config.getoption("hangup_replay")
    if limit is not None and not (limit.isdecimal() and int(limit)):
        raise pytest.UsageError(f"--hangup-limit: {limit!r} is no whole number above 0.")
    if name is not None:
        from hangup.pytest_plugin.exploring import is_schedule

        if not is_schedule(name):
            likes = "granian/reset@receive#2, or for a client upstream/reset@frame#2"
            raise pytest.UsageError(f"--hangup-replay: {name!r} is no schedule: they look like {likes}.")


@pytest.fixture
def hang_up(request: pytest.FixtureRequest) -> "HangUp":
    """End the connections of an app, or of a client, at every moment: `hang_up.explore(app, path="/ws")`.

    It takes what hangup.explore takes and returns its Report; the test fails if a rule breaks.
    """
    from hangup.pytest_plugin.exploring import HangUp

    return HangUp(request.node)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the pictures of schedules that were replayed, what is not known, and where the reports are."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, ())]
    replayed = f"Captured {REPLAYED} call"  # what pytest makes of a section's name
    pictures = [(each.nodeid, text) for each in reports for name, text in each.sections if name == replayed]
    if pictures:
        terminalreporter.section(REPLAYED)
        for test, text in pictures:
            terminalreporter.write_line(f"{test}\n{text}\n")
    for title in (NOT_KNOWN, WRITTEN):
        lines = [(each.nodeid, words) for each in reports for name, words in each.user_properties if name == title]
        if lines:
            terminalreporter.section(title)
            for test, words in lines:
                terminalreporter.write_line(f"{test}: {words}")


def __getattr__(name: str) -> Any:
    """Import HangUp, for annotations, when somebody asks for it."""
    if name != "HangUp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hangup.pytest_plugin.exploring import HangUp

    return HangUp


def report_file(folder: Path, test: str, number: int) -> Path:
    """Return the file for the report of a test's exploration of that number: each has its own."""
    import hashlib
    import re

    digest = hashlib.sha256(f"{test} {number}".encode()).hexdigest()[:8]
    return folder / f"{re.sub(r'[^A-Za-z0-9_.]+', '-', test).strip('-')[:100]}-{digest}.html"
