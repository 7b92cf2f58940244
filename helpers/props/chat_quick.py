"""A pytest plugin by which the job of "Your own app" is tried quickly: one model, and the client closes."""

from pathlib import Path

import pytest

from helpers.props.chat_trial import CLOSES, narrow


def pytest_configure() -> None:
    """Narrow what tests explore."""
    narrow(CLOSES, at_once=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write a page where tests were collected only: of tests that pass there is a report, too."""
    folder = session.config.getoption("--hangup-report", None)
    if folder and session.config.getoption("--collect-only"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "test_chat.html").write_text("<p>collected</p>\n", encoding="utf-8")
