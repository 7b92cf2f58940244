"""The explorer for a client's side: breaks its connection at every frame, in both directions, in every way.

A client is a coroutine function that takes a URL. First it runs undisturbed, which counts the frames of its first
connection and its awaits. Then it runs once for each schedule: a fault, a stream and a frame, before it or in the
middle of it; and once for each await, where it is cancelled.
A schedule has a name, such as `upstream/reset@frame#2`, by which `replay_client` runs it again, with its picture.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from hangup.explorer.clients.play import Client, ClientPlay
from hangup.explorer.clients.schedules import FAULTS, FURTHER, INSIDE, ClientSchedule
from hangup.explorer.clients.server import Handler
from hangup.explorer.findings import Findings, spread
from hangup.explorer.further.costly import STOPPED
from hangup.explorer.names import choose
from hangup.explorer.report import Report
from hangup.network.toxics import Stream
from hangup.record.recorder import Session, watch_tasks
from hangup.record.rules import CLIENT, Rule
from hangup.record.threads import Escaped, Stuck, run_in_thread
from hangup.time.loopback import LoopbackLoop
from hangup.trace.trace import Trace

Probe = Callable[[Any, Session], None]


def explore_client(
    client: Client,
    server: Callable[[], Handler],
    *,
    rules: Sequence[Rule] = CLIENT,
    probe: Probe = lambda *_: None,
    faults: Sequence[str] = (*FAULTS, "cancel"),
    times: Sequence[int] = (1,),
    limit: int = 1_000,
    seconds: float = 60.0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Report:
    """Explore a client against what `server` returns, a websockets handler, anew for each session; return the Report.

    `probe` is called with that handler and the session, and may add facts for `rules` to judge. A fault hits the first
    connection; for each further number in `times`, so many connections. Above `limit` schedules, so many are explored,
    spread evenly. Raises ValueError for a fault that there is not, Stuck when it takes longer than `seconds` of real
    time.
    """
    choose("fault", faults, (*FAULTS, "cancel", *FURTHER))
    findings = Findings(rules)

    async def work() -> None:
        with watch_tasks(asyncio.get_running_loop()):
            first = ClientPlay(client, server(), ClientSchedule(cancel_at=-1), Trace(silent=True))
            await first.play()
            loop = first.loop
            loop.most_turns = 20_000 + 20 * loop.turn
            plan = list(_plan(first, faults, times))
            findings.schedules = len(plan)
            for schedule in spread(plan, limit):
                handler = server()
                session = await ClientPlay(client, handler, schedule, Trace(silent=True)).play()
                probe(handler, session)
                findings.add(str(schedule), [session])
                progress(findings.explored, min(limit, len(plan)))
                if session.facts["spun"]:
                    findings.stopped = STOPPED
                    return

    try:
        run_in_thread(work, seconds=seconds, loop_factory=LoopbackLoop)
    except (Stuck, Escaped) as problem:
        problem.found = findings.report(rows="stream")
        raise
    return findings.report(rows="stream")


def replay_client(
    client: Client,
    schedule: str,
    server: Callable[[], Handler],
    *,
    probe: Probe = lambda *_: None,
    seconds: float = 30.0,
) -> Session:
    """Run one schedule of a client again and return its Session, whose trace is the picture."""

    async def work() -> Session:
        wanted = ClientSchedule.parse(schedule)
        with watch_tasks(asyncio.get_running_loop()):
            handler = server()
            session = await ClientPlay(client, handler, wanted, Trace()).play()
            probe(handler, session)
            return session

    return run_in_thread(work, seconds=seconds, loop_factory=LoopbackLoop)


def _plan(first: ClientPlay, faults: Sequence[str], times: Sequence[int]) -> Iterator[ClientSchedule]:
    """Yield every schedule that follows from what the client did undisturbed."""
    yield ClientSchedule()
    for fault in faults:
        if fault == "too-big":
            messages = first.server.limit.messages & set(range(1, first.frames["upstream"] + 1))
            yield from (ClientSchedule(fault, frame=frame) for frame in sorted(messages))
        if fault not in FAULTS:
            continue
        for count in times:
            for stream in get_args(Stream):
                for frame in range(fault == "close", first.frames[stream] + 1):  # there is nothing to close at first
                    yield ClientSchedule(fault, stream, frame, times=count)
                    if fault in INSIDE:
                        yield ClientSchedule(fault, stream, frame, inside=True, times=count)
    if "cancel" in faults:
        for number in range(first.awaits):
            yield ClientSchedule(cancel_at=number + 1)
