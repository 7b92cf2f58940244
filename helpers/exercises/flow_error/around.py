"""What lesson 03's exercises share: what they are given, and rules for a loop."""

from hangup.record import rules

LESSON = "03-flow-error"
PARAMETERS = ("scope", "receive", "send")
LOOP = (rules.answers_everything, rules.ends, rules.does_not_spin, rules.ends_quietly, rules.hears_goodbye_once)
"""What must hold for any loop over receive()."""
