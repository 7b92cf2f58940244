"""What `hangup explore` and `hangup replay` let clients do: the options that say it, read into one value.

A file of Python says what a line of steps cannot. It defines `script`, and may define `path` and `lifespan`, which are
those of `hangup.explore`; an option of the command counts more.
"""

import argparse
from dataclasses import dataclass
from typing import Any

from hangup.cli import arguments
from hangup.cli.loading import Error, file
from hangup.cli.script import steps
from hangup.explorer.apps.lifespan import Mode
from hangup.servers.script import HELLO, Script, crowd, letters, steps_of

LIFESPANS = ("auto", "on", "off")


@dataclass(frozen=True)
class Said:
    """What clients do, and where."""

    script: Script
    path: str
    lifespan: Mode
    beside: bool
    words: str
    """What the report's first line says of it."""

    @property
    def options(self) -> dict[str, Any]:
        """What `explore` and `replay` take, beside the script."""
        return {"path": self.path, "lifespan": self.lifespan, "beside": self.beside}


def add_script(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--path", type=arguments.path, help="what the clients ask for, such as /ws?room=1 (default: /)")
    add("--lifespan", choices=LIFESPANS, help="run the app's lifespan around each session (default: if it has one)")
    what = parser.add_mutually_exclusive_group()
    line = rf"""what clients do, separated by commas: {steps.KINDS}; b.text:WORDS is another client's; the last may be
        close:1001, as it closes anyway; a comma in WORDS is written \, (default: 'text:"hello", expect')"""
    what.add_argument("--client", type=steps.script, metavar="STEPS", help=line)
    what.add_argument("--script", metavar="FILE.py", help="a file that defines `script`, a list of hangup's steps")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--alone", action="store_true", help="one client, and no second one that says the same beside it")
    who.add_argument("--crowd", type=arguments.crowd, metavar="N", help="N clients say the same")


def read(options: argparse.Namespace) -> Said:
    """Return what the options say; leave with a sentence for what cannot be used."""
    found = vars(file(options.script, options.error)) if options.script else {}
    script = options.client if options.client is not None else found.get("script", HELLO)
    path, lifespan = options.path or found.get("path", "/"), options.lifespan or found.get("lifespan", "auto")
    try:
        single = letters(steps_of(script)) == ["a"]
        if options.crowd:
            script = crowd(script, options.crowd)
    except (TypeError, ValueError) as problem:
        options.error(f"{options.script or '--client'}: {problem}")
    _check(options.script, path, lifespan, options.error)
    beside = single and not (options.alone or options.crowd)
    told = options.script or steps.line(options.client if options.client is not None else HELLO)
    who = f"{options.crowd} clients: " if options.crowd else "client: " if single else "clients: "
    return Said(script, path, lifespan, beside, f"{who}{told}{'; a second one says the same beside it' * beside}")


def _check(name: str, path: object, lifespan: object, error: Error) -> None:
    if not isinstance(path, str) or not path.startswith("/"):
        error(f"{name}: path begins with /, and {path!r} does not.")
    if lifespan not in (True, False, *LIFESPANS):
        error(f"{name}: lifespan is one of {', '.join(LIFESPANS)}, and {lifespan!r} is not.")


def again(options: argparse.Namespace) -> list[str]:
    """Return the words of a command that say the same."""
    words = ["--path", options.path] if options.path else []
    words += ["--lifespan", options.lifespan] if options.lifespan else []
    words += ["--client", steps.line(options.client)] if options.client is not None else []
    words += ["--script", options.script] if options.script else []
    words += ["--alone"] if options.alone else []
    return words + (["--crowd", str(options.crowd)] if options.crowd else [])
