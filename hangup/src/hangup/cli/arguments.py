"""What the command's arguments mean: each function reads one, or says in a sentence why it cannot."""

import argparse
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from hangup.servers.script import Expect, Script, Send, steps_of

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


def named(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return what reads the name of a schedule by its `parse`, which raises ValueError for another word."""

    def schedule(name: str) -> T:
        try:
            return parse(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return schedule


# ---- what the client says --------------------------------------------------------------------------------------------


def script(text: str) -> Script:
    r"""Return the script that the steps are; a comma that is part of a step has a \ before it."""
    steps = [step.strip().replace("\\,", ",") for step in re.split(r"(?<!\\),", text)]
    if steps[-1] in {"close", "close:1001"}:
        steps.pop()
    return [_step(step) for step in steps]


def _step(step: str) -> Send | Expect:
    word, colon, words = step.partition(":")
    if word == "text" and colon:
        return Send(words)
    if word == "expect":
        return Expect(words if colon else None)
    if word == "close":
        raise argparse.ArgumentTypeError(f"{step!r}: the client closes once, as its last step, and with 1001 only.")
    raise argparse.ArgumentTypeError(
        rf"{step!r} is no step: a step is text:WORDS, expect, expect:WORDS or close, a comma in WORDS is \,"
    )


def steps(script: Script) -> str:
    """Return the steps that a script of one client is: `script` reads them back."""
    words = [
        "expect" if isinstance(step, Expect) and step.text is None else f"{_kind(step)}:{step.text}"
        for step in steps_of(script)
        if isinstance(step, Send | Expect)
    ]
    return ", ".join(word.replace(",", "\\,") for word in words) or "close"


def _kind(step: Send | Expect) -> str:
    return "text" if isinstance(step, Send) else "expect"
