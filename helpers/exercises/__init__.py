"""A module per lesson, each with `ex1`, `ex2`, …; see `exercise` for what they do and `rules` for what they ask."""
