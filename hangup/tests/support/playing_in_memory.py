"""Plays the probes in memory, on a model or on the code of an installed server, in virtual time.

It imports no test tool: tests/test_matrix.py has it run in an environment of its own.
"""

import asyncio

from hangup.servers.matrix.asked import Logged, Probe
from hangup.servers.memory import MemoryConnection
from hangup.servers.players import connection_for
from hangup.time.virtual import VirtualLoop

CODES: dict[str, tuple[int | None, str]] = {
    "close 1000": (1000, ""),
    "close with a reason": (3001, "bye"),
    "close without a code": (None, ""),
}


async def on_the_model(model: str, probe: Probe, ending: str) -> list[str]:
    """Run a probe on a model, or on an installed server, in memory and return its log."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    connection = connection_for(model, ending.removeprefix("early ").partition(" ")[0])
    app = Logged(connection.receive, connection.send)

    def client() -> None:
        if connection.accepted and ending != "own":
            loop.call_later(0.001, connection.leave, *CODES.get(ending, ()))
        if connection.gone or ending == "own":
            app.leave()

    connection.client.on_change = client
    await connection.receive()
    if ending.startswith("early"):
        connection.leave()
    client()
    task = asyncio.ensure_future(probe(app))
    if not isinstance(connection, MemoryConnection):
        connection.app.task = task
    idle = loop.create_future()

    def nothing_can_happen() -> None:
        idle.cancel()

    loop.on_idle = nothing_can_happen
    await asyncio.wait([task, idle], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    return app.lines


def in_memory(model: str, probe: Probe, ending: str) -> list[str]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(on_the_model(model, probe, ending))
