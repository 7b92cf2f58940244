"""What clients say, as data: the steps of a script, which is played in memory or on a real server."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Send:
    """A client sends a text message."""

    text: str
    by: str = "a"


@dataclass(frozen=True)
class Expect:
    """A client waits until a message arrives; with `text`, it must be this one, or the same JSON.

    After `Leave()` a client passes over other messages, which client a's end may or may not have caused.
    """

    text: str | None = None
    by: str = "a"


@dataclass(frozen=True)
class Leave:
    """Client a's connection ends here, at the latest; what follows is said by those who stay."""


@dataclass(frozen=True)
class StopReading:
    """A client reads nothing from here on, so that what the app sends to it waits for room; it may still speak."""

    by: str = "a"


SILENT = "waited for an answer that did not come"
"""What a client missed whose `Expect` nobody answered."""
CLOSED = "the connection was closed before the client had finished"
"""What a client missed whose connection ended before its steps did."""
Step = Send | Expect | Leave | StopReading
"""One thing that a client does."""
Script = Sequence[Step | str]
"""A script's steps, said one after the other; a plain string is short for `Send` of it.

Client a is the one whose connection ends. The others connect when a does, or, if they say nothing before `Leave()`,
when it is their turn.
"""
HELLO: Script = (Send('"hello"'), Expect())
"""The script of whoever gives none: a client says hello, in JSON, and waits for one answer."""


def steps_of(script: Script) -> list[Step]:
    """Return a script's steps; raise TypeError with a sentence for what is none."""
    for step in script:
        if not isinstance(step, Step | str):
            kinds = "Send(text), Expect(), Leave(), StopReading() and strings"
            raise TypeError(f"A script is a list of {kinds}; {step!r} is none of these.")
    return [Send(step) if isinstance(step, str) else step for step in script]


def letters(steps: Sequence[Step]) -> list[str]:
    """Return who takes part in these steps, in order; client a always does."""
    return sorted({"a"} | {step.by for step in steps if not isinstance(step, Leave)})


def beside(script: Script, other: Script) -> list[Step]:
    """Return a script in which client b goes through `other` beside client a's `script`, and stays when a leaves.

    Their steps alternate, so that one's message may arrive while the other's is answered.
    """
    moved = [step if isinstance(step, Leave) else replace(step, by="b") for step in steps_of(other)]
    pairs = itertools.zip_longest(steps_of(script), moved)
    return [step for pair in pairs for step in pair if step is not None]


def as_expected(step: Expect, got: str | bytes) -> str:
    """Return what is wrong with a message that came for an Expect, or nothing."""
    same = step.text is None or got == step.text or _json(got) == _json(step.text) != ""
    return "" if same else f"expected {step.text!r}, got {got!r}"


def _json(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return ""
