"""The probes on older releases of servers: `python -m support.older` plays them anew and writes older.json.

Each release has an environment of its own, in which this module is run. tests/test_older.py holds the rows of older
releases to what was logged, line by line.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import hangup
from hangup.record.recorder import Recorder
from hangup.servers.models.more.older import OLDER
from hangup.servers.releases import isolated
from hangup.servers.running import RUNNERS
from hangup.servers.running.granian import serving
from hangup.servers.running.listening import Runner
from support.commands import ROOT
from support.playing import logs

LOGS = ROOT / "support" / "older.json"
"""For each row of an older release, by its oldest and its newest release, what the probes have logged on both."""


@contextlib.asynccontextmanager
async def granian(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    """Serve as hangup.servers.running.granian does, with nothing of its server replaced: older ones know it not."""
    from granian.server.embed import Server

    async with serving(Server, recorder, sock.getsockname()[1], graceful_timeout):
        yield


async def here(server: str) -> dict[str, list[str]]:
    """Play the probes on the server that is installed where this runs; granian's apps are not there at its stop."""
    RUNNERS["granian"] = Runner("granian", ("granian",), granian)
    found = await logs(server, shutdown=False)
    if server != "granian":
        found |= await logs(server, shutdown=True)
    return {f"{probe}, {ending}": lines for (probe, ending), lines in found.items()}


def logged(requirement: str) -> dict[str, list[str]]:
    """Return what the probes log on a release, such as `granian==2.7.1`, in an environment of its own."""
    server, _, release = requirement.partition("==")
    if requirement.startswith("uvicorn==") and [int(part) for part in release.split(".")] < [0, 50]:
        server = "uvicorn-websockets"  # it was the default
    folders = [str(ROOT), str(Path(hangup.__file__).parent.parent)]
    program = (
        f"import runpy, sys; sys.path[:0] = {folders!r}; sys.argv[1:] = [{server!r}]; "
        "runpy.run_module('support.older', None, '__main__')"
    )
    beside = [f"{name}=={version(name)}" for name in ("websockets", "wsproto")]
    run = isolated(program, under=[f"{server.partition('-')[0]}=={release}", *beside], timeout=60)
    found: dict[str, list[str]] = run.values[-1]
    return found


def main() -> None:
    """Play the probes on the oldest and the newest release of each row, and keep what both log."""
    kept: dict[str, dict[str, list[str]]] = {}
    for row in OLDER:
        releases = [f"{row.name}=={release}" for release in dict.fromkeys((row.since, row.measured))]
        found = [logged(each) for each in releases]
        for other, its in zip(releases, found, strict=True):
            if its != found[0]:
                raise SystemExit(f"{releases[0]} and {other} differ")
        kept[", ".join(releases)] = found[0]
        sys.stdout.write(f"{', '.join(releases)}: {len(found[0])} logs\n")
    words = [f" {json.dumps(name)}: {{\n" + _in_lines(each) + "\n }" for name, each in kept.items()]
    LOGS.write_text("{\n" + ",\n".join(words) + "\n}\n", encoding="utf-8")


def _in_lines(found: dict[str, list[str]]) -> str:
    return ",\n".join(f"  {json.dumps(case)}: {json.dumps(found[case])}" for case in sorted(found))


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(json.dumps(asyncio.run(here(sys.argv[1]))))
        sys.stdout.flush()
        os._exit(0)  # threads of an older granian may abort the process as the interpreter ends
    else:
        main()
