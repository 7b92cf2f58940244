"""The command `hangup`: `explore` any ASGI app and show the first schedule that fails; print the `models`.

The exit status is 0 if every rule held, 1 if one broke, 2 for arguments that cannot be used.
"""

import argparse
import contextlib
import functools
import importlib
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, TextIO

from hangup.explorer.apps.explore import explore, replay
from hangup.explorer.apps.schedules import Schedule
from hangup.record.recorder import ASGIApp, describe
from hangup.record.rules import GENERAL
from hangup.record.threads import Escaped, Stuck
from hangup.servers.models import ENDINGS, EXPLORED, MODELS, in_words
from hangup.servers.script import HELLO, Expect, Script, Send

EXAMPLE = """\
example:
  hangup explore chat:app --path /ws --client "text:hello, expect, close:1001"
  hangup explore chat:app --path /ws --replay granian/reset@receive#2

exit status: 0 every rule held, 1 a rule broke, 2 these arguments cannot be used

The app runs in memory, without its lifespan. What it prints goes to stderr.
"""


class GivenUp(SystemExit):
    """The app may still run, and may go on when the interpreter ends: whoever owns the process should leave at once."""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="hangup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("models", help="print what each server does once the peer is gone, side by side")
    add_arguments(commands.add_parser("explore", help="end connections of an app at every moment, in memory"))
    options = parser.parse_args(argv)
    if options.command == "models":
        sys.stdout.write(f"{in_words()}\n")
        return 0
    return run(options)


def command() -> None:
    """Run one command and leave with its exit status, at once where an app may still run."""
    try:
        sys.exit(main())
    except GivenUp:
        sys.stderr.flush()
        os._exit(1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLE
    parser.description = "End a connection at every moment, in every way, as every server would: what does the app do?"
    parser.set_defaults(error=parser.error)
    add = parser.add_argument
    add("app", metavar="MODULE:APP", help="an ASGI app, such as package.module:app, seen from this directory")
    add("--path", type=_path, default="/", help="what the client asks for, such as /ws or /ws?room=1 (default: /)")
    steps = r"""what the client does: text:WORDS, expect (any message), expect:WORDS; the last may be close:1001, as it
        closes anyway; a comma in WORDS is written \, (default: 'text:"hello", expect')"""
    add("--client", type=_client, default=HELLO, metavar="STEPS", help=steps)
    servers, endings = ", ".join(EXPLORED), ", ".join((*ENDINGS, "cancel"))
    add("--server", action="append", choices=MODELS, metavar="NAME", help=f"may be repeated, or daphne; {servers}")
    add("--ending", action="append", choices=(*ENDINGS, "cancel"), metavar="NAME", help=f"likewise; {endings}")
    add("--limit", type=_limit, metavar="N", help="explore at most N schedules, spread evenly (default: 2000)")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print the report as JSON")
    either.add_argument("--replay", type=_schedule, metavar="NAME", help="show one schedule and the rules it breaks")
    add("--mermaid", action="store_true", help="with --replay: print the picture as Mermaid")


def run(options: argparse.Namespace) -> int:
    """Do what the options say and return the exit status."""
    if options.mermaid and not options.replay:
        options.error("--mermaid needs --replay.")
    if options.replay and (options.server or options.ending or options.limit):
        options.error("--replay names one schedule: leave out --server, --ending and --limit.")
    out = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the app prints is no part of the report
            app = _load(options.app, options.error)
            text, ok = _replay(app, options) if options.replay else _explore(app, options)
    except (Stuck, Escaped) as problem:
        why = f"the app raised {problem}" if isinstance(problem, Escaped) else _stuck(problem)
        sys.stderr.write(f"The exploration was given up: {why}.\n")
        raise GivenUp(1) from None
    out.write(f"{text}\n")
    return 0 if ok else 1


def _stuck(problem: Stuck) -> str:
    if problem.loop_runs:
        return "the app runs on though it is cancelled again and again, or a lower --limit is needed"
    return "the app holds its event loop"


def _explore(app: ASGIApp, options: argparse.Namespace) -> tuple[str, bool]:
    """Return what to print, and whether every rule held."""
    models = tuple(dict.fromkeys(options.server or EXPLORED))
    endings = tuple(dict.fromkeys(options.ending or (*ENDINGS, "cancel")))
    with _progress(sys.stderr) as progress:
        report = explore(
            app,
            options.client,
            models=models,
            endings=endings,
            limit=options.limit or 2_000,
            path=options.path,
            progress=progress,
        )
    if not report.explored:
        options.error(f"there is no schedule of {', '.join(models)} with {', '.join(endings)} for this app.")
    if options.json:
        kept = {"explored": report.explored, "schedules": report.schedules, "ok": report.ok}
        return json.dumps({**kept, "broken": [asdict(each) for each in report.broken]}, indent=2), report.ok
    if report.ok:
        return str(report), True
    first = report.broken[0].schedule
    return f"{report}\n\n{first}\n{replay(app, first, options.client, path=options.path).trace}", False


def _replay(app: ASGIApp, options: argparse.Namespace) -> tuple[str, bool]:
    """Return the picture of one schedule with the rules that it breaks, and whether there are none."""
    schedule: Schedule = options.replay
    session = replay(app, str(schedule), options.client, path=options.path)
    if (schedule.moment and not session.facts["fired"]) or (schedule.cancel_at and not session.cancelled_by):
        options.error(f"the app never comes to {schedule}.")
    broken = [f"✗ {rule.sentence}: {got}" for rule in GENERAL if (got := rule.test(session)) is not None]
    verdict = "\n".join(broken) or "✓ every rule holds"
    if options.mermaid:
        sys.stderr.write(f"{verdict}\n")
        return session.trace.mermaid(), not broken
    return f"{schedule}\n{session.trace}\n\n{verdict}", not broken


@contextlib.contextmanager
def _progress(stream: TextIO) -> Iterator[Callable[[int, int], None]]:
    """Give a function that draws a bar, where somebody sees it, and wipe the bar away afterwards."""

    def draw(done: int, total: int) -> None:
        stream.write(f"\r{'█' * (30 * done // total):░<30} {done:,} of {total:,}")
        stream.flush()

    if not stream.isatty():
        yield lambda *_: None
        return
    try:
        yield draw
    finally:
        stream.write(f"\r{' ' * 60}\r")


def _load(name: str, error: Callable[[str], NoReturn]) -> ASGIApp:
    """Import an app by its name, as uvicorn does: the current directory can be imported from."""
    module, _, path = name.partition(":")
    if not all(part.isidentifier() for part in f"{module}.{path}".split(".")):
        error(f"{name!r} names no app: it looks like package.module:app.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        app: object = importlib.import_module(module)
    except (Exception, SystemExit) as reason:
        if isinstance(reason, ModuleNotFoundError) and f"{module}.".startswith(f"{reason.name}."):
            error(f"there is no module {reason.name!r}, neither in {Path.cwd()} nor installed.")
        frames = [f for f in traceback.extract_tb(reason.__traceback__) if not f.filename.startswith("<frozen")]
        where = "" if isinstance(reason, SyntaxError) else f" ({frames[-1].filename}, line {frames[-1].lineno})"
        error(f"module {module!r} cannot be imported: {describe(reason)}{where}")
    try:
        app = functools.reduce(getattr, path.split("."), app)
    except AttributeError as reason:
        error(f"there is no {path!r} in module {module!r}: {reason}.")
    if not callable(app):
        error(f"{name!r} is no app: it is of type {type(app).__name__}, which nobody can call.")
    return app


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"a path begins with /, and {text!r} does not.")
    return text


def _client(text: str) -> Script:
    r"""Return the script that the steps are; a comma that is part of a step has a \ before it."""
    steps = [step.strip().replace("\\,", ",") for step in re.split(r"(?<!\\),", text)]
    if steps[-1] in {"close", "close:1001"}:
        steps.pop()
    return [_step(step) for step in steps]


def _step(step: str) -> Send | Expect:
    word, colon, words = step.partition(":")
    if word == "text" and colon:
        return Send(words)
    if word == "expect":
        return Expect(words if colon else None)
    if word == "close":
        raise argparse.ArgumentTypeError(f"{step!r}: the client closes once, as its last step, and with 1001 only.")
    raise argparse.ArgumentTypeError(
        rf"{step!r} is no step: a step is text:WORDS, expect, expect:WORDS or close, a comma in WORDS is \,"
    )


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0.")
    return int(text)


def _schedule(name: str) -> Schedule:
    try:
        return Schedule.parse(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
