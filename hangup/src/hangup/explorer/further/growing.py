"""What grows with every session though no task of a handler runs on: timers that set themselves anew, thread pools.

One that the first connection makes may be the whole app's, and stays as one. So a schedule whose session leaves such a
thing is played again, on one app and in one lifespan: only that of which each session leaves one more is no app's own.
"""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hangup.explorer.apps.kept import ends_all
from hangup.explorer.findings import Judged
from hangup.explorer.further.lasting import in_one_lifespan
from hangup.explorer.keeping import HOUR
from hangup.explorer.report import Broken
from hangup.record.evidence.timers import cancel_timers, own_timers
from hangup.record.internals import name_of_pool, takes_jobs
from hangup.record.rules import leaves_no_task_for_good, leaves_no_thread
from hangup.record.session import Session

if TYPE_CHECKING:
    from hangup.explorer.apps.exploration import Exploration
    from hangup.explorer.apps.schedules import Schedule

Pools = Sequence["weakref.ref[ThreadPoolExecutor]"]
TIMES, OFTEN = 3, 40  # how many plays show that something grows, and how many the first time: no cache keeps so many
TRIES = 3  # how often something of a name may turn out to be the app's own, before nobody asks any more


class Growing:
    """Remembers what each session of an app leaves one more of, by name, and what turned out to be the app's own."""

    def __init__(self, often: int = OFTEN) -> None:
        self.often = often
        """How many sessions must leave one more pool, until the first is believed not to be the app's own."""
        self._grown: set[str] = set()
        self._own: Counter[str] = Counter()

    async def look(self, exploration: "Exploration", schedule: "Schedule", sessions: Sequence[Session]) -> bool:
        """Let sessions know what they have left and each session leaves one more of; return whether that is anything.

        For that more sessions are played: they have been judged for all else.
        """
        pools = sessions[0].facts.get("pools", ())
        if not (pools or any(each.timers for each in sessions)) or ends_all(schedule):
            return False
        sessions[0].facts["pools_left"] = await self._pools(exploration, schedule, pools)
        timers = await self._timers(exploration, schedule, {name for each in sessions for name in each.timers})
        for each in sessions:
            each.facts["timers_left"] = [name for name in each.timers if name in timers]
        return bool(timers or sessions[0].facts["pools_left"])

    @staticmethod
    def may(sessions: Sequence[Session]) -> bool:
        """Return whether these sessions have left anything that may grow."""
        return bool(sessions[0].facts["pools"]) or any(each.timers for each in sessions)

    async def judge(
        self, exploration: "Exploration", judged: Judged, schedule: "Schedule", sessions: Sequence[Session]
    ) -> None:
        """Judge sessions, which are judged by all else, by what they have left of such a kind."""
        if judged.unknown or not await self.look(exploration, schedule, sessions):
            return
        for place, rule in enumerate(exploration.findings.rules):
            if rule in (leaves_no_task_for_good, leaves_no_thread):
                broken = ((rule.test(each), each.letter) for each in sessions)
                found = [Broken(rule.sentence, judged.schedule, got, letter) for got, letter in broken if got]
                others = [each for each in judged.broken if each[0] != place]
                judged.broken = [*others, *((place, each) for each in found)]

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

    def _note(self, asked: set[str], grown: set[str]) -> None:
        self._grown |= grown
        self._own.update(asked - grown)


def _there(pools: Pools) -> list[ThreadPoolExecutor]:
    """Return those pools that somebody still has, and that take jobs."""
    there = (pool() for pool in pools)
    return [pool for pool in there if pool is not None and takes_jobs(pool)]


def _names(pools: Pools) -> list[str]:
    return [_name(pool) for pool in _there(pools)]


def _name(pool: ThreadPoolExecutor) -> str:
    """Return a pool's name without its number, which is another one each time."""
    return name_of_pool(pool).rstrip("0123456789-_")
