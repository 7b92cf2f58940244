"""The exercises of lesson 02: a counter in callbacks, one reader for an answering machine, a seat in a hall."""

from helpers.exercises.double_receive.answer import ex2, words
from helpers.exercises.double_receive.count import ex1
from helpers.exercises.double_receive.sit import ex3

__all__ = ["ex1", "ex2", "ex3", "words"]
