"""What a probe prints under another release, also where none can be had: a recorded run stands in, and says so.

`record` has stored a real run of that same text in helpers/recorded. It stands in for every `isolated` while the
variable RECORD_PROBES is set: `RECORD_PROBES=1 python -m helpers run 03` records what a lesson runs.
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hangup.servers.releases import NoEnvironmentError, Probe, Run, program_of, run_program

RECORDED = Path(__file__).parent.parent / "recorded"


def isolated(probe: Probe, *args: object, under: Sequence[str], timeout: float = 20.0) -> Run:
    """Run `probe` under the releases `under`, such as `["granian==2.2.6"]`, and return what it prints.

    A probe that is a function gets `args`: values that JSON can hold; a function among them arrives as its source
    text. What it returns is printed as a line of JSON, unless it is None; it may be a coroutine function.
    Blocks for at most `timeout` seconds, and `INSTALLING` more the first time. Raises ProbeError when the probe fails,
    NoEnvironmentError when there is neither an environment nor a recorded run.
    """
    if os.environ.get("RECORD_PROBES"):
        return record(probe, *args, under=under, timeout=timeout)
    text = program_of(probe, args)
    try:
        return run_program(text, tuple(under), timeout)
    except NoEnvironmentError as error:
        name = _name(probe)
        for entry in _entries(name):
            if (entry["under"], entry["text"]) == (list(under), _digest(text)):
                why = f"this is the run recorded with Python {entry['python']}; no environment here: {error}"
                return Run(tuple(under), tuple(entry["lines"]), why)
        raise NoEnvironmentError(f"{error}; and no run of {name} as it stands here is recorded") from None


def record(probe: Probe, *args: object, under: Sequence[str], timeout: float = 20.0) -> Run:
    """Do as `isolated` does, but really, and store the run in place of an earlier one of the same text."""
    name, text = _name(probe), program_of(probe, args)
    run = run_program(text, tuple(under), timeout)
    key = {"under": list(under), "text": _digest(text)}
    new = key | {"python": ".".join(map(str, sys.version_info[:3])), "lines": list(run.lines)}
    kept = [entry for entry in _entries(name) if {k: entry[k] for k in key} != key]
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text(json.dumps([*kept, new], indent=1, ensure_ascii=False) + "\n", "utf-8")
    return run


def _name(probe: Probe) -> str:
    return "program" if isinstance(probe, str) else probe.__name__


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _entries(name: str) -> list[dict[str, Any]]:
    """Return the recorded runs of a probe."""
    file = RECORDED / f"{name}.json"
    entries: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    return entries
