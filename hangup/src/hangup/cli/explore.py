"""`hangup explore` and `hangup replay`: an app, ended at every moment, and one of its schedules with its picture."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from hangup.cli import arguments
from hangup.cli.loading import load, name_of
from hangup.cli.output import as_json, bar, begin, given_up, summary
from hangup.cli.publish import add_published, check_published, publish
from hangup.cli.script import said
from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.lifespan import NotStarted
from hangup.explorer.apps.schedules import EVERY, USUAL, Schedule
from hangup.explorer.apps.talk.company import HELD_ALONE
from hangup.explorer.findings import Findings
from hangup.explorer.invariant import Invariant, rules_with
from hangup.explorer.orders.play import rules_of_order
from hangup.explorer.report import NO_END, Broken, Report
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import GENERAL
from hangup.servers import players
from hangup.servers.models import EXPLORED, MODELS
from hangup.servers.models.doubts import doubts, with_releases

EXAMPLE = """\
example:
  hangup explore chat:app --path /ws --client "text:hello, expect, close:1001"
  hangup replay chat:app granian/reset@receive#2 --path /ws

exit status: 0 every rule held, 1 a rule broke, 2 these arguments cannot be used, or the app does not start

The app runs in memory. What it prints goes to stderr.
"""


def add_explore(parser: argparse.ArgumentParser) -> None:
    """Declare what `hangup explore` takes."""
    parser.description = "End a connection at every moment, in every way, as every server would: what does the app do?"
    add = parser.add_argument
    _add_app(parser)
    of = f"of {_list(MODELS)}; with ==2.7.1 after it, for a release's row (`hangup models` has them); with installed: "
    of += "before it, for the code that is installed; may be repeated"
    add("--server", action="append", type=arguments.named(players.check), metavar="NAME", help=of)
    more = f"of {_list(EVERY)}; may be repeated (default: {_list(USUAL)})"
    add("--ending", action="append", choices=EVERY, metavar="NAME", help=more)
    add("--limit", type=arguments.limit, default=2_000, metavar="N", help="explore at most N schedules, spread evenly")
    words = "play N more sessions in other orders of tasks than asyncio's own (default: none); see --factory, too"
    add("--order", type=arguments.sessions, default=0, metavar="N", help=words)
    add("--json", action="store_true", help="print the report as JSON")
    add_published(parser)
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
    names = "an ASGI app: package.module:app, seen from here, or path/to/file.py:app; module:create() makes a new one"
    add("app", type=name_of("app"), metavar="MODULE:APP", help=names)
    add("--app-dir", default="", metavar="DIR", help="where modules are seen from first (default: here)")
    add("--factory", action="store_true", help="MODULE:APP returns a new app, for each session, as MODULE:APP() does")
    words = "says of an app, when a session is over, what is wrong with it, or None"
    add("--invariant", type=name_of("invariant"), metavar="MODULE:FUNCTION", help=words)
    excused = "a task, or its coroutine function, that may run on when its handler has ended; may be repeated"
    add("--excuse", action="append", default=[], metavar="NAME", help=excused)
    said.add_script(parser)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _explore(options: argparse.Namespace) -> int:
    """Print the report, and for the first schedule that breaks a rule its picture; return the exit status."""
    models = tuple(dict.fromkeys(options.server or EXPLORED))
    endings = tuple(dict.fromkeys(options.ending or USUAL))
    out = sys.stdout
    told = partial(as_json, app=options.app, models=models)

    def ended(report: Report) -> None:
        if options.json:
            out.write(f"{told(report, company=report.company, ended=True)}\n")

    check_published(options, options.error)
    with contextlib.redirect_stdout(sys.stderr):  # what the app prints is no part of the report
        asked = said.read(options)
        begin(_heading(options, asked, models), sys.stderr if options.json else out)
        with given_up("the app", ended), _started(options):
            make, anew = _load(options), _makes(options)
            with bar(sys.stderr) as progress:
                report = explore(
                    None if anew else make(),
                    asked.script,
                    make=make if anew else None,
                    models=models,
                    endings=endings,
                    limit=options.limit,
                    progress=progress,
                    excuse=options.excuse,
                    order=options.order,
                    invariant=_invariant(options),
                    **asked.options,
                )
            if not report.explored and report.ok:
                options.error(f"there is no schedule of {_list(models)} with {_list(endings)} for this app.")
            _publish(options, asked, models, report, make)
            untried = "" if options.ending else f"\nnot tried: {_list(report.untried)} (--ending NAME tries one)"
            untried += "" if options.order else "\norder of tasks: not tried; --order 200"
            if options.json:
                orders: dict[str, Any] = {"order": asdict(report.orders)} if options.order else {}
                text = told(report, company=report.company, **orders)
            elif report.ok:
                text = f"\n{report}{untried}"
            elif not report.broken or report.broken[0].got.endswith(NO_END):
                text = f"\n{report}"  # there is no picture of it
            else:
                first = report.broken[0].schedule
                options.alone = (
                    options.alone or report.company == HELD_ALONE or _one_is_enough(report.broken[0], make, asked)
                )
                asked = said.read(options)
                trace = _again(options, asked, make(), first).trace
                text = f"\n{report}{untried}\n\n{first}\n{trace}\n\n{summary(report, _command(options, first))}"
    out.write(f"{text}\n")
    return 0 if report.ok else 1


def _invariant(options: argparse.Namespace) -> Invariant | None:
    return load(options.invariant, "invariant", options.error, options.app_dir) if options.invariant else None


@contextlib.contextmanager
def _started(options: argparse.Namespace) -> Iterator[None]:
    """Say in a sentence why an app did not start."""
    try:
        yield
    except NotStarted as problem:
        options.error(f"{str(problem)[:1].lower()}{str(problem)[1:]}")


def _publish(
    options: argparse.Namespace, asked: said.Said, models: Sequence[str], report: Report, make: Callable[[], ASGIApp]
) -> None:
    """Write the page and the job summary, if they are asked for."""
    title, _, about = _heading(options, asked, models).partition(" on ")

    def play(name: str) -> Session:
        return _again(options, asked, make(), name)

    publish(options, report, title, f"on {about}", play, lambda name: _command(options, name))


def _heading(options: argparse.Namespace, asked: said.Said, models: Sequence[str]) -> str:
    """Say what is explored: the app, the models with their releases, the client; and what is not certain of a model."""
    rows = [players.row_of(name) for name in models if not players.titles([name])]
    kind = "server" if len(rows) < len(models) else "model"
    count = f"{len(models)} {kind}{'s' * (len(models) > 1)}"
    at = f" at {asked.path}" if asked.path != "/" else ""
    what = f"{options.app}{at} on {count} ({_list(models)}); {asked.words}"
    true = [f"the models are true of {with_releases(rows)}"] if rows else []
    here = [MODELS[name] for name in models if name in MODELS]  # of a release that was asked for there is no doubt
    older = {name: name.replace("==", " ") for name in players.of_older_releases(models)}
    own = [f"{words}, which is installed here, has a row: --server {name}" for name, words in older.items()]
    return "\n".join((what, *players.titles(models), *true, *map(str, doubts(here)), *own))


def _command(options: argparse.Namespace, schedule: str) -> str:
    """Return the command that plays a schedule again."""
    words = ["hangup", "replay", options.app, schedule]
    words += ["--app-dir", options.app_dir] * bool(options.app_dir) + ["--factory"] * options.factory
    words += ["--invariant", options.invariant] if options.invariant else []
    words += [word for name in options.excuse for word in ("--excuse", name)]
    return shlex.join([*words, *said.again(options)])


def _one_is_enough(broken: Broken, make: Callable[[], ASGIApp], asked: said.Said) -> bool:
    """Return whether a schedule breaks the same rule without the second client: a shorter picture."""
    if not asked.beside:
        return False
    session = replay(make(), broken.schedule, asked.script, closer=True, **(asked.options | {"beside": False}))
    return any(rule.sentence == broken.rule and rule.test(session) == broken.got for rule in GENERAL)


def _load(options: argparse.Namespace) -> Callable[[], ASGIApp]:
    """Import the app; return what gives it, or makes it anew, for a session."""
    app = load(options.app, "app", options.error, options.app_dir)
    return app if _makes(options) else lambda: app


def _makes(options: argparse.Namespace) -> bool:
    """Whether what is named makes a new app for each session."""
    return bool(options.factory or options.app.endswith("()"))


def _again(options: argparse.Namespace, asked: said.Said, app: ASGIApp, schedule: str) -> Session:
    """Play one schedule."""
    invariant = _invariant(options)
    return replay(app, schedule, asked.script, excuse=options.excuse, closer=True, invariant=invariant, **asked.options)


def _replay(options: argparse.Namespace) -> int:
    """Print the picture of one schedule with the rules that it breaks; return the exit status."""
    schedule: Schedule = options.schedule
    out = sys.stdout
    with given_up("the app"), contextlib.redirect_stdout(sys.stderr), _started(options):
        asked = said.read(options)
        app = _load(options)()
        session = _again(options, asked, app, str(schedule))
    if (schedule.moment and not session.facts["fired"]) or (schedule.cancel_at and not session.cancelled_by):
        options.error(f"the app never comes to {schedule}.")
    rules = rules_with(GENERAL if schedule.order is None else rules_of_order(GENERAL), _invariant(options))
    judged = Findings(rules).judge(str(schedule), [session, *session.others])
    broken = [f"✗ {each.rule}: {each.got}" for _, each in judged.broken] or ["✓ every rule holds"]
    lines = (*broken, *(f"· remark: {each.got}" for each in judged.remarks))
    verdict = "\n".join(dict.fromkeys(lines))  # two clients may show the same
    if options.mermaid:
        sys.stderr.write(f"{verdict}\n")
        out.write(f"{session.trace.mermaid()}\n")
    else:
        told = "".join(f"{line}\n" for line in session.facts.get("order", ()))
        out.write(f"{schedule}\n{session.trace}\n\n{told}{verdict}\n")
    return 1 if judged.broken else 0
