"""What the tests of hangup share."""

from support.leaks import leaves_nothing

__all__ = ["leaves_nothing"]
