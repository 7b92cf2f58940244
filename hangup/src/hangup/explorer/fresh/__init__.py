"""Plays each failure again on a fresh import of the app: `apart` starts an interpreter, `alone` plays in it.

What an earlier exploration has left is not there either: `anew` and `within` run the app's module once more.
"""
