"""The explorer of ASGI apps: schedules, one session played in memory by each, and what became of the app in them."""
