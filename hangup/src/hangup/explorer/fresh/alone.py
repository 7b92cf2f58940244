"""What a new interpreter does for hangup.explorer.fresh: it imports an app and plays each schedule in a fork of itself.

It reads from stdin what to play, and writes a line of JSON for each schedule: what broke, or at the end why not more.
Where there is no fork, or the app's module has started threads, which no fork has, it plays one schedule and ends.
"""

import base64
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
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hangup.explorer.apps.explore import broken_by
from hangup.explorer.fresh.apart import AT_MOST, SECONDS

A_PLAY = 20.0  # seconds for one schedule


def main() -> None:
    """Play what stdin asks for."""
    asked = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what the app prints is no answer
    sys.path[:] = asked["sys_path"]
    app = _load(**asked["origin"])
    gc.collect()
    gc.freeze()  # what a collector does not touch, a fork need not copy
    forks = hasattr(os, "fork") and threading.active_count() == 1
    until = time.monotonic() + AT_MOST
    for schedule in asked["schedules"]:
        if time.monotonic() > until or sum(os.times()[:4]) > SECONDS:  # its own, and that of what it forked
            break
        line = _in_a_fork(app, asked, schedule) if forks else _line(app, asked, schedule)
        if line:
            os.write(out, line)
        if not forks:
            break
    os._exit(0)


def _line(app: Any, asked: dict[str, Any], schedule: str) -> bytes:
    script = pickle.loads(base64.b64decode(asked["script"]))
    found = broken_by(app, schedule, script, path=asked["path"], lifespan=asked["lifespan"], excuse=asked["excuse"])
    told = {"schedule": schedule, "broken": [asdict(each) for each in found]}
    return json.dumps(told).encode() + b"\n"


def _in_a_fork(app: Any, asked: dict[str, Any], schedule: str) -> bytes:
    """Return what a fork of this process says of one schedule, nothing if it says nothing in time."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(theirs, _line(app, asked, schedule))
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
    """Import the module that this file is, and return what it has under this name."""
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
