"""`hangup explore` and `hangup replay`: an app, ended at every moment, and one of its schedules with its picture."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from hangup.cli import arguments
from hangup.cli.loading import load, name_of
from hangup.cli.output import as_json, bar, begin, given_up, summary
from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.invariant import Invariant, rules_with
from hangup.explorer.orders.play import rules_of_order
from hangup.explorer.report import Findings
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import GENERAL
from hangup.servers.models import ENDINGS, EXPLORED, MODELS
from hangup.servers.models.doubts import doubts, with_releases
from hangup.servers.script import HELLO

EXAMPLE = """\
example:
  hangup explore chat:app --path /ws --client "text:hello, expect, close:1001"
  hangup replay chat:app granian/reset@receive#2 --path /ws

exit status: 0 every rule held, 1 a rule broke, 2 these arguments cannot be used

The app runs in memory. What it prints goes to stderr.
"""
ALL = (*ENDINGS, "cancel")


def add_explore(parser: argparse.ArgumentParser) -> None:
    """Declare what `hangup explore` takes."""
    parser.description = "End a connection at every moment, in every way, as every server would: what does the app do?"
    add = parser.add_argument
    _add_app(parser)
    add("--server", action="append", choices=MODELS, metavar="NAME", help=f"of {_list(MODELS)}; may be repeated")
    add("--ending", action="append", choices=ALL, metavar="NAME", help=f"of {_list(ALL)}; may be repeated")
    add("--limit", type=arguments.limit, default=2_000, metavar="N", help="explore at most N schedules, spread evenly")
    words = "play N more sessions in other orders of tasks than asyncio's own (default: none); see --factory, too"
    add("--order", type=arguments.sessions, default=0, metavar="N", help=words)
    add("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_explore, error=parser.error)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Declare what `hangup replay` takes."""
    parser.description = "Play one schedule of an app again: its picture, and the rules that it breaks."
    _add_app(parser)
    schedule = arguments.named(Schedule.parse)
    parser.add_argument("schedule", type=schedule, metavar="SCHEDULE", help="a name such as granian/reset@receive#2")
    parser.add_argument("--mermaid", action="store_true", help="print the picture as Mermaid, the rules to stderr")
    parser.set_defaults(run=_replay, error=parser.error)


def _add_app(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLE
    add = parser.add_argument
    names = "an ASGI app: package.module:app, seen from here, or path/to/file.py:app"
    add("app", type=name_of("app"), metavar="MODULE:APP", help=names)
    add("--factory", action="store_true", help="MODULE:APP returns a new app, for each session")
    add("--lifespan", action="store_true", help="run the app's lifespan around each session")
    add("--path", type=arguments.path, default="/", help="what the client asks for, such as /ws?room=1 (default: /)")
    steps = r"""what the client does: text:WORDS, expect (any message), expect:WORDS; the last may be close:1001, as it
        closes anyway; a comma in WORDS is written \, (default: 'text:"hello", expect')"""
    words = "says of an app, when a session is over, what is wrong with it, or None"
    add("--invariant", type=name_of("invariant"), metavar="MODULE:FUNCTION", help=words)
    excused = "a task, or its coroutine function, that may run on when its handler has ended; may be repeated"
    add("--excuse", action="append", default=[], metavar="NAME", help=excused)
    add("--client", type=arguments.script, default=HELLO, metavar="STEPS", help=steps)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _explore(options: argparse.Namespace) -> int:
    """Print the report, and for the first schedule that breaks a rule its picture; return the exit status."""
    models = tuple(dict.fromkeys(options.server or EXPLORED))
    endings = tuple(dict.fromkeys(options.ending or ALL))
    out = sys.stdout
    begin(_heading(options, models), sys.stderr if options.json else out)
    with given_up("the app"), contextlib.redirect_stdout(sys.stderr):  # what the app prints is no part of the report
        make = _load(options)
        with bar(sys.stderr) as progress:
            report = explore(
                None,
                options.client,
                make=make,
                models=models,
                endings=endings,
                limit=options.limit,
                path=options.path,
                lifespan=options.lifespan,
                excuse=options.excuse,
                progress=progress,
                order=options.order,
                invariant=_invariant(options),
            )
        if not report.explored:
            options.error(f"there is no schedule of {_list(models)} with {_list(endings)} for this app.")
        if options.json:
            orders = {"order": asdict(report.orders)} if options.order else {}
            text = as_json(report, app=options.app, models=models, **orders)
        elif report.ok:
            text = f"\n{report}{_no_order(options)}"
        else:
            first = report.broken[0].schedule
            trace = _again(options, make(), first).trace
            text = f"\n{report}{_no_order(options)}\n\n{first}\n{trace}\n\n{summary(report, _command(options, first))}"
    out.write(f"{text}\n")
    return 0 if report.ok else 1


def _no_order(options: argparse.Namespace) -> str:
    """Say that no other order of tasks was tried, if that is so."""
    return "" if options.order else "\norder of tasks: not tried; --order 200"


def _invariant(options: argparse.Namespace) -> Invariant | None:
    return load(options.invariant, "invariant", options.error) if options.invariant else None


def _heading(options: argparse.Namespace, models: Sequence[str]) -> str:
    """Say what is explored: the app, the models with their releases, the client; and what is not certain of a model."""
    rows = [MODELS[name] for name in models]
    count = f"{len(models)} model{'s' * (len(models) > 1)}"
    what = f"{options.app}{_at(options)} on {count} ({_list(models)}); client: {arguments.steps(options.client)}"
    return "\n".join((what, f"the models are true of {with_releases(rows)}", *map(str, doubts(rows))))


def _at(options: argparse.Namespace) -> str:
    return f" at {options.path}" if options.path != "/" else ""


def _command(options: argparse.Namespace, schedule: str) -> str:
    """Return the command that plays a schedule again."""
    words = ["hangup", "replay", options.app, schedule]
    words += ["--factory"] * options.factory + ["--lifespan"] * options.lifespan
    words += ["--invariant", options.invariant] if options.invariant else []
    words += [word for name in options.excuse for word in ("--excuse", name)]
    words += ["--path", options.path] * (options.path != "/")
    words += ["--client", arguments.steps(options.client)] * (options.client is not HELLO)
    return shlex.join(words)


def _load(options: argparse.Namespace) -> Callable[[], ASGIApp]:
    """Import the app; return what gives it, or makes it anew, for a session."""
    app = load(options.app, "app", options.error)
    return app if options.factory else lambda: app


def _again(options: argparse.Namespace, app: ASGIApp, schedule: str) -> Session:
    """Play one schedule."""
    return replay(
        app,
        schedule,
        options.client,
        path=options.path,
        lifespan=options.lifespan,
        excuse=options.excuse,
        closer=True,
        invariant=_invariant(options),
    )


def _replay(options: argparse.Namespace) -> int:
    """Print the picture of one schedule with the rules that it breaks; return the exit status."""
    schedule: Schedule = options.schedule
    out = sys.stdout
    with given_up("the app"), contextlib.redirect_stdout(sys.stderr):
        app = _load(options)()
        session = _again(options, app, str(schedule))
    if (schedule.moment and not session.facts["fired"]) or (schedule.cancel_at and not session.cancelled_by):
        options.error(f"the app never comes to {schedule}.")
    rules = rules_with(GENERAL if schedule.order is None else rules_of_order(GENERAL), _invariant(options))
    judged = Findings(rules).judge(str(schedule), [session])
    broken = [f"✗ {each.rule}: {each.got}" for _, each in judged.broken] or ["✓ every rule holds"]
    verdict = "\n".join((*broken, *(f"· remark: {each.got}" for each in judged.remarks)))
    if options.mermaid:
        sys.stderr.write(f"{verdict}\n")
        out.write(f"{session.trace.mermaid()}\n")
    else:
        told = "".join(f"{line}\n" for line in session.facts.get("order", ()))
        out.write(f"{schedule}\n{session.trace}\n\n{told}{verdict}\n")
    return 1 if judged.broken else 0
