"""`--html FILE` and `--github`: a report as a page, as a job summary and as annotations, for a pull request."""

import argparse
import os
import sys
from pathlib import Path

from hangup.cli.loading import Error
from hangup.explorer.report import Report
from hangup.explorer.showing.markdown import annotation, job_summary
from hangup.explorer.showing.outcomes import Play, outcomes
from hangup.explorer.showing.page import Command, page

SUMMARY = "GITHUB_STEP_SUMMARY"
ANNOTATIONS = 10  # GitHub shows no more of one step


def add_published(parser: argparse.ArgumentParser) -> None:
    """Declare the two options."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as an HTML page, with pictures")
    github = f"write a job summary to the file that ${SUMMARY} names, and annotations to stderr"
    parser.add_argument("--github", action="store_true", help=github)


def check_published(options: argparse.Namespace, error: Error) -> None:
    """Say in a sentence, before anything is explored, why there is nowhere to write to."""
    if options.html is not None and not options.html.parent.is_dir():
        error(f"argument --html: there is no folder {str(options.html.parent)!r}.")
    if options.html is not None and options.html.is_dir():
        error(f"argument --html: {str(options.html)!r} is a folder.")
    if options.github and not os.environ.get(SUMMARY):
        error(f"argument --github: ${SUMMARY} is not set; GitHub sets it in each step of a job.")


def publish(options: argparse.Namespace, report: Report, title: str, about: str, play: Play, command: Command) -> None:
    """Write what the options ask for; `play` plays a schedule again, `command` is what does so for a reader."""
    if options.html is not None:
        text = page(report, title=title, about=about, play=play, command=command)
        options.html.write_text(text, encoding="utf-8", errors="backslashreplace")
    if options.github:
        found = outcomes(report)[:ANNOTATIONS]
        played = {name: play(name) for name in dict.fromkeys(outcome.schedule for outcome in found)}
        first = played[found[0].schedule] if found else None
        with Path(os.environ[SUMMARY]).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(job_summary(report, title=title, first=first, command=command))
        root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
        lines = (annotation(outcome, played[outcome.schedule], root) for outcome in found)
        sys.stderr.write("".join(f"{line}\n" for line in lines if line))
