"""Plays what broke once more, each schedule alone, on an app that has had no session before.

An exploration plays hundreds of sessions with one app, and an app may keep something of each. So a new interpreter
imports the app's module again (hangup.explorer.fresh.alone), and forks itself for each schedule. Only an app that has
a name in a module can be found there.
"""

import base64
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType

from hangup.explorer.apps.kept import STAYS, who_stays
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.keeping import Kept
from hangup.explorer.report import Broken, Report
from hangup.explorer.unknown import Unknown
from hangup.record.rules import keeps_no_connection, leaves_no_thread

ALONE = "HANGUP_ALONE"
"""The environment variable that says: this process plays for another one, and explores nothing of its own."""
SECONDS = 20.0  # of a processor, for all: a busy machine must not change what is found
AT_MOST = 60.0  # seconds in which they must be had
KEPT = keeps_no_connection.sentence
THREADS = leaves_no_thread.sentence  # one that nothing but the first session leaves may be the whole app's
WHAT, WHETHER = "what breaks", "whether it breaks on a fresh app, too"


@dataclass(frozen=True)
class Origin:
    """Where an app is found: the name of its module, that module's file, and its own name there."""

    module: str
    file: str
    name: str


def origin_of(app: object) -> Origin | None:
    """Return where an app is found when its module is imported anew, None where nobody can tell."""
    own = getattr(app, "__module__", "")
    for module in sorted(sys.modules, key=lambda name: name != own):
        found = sys.modules[module]
        file = getattr(found, "__file__", None)
        if module == "__main__" or not isinstance(found, ModuleType) or file is None:
            continue
        for name, value in list(vars(found).items()):
            if value is app:
                return Origin(module, str(file), name)
    return None


def packed(script: object) -> str:
    """Return a script as another interpreter can read it, or an empty text: a lambda in it has no name there."""
    try:
        return base64.b64encode(pickle.dumps(script)).decode()
    except (pickle.PicklingError, AttributeError, TypeError):
        return ""


def told_apart(
    report: Report,
    origin: Origin,
    script: str,
    path: str,
    *,
    lifespan: object,
    excuse: Collection[str] = (),
    invariant: Origin | None = None,
) -> Report | None:
    """Return the report with what breaks on a fresh app in `broken`, and what does not in `later`.

    `script` is what `packed` makes of it. That a connection stays reachable for good is found out by many sessions;
    here is asked whether it is by the first. None: the invariant cannot be asked there.
    """
    asked: dict[str, object] = {"origin": asdict(origin), "path": path, "lifespan": lifespan, "excuse": list(excuse)}
    asked["schedules"] = _in_order(report.broken)
    asked |= {"script": script, "sys_path": sys.path}
    asked["invariant"] = invariant and asdict(invariant)
    alone, why = _ask(json.dumps(asked))
    if not alone and invariant is not None:
        return None
    if not alone:
        unknown = Unknown(WHAT, f"{WHETHER}: {why}")
        return replace(report, unknown=(*report.unknown, unknown))
    first = {_kind(each): each.schedule for each in reversed(report.broken) if each.schedule in alone}
    broken: list[Broken] = []
    later: list[Broken] = []
    for each in report.broken:
        # those for which there was no time are as the first of their kind
        found = alone.get(each.schedule, alone.get(first.get(_kind(each), "")))
        breaks = found is None or any((b.rule, b.client) == (each.rule, each.client) for b in found)
        if breaks and (each.schedule not in alone or each.rule == KEPT):
            broken.append(each)
        elif not breaks:
            later.append(each)
    unseen = {KEPT, THREADS} - {each.rule for each in report.broken if each.rule == THREADS}
    broken += [each for found in alone.values() for each in found if each.rule not in unseen]
    rules = list(dict.fromkeys(each.rule for each in (*report.broken, *broken)))
    names = {name: place for place, (name, _) in enumerate(report.how)}
    broken.sort(key=lambda each: (rules.index(each.rule), names.get(each.schedule, -1)))
    return replace(report, broken=_who_stays(broken), later=_who_stays(later))


def _who_stays(found: Sequence[Broken]) -> tuple[Broken, ...]:
    """Say anew who stays reachable: of these schedules."""
    kept = [each for each in found if each.rule == KEPT]
    where = [each.got.partition(STAYS)[2] for each in kept]
    asked = [Kept(Schedule.parse(each.schedule), each.client, held) for each, held in zip(kept, where, strict=True)]
    got = who_stays(asked) if kept else ""
    return tuple(replace(each, got=got) if each.rule == KEPT else each for each in found)


def _kind(broken: Broken) -> tuple[str, str, str, str]:
    return broken.rule, broken.client, broken.got, broken.schedule.partition("@")[0]


def _in_order(broken: Sequence[Broken]) -> list[str]:
    """Return the schedules: the first of each kind come first."""
    first = {_kind(each): each.schedule for each in reversed(broken)}
    return list(dict.fromkeys((*reversed(first.values()), *(each.schedule for each in broken))))


def _ask(asked: str) -> tuple[dict[str, list[Broken]], str]:
    """Let a new interpreter play; return for each schedule that it came to what broke, or why there is none."""
    arguments = [sys.executable, "-c", "from hangup.explorer.fresh.alone import main; main()"]
    house = str(Path(__file__).parents[3])
    paths = os.pathsep.join(filter(None, (house, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, ALONE: "1", "PYTHONPATH": paths},
    )
    try:
        out, _ = process.communicate(asked, timeout=AT_MOST + 30)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
    played: dict[str, list[Broken]] = {}
    why = "its module could not be imported again"
    for line in out.splitlines():
        told = json.loads(line)
        if "why" in told:
            why = told["why"]
        else:
            played[told["schedule"]] = [Broken(**each) for each in told["broken"]]
    return played, why
