"""What the lessons are and what they ask, read from their notebooks: from this every list of lessons is made.

Whoever lists lessons asks here. What is remembered of a lesson goes by its name, `double-receive`, and not by its
number, which may change.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers import lessons
from helpers.lessons import Cell, source_of, tags


@dataclass(frozen=True)
class Task:
    """An exercise as its lesson announces it: `number` 2, `title` "Answer", and the id of its first `cell`."""

    number: int
    title: str
    cell: str


@dataclass(frozen=True)
class Lesson:
    """A lesson, by its own words in its notebook's metadata, where `uses` is called `with`, and by its cells."""

    path: Path
    """In solutions/."""
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
    tasks: tuple[Task, ...] = ()

    @property
    def number(self) -> str:
        """What its file's name begins with: `02`."""
        return self.path.stem.partition("-")[0]

    @property
    def name(self) -> str:
        """What it is remembered by: `double-receive`."""
        return self.path.stem.partition("-")[2]


def catalogue() -> list[Lesson]:
    """Return the lessons in their order."""
    return [_lesson(path) for path in lessons.sources()]


def chosen(starts: Iterable[str]) -> list[Lesson]:
    """Return the lessons called `02`, `double-receive` or `02-double-receive`; all of them if none is asked for.

    Raises LookupError with a sentence for what names no lesson.
    """
    known, found = catalogue(), []
    for start in starts:
        named = [each for each in known if start in (each.number, each.name, each.path.stem)]
        if not named:
            raise LookupError(f"no lesson is called {start!r}; there are {', '.join(each.number for each in known)}")
        found += [each for each in named if each not in found]
    return found or known


def role(cell: Cell) -> tuple[str, int] | None:
    """Return ("starter", 2) for the starter of exercise 2, ("check", 2) for its check, None for any other cell."""
    found = tags(cell)
    numbers = [int(tag[2:]) for tag in found if re.fullmatch(r"ex\d+", tag)]
    kinds = [kind for kind in ("starter", "check") if kind in found]
    return (kinds[0], numbers[0]) if kinds and numbers and "solution" not in found else None


def table(folder: str = "") -> str:
    """Return the lessons as a table in Markdown, whose links lead into `folder`, such as `notebooks/`."""
    head = "| | Lesson | The error that brought you here | Minutes | With |\n|---|---|---|---|---|"
    rows = (
        f"| {each.number} | [{each.title}]({folder}{each.path.name}) | {_words(each)} | {each.minutes} | {each.uses} |"
        for each in catalogue()
    )
    return "\n".join([head, *rows])


def _words(lesson: Lesson) -> str:
    symptom = [f"({lesson.symptom})"] if lesson.symptom else []
    return "<br>".join([*(f"`{words}`" for words in lesson.errors), *symptom])


def _lesson(path: Path) -> Lesson:
    """Read a lesson; one that does not say what it is has the title of its first cell, and no more."""
    notebook = lessons.handout(path)
    cells, about = notebook["cells"], notebook["metadata"].get(lessons.ABOUT, {})
    heading = re.search(r"^# (?:\d+ · )?(.+)$", source_of(cells[0]) if cells else "", re.MULTILINE)
    return Lesson(
        path,
        about.get("title") or (heading[1].strip() if heading else path.stem),
        about.get("minutes", 0),
        about.get("needs", ""),
        about.get("with", ""),
        tuple(about.get("errors", ())),
        about.get("symptom", ""),
        tuple(_tasks(cells)),
    )


def _tasks(cells: Iterable[Cell]) -> Iterator[Task]:
    """Yield the exercises that have a starter or a check; a heading such as "Exercise 2 · Answer" says more of them."""
    titles: dict[int, str] = {}
    first: dict[int, str] = {}
    asked: set[int] = set()
    for cell in cells:
        if (found := role(cell)) is not None:
            asked.add(found[1])
            first.setdefault(found[1], str(cell.get("id", "")))
        elif cell["cell_type"] == "markdown":
            for which, title in re.findall(r"^#+ Exercise (\d+) · (.+)$", source_of(cell), re.MULTILINE):
                titles[int(which)] = title.strip()
                first.setdefault(int(which), str(cell.get("id", "")))
    for each in sorted(asked):
        yield Task(each, titles.get(each, f"Exercise {each}"), first[each])
