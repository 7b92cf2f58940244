"""The exercises of the last lesson: what breaks, how it is mended, and the test that keeps it so."""

from helpers.exercises.your_own_app.find import ex1
from helpers.exercises.your_own_app.keep import ex3
from helpers.exercises.your_own_app.mend import ex2

__all__ = ["ex1", "ex2", "ex3"]
