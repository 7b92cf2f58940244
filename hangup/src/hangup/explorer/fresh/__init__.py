"""Plays each failure again on a fresh import of the app: `apart` starts an interpreter, `alone` plays in it."""
