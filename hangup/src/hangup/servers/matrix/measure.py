"""Asks several servers side by side and returns their rows."""

import asyncio
import contextlib
import datetime
import platform
import re
from collections.abc import Sequence

from hangup.servers.matrix import commands
from hangup.servers.matrix.answers import answers
from hangup.servers.matrix.asking import AskingError, Logs, ask
from hangup.servers.matrix.commands import Server
from hangup.servers.matrix.rows import Row
from hangup.servers.models.doubts import installed
from hangup.servers.releases import NoEnvironmentError

AT_ONCE = 4
"""Processes of servers that run at the same time."""


def measure(servers: Sequence[Server], releases: Sequence[str] = ()) -> tuple[list[Row], list[str]]:
    """Ask servers, and releases such as `granian==2.2.6`; return their rows, and a sentence for each that failed.

    Raises ValueError for what names no release.
    """
    problems: list[str] = []
    with contextlib.ExitStack() as environments:
        asked = list(servers)
        for release in releases:
            try:
                asked.append(environments.enter_context(commands.released(release)))
            except NoEnvironmentError as error:
                problems.append(f"{release} was not asked: {error}")
        found = asyncio.run(_all(asked))
    rows = [each for each in found if isinstance(each, Row)]
    return rows, [*problems, *(each for each in found if isinstance(each, str))]


async def _all(servers: Sequence[Server]) -> list[Row | str]:
    least = asyncio.Semaphore(AT_ONCE)

    async def one(server: Server) -> Row | str:
        try:
            return _row(server, *await ask(server, least))
        except BaseExceptionGroup as group:  # of a task group: all four runs may fail, for one reason
            failed, other = group.split(AskingError)
            if failed is None or other is not None:
                raise
            return str(_first(failed))

    return list(await asyncio.gather(*(one(server) for server in servers)))


def _first(group: BaseExceptionGroup[AskingError]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _row(server: Server, probes: Logs, with_lifespan: Logs, without: Logs) -> Row:
    said = "\n".join(line for lines in probes.lines.values() for line in lines)
    oserrors = tuple(sorted(set(re.findall(r"raises (\w+) \(OSError\)", said))))
    beside = server.beside or tuple(f"{name} {installed(name)}" for name in server.speaks if installed(name))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Row(
        server.name,
        server.release,
        today,
        platform.python_version(),
        answers(probes, with_lifespan, without),
        oserrors,
        probes.spec_version,
        beside,
    )
