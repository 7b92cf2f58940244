"""The exercises of lesson 01: a handler that says truthfully how its connection ended, and a push that notices."""

from helpers.exercises.three_endings.notice import ex2
from helpers.exercises.three_endings.testify import ended, ex1

__all__ = ["ended", "ex1", "ex2"]
