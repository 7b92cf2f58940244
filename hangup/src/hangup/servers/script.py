"""What clients say, as data: the steps of a script, which is played in memory or on a real server.

Steps are said one after the other. Client a is the one whose connection ends. The others connect when a does, or, if
they say nothing before `Leave()` or begin with a Request of their own, when it is their turn. Requests at the very
beginning, such as a login, are made before anybody connects. A value that a reply has bound, `Expect(bind="token")`,
is filled in where a later step says `{token}`: that client's own, or else another's.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from json import dumps
from typing import Any

ABSENT: Any = ...
"""Stands for no JSON at all, where None would be null."""
Accepts = str | bytes | re.Pattern[str] | Callable[[Any], object]


@dataclass(frozen=True)
class Send:
    """A client sends a message: a text, bytes, or with `json` a value as the text of its JSON."""

    text: str | bytes = ABSENT
    by: str = "a"
    _: KW_ONLY
    json: InitVar[Any] = ABSENT

    def __post_init__(self, json: Any) -> None:
        """Keep a value as its text; raise TypeError for no message, or two."""
        if (self.text is ABSENT) == (json is ABSENT):
            raise TypeError("Send takes a text, bytes, or json=, and one of them.")
        if json is not ABSENT:
            object.__setattr__(self, "text", dumps(json))
        if not isinstance(self.text, str | bytes):
            raise TypeError(f"Send takes a text, bytes, or json=; {self.text!r} is of type {type(self.text).__name__}.")


@dataclass(frozen=True)
class Expect:
    """A client waits until a message arrives; with `text` or `json`, it must be the one that is meant.

    `text` is a text (or the same JSON), bytes, a pattern that finds something in it, or a function that says yes to it.
    With `json`, the message is JSON and holds at least this: an object may have more keys than are named.
    `bind` keeps what came under a name: the value at the JSON pointer `at` (RFC 6901), or else what the pattern's first
    group found, or else the message. After `Leave()` a client passes over other messages, which client a's end may or
    may not have caused.
    """

    text: Accepts | None = None
    by: str = "a"
    _: KW_ONLY
    json: Any = ABSENT
    bind: str = ""
    at: str = ""


@dataclass(frozen=True)
class Request:
    """A client makes an HTTP request to the same app, and keeps the cookies of the response for all that it asks later.

    `json` is sent as JSON, a mapping `data` as a form; `expect` is the status that the response must have (None: any
    below 400). `bind` and `at` are those of Expect, for the response's body.
    """

    method: str
    path: str
    by: str = "a"
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict)
    data: str | bytes | Mapping[str, str] = b""
    json: Any = ABSENT
    expect: int | None = None
    bind: str = ""
    at: str = ""


@dataclass(frozen=True)
class Wait:
    """Nobody says anything for so many seconds: virtual ones in memory, real ones on a real server, ten at most."""

    seconds: float

    def __post_init__(self) -> None:
        """Raise ValueError for what no clock can wait."""
        if not 0 <= self.seconds <= 1_000_000:
            raise ValueError(f"Wait takes seconds, at least 0 and at most a million, not {self.seconds!r}.")


@dataclass(frozen=True)
class Client:
    """How a client asks for its connection; it may stand anywhere in a script, and nothing happens there.

    Without `path`, which may have a query, a client asks for what the whole session asks for.
    """

    by: str = "a"
    path: str = ""
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    subprotocols: Sequence[str] = ()


@dataclass(frozen=True)
class Leave:
    """Client a's connection ends here, at the latest; what follows is said by those who stay.

    `code` is the close code that it says wherever it closes, None a close frame without one.
    """

    code: int | None = 1001


@dataclass(frozen=True)
class StopReading:
    """A client reads nothing from here on, so that what the app sends to it waits for room; it may still speak."""

    by: str = "a"


SILENT = "waited for an answer that did not come"
"""What a client missed whose `Expect` nobody answered."""
CLOSED = "the connection was closed before the client had finished"
"""What a client missed whose connection ended before its steps did."""
Act = Send | Expect | Request | StopReading
"""What one client does."""
Step = Act | Wait | Leave | Client
"""One thing that happens in a script, or says how a client connects."""
Script = Sequence[Step | str]
"""A script's steps; a plain string is short for `Send` of it."""
HELLO: Script = (Send('"hello"'), Expect())
"""The script of whoever gives none: a client says hello, in JSON, and waits for one answer."""


def steps_of(script: Script) -> list[Step]:
    """Return a script's steps; raise TypeError or ValueError with a sentence for what is none."""
    kinds = (
        "Send(text), Expect(), Request(method, path), Wait(seconds), Leave(), StopReading(), Client(letter) and strings"
    )
    for step in script:
        if not isinstance(step, Step | str):
            raise TypeError(f"A script is a list of {kinds} and strings; {step!r} is none of these.")
        by = step.by if isinstance(step, Act | Client) else "a"
        if not re.fullmatch("[a-z]", by):
            raise ValueError(f"A client is called by one small letter, a to z; {by!r} is none.")
    return [Send(step) if isinstance(step, str) else step for step in script]


def letters(steps: Sequence[Step]) -> list[str]:
    """Return who takes part in these steps, in order; client a always does."""
    return sorted({"a"} | {step.by for step in steps if isinstance(step, Act)})


def goodbye(steps: Sequence[Step]) -> int | None:
    """Return the code with which client a closes."""
    return next((step.code for step in steps if isinstance(step, Leave)), 1001)


def before_all(steps: Sequence[Step]) -> int:
    """Return how many steps are done before anybody connects: up to the last Request at the beginning."""
    early = itertools.takewhile(lambda step: isinstance(step, Request | Wait), steps)
    return max((n + 1 for n, step in enumerate(early) if isinstance(step, Request)), default=0)


def at_first(steps: Sequence[Step]) -> list[str]:
    """Return who connects at the beginning: client a, and who says something before `Leave()`, but no Request first."""
    first: dict[str, bool] = {}
    for step in itertools.takewhile(lambda step: not isinstance(step, Leave), steps[before_all(steps) :]):
        if isinstance(step, Act):
            first.setdefault(step.by, not isinstance(step, Request))
    return sorted({"a"} | {letter for letter, at_once in first.items() if at_once})


def by(letter: str, script: Script) -> list[Step]:
    """Return the script of one client as another client's."""
    return [replace(step, by=letter) if isinstance(step, Act | Client) else step for step in steps_of(script)]


def beside(script: Script, other: Script) -> list[Step]:
    """Return a script in which client b goes through `other` beside client a's `script`, and stays when a leaves.

    Their steps alternate, so that one's message may arrive while the other's is answered.
    """
    return _alternating([steps_of(script), by("b", other)])


def crowd(script: Script, n: int) -> list[Step]:
    """Return a script in which `n` clients say the same at once: choose one more than any pool in the app has.

    Raises ValueError for more than 26 or fewer than one.
    """
    if not 1 <= n <= 26:
        raise ValueError(f"A crowd is of 1 to 26 clients, and {n} is not.")
    return _alternating([by(chr(ord("a") + number), script) for number in range(n)])


def _alternating(scripts: Sequence[Sequence[Step]]) -> list[Step]:
    return [step for steps in itertools.zip_longest(*scripts) for step in steps if step is not None]
