"""The order of a trace: every event after its causes, so that two equal runs have one order.

Servers with threads of their own, and the network, make the order in which things are recorded a little different each
time. So an Entry keeps, beside its event, what had to come before it: the event before it in each *chain* (one chain a
client, one a session, one a task) and the message that it *needs*. Sorted by these causes alone, equal runs are equal.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from hangup.trace.events import Event


@dataclass(frozen=True)
class Entry:
    """An event as it was recorded, with its causes.

    It comes after the last event of each of its `chains` and after the event that `gives` what it `needs`: the first of
    these names that was given counts. Among events that no cause orders, the one of lower `rank` comes first.
    """

    event: Event
    chains: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    gives: str = ""
    rank: tuple[int, str] = (0, "")


def in_causal_order(entries: Sequence[Entry]) -> list[Event]:
    """Return the events of all entries, each after its causes."""
    causes: list[int] = [0] * len(entries)
    effects: list[list[int]] = [[] for _ in entries]
    last: dict[str, int] = {}
    given: dict[str, int] = {}
    for number, entry in enumerate(entries):
        before = {last[chain] for chain in entry.chains if chain in last}
        before.update([given[need] for need in entry.needs if need in given][:1])
        causes[number] = len(before)
        for earlier in before:
            effects[earlier].append(number)
        last.update(dict.fromkeys(entry.chains, number))
        if entry.gives:
            given.setdefault(entry.gives, number)
    ready = [(entry.rank, number) for number, entry in enumerate(entries) if not causes[number]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, number = heapq.heappop(ready)
        ordered.append(entries[number].event)
        for later in effects[number]:
            causes[later] -= 1
            if not causes[later]:
                heapq.heappush(ready, (entries[later].rank, later))
    return ordered
