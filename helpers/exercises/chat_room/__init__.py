"""The exercises of lesson 07: a room with Broadcaster, one that survives its members, one with limits."""

from helpers.exercises.chat_room.limits import ex3
from helpers.exercises.chat_room.members import ex2
from helpers.exercises.chat_room.room import FAREWELL, ex1

__all__ = ["FAREWELL", "ex1", "ex2", "ex3"]
