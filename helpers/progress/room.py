"""The progress of a room full of learners, from the files that they handed in, as one table."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.catalogue import Lesson, catalogue
from helpers.progress import record
from helpers.progress.record import Entries, Entry


@dataclass(frozen=True)
class Learner:
    """A name, what is remembered of this learner's exercises, and a sentence if that could not be read."""

    name: str
    entries: Entries
    problem: str = ""

    def marks(self, lesson: Lesson) -> str:
        """Return a mark for each exercise of a lesson: ✓✗○."""
        return "".join(self.entries.get(f"{lesson.name} {task.number}", Entry()).mark for task in lesson.tasks)


def collected(folder: Path) -> list[Learner]:
    """Return the learners whose files lie in a folder, as NAME.json, or in one of their own, as NAME/progress.json.

    NAME/work/progress.json will do, too. Raises NotADirectoryError.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    for inside in ("progress.json", "work/progress.json"):
        files |= {path.relative_to(folder).parts[0]: path for path in sorted(folder.glob(f"*/{inside}"))}
    return [_learner(name, path) for name, path in sorted(files.items())]


def _learner(name: str, path: Path) -> Learner:
    try:
        return Learner(name, record.read(path))
    except (OSError, ValueError) as error:
        return Learner(name, {}, f"{path} cannot be read: {error}")


def as_text(learners: Sequence[Learner]) -> str:
    """Return aligned text: a line for each learner, and how many have solved each exercise."""
    from hangup.trace.table import Table

    lessons = catalogue()
    rows = [
        (each.name, *((each.marks(ls) if not each.problem else "?") for ls in lessons), _solved(each, lessons))
        for each in learners
    ]
    readable = [each for each in learners if not each.problem]
    totals = tuple(
        "/".join(str(sum(each.marks(lesson)[n] == "✓" for each in readable)) for n in range(len(lesson.tasks)))
        for lesson in lessons
    )
    return str(Table(("", *(lesson.number for lesson in lessons), "solved"), (*rows, ("solved by", *totals, ""))))


def _solved(learner: Learner, lessons: Sequence[Lesson]) -> str:
    marks = "".join(learner.marks(lesson) for lesson in lessons)
    return "?" if learner.problem else f"{marks.count('✓')} of {len(marks)}"


def as_csv(learners: Sequence[Learner]) -> str:
    """Return CSV: a line for each learner, a column for each exercise; pass, fail, or nothing."""
    names = [f"{lesson.name} {task.number}" for lesson in catalogue() for task in lesson.tasks]
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["name", *names])
    lines.writerows([each.name, *(_outcome(each, name) for name in names)] for each in learners)
    return out.getvalue()


def as_json(learners: Sequence[Learner]) -> str:
    """Return JSON: learners by name, each with the outcomes of the exercises that he tried."""
    found = {each.name: {name: _outcome(each, name) for name in each.entries} for each in learners}
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _outcome(learner: Learner, name: str) -> str:
    return {"✓": "pass", "✗": "fail", "○": ""}[learner.entries.get(name, Entry()).mark]
