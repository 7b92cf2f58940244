"""The lists of lessons in the README and in lesson 00: `python -m tests.lists` writes both anew, a test compares."""

import re
from pathlib import Path

import nbformat

from helpers import lessons

README = lessons.ROOT / "README.md"
START = lessons.source("00")
_TABLE = re.compile(r"^\| \| Lesson \|.*(?:\n\|.*)*", re.MULTILINE)


def listed(path: Path) -> str:
    """Return the list of lessons that a Markdown file or a notebook holds. Raises StopIteration if there is none."""
    return next(match[0] for text in _texts(path) if (match := _TABLE.search(text)))


def write() -> None:
    """Make both lists what the lessons say of themselves."""
    readme = README.read_text(encoding="utf-8")
    README.write_text(_TABLE.sub(lambda _: lessons.table("notebooks/"), readme), encoding="utf-8")
    notebook = nbformat.read(START, as_version=4)
    for cell in notebook.cells:
        cell.source = _TABLE.sub(lambda _: lessons.table(), cell.source)
    START.write_text(lessons.written(notebook), encoding="utf-8")


def _texts(path: Path) -> list[str]:
    if path.suffix == ".ipynb":
        return [cell.source for cell in nbformat.read(path, as_version=4).cells]
    return [path.read_text(encoding="utf-8")]


if __name__ == "__main__":
    write()
