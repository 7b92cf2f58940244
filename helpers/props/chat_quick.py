"""A plugin of pytest's for a job that is tried: explorations play on one model, and the client closes."""

from helpers.props.chat_trial import CLOSES, narrow


def pytest_configure() -> None:
    """Narrow what tests explore."""
    narrow(CLOSES, at_once=False)
