"""What a client makes of an answer: whether it is the one that it expected, and what of it is said again later."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangup.servers.script import ABSENT, Expect, Request, Step

Got = str | bytes


def as_expected(step: Expect, got: Got) -> str:
    """Return what is wrong with a message that came for an Expect, or nothing."""
    wanted = step.text
    if step.json is ABSENT and (wanted is None or got == wanted):
        return ""
    if step.json is not ABSENT and not _holds(_json(got), step.json):
        return f"expected JSON with {json.dumps(step.json)}, got {got!r}"
    if isinstance(wanted, re.Pattern):
        same = isinstance(got, str) and wanted.search(got) is not None
        return "" if same else f"expected /{wanted.pattern}/, got {got!r}"
    if callable(wanted):
        return "" if _says_yes(wanted, got) else f"expected {_name(wanted)}, got {got!r}"
    same = wanted is None or got == wanted or _same(_json(got), _json(wanted))
    return "" if same else f"expected {wanted!r}, got {got!r}"


def _says_yes(test: Callable[[Any], object], got: Got) -> bool:
    try:
        return bool(test(got))
    except Exception:  # a test that reads JSON fails on what is none: that is another message
        return False


def _name(test: Callable[[Any], object]) -> str:
    return f"what {getattr(test, '__name__', 'the test')} accepts"


def _json(text: Got) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ABSENT


def _same(got: Any, wanted: Any) -> bool:
    """Return whether both are the same JSON: `true` is not `1`, which Python takes for the same."""
    return ABSENT not in (got, wanted) and _holds(got, wanted) and _holds(wanted, got)


def _holds(got: Any, wanted: Any) -> bool:
    """Return whether a value is the one that is wanted, or an object with at least its keys."""
    if isinstance(wanted, Mapping):
        return isinstance(got, dict) and all(key in got and _holds(got[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        same = isinstance(got, list) and len(got) == len(wanted)
        return same and all(_holds(one, other) for one, other in zip(got, wanted, strict=True))
    return (type(got) is type(wanted) and bool(got == wanted)) or _number(got) == _number(wanted) is not None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def at(pointer: str, value: Any) -> Any:
    """Return what is at a JSON pointer (RFC 6901), ABSENT if nothing is."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return ABSENT
    return value


# ---- what is said again ------------------------------------------------------------------------------------------


def names_of(steps: Iterable[Step]) -> frozenset[str]:
    """Return the names that a script binds."""
    return frozenset(step.bind for step in steps if isinstance(step, Expect | Request) and step.bind)


@dataclass
class Values:
    """What the clients of a session have kept of the answers, under the `names` that its script binds."""

    names: frozenset[str]
    _of: dict[str, dict[str, Any]] = field(default_factory=dict)

    def keep(self, step: Expect | Request, got: Got) -> str:
        """Keep what a step binds of an answer; return what is wrong with the answer, or nothing."""
        if not step.bind:
            return ""
        value: Any = got
        if step.at:
            value = at(step.at, _json(got))
        elif isinstance(step, Expect) and isinstance(step.text, re.Pattern) and isinstance(got, str):
            found = step.text.search(got)
            value = found[1] if found is not None and step.text.groups else got
        if value is ABSENT:
            return f"expected JSON with a value at {step.at}, got {got!r}"
        self._of.setdefault(step.by, {})[step.bind] = value
        return ""

    def filled(self, by: str, text: str) -> str | None:
        """Return a text with its values filled in, None if one of them is not known.

        In JSON, `"{id}"` becomes the value as it was, a number a number; elsewhere `{id}` becomes its text.
        """
        if not self.names or "{" not in text:
            return text
        said = {name for name in re.findall(r"\{(\w+)\}", text) if name in self.names}
        known = {name: self._one(by, name) for name in said}
        if ABSENT in known.values():
            return None
        is_json = _json(text) is not ABSENT
        for name, value in known.items():
            if is_json:
                text = text.replace(f'"{{{name}}}"', json.dumps(_plain(value)))
            as_text = _text(value)
            text = text.replace(f"{{{name}}}", json.dumps(as_text)[1:-1] if is_json else as_text)
        return text

    def _one(self, by: str, name: str) -> Any:
        others: Sequence[str] = sorted(self._of)
        return next((self._of[who][name] for who in (by, *others) if name in self._of.get(who, {})), ABSENT)


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    value = _plain(value)
    return value if isinstance(value, str) else json.dumps(value)
