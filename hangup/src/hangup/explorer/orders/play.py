"""Plays one session in which events come later: the same as any other, on a loop that has an Order.

Which messages clients get, and who hears whom, depends on the order in which a network delivers; so an order is blamed
for less than other schedules are. A message that does not come counts if the app has taken in what the client said and
neither answers nor waits for more, and what an answer says is for an invariant to judge.
"""

import asyncio
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hangup.explorer.apps.play import Play
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.orders import waits
from hangup.explorer.orders.connection import LateConnection
from hangup.explorer.waiting import nothing
from hangup.record.recorder import Session
from hangup.record.rules import (
    Rule,
    heeds_cancellation,
    heeds_every_cancellation,
    leaves_no_task,
    leaves_no_thread,
    logs_no_error,
)
from hangup.servers.players import connection_for, row_of
from hangup.servers.script import ABSENT, SILENT, Expect, Step, StopReading
from hangup.time.order import Held, Order, OrderedTask, in_words
from hangup.trace.events import Event

NOT_OF_ORDER = (leaves_no_task, leaves_no_thread, heeds_cancellation, heeds_every_cancellation, logs_no_error)
"""Rules that other schedules judge: whether a task that ends runs on a little longer depends on how long it is held."""


def rules_of_order(rules: "tuple[Rule, ...]") -> tuple[Rule, ...]:
    """Return those of some rules that hold whatever the order."""
    return tuple(rule for rule in rules if rule not in NOT_OF_ORDER)


@dataclass
class Told:
    """What a session has to say of its order, in words."""

    deviations: dict[str, str] = field(default_factory=dict)
    waits: list[str] = field(default_factory=list)


class OrderedPlay(Play):
    """One session in the order that `choose` says; `order` knows what has happened.

    With `explain`, `told` says where events were held and who waited for whom.
    """

    def __init__(
        self, choose: Callable[[str], int], app: Any, script: ParsedScript, *args: Any, explain: bool = False, **kw: Any
    ) -> None:
        super().__init__(app, script, *args, **kw)
        self.explain = explain
        self.told = Told()
        self.order = Order(self.loop, choose, self._lane)
        self._stuck: set[str] = set()
        self.connections.kind = functools.partial(self._connect, self.order)
        if explain:
            self.order.on_held, self.order.on_come = self._held, self._come
            self.wait.on_end = self._look

    async def play(self) -> Session:
        """Run the app to its end."""
        self.loop.order = self.order
        try:
            session = await super().play()
            session.facts["order"] = (*self.told.deviations.values(), *self.told.waits)
            return session
        finally:
            self.order.end()
            self.loop.order = None
            self.connections.kind = connection_for
            for each in self.connections.of.values():
                if isinstance(each, LateConnection):
                    each.on_silence = nothing  # no circle of references is left

    def _connect(self, order: Order, model: str, *args: Any) -> LateConnection:
        connection = LateConnection(order, row_of(model), *args)
        connection.on_silence = self._silent
        return connection

    def _lane(self, task: "asyncio.Task[Any]") -> str:
        lane = getattr(task, "lane", None)
        if lane is None:
            lane = self._lane_of(task)
            if isinstance(task, OrderedTask):
                task.lane = lane
        return str(lane)

    def _lane_of(self, task: "asyncio.Task[Any]") -> str:
        for session in self.recorder.sessions:
            if task is session.main:
                return session.letter
            if task in session.tasks:
                return f"{session.letter}{list(session.tasks).index(task) + 1}"
        return ""

    # ---- what is wrong ------------------------------------------------------------------------------------------

    def _silent(self, connection: LateConnection) -> None:
        """A client has waited for an answer in vain."""
        self._look()
        sessions = self.recorder.sessions
        for each in sessions:
            if each.letter == connection.client.letter and waits.is_stuck(each, sessions, listens=connection.asked > 0):
                self._stuck.add(each.letter)

    def _note_facts(self) -> None:
        super()._note_facts()
        for session in self.recorder.sessions:
            missed = session.facts["unanswered"]
            owed = session.letter in self._stuck and self._owed(session.letter)
            session.facts["unanswered"] = [each for each in missed if owed and each.endswith(SILENT)]

    def _owed(self, letter: str) -> bool:
        """Whether a client has said something before it waited for an answer."""
        for step in self.conversation.script.steps:
            if not isinstance(step, Expect) and getattr(step, "by", "") == letter and not isinstance(step, StopReading):
                return True
        return False

    # ---- what is told -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self.explain and not self.told.waits:
            self.told.waits = waits.in_words(waits.waiting(self.recorder.sessions))

    def _held(self, held: Held) -> None:
        if held.task is not None:
            text = f"{self._lane_in_words(held.lane)} is held at {waits.where_of(held.task)}"
        elif held.lane.startswith("+"):
            text = f"client {held.lane[1]}'s {held.what} does not arrive"
        else:
            text = f"{held.what} does not fire"
        self.told.deviations[held.name] = f"{text} {in_words(held.choice)}"
        self._mark(held, f"⏸ held, {in_words(held.choice)}")

    def _come(self, held: Held) -> None:
        others = [self._lane_in_words(lane) for lane in held.meanwhile if lane != held.lane]
        if others:
            self.told.deviations[held.name] += f"; meanwhile: {', '.join(others)}"
        self._mark(held, "▶ goes on")

    def _mark(self, held: Held, text: str) -> None:
        """Draw a mark into the picture."""
        if held.lane.startswith("+"):
            self.connections.of[held.lane[1:]].remark(f"{held.what}: {text}")
        elif held.task is not None:
            session = self._session(held.lane)
            session.record(Event(session.tasks.get(held.task, session.app), "note", text))

    def _session(self, lane: str) -> Session:
        return next(each for each in self.recorder.sessions if each.letter == lane[0])

    def _lane_in_words(self, lane: str) -> str:
        if lane == "time":
            return "a timer"
        if lane.startswith("+"):
            return f"client {lane[1:]}"
        session = self._session(lane)
        if lane == session.letter:
            return f"{lane}'s handler"
        return waits.who_of(session, list(session.tasks)[int(lane[1:]) - 1])


def replayed(choices: Mapping[str, int]) -> Callable[[str], int]:
    """Return what plays these deviations again."""
    return lambda name: choices.get(name, 0)


def any_answer(script: ParsedScript) -> ParsedScript:
    """Return a script whose clients take any answer for the one they wait for."""
    steps = [_any(step) for step in script.steps]
    return script if steps == script.steps else replace(script, steps=steps)


def _any(step: Step) -> Step:
    """Return a step that takes any answer, unless something of the answer is said later."""
    return replace(step, text=None, json=ABSENT) if isinstance(step, Expect) and not step.bind else step
