"""The explorer of ASGI apps: schedules, one session played in memory, and the exploration of them all."""
