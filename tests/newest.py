"""`python -m tests.newest REPORT.xml`: what newer releases change, as Markdown, from pytest's JUnit report.

The weekly run on the newest releases ends in it: which model of a server is untrue by now, which lessons teach what has
changed, and in a lesson the sentence above the cell whose output is another one. Exit status: 0 if all tests passed.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import nbformat
from nbformat import NotebookNode

PROPERTIES = ("model", "lessons", "lesson", "cell", "sentence")
"""What `conftest.py` adds to the report of a failed test: of a model `model` and `lessons`, of a cell the others."""


def sentence_above(notebook: NotebookNode, cell: int) -> str:
    """Return the last line of prose above code cell number `cell` (from 0) that is no heading, fold or table."""
    said, number = "", -1
    for each in notebook.cells:
        if each.cell_type == "code":
            number += 1
            if number == cell:
                break
        elif each.cell_type == "markdown":
            lines = [line.strip() for line in each.source.splitlines()]
            said = next((line for line in reversed(lines) if line and line[0] not in "#<|-!`"), said)
    return said


def of_a_cell(path: Path, cell: int) -> list[tuple[str, str]]:
    """Return the properties of a failed cell: its lesson, its number, and the sentence that it belongs to."""
    notebook = nbformat.read(path, as_version=4)
    return [("lesson", path.stem), ("cell", str(cell)), ("sentence", sentence_above(notebook, cell))]


def failed(report: Path) -> list[dict[str, str]]:
    """Return what a JUnit report says of each test that failed: `test`, `message`, and the properties it has."""
    found = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        problem = next((each for each in case if each.tag in {"failure", "error"}), None)
        if problem is not None:
            said = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
            name = f"{case.get('classname', '')}::{case.get('name', '')}"
            words = (problem.get("message") or problem.text or "").strip()
            found.append({"test": name, "message": words} | said)
    return found


def releases() -> str:
    """Return the installed releases of what the lessons run on, in one line."""
    from importlib.metadata import version

    names = ("uvicorn", "granian", "hypercorn", "websockets", "wsproto", "starlette", "litestar", "fastapi", "anyio")
    return ", ".join(f"{name} {version(name)}" for name in names)


def markdown(failures: Sequence[dict[str, str]], total: int) -> str:
    """Return the report: models first, then lessons, then what is left."""
    title = "# What newer releases change\n"
    if not failures:
        return f"{title}\nNothing: {total:,} tests passed on {releases()}.\n"
    models = [each for each in failures if "model" in each]
    cells = [each for each in failures if "sentence" in each]
    others = [each for each in failures if each not in models and each not in cells]
    parts = [title, f"{len(failures)} of {total:,} tests failed on {releases()}.\n"]
    if models:
        rows = [(each["model"], _first(each), each.get("lessons", "")) for each in models]
        parts += ["## Models that are untrue by now\n", _table(("Model", "What was found", "Lessons"), rows)]
    if cells:
        rows3 = [(each["lesson"], each["cell"], each["sentence"], _first(each)) for each in cells]
        parts += ["## Lessons that show something else\n", _table(("Lesson", "Cell", "Sentence above", "Why"), rows3)]
    if others:
        parts += ["## Other tests\n", _table(("Test", "Why"), [(each["test"], _first(each)) for each in others])]
    return "\n".join(parts)


def _first(failure: dict[str, str]) -> str:
    return next((line for line in failure["message"].splitlines() if line.strip()), "")[:200]


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Iterable[str]) -> str:
        return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"

    head = list(head)
    return "\n".join([row(head), row("---" for _ in head), *map(row, rows)]) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Print the report, and add it to GitHub's job summary where there is one."""
    if len(arguments) != 1 or not Path(arguments[0]).exists():
        sys.stderr.write("Name the JUnit report: pytest --junitxml=report.xml; python -m tests.newest report.xml\n")
        return 2
    report = Path(arguments[0])
    failures = failed(report)
    text = markdown(failures, sum(1 for _ in ElementTree.parse(report).getroot().iter("testcase")))
    sys.stdout.write(text)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
