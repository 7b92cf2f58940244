"""`hangup client`: a WebSocket client, whose connection breaks at every frame, and one of its schedules."""

import argparse
import contextlib
import inspect
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hangup.cli import arguments
from hangup.cli.loading import Error, load, name_of
from hangup.cli.output import as_json, bar, begin, given_up, summary
from hangup.cli.publish import add_published, check_published, publish
from hangup.explorer.clients.schedules import FAULTS, FURTHER, ClientSchedule
from hangup.explorer.report import Report
from hangup.record.rules import CLIENT

if TYPE_CHECKING:
    from hangup.explorer.clients.play import Client
    from hangup.explorer.clients.server import Handler
    from hangup.record.session import Session

EXAMPLE = """\
example:
  hangup client chat:listen --server chat:server
  hangup client chat:listen --server chat:server --replay upstream/reset@frame#2

exit status: 0 every rule held, 1 a rule broke, 2 these arguments cannot be used

Client and server run in this process, in virtual time. What they print goes to stderr.
"""
ALL = (*FAULTS, "cancel")
EVERY = (*ALL, *FURTHER)


def add_client(parser: argparse.ArgumentParser) -> None:
    """Declare what `hangup client` takes."""
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLE
    parser.description = "Break a client's connection at every frame, in both directions: what does it do?"
    add = parser.add_argument
    names = "a coroutine function that takes a URL: package.module:client, or path/to/file.py:client"
    add("client", type=name_of("client"), metavar="MODULE:CLIENT", help=names)
    server = "what it talks to: a websockets handler, or a function that returns a new one for each session"
    add("--server", type=name_of("server"), required=True, metavar="MODULE:SERVER", help=server)
    faults = f"of {', '.join(EVERY)}; may be repeated (default: {', '.join(ALL)})"
    add("--fault", action="append", choices=EVERY, metavar="NAME", help=faults)
    add("--limit", type=arguments.limit, default=1_000, metavar="N", help="explore at most N schedules, spread evenly")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print the report as JSON")
    schedule = arguments.named(ClientSchedule.parse)
    either.add_argument("--replay", type=schedule, metavar="NAME", help="show one schedule and the rules it breaks")
    add_published(parser)
    parser.set_defaults(run=_run, error=parser.error)


def _run(options: argparse.Namespace) -> int:
    """Explore the client, or replay one schedule; print what came of it and return the exit status."""
    if options.replay and (options.html or options.github):
        options.error("--html and --github are of an exploration, not of --replay.")
    check_published(options, options.error)
    if not options.replay:
        begin(_heading(options), sys.stderr if options.json else sys.stdout)
    out = sys.stdout

    def ended(report: Report) -> None:
        if options.json:
            out.write(f"{as_json(report, client=options.client, server=options.server, ended=True)}\n")

    with given_up("the client", ended), contextlib.redirect_stdout(sys.stderr):
        try:
            from hangup import explore_client  # noqa: F401  # says what to install
        except ModuleNotFoundError as missing:
            options.error(str(missing).replace("hangup.explore_client", "hangup client"))
        client = load(options.client, "client", options.error)
        server = _server(options.server, options.error)
        text, ok = (_replay if options.replay else _explore)(client, server, options)
    out.write(f"{text}\n")
    return 0 if ok else 1


def _faults(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(dict.fromkeys(options.fault or ALL))


def _heading(options: argparse.Namespace) -> str:
    return f"{options.client} against {options.server}; faults: {', '.join(_faults(options))}"


def _server(name: str, error: Error) -> "Callable[[], Handler]":
    """Import a server; return what makes it anew, if it is made, for a session."""
    server = load(name, "server", error)
    if inspect.iscoroutinefunction(server):
        return lambda: server
    try:
        inspect.signature(server).bind()
    except TypeError:
        error(f"{name!r} is no server: it is neither a coroutine function nor a function that takes no argument.")
    return server


def _explore(client: "Client", server: "Callable[[], Handler]", options: argparse.Namespace) -> tuple[str, bool]:
    from hangup import explore_client, replay_client

    with bar(sys.stderr) as progress:
        report = explore_client(client, server, faults=_faults(options), limit=options.limit, progress=progress)

    def play(name: str) -> "Session":
        return replay_client(client, name, server)

    def again(name: str) -> str:
        return shlex.join(["hangup", "client", options.client, "--server", options.server, "--replay", name])

    title, _, about = _heading(options).partition(" against ")
    publish(options, report, title, f"against {about}", play, again)
    if options.json:
        return as_json(report, client=options.client, server=options.server), report.ok
    if report.ok:
        return f"\n{report}", True
    first = report.broken[0].schedule
    trace = play(first).trace
    told = f"{ClientSchedule.parse(first).words}\n{trace}"
    return f"\n{report}\n\n{told}\n\n{summary(report, again(first))}", False


def _replay(client: "Client", server: "Callable[[], Handler]", options: argparse.Namespace) -> tuple[str, bool]:
    from hangup import replay_client

    schedule: ClientSchedule = options.replay
    session: Any = replay_client(client, str(schedule), server)
    if not session.facts["fired"] or (schedule.cancel_at and session.cancelled_by != "schedule"):
        options.error(f"the client never comes to {schedule}.")
    broken = [f"✗ {rule.sentence}: {got}" for rule in CLIENT if (got := rule.test(session)) is not None]
    verdict = "\n".join(broken) or "✓ every rule holds"
    return f"{schedule.words}\n{session.trace}\n\n{verdict}", not broken
