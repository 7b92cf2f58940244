"""The exercises of lesson 06: senders that know at once, that know in time when the peer is silent, that count acks.

An answer here is a client's coroutine. Beside the exercises stands `late_sends`, by which the lesson asks other
releases.
"""

from helpers.exercises.late_send.acknowledged import ex3
from helpers.exercises.late_send.prompt import ex1
from helpers.exercises.late_send.releases import late_sends
from helpers.exercises.late_send.silence import ex2

__all__ = ["ex1", "ex2", "ex3", "late_sends"]
