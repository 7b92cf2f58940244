"""What a new interpreter does for hangup.explorer.fresh: it imports an app and plays each schedule in a fork of itself.

It reads from stdin what to play, and writes a line of JSON for each schedule: what broke, or at the end why not more.
Where there is no fork, or the app's module has started threads, which no fork has, it plays one schedule and ends.
"""

import asyncio
import base64
import functools
import gc
import importlib
import importlib.util
import json
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hangup.explorer.apps.ending import Patience
from hangup.explorer.apps.exploration import Exploration
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.findings import Findings
from hangup.explorer.fresh.apart import AT_MOST, SECONDS
from hangup.explorer.invariant import Invariant, no_facts, rules_with, with_invariant
from hangup.explorer.report import Broken
from hangup.record.evidence import watch
from hangup.record.rules import GENERAL

A_PLAY = 20.0  # seconds for one schedule


def main() -> None:
    """Play what stdin asks for."""
    asked = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what the app prints is no answer
    sys.path[:] = asked["sys_path"]
    app = _load(**asked["origin"])
    invariant = _load(**asked["invariant"]) if asked["invariant"] else None
    gc.collect()
    gc.freeze()  # what a collector does not touch, a fork need not copy
    forks = hasattr(os, "fork") and threading.active_count() == 1
    until = time.monotonic() + AT_MOST
    for schedule in asked["schedules"]:
        if time.monotonic() > until or sum(os.times()[:4]) > SECONDS:  # its own, and that of what it forked
            break
        play = functools.partial(_line, app, asked, invariant, schedule)
        line = _in_a_fork(play) if forks else play()
        if line:
            os.write(out, line)
        if not forks:
            break
    os._exit(0)


def broken_by(app: Any, schedule: str, asked: dict[str, Any], invariant: Invariant | None) -> list[Broken]:
    """Play one schedule, without its picture, and return what breaks."""
    findings, script = Findings(rules_with(GENERAL, invariant)), pickle.loads(base64.b64decode(asked["script"]))
    probe, how = with_invariant(no_facts, invariant), (asked["path"], asked["lifespan"], asked["excuse"])
    exploration = Exploration(lambda: app, script, findings, probe, *how, Patience())

    async def work() -> None:
        with watch(asyncio.get_running_loop()):
            await exploration.alone(Schedule.parse(schedule))

    exploration.run(work, seconds=60.0)
    return list(findings.report().broken)


def _line(app: Any, asked: dict[str, Any], invariant: Invariant | None, schedule: str) -> bytes:
    found = broken_by(app, schedule, asked, invariant)
    told = {"schedule": schedule, "broken": [asdict(each) for each in found]}
    return json.dumps(told).encode() + b"\n"


def _in_a_fork(play: Callable[[], bytes]) -> bytes:
    """Return what a fork of this process says, nothing if it says nothing in time."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(theirs, play())
        finally:
            os._exit(0)
    os.close(theirs)
    said, until = b"", time.monotonic() + A_PLAY
    while not said.endswith(b"\n") and select.select([ours], [], [], max(until - time.monotonic(), 0.0))[0]:
        more = os.read(ours, 65536)
        if not more:
            break
        said += more
    os.close(ours)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said if said.endswith(b"\n") else b""


def _load(module: str, file: str, name: str) -> Any:
    """Import the module that this file is, if it is not there already, and return what it has under this name."""
    if getattr(sys.modules.get(module), "__file__", None) == file:
        return getattr(sys.modules[module], name)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(file).resolve():
        return getattr(importlib.import_module(module), name)
    spec = importlib.util.spec_from_file_location(module, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[module] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return getattr(found, name)
