"""What the command's arguments mean: each function reads one, or says in a sentence why it cannot."""

import argparse
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def path(text: str) -> str:
    """Return what a client asks for."""
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"a path begins with /, and {text!r} does not.")
    return text


def sessions(text: str) -> int:
    """Return a number of sessions, which may be 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number.")
    return int(text)


def limit(text: str) -> int:
    """Return a number of schedules."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0.")
    return int(text)


def crowd(text: str) -> int:
    """Return a number of clients."""
    if not text.isdecimal() or not 1 <= int(text) <= 26:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of clients from 1 to 26.")
    return int(text)


def named(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return what reads the name of a schedule by its `parse`, which raises ValueError for another word."""

    def schedule(name: str) -> T:
        try:
            return parse(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return schedule
