"""`hangup servers`: asks servers, each by its own command, what they do in every ending, beside the specification."""

import argparse
import sys
from pathlib import Path

from hangup.servers.matrix import rows
from hangup.servers.matrix.rows import Row
from hangup.servers.models.doubts import installed

EXAMPLE = """\
example:
  hangup servers --html servers.html
  hangup servers uvicorn --release uvicorn==0.49.0
  hangup servers --release granian==2.8.9 --against granian-2.8.0.json
  hangup servers --command "uvicorn {app} --port {port}" --json mine.json

Each server runs in a process of its own, on a port of this machine; a release in an environment of its own.
The exit status is 0 if all were asked, and none differs from --against; 1 if not; 2 for arguments of no use.
"""


def add_servers(parser: argparse.ArgumentParser) -> None:
    """Declare what `hangup servers` takes."""
    parser.description = "Ask servers what they do once the peer is gone, beside what the specification says."
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLE
    add = parser.add_argument
    add("server", nargs="*", metavar="SERVER", help="an installed server, such as uvicorn-wsproto (default: all)")
    add("--release", action="append", default=[], metavar="NAME==N", help="another release, such as granian==2.2.6")
    add(
        "--command", dest="line", action="append", default=[], metavar="LINE", help="any server: serves {app} on {port}"
    )
    add("--html", type=Path, metavar="FILE", help="write the table as a page")
    add("--json", type=Path, metavar="FILE", help="write the answers as JSON, which --against reads")
    add("--against", type=Path, metavar="FILE", help="print what differs from the answers in this JSON")
    add("--measured", action="store_true", help="ask nobody: show what comes with hangup, measured before")
    parser.set_defaults(run=_servers, error=parser.error)


def _servers(options: argparse.Namespace) -> int:
    """Ask the servers and print their answers; return the exit status."""
    if sys.platform == "win32" and not options.measured:
        options.error("it stops servers with SIGTERM, which Windows has not; --measured shows what was asked before.")
    if not options.measured and installed("websockets") is None:
        options.error("to ask a server needs the package websockets: pip install 'hangup[client]'")
    from hangup.servers.matrix import commands

    try:
        last = rows.read(options.against.read_text("utf-8")) if options.against else []
        if options.measured:
            problems: list[str] = []
            found = [row for row in rows.measured() if _wanted(row.server, options.server)]
        else:
            from hangup.servers.matrix.measure import measure

            others = bool(options.release or options.line)
            named = [commands.of(name) for name in options.server]
            asked = named or ([] if others else commands.here())
            asked += [commands.given(line) for line in options.line]
            found, problems = measure(asked, options.release)
    except (ValueError, OSError) as error:
        options.error(f"{options.against}: {error}" if options.against and isinstance(error, OSError) else str(error))
    out = sys.stdout
    if found:
        shown = rows.in_words(found[0]) if len(found) == 1 else rows.table(found, specification=False)
        out.write(f"{shown}\n\n✗ departs from what the specification says or recommends\n")
    for file, text in ((options.html, rows.html), (options.json, rows.as_json)):
        if file is not None and found:
            file.write_text(text(found), encoding="utf-8")
    differs = _compare(found, last)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems or differs or not found else 0


def _wanted(name: str, asked: list[str]) -> bool:
    return not asked or name in asked


def _compare(found: list[Row], last: list[Row]) -> bool:
    """Print where each row differs from the one of the same server, or from the only one; return whether any does."""
    differs = False
    for row in found if last else ():
        other = next((each for each in last if each.server == row.server), last[0] if len(last) == 1 else None)
        if other is None:
            sys.stdout.write(f"\nnothing to compare {row.title} with\n")
            continue
        lines = rows.against(row, other)
        differs = differs or bool(lines)
        what = "\n".join(f"  {line}" for line in lines) or "  nothing differs"
        sys.stdout.write(f"\n{row.title} against {other.title}, asked on {other.date}\n{what}\n")
    return differs
