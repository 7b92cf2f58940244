"""The command `hangup`: `explore` an app, `replay` a schedule of it, explore a `client`, ask `servers`, show `models`.

The exit status is 0 if every rule held, 1 if one broke, 2 for arguments that cannot be used.
"""

import logging
import os
import sys
import threading
from typing import NoReturn

from hangup.cli import client, explore, servers
from hangup.cli.arguments import Parser
from hangup.cli.output import GivenUp
from hangup.servers.models import in_words, older_in_words

STATUS = "exit status: 0 every rule held, 1 a rule broke, 2 these arguments cannot be used"
INTERRUPTED = 130  # what a shell says of a command that SIGINT has ended


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    about = "Ends the connections of your WebSocket app at every moment, in every way, and shows what becomes of it."
    parser = Parser(prog="hangup", description=about, epilog=STATUS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explore.add_explore(commands.add_parser("explore", help="end connections of an app at every moment, in memory"))
    explore.add_replay(commands.add_parser("replay", help="show one schedule of an app, and the rules that it breaks"))
    client.add_client(commands.add_parser("client", help="break connections of a client at every frame, on loopback"))
    servers.add_servers(commands.add_parser("servers", help="ask the servers themselves, each by its own command"))
    commands.add_parser("models", help="print what each server does once the peer is gone, side by side")
    options = parser.parse_args(argv)
    if options.command == "models":
        sys.stdout.write(f"{in_words()}\n\n{older_in_words()}\n")
        return 0
    return int(options.run(options))


def command() -> None:
    """Run one command and leave with its exit status, at once where an app may still run."""
    try:
        status: object = main()
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        status = INTERRUPTED
    except GivenUp as end:
        _leave(end.code)
    except SystemExit as end:
        status = end.code
    if threading.active_count() > 1:  # the interpreter would wait for the threads of a pool, maybe for ever
        _leave(status)
    sys.exit(status)  # type: ignore[arg-type]  # what sys.exit was given


def _leave(status: object) -> NoReturn:
    """End the process, whatever still runs in it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))
