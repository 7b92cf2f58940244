"""A module per lesson, each with `ex1`, `ex2`, …; `exercise` says what they do, `helpers.rules` what they ask."""
