"""What a lesson says of itself, in the metadata of its notebook: from this every list of lessons is made.

`catalogue()` reads it, as plain JSON; `table()` is what the README and lesson 00 show.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from helpers import lessons


@dataclass(frozen=True)
class Lesson:
    """A lesson, by its own words. In the metadata, `name` is the file's own and `uses` is called `with`."""

    name: str
    """The name of its file, without its ending."""
    title: str
    minutes: int
    needs: str
    """The number of the lesson to read before, or nothing."""
    uses: str
    """The libraries that it is about."""
    errors: tuple[str, ...]
    """What people search for, word for word, and find explained here."""
    symptom: str
    """What they see where there is no such error, or beside it; or nothing."""

    @property
    def number(self) -> str:
        """The first two characters of its name."""
        return self.name[:2]

    @property
    def file(self) -> str:
        """The name of its notebook, in whatever folder."""
        return f"{self.name}.ipynb"


def catalogue() -> tuple[Lesson, ...]:
    """Return the lessons in their order. Raises KeyError or TypeError for a notebook that does not say what it is."""
    return tuple(_lesson(path) for path in lessons.sources())


def table(folder: str = "") -> str:
    """Return the lessons as a table in Markdown, whose links lead into `folder`, such as `notebooks/`."""
    head = "| | Lesson | The error that brought you here | Minutes | With |\n|---|---|---|---|---|"
    rows = (
        f"| {each.number} | [{each.title}]({folder}{each.file}) | {_words(each)} | {each.minutes} | {each.uses} |"
        for each in catalogue()
    )
    return "\n".join([head, *rows])


def _lesson(path: Path) -> Lesson:
    about = dict(json.loads(path.read_text(encoding="utf-8"))["metadata"][lessons.ABOUT])
    return Lesson(path.stem, uses=about.pop("with"), errors=tuple(about.pop("errors")), **about)


def _words(lesson: Lesson) -> str:
    symptom = [f"({lesson.symptom})"] if lesson.symptom else []
    return "<br>".join([*(f"`{words}`" for words in lesson.errors), *symptom])
