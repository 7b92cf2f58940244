"""Ends a connection at every moment, in every way, as every server would, and tells what becomes of the app.

First the app runs undisturbed, which counts its receives, its sends and its awaits. Then it runs once for each
schedule: a model of a server, an ending and a moment; and once for each await, where its task is cancelled.
All of this happens in memory and in virtual time, on a loop of its own in a thread of its own. Equal apps give equal
reports. A schedule has a name, such as `granian/reset@receive#2`, by which `replay` runs it again, with its picture.
Asked for, more sessions are played in other orders of tasks than asyncio's own: that is hangup.explorer.orders.
"""

import asyncio
import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from hangup.explorer.apps.ending import Patience
from hangup.explorer.apps.exploration import Exploration, Probe
from hangup.explorer.apps.lifespan import Mode
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import EVERY, USUAL, Schedule
from hangup.explorer.apps.talk.company import HELD_ALONE, accompanied, noting
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.findings import Findings
from hangup.explorer.fresh.apart import ALONE
from hangup.explorer.fresh.telling import told
from hangup.explorer.fresh.within import Anew, as_at_first
from hangup.explorer.further.closer import look_closer
from hangup.explorer.further.goodbye import goodbye
from hangup.explorer.further.held import Holding
from hangup.explorer.further.lasting import tell_what_lasts
from hangup.explorer.invariant import (
    NOT_FRESH,
    Invariant,
    no_facts,
    not_fresh,
    rules_with,
    with_invariant,
    with_its_doubt,
)
from hangup.explorer.names import choose
from hangup.explorer.orders.play import OrderedPlay, any_answer
from hangup.explorer.report import Broken, Report
from hangup.record.evidence import watch
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import GENERAL, Rule, leaves_no_task_for_good
from hangup.servers import players
from hangup.servers.models import EXPLORED
from hangup.servers.script import HELLO, Script
from hangup.time.order import ordered_tasks
from hangup.time.shared import run_on_loop
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace


def explore(
    app: ASGIApp | None = None,
    script: Script = HELLO,
    *,
    make: Callable[[], ASGIApp] | None = None,
    rules: Sequence[Rule] = GENERAL,
    probe: Probe = no_facts,
    models: Sequence[str] = EXPLORED,
    endings: Sequence[str] = USUAL,
    limit: int = 2_000,
    seconds: float = 600.0,
    path: str = "/",
    lifespan: Mode = False,
    beside: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
    excuse: Collection[str] = (),
    order: int = 0,
    invariant: Invariant | None = None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. `models` are names of servers (hangup.servers.players),
    `endings` some of "close", "fin", "reset", "shutdown" and "cancel", and if they are asked for, of
    hangup.servers.models.FURTHER and "cancel-twice". Above `limit` schedules, so many are explored, spread evenly. An
    app that spins, or holds the event loop again and again, is not explored further. Clients ask for `path`, which may
    have a query, unless the script says for what. With `lifespan`, the app's lifespan starts before each session and is
    shut down after it (asgi lifespan.rst), if it has one; "on" says that it must. With `beside`, a second client says
    the same beside a script's only one, where the app allows that (hangup.explorer.apps.talk.company).
    `progress` is called after each schedule with how many are done and how many there are to do. `excuse` are names of
    tasks, or of their coroutine functions, that may run on when a handler has ended.
    With `order`, so many more sessions are played in other orders of tasks (hangup.explorer.orders), with `make` each
    on an app of its own. `invariant` is called with the app after each session, and says what is wrong, or None.
    For that, an app that earlier explorations have left untidy is made anew by running its module once more; else it is
    not known whether the invariant holds (hangup.explorer.fresh.within).
    Raises TypeError or ValueError with a sentence for what is no script, no model or no ending.
    Who holds the event loop for seconds is ended, and named in the Report. Raises Stuck when all takes longer than
    `seconds` of real time, and at once when the app does not end though it is cancelled again and again; NotStarted
    when the app's lifespan does not start.
    """
    if ALONE in os.environ and threading.current_thread() is threading.main_thread():
        raise RuntimeError("a module that explores when it is imported cannot be imported to be explored")
    if app is not None:
        make = _always(app)
    if make is None:
        raise TypeError("explore() takes an app, or make=, a function that returns a new one for each session.")
    for model in models:
        players.check(model)
    choose("ending", endings, EVERY)
    given: dict[str, Any] = {
        "make": make,
        "rules": rules,
        "probe": probe,
        "models": models,
        "endings": endings,
        "limit": limit,
    }
    given |= {"path": path, "lifespan": lifespan, "excuse": excuse, "order": order, "invariant": invariant}
    probed, rules, probe = probe is not no_facts, rules_with(tuple(rules), invariant), with_invariant(probe, invariant)
    findings = Findings(rules, untried=tuple(ending for ending in EVERY if ending not in endings))
    patience = Patience() if leaves_no_task_for_good in rules else None
    left: list[Broken] = []
    parsed = ParsedScript.of(script)
    exploration = Exploration(make, parsed, findings, probe, path, lifespan, excuse, patience)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with watch(loop):
            first = None
            if beside and exploration.script.alone:
                first = await exploration.very_first(models)
                findings.company = HELD_ALONE
                if not exploration.costly.holds:  # each such session takes long
                    exploration.script, findings.company = await accompanied(parsed, noting(exploration.sessions, left))
            await exploration.explore(models, endings, limit, progress)
            exploration.add_first(first)
            if lifespan and not (exploration.costly.holds or findings.stopped):
                await tell_what_lasts(exploration)
                await _say_goodbye(exploration)
        if order:
            with ordered_tasks(loop), watch(loop):
                await exploration.orders(progress).explore(Schedule(models[0], "close"), order)
        findings.waited = loop.elsewhere.waited

    shared = contextlib.nullcontext((None, True)) if app is None else as_at_first(app, invariant, probed=probed)
    with shared as (first, fresh):
        exploration.make = make if first is None else _always(first)
        exploration.run(work, seconds=seconds)
    one = functools.partial(explore, app, script, seconds=seconds, **given)
    report = with_its_doubt(findings.report(), one, beside=exploration.script is not parsed)
    report = report if fresh else not_fresh(report)
    exploration.unlink()
    return told(report, app, exploration, left, invariant=invariant, probed=probed)


async def _say_goodbye(exploration: Exploration) -> None:
    """Remark that nobody is left to be told at the lifespan's end, if a shutdown was tried and none showed it."""
    shutdown = next((name for name, _ in exploration.findings.how if name.endswith("/shutdown@end")), None)
    if shutdown is None or not players.is_model(Schedule.parse(shutdown).model):
        return
    said = {remark.got for remark in exploration.findings.remarks}
    told = await goodbye(exploration, Schedule.parse(shutdown))
    exploration.findings.remarks += [remark for remark in told if remark.got not in said]


def replay(
    app: ASGIApp,
    schedule: str,
    script: Script = HELLO,
    *,
    probe: Probe = no_facts,
    seconds: float = 30.0,
    path: str = "/",
    lifespan: Mode = False,
    excuse: Collection[str] = (),
    closer: bool = False,
    beside: bool = False,
    invariant: Invariant | None = None,
) -> Session:
    """Run one schedule again and return client a's Session, whose trace is the picture; `others` has the others'.

    `path`, `lifespan`, `excuse` and `beside` are those of `explore`.
    With `closer`, tasks that the app leaves behind get as much time as in an exploration, and more sessions follow, to
    find out what one alone does not tell: whether the connection is kept, and what the app logs undisturbed.
    An app of which an exploration has seen that it keeps something of its sessions is made anew, if its module can be.
    """
    plays: list[Play] = []

    def held(where: str) -> None:
        for play in plays:
            play.held = where

    async def work() -> Session:
        nonlocal app
        wanted, read, loop = Schedule.parse(schedule), ParsedScript.of(script), asyncio.get_running_loop()
        kind = Play if wanted.order is None else functools.partial(OrderedPlay, wanted.order.choose, explain=True)
        with ordered_tasks(loop) if wanted.order is not None else contextlib.nullcontext(), watch(loop):
            trace, began = Trace(server=wanted.model), time.perf_counter()
            patience = Patience() if closer else None
            options: dict[str, Any] = {"lifespan": lifespan, "excuse": excuse, "patience": patience}
            opening = None
            if beside and read.alone:
                alone = Exploration(_always(app), read, Findings(()), probe, path, lifespan, excuse, None)
                if closer and wanted == Schedule(wanted.model, "close"):  # an exploration judges the very first, too
                    opening = await Play(app, read, wanted, Trace(server=wanted.model), path, **options).play()
                    opening.facts["threads"] = []  # as an exploration does
                    opening.logged = [logged for logged in opening.logged if logged.escaped or logged.shown]
                read, _ = await accompanied(read, alone.sessions)
                app = own.again()  # an invariant shall tell of this session, and of none before it
            read = read if wanted.order is None else any_answer(read)
            plays.append(kind(app, read, wanted, trace, path, **options))
            session = await plays[0].play()
            trace.silent = True  # whoever the app still lists may be told something in the sessions that follow
            for each in (session, *session.others):
                with_invariant(probe, invariant)(app, each)  # of this session, and of none that follows
            # what facts refer to, such as an object of the app's, is not to be what further sessions make of it
            if probe is no_facts and not (plays[0].spins or plays[0].held or wanted.order is not None):
                timed = Exploration(_always(app), read, Findings(()), probe, path, lifespan, excuse, None)
                session.facts["held_for"] = await Holding().look(began, timed.unjudged, wanted)
            if closer and wanted.order is None:
                again = Exploration(_always(app), read, Findings(()), probe, path, lifespan, excuse, patience)
                await look_closer(again, wanted, (session, *session.others))
            trace.silent = False
            return session if opening is None or _broken_in(opening) <= _broken_in(session) else opening

    with Anew(app, invariant, probed=probe is not no_facts) as own:
        app = own.begin()
        session = run_on_loop(work, seconds=seconds, on_held=held)
    if not own.sure:
        session.facts["unknown"] = f"what the invariant says is not: {NOT_FRESH}"
    return session


def _broken_in(session: Session) -> set[str]:
    """Return the names of the general rules that a session breaks, that of any client."""
    return {rule.name for rule in GENERAL for each in (session, *session.others) if rule.test(each) is not None}


def _always(app: ASGIApp) -> Callable[[], ASGIApp]:
    return lambda: app
