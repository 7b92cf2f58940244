"""A module per lesson, each with `ex1`, `ex2`, …; `exercise` says what they do, `hangup.record.rules` what they ask."""
