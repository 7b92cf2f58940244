"""What the tests of the course share; some of it comes from those of hangup."""

from support.leaks import leaves_nothing

__all__ = ["leaves_nothing"]

pytest_plugins = ["pytester"]
