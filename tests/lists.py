"""The lists of lessons in the README and in lesson 00: `python -m tests.lists` writes both anew, a test compares."""

import json
import re
from pathlib import Path

from helpers import catalogue, lessons

README = lessons.ROOT / "README.md"
START = lessons.source("00")
_TABLE = re.compile(r"^\| \| Lesson \|.*(?:\n\|.*)*", re.MULTILINE)


def listed(path: Path) -> str:
    """Return the list of lessons that a Markdown file or a notebook holds. Raises StopIteration if there is none."""
    return next(match[0] for text in _texts(path) if (match := _TABLE.search(text)))


def write() -> None:
    """Make both lists what the lessons say of themselves."""
    readme = README.read_text(encoding="utf-8")
    README.write_text(_TABLE.sub(lambda _: catalogue.table("notebooks/"), readme), encoding="utf-8")
    notebook = json.loads(START.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = _TABLE.sub(lambda _: catalogue.table(), "".join(cell["source"]))
        cell["source"] = source.splitlines(keepends=True)
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    START.write_text(text, encoding="utf-8")


def _texts(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]] if path.suffix == ".ipynb" else [text]


if __name__ == "__main__":
    write()
