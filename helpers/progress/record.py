"""The file that remembers: each exercise's last outcome, the answers that passed, and the last one that did not.

It is JSON in the learner's folder, work/progress.json. Two kernels may write at once: each holds the file's lock while
it reads, changes and replaces it. A file that cannot be read is kept aside, and a new one is begun.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from helpers.workspace import files

PROGRESS = "AFTER_THE_DISCONNECT_PROGRESS"
"""The environment's name for another file; if it is empty, nothing is remembered."""
VERSION = 1
ANSWERS = 20  # different answers to one exercise that are kept
LONGEST = 100_000  # characters of one answer


@dataclass(frozen=True)
class Answer:
    """The source of an answer, and when it was judged, in ISO 8601."""

    at: str
    source: str


@dataclass(frozen=True)
class Entry:
    """What is remembered of one exercise; `passes` are different answers, the last one last."""

    outcome: str = ""
    rule: str = ""
    passes: tuple[Answer, ...] = ()
    tried: Answer | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """✓ for what has passed once, ✗ for what has only failed, ○ for what was not tried."""
        return "✓" if self.passes else "✗" if self.outcome else "○"


Entries = dict[str, Entry]
"""Exercises by name: `double-receive 1`."""


def path() -> Path | None:
    """Return the file, which may not exist yet; None if nothing is to be remembered."""
    named = os.environ.get(PROGRESS)
    if named is None:
        return files.work() / "progress.json"
    return Path(named).expanduser().resolve() if named else None


def read(file: Path) -> Entries:
    """Return what a file remembers; nothing if there is none. Raises ValueError for one that is broken, OSError."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"its version is {data['version']!r}, and this course reads {VERSION}")
        return {str(name): _entry(entry) for name, entry in data["exercises"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no progress file ({error})") from None


def add(file: Path, name: str, outcome: str, rule: str, source: str) -> str:
    """Remember a verdict and the answer it is on; return a sentence if the file was broken. Raises OSError."""
    sentence = ""
    with files.locked(file):
        try:
            entries = read(file)
        except ValueError as error:
            kept = files.keep(file)
            sentence = f"{files.shown(file)} cannot be read: {error}. It is kept as {files.shown(kept)}."
            entries = {}
        entries[name] = _with(entries.get(name, Entry()), outcome, rule, source[:LONGEST])
        data = {"version": VERSION, "exercises": {each: _plain(entry) for each, entry in entries.items()}}
        files.write(file, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    return sentence


def _with(entry: Entry, outcome: str, rule: str, source: str) -> Entry:
    answer = Answer(datetime.now().astimezone().isoformat(timespec="seconds"), source)
    if outcome != "pass":
        return Entry(outcome, rule, entry.passes, answer, entry.more)
    others = [each for each in entry.passes if each.source != source]
    return Entry(outcome, rule, (*others, answer)[-ANSWERS:], entry.tried, entry.more)


def _entry(data: Mapping[str, Any]) -> Entry:
    tried = data.get("tried")
    return Entry(
        str(data["outcome"]),
        str(data.get("rule", "")),
        tuple(_answer(each) for each in data.get("passes", [])),
        None if tried is None else _answer(tried),
        {key: value for key, value in data.items() if key not in Entry.__dataclass_fields__},
    )


def _answer(data: Mapping[str, Any]) -> Answer:
    return Answer(str(data["at"]), str(data["source"]))


def _plain(entry: Entry) -> dict[str, Any]:
    own = asdict(entry)
    return {**own.pop("more"), **own}
