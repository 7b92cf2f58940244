"""A pytest plugin by which the job of "Your own app" is tried quickly: one model, and the client closes."""

from helpers.props.chat_trial import CLOSES, narrow


def pytest_configure() -> None:
    """Narrow what tests explore."""
    narrow(CLOSES, at_once=False)
