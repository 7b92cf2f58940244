"""Finds out whether an app keeps connections that are gone, and which: the module asks for many more sessions of it.

A connection that somebody holds right after its session is a suspect. Those that a collector does not free are played
again: what is kept must grow with each session, for who keeps the last few has no leak.
"""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hangup.record.evidence.kept import holder
from hangup.record.recorder import ASGIApp
from hangup.record.session import Session

S = TypeVar("S")
K = TypeVar("K")
OFTEN = 150  # sessions in which each connection must be kept: more than the 128 of a functools.lru_cache
TRIES = 3  # how many holders may turn out to be bounded
FEW, MANY = 100, 400  # schedules that are played again at a time; suspects after which a collector runs
HOUR = 3_600.0  # virtual seconds after which no timer of an app still holds what it needs


@dataclass(frozen=True)
class Suspect(Generic[S]):
    """A connection that was gone and still reachable: under which schedule, and whose."""

    schedule: S
    letter: str
    app: ASGIApp
    connection: "weakref.ref[Any]"


@dataclass(frozen=True)
class Kept(Generic[S]):
    """A schedule under which a client's connection stays reachable, and where it is held."""

    schedule: S
    letter: str
    where: str


class Keeping(Generic[S]):
    """Looks at each session of an exploration; `play` plays one of an app by a schedule, `make` gives the app.

    `state` is that of a lifespan which all sessions share, if there is one.
    """

    def __init__(
        self,
        make: Callable[[], ASGIApp],
        play: Callable[[ASGIApp, S], Awaitable[Sequence[Session]]],
        state: dict[str, Any] | None = None,
    ) -> None:
        self._make, self._play = make, play
        self._state = state
        self._suspects: list[Suspect[S]] = []
        self._limit = MANY

    def look(self, app: ASGIApp, schedule: S, sessions: Sequence[Session]) -> None:
        """Remember which connections are still reachable, now that their sessions have dropped their references."""
        for each in sessions:
            if each.connection is not None and each.connection() is not None:
                self._suspects.append(Suspect(schedule, each.letter, app, each.connection))
        if len(self._suspects) > self._limit:
            self._sift()
            self._limit = 2 * len(self._suspects) + MANY

    def _sift(self) -> None:
        for generation in (1, 2):
            if self._suspects:
                gc.collect(generation)
                self._suspects = [each for each in self._suspects if each.connection() is not None]

    async def confirm(self) -> list[Kept[S]]:
        """Return what the app keeps for good, in the order of the exploration."""
        self._sift()
        if not self._suspects:
            return []
        await asyncio.sleep(HOUR)
        self._sift()
        wanted = list(dict.fromkeys((each.schedule, each.letter) for each in self._suspects))
        self._suspects.clear()
        return await self.growing(wanted)

    async def growing(self, wanted: Sequence[tuple[S, str]]) -> list[Kept[S]]:
        """Return under which of these schedules, and of which client, the app keeps each connection."""
        schedules = list(dict.fromkeys(schedule for schedule, _ in wanted))
        grows: dict[str, bool] = {}
        kept: list[Kept[S]] = []
        for n in range(0, len(schedules), FEW):
            few = set(schedules[n : n + FEW])
            found = await self._by_itself(await self._again([each for each in wanted if each[0] in few]))
            for each in found:
                if each.where not in grows and len(grows) < TRIES:
                    grows[each.where] = await self._grows(each)
            kept += [each for each in found if grows.get(each.where)]
            if not kept:
                break  # the first of them speak for all
        return kept

    async def _again(self, wanted: Sequence[tuple[S, str]]) -> list[Kept[S]]:
        """Play each schedule twice, all on one app; return those under which both connections are kept."""
        app = self._make()
        played: dict[tuple[S, str], list[weakref.ref[Any]]] = {}
        for schedule in dict.fromkeys(schedule for schedule, _ in wanted):
            for _ in range(2):
                for letter, connection in (await self._connections(app, schedule)).items():
                    played.setdefault((schedule, letter), []).append(connection)
        await asyncio.sleep(HOUR)
        gc.collect()
        left = {
            key: held[1]
            for key in wanted
            if len(held := [ref() for ref in played.get(key, ())]) == 2 and None not in held
        }
        found: dict[tuple[S, str], str] = {}
        for _ in range(TRIES):
            first = next((key for key in left if key not in found), None)
            if first is None:
                break
            held_by = holder(left[first], app, (left,), self._state)
            if held_by is None:
                del left[first]
                continue
            also = held_by.reaches(left.values())
            found.update({key: held_by.words for key, each in left.items() if key not in found and id(each) in also})
            found.setdefault(first, held_by.words)
        return [Kept(*key, found[key]) for key in wanted if key in found]

    async def _by_itself(self, found: Sequence[Kept[S]]) -> list[Kept[S]]:
        """Leave out what is kept only where other schedules were played before: where each can have an app of its own.

        Of an app that is the same for all, hangup.explorer.fresh finds it out.
        """
        if self._make() is self._make():
            return list(found)
        apps = {kept.schedule: self._make() for kept in found}
        played = {schedule: await self._connections(app, schedule) for schedule, app in apps.items()}
        held = {(schedule, letter): each for schedule, of in played.items() for letter, each in of.items()}
        left = await still_reachable(held)
        return [kept for kept in found if (kept.schedule, kept.letter) in left]

    async def _grows(self, kept: Kept[S]) -> bool:
        app = self._make()
        many = [await self._connections(app, kept.schedule) for _ in range(OFTEN)]
        await asyncio.sleep(HOUR)
        gc.collect()
        return all(each[kept.letter]() is not None for each in many if kept.letter in each)

    async def _connections(self, app: ASGIApp, schedule: S) -> "dict[str, weakref.ref[Any]]":
        sessions = await self._play(app, schedule)
        connections = {each.letter: each.connection for each in sessions if each.connection is not None}
        for each in sessions:
            each.drop_references()
        return connections


async def still_reachable(connections: "dict[K, weakref.ref[Any]]") -> list[K]:
    """Return the keys of those connections that somebody still holds when an hour has passed."""
    await asyncio.sleep(HOUR)
    gc.collect()
    return [key for key, connection in connections.items() if connection() is not None]
