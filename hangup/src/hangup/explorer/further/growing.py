"""What grows with every session though no task of a handler runs on: timers that set themselves anew, threads of pools.

One that the first connection makes may be the whole app's, and stays as one. So a schedule whose session leaves such a
thing is played again, on one app and in one lifespan: only that of which each session leaves one more is no app's own.
"""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hangup.explorer.apps.kept import ends_all
from hangup.explorer.findings import Judged
from hangup.explorer.further.lasting import in_one_lifespan
from hangup.explorer.keeping import HOUR
from hangup.explorer.report import Broken, Remark
from hangup.record.evidence.files import let_go, own_files
from hangup.record.evidence.rings import ring_on
from hangup.record.evidence.timers import cancel_timers, own_timers
from hangup.record.internals import name_of_pool, takes_jobs
from hangup.record.rules import (
    EACH,
    Rule,
    keeps_no_connection,
    leaves_no_task_for_good,
    leaves_no_thread,
    rings_for_ever,
    watches_for_ever,
)
from hangup.record.session import Session
from hangup.time.jobs import held_for_good
from hangup.time.virtual import VirtualLoop

if TYPE_CHECKING:
    from hangup.explorer.apps.exploration import Exploration
    from hangup.explorer.apps.schedules import Schedule

LEFT = ("pools_left", "jobs_left", "files_left", "rings_left")
LOOKS, A_LOOK = 6, 0.05  # how often, and after how many seconds, it is looked whether a file is watched no more
Pools = Sequence["weakref.ref[ThreadPoolExecutor]"]
TIMES, OFTEN = 3, 40  # how many plays show that something grows, and how many the first time: no cache keeps so many
UNTOLD = "the machine is too busy to tell whether it is set anew for ever, threading.Timer"
TRIES = 3  # how often something of a name may turn out to be the app's own, before nobody asks any more


class Growing:
    """Remembers what each session of an app leaves one more of, by name, and what turned out to be the app's own."""

    def __init__(self, often: int = OFTEN) -> None:
        self.often = often
        """How many sessions must leave one more pool, until the first is believed not to be the app's own."""
        self._grown: set[str] = set()
        self._own: Counter[str] = Counter()
        self._watched: set[str] = set()
        """For what each session leaves one more file that is watched."""
        self._rung: set[str] = set()
        """What threads call that are timers, of which each session leaves one more that sets the next."""
        self._to_ring: set[str] = set()
        """What threads call later that are timers, of which each session leaves one more: they end by themselves."""
        self._untold: set[str] = set()
        """What threads call that are timers, of which nobody can tell on so busy a machine whether they end."""
        self._places: dict[str, str] = {}
        """Of jobs that hold one more thread of a pool in each session where the app hands them out."""

    async def look(self, exploration: "Exploration", schedule: "Schedule", sessions: Sequence[Session]) -> bool:
        """Let sessions know what they have left and each session leaves one more of; return whether that is anything.

        For that more sessions are played: they have been judged for all else.
        """
        first = sessions[0]
        pools, jobs, files, rings = (first.facts.get(name, ()) for name in ("pools", "jobs", "files", "rings"))
        if not (pools or jobs or files or rings or any(each.timers for each in sessions)) or ends_all(schedule):
            return False
        if not any(each.cancelled_by == "server" for each in sessions):  # a handler that runs on holds its own
            first.facts["jobs_left"] = await self._jobs(exploration, schedule, dict.fromkeys(each.job for each in jobs))
        first.facts["rings_left"] = await self._rings(exploration, schedule, rings)
        first.facts["files_left"] = await self._files(exploration, schedule, files)
        first.facts["pools_left"] = await self._pools(exploration, schedule, pools)
        timers = await self._timers(exploration, schedule, {name for each in sessions for name in each.timers})
        for each in sessions:
            each.facts["timers_left"] = [name for name in each.timers if name in timers]
        return bool(timers or any(first.facts.get(name) for name in LEFT))

    @staticmethod
    def may(sessions: Sequence[Session]) -> bool:
        """Return whether these sessions have left anything that may grow."""
        first = sessions[0]
        if first.facts["pools"] or first.timers or "elsewhere" in first.facts:
            return True
        return len(sessions) > 1 and any(each.timers for each in sessions)

    async def judge(
        self, exploration: "Exploration", judged: Judged, schedule: "Schedule", sessions: Sequence[Session]
    ) -> None:
        """Judge sessions, which are judged by all else, by what they have left of such a kind."""
        if judged.unknown:
            await self._judge_unknown(exploration, judged, schedule, sessions[0])
            return
        grown, letter = await self.look(exploration, schedule, sessions), sessions[0].letter
        if waiting := self._to_ring.intersection(sessions[0].facts.get("rings", ())):
            got = f"{EACH} threading.Timer that has yet to ring: {', '.join(sorted(waiting))}"
            judged.remarks.append(Remark(judged.schedule, got, letter))
        if untold := self._untold.intersection(sessions[0].facts.get("rings", ())):
            judged.unknown = f"{UNTOLD}: {', '.join(sorted(untold))}"
        if not grown:
            return
        for place, rule in enumerate(exploration.findings.rules):
            if rule in (leaves_no_task_for_good, leaves_no_thread):
                broken = ((rule.test(each), each.letter) for each in sessions)
                found = [Broken(rule.sentence, judged.schedule, got, letter) for got, letter in broken if got]
                others = [each for each in judged.broken if each[0] != place]
                judged.broken = [*others, *((place, each) for each in found)]

    async def _judge_unknown(
        self, exploration: "Exploration", judged: Judged, schedule: "Schedule", first: Session
    ) -> None:
        """Judge a session that waited in vain, maybe for such a thing, by nothing else than what it leaves of that."""
        rules = list(exploration.findings.rules)
        files, rings = first.facts.get("files"), first.facts.get("rings")
        if ends_all(schedule):
            return
        said: list[tuple[Rule, str]] = []
        if files and (left := await self._files(exploration, schedule, files)):
            said.append((leaves_no_task_for_good, watches_for_ever(left)))
        if rings and (left := await self._rings(exploration, schedule, rings)):
            said.append((leaves_no_thread, rings_for_ever(left)))
        for rule, got in said:
            if rule in rules:
                exploration.costly.vain += 1
                judged.broken.append((rules.index(rule), Broken(rule.sentence, judged.schedule, got)))

    async def _files(self, exploration: "Exploration", schedule: "Schedule", names: Sequence[str]) -> list[str]:
        """Return for what, among these names, each session leaves one more file that is watched; watch no more."""
        asked = {name for name in names if name not in self._watched and self._own[name] < TRIES}
        loop = _loop()
        if asked:
            async with in_one_lifespan(exploration, schedule) as play:
                plays = [await play() for _ in range(TIMES)]
                for _ in range(LOOKS):  # what ends in real time may end
                    await asyncio.sleep(HOUR / LOOKS)
                    _loop().elsewhere.pause(A_LOOK)
                there = set(own_files(loop).values())
                grown = {name for name in asked if all(any((each, name) in there for each in some) for some in plays)}
            self._note(asked, grown)
            self._watched |= grown
        let_go(loop, self._watched)
        return [name for name in names if name in self._watched]

    async def _rings(self, exploration: "Exploration", schedule: "Schedule", names: Sequence[str]) -> list[str]:
        """Return of which threads that call these each session leaves one more that is set anew."""
        asked = {name for name in names if name not in self._rung | self._untold and self._own[name] < TRIES}
        if asked:
            before = Counter(_loop().elsewhere.rings.before)
            async with in_one_lifespan(exploration, schedule) as play:
                left = [(await play())[0].facts.get("rings", ()) for _ in range(TIMES)]
                found = ring_on(asked.intersection(*left), before, TIMES, _pause)
            self._note(asked - found.unknown, found.again)
            self._rung |= found.again
            self._to_ring |= found.waiting
            self._untold |= found.unknown
        return [name for name in names if name in self._rung]

    async def _timers(self, exploration: "Exploration", schedule: "Schedule", names: set[str]) -> set[str]:
        asked = {name for name in names if name not in self._grown and self._own[name] < TRIES}
        if asked:
            async with in_one_lifespan(exploration, schedule) as play:
                plays = [await play() for _ in range(TIMES)]
                coming = set(own_timers(asyncio.get_running_loop()).values())
                grown = {name for name in asked if all(any((each, name) in coming for each in some) for some in plays)}
            self._note(asked, grown)
        grown = names & self._grown
        if grown:
            cancel_timers(asyncio.get_running_loop(), grown)
            if exploration.patience is not None:
                exploration.patience.grown |= grown
        return grown

    async def _pools(self, exploration: "Exploration", schedule: "Schedule", pools: Pools) -> list[str]:
        """Return the names of a session's pools if each session leaves such; then shut down what the sessions left."""
        if not any(self._own[name] < TRIES for name in _names(pools)):
            return []
        if not self._grown.issuperset(_names(pools)):
            gc.collect()
        if not (asked := set(_names(pools))):
            return []
        left = [pools]
        async with in_one_lifespan(exploration, schedule) as play:
            for _ in range(TIMES if asked <= self._grown else self.often):
                left.append((await play())[0].facts.get("pools", ()))
                if not asked.intersection(_names(left[-1])):
                    break
            await asyncio.sleep(HOUR)
            gc.collect()
            grown = asked.intersection(*(_names(each) for each in left))
        self._note(asked, grown)
        for pool in (each for some in left for each in _there(some)):
            if _name(pool) in grown:
                pool.shutdown(wait=False)
        return sorted(grown)

    async def _jobs(self, exploration: "Exploration", schedule: "Schedule", names: Iterable[str]) -> list[str]:
        """Return the jobs that hold a thread for good in each session, and where the app hands them out."""
        asked = {name for name in names if name not in self._places and self._own[name] < TRIES}
        if asked:
            elsewhere = _loop().elsewhere
            elsewhere.places, left = {}, []
            async with in_one_lifespan(exploration, schedule) as play:
                for _ in range(TIMES):
                    left.append((await play())[0].facts.get("jobs", ()))
                await asyncio.sleep(HOUR)
                held = await held_for_good([each for some in left for each in some], elsewhere.pause)
                grown = asked.intersection(*({each.job for each in some if each in held} for some in left))
            self._note(asked, grown)
            self._places.update({name: elsewhere.places.get(name, "") for name in grown})
            elsewhere.places = None
        found = ((name, self._places[name]) for name in names if name in self._places)
        return [f"{name} ({place})" if place else name for name, place in found]

    def _note(self, asked: set[str], grown: set[str]) -> None:
        self._grown |= grown
        self._own.update(asked - grown)


def takes_many(broken: Broken) -> bool:
    """Return whether it took more sessions than one to know that this is broken."""
    return broken.rule == keeps_no_connection.sentence or broken.got.startswith(EACH)


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def _pause(seconds: float) -> None:
    """Let real time pass; nobody holds the loop meanwhile."""
    loop = _loop()
    loop.looks += 1
    loop.elsewhere.pause(seconds)


def _there(pools: Pools) -> list[ThreadPoolExecutor]:
    """Return those pools that somebody still has, and that take jobs."""
    there = (pool() for pool in pools)
    return [pool for pool in there if pool is not None and takes_jobs(pool)]


def _names(pools: Pools) -> list[str]:
    return [_name(pool) for pool in _there(pools)]


def _name(pool: ThreadPoolExecutor) -> str:
    """Return a pool's name without its number, which is another one each time."""
    return name_of_pool(pool).rstrip("0123456789-_")
