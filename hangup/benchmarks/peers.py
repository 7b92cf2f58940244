"""How soon hangup and its peers find what is wrong in some orders of tasks only: `python -m benchmarks.peers`.

detangle, simloom and simloop (PyPI) run any asyncio program in other orders; for them the coroutines below play the
clients of tests/support/races. It tells how many sessions each needs until it finds a bug, in how many seconds of CPU,
and whose sound twin it blames. Who is not installed is left out: simloom and simloop need Python 3.12.
"""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hangup.explorer.apps.explore import explore
from hangup.explorer.orders.explore import OrderExploration
from hangup.servers.script import Expect, Leave, Send, Step, StopReading
from support.races import RACES, Race

MOST, SOUND = 200, 50  # sessions in which to find a bug; in which to blame nobody
PAUSES = (0.0, 0.0, 0.005, 2.0)  # seconds before a client's line
Play = Callable[[], Coroutine[Any, Any, None]]


class Wrong(AssertionError):
    """Raised by a session that shows the bug."""


# ---- for the peers: a connection in memory, and its client ---------------------------------------------------------


class Connection:
    """The server's side of a connection, as uvicorn's row has it: a send to who has left raises OSError."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.coming.put_nowait({"type": "websocket.connect"})
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.accepted, self.reads, self.gone = asyncio.Event(), asyncio.Event(), False
        self.reads.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message from the app."""
        if message["type"] == "websocket.send":
            await self.reads.wait()
        if self.gone:
            raise OSError("the peer has left")
        if message["type"] == "websocket.accept":
            self.accepted.set()
        else:
            self.heard.put_nowait(message.get("text"))
        await asyncio.sleep(0)

    def leave(self) -> None:
        """Let the client leave."""
        self.gone = True
        self.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        self.reads.set()

    async def play(self, step: Step) -> bool:
        """Do one step of its client's; return whether it went well."""
        if isinstance(step, Send):
            self.coming.put_nowait({"type": "websocket.receive", "text": step.text})
        elif isinstance(step, StopReading):
            self.reads.clear()
        elif isinstance(step, Expect):
            try:
                async with asyncio.timeout(5):
                    await self.heard.get()
            except TimeoutError:
                return False
        return True


async def session(race: Race, seed: int, *, sound: bool) -> None:
    """Play a race once, with pauses that a seed draws; raise Wrong if it shows what is wrong."""
    dice = random.Random(seed)
    app = race.make(sound=sound)()
    steps = [step if not isinstance(step, str) else Send(step) for step in race.script]
    letters = sorted({getattr(step, "by", "a") for step in steps})
    there = {letter: Connection() for letter in letters}
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
    served = [asyncio.create_task(app(dict(scope), each.coming.get, each.send)) for each in there.values()]
    left = asyncio.Event()
    last = next((place for place, step in enumerate(steps) if isinstance(step, Leave)), len(steps))

    async def client(letter: str) -> bool:
        mine = [(place > last, step) for place, step in enumerate(steps) if getattr(step, "by", "a") == letter]
        answered = await _says(there[letter], mine, dice, left)
        if letter == "a":
            left.set()
        return answered

    missed = not all(await asyncio.gather(*map(client, letters)))
    for each in there.values():
        each.leave()
    if words := await _trouble(served) or missed or race.wrong(app):
        raise Wrong(words)


async def _says(
    connection: Connection, steps: list[tuple[bool, Step]], dice: random.Random, left: asyncio.Event
) -> bool:
    """Play a client's steps, some of them when client a has left; return whether all was answered."""
    await connection.accepted.wait()
    answered = True
    for late, step in steps:
        if isinstance(step, Leave):
            break
        if late:
            await left.wait()
        await asyncio.sleep(dice.choice(PAUSES))
        answered = await connection.play(step) and answered
    if connection.reads.is_set():
        connection.leave()
    return answered


async def _trouble(served: "list[asyncio.Task[Any]]") -> str:
    """Wait until the app has served all; return what is wrong with how it ended, or nothing."""
    _, pending = await asyncio.wait(served, timeout=60)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
        return "a handler does not end"
    errors = [error for task in served if (error := task.exception()) is not None]
    return repr(errors[0]) if errors and not isinstance(errors[0], OSError) else ""


def played(run: Callable[[Play, int], bool], race: Race, *, sound: bool, most: int) -> int:
    """Return after how many sessions a bug was seen, 0 for none."""
    return next((n + 1 for n in range(most) if run(functools.partial(session, race, n, sound=sound), n)), 0)


def detangle(play: Play, seed: int) -> bool:
    """Run one session in an order of detangle's."""
    import detangle

    return _fails(lambda: detangle.run(play, seed=seed))


def simloom(play: Play, seed: int) -> bool:
    """Run one session in an order of simloom's."""
    import simloom

    return _fails(lambda: simloom.run(play, seed=seed, world=False))


def simloop(play: Play, seed: int) -> bool:
    """Run one session in an order of simloop's."""
    import simloop

    return simloop.explore(play, [seed]) is not None


def _fails(run: Callable[[], object]) -> bool:
    try:
        run()
    except Exception:
        return True
    return False


# ---- hangup ------------------------------------------------------------------------------------------------------


def hangup(race: Race, *, sound: bool, most: int) -> int:
    """Return after how many sessions hangup saw the bug, 0 for none; those that make it smaller are not counted."""
    first: list[int] = []
    tell = OrderExploration._tell

    async def noticed(self: OrderExploration, *args: Any) -> bool:
        sure = await tell(self, *args)
        first.extend([self.played] * sure)
        return sure

    OrderExploration._tell = noticed  # type: ignore[method-assign]
    try:
        make = race.make(sound=sound)
        one: dict[str, Any] = {"models": ["uvicorn"], "endings": ["close"], "limit": 1}
        report = explore(None, race.script, make=make, order=most, invariant=race.wrong, **one)
    finally:
        OrderExploration._tell = tell  # type: ignore[method-assign]
    return 0 if report.ok else min([*first, most]) if report.orders.bad else 1


def peers() -> Iterator[tuple[str, Callable[..., int]]]:
    """Yield those that are here; say who is not."""
    yield "hangup", hangup
    for name, run in (("detangle", detangle), ("simloom", simloom), ("simloop", simloop)):
        try:
            found = version(name)
        except PackageNotFoundError:
            print(f"{name} is left out: it is not installed")
            continue

        def one(race: Race, *, sound: bool, most: int, run: Callable[[Play, int], bool] = run) -> int:
            return played(run, race, sound=sound, most=most)

        yield f"{name} {found}", one


if __name__ == "__main__":
    for name, run in peers():
        cells, bugs, blamed, began = [], 0, [], time.process_time()
        for kind, race in RACES.items():
            needed = run(race, sound=False, most=MOST)
            bugs += needed > 0
            cells.append(f"{kind} {needed or 'never'}")
        seconds, began = time.process_time() - began, time.process_time()
        blamed = [kind for kind, race in RACES.items() if run(race, sound=True, most=SOUND)]
        fast = SOUND * len(RACES) / (time.process_time() - began)
        print(f"{name}: {bugs} of {len(RACES)} in {seconds:.2f} s of CPU, {fast:,.0f} sessions a second")
        print(f"    after so many sessions: {', '.join(cells)}")
        print(f"    of the sound twins it blames {', '.join(blamed) or 'none'}")
