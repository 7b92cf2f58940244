"""Where you are: a table of lessons and exercises, a bar, and what comes next, with a link."""

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

from helpers.catalogue import Lesson, Task, catalogue
from helpers.progress import record
from helpers.progress.record import Entries, Entry
from helpers.workspace import files

WIDTH = 24  # of the bar, in characters


@dataclass(frozen=True)
class Overview:
    """Lessons, what is remembered of them, and a sentence if that could not be read."""

    lessons: tuple[Lesson, ...]
    entries: Entries
    problem: str = ""

    def entry(self, lesson: Lesson, task: Task) -> Entry:
        """Return what is remembered of an exercise."""
        return self.entries.get(f"{lesson.name} {task.number}", Entry())

    @property
    def marks(self) -> list[str]:
        """The mark of every exercise: ✓ ✗ ○."""
        return [self.entry(lesson, task).mark for lesson in self.lessons for task in lesson.tasks]

    @property
    def next(self) -> tuple[Lesson, Task] | None:
        """The first exercise that has not passed."""
        open_ = ((ls, task) for ls in self.lessons for task in ls.tasks if self.entry(ls, task).mark != "✓")
        return next(open_, None)

    @property
    def _count(self) -> str:
        return f"{self.marks.count('✓')} of {len(self.marks)}"

    def __str__(self) -> str:
        """Return the table as text, the bar, and what comes next."""
        width = max((len(lesson.title) for lesson in self.lessons), default=0)
        lines = [
            f"{lesson.number}  {lesson.title:{width}}  {' '.join(self.entry(lesson, t).mark for t in lesson.tasks)}"
            for lesson in self.lessons
        ]
        full = WIDTH * self.marks.count("✓") // max(len(self.marks), 1)
        lines += ["", f"{'█' * full}{'░' * (WIDTH - full)}  {self._count}"]
        if self.next is None:
            lines.append("Every exercise is solved.")
        else:
            lesson, task = self.next
            lines.append(f"next: {_words(lesson, task)}, in {files.shown(_notebook(lesson))}")
        return "\n".join(lines + ([self.problem] if self.problem else []))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": str(self)}

    def _html(self) -> str:
        from hangup.trace.table import BAD, GOOD, QUIET

        colours = {"✓": GOOD, "✗": BAD, "○": QUIET}
        left = 'style="text-align:left"'
        rows = ""
        for lesson in self.lessons:
            marks = ""
            for task in lesson.tasks:
                mark = self.entry(lesson, task).mark
                title = escape(f"{task.number} · {task.title}", quote=True)
                marks += f'<span title="{title}" style="color:{colours[mark]};padding-right:0.6em">{mark}</span>'
            link = f'<a href="{escape(_link(lesson), quote=True)}">{escape(lesson.title)}</a>'
            rows += f"<tr><td {left}>{lesson.number}</td><td {left}>{link}</td><td {left}>{marks}</td></tr>"
        part = 100 * self.marks.count("✓") // max(len(self.marks), 1)
        bar = (
            f'<div style="width:20em;max-width:100%;border:1px solid {QUIET};border-radius:4px">'
            f'<div style="width:{part}%;height:0.6em;background:{GOOD}"></div></div><p>{self._count} exercises</p>'
        )
        coming = "<p>Every exercise is solved.</p>"
        if self.next is not None:
            lesson, task = self.next
            link = escape(_link(lesson, task), quote=True)
            coming = f'<p>Next: <a href="{link}">{escape(_words(lesson, task))}</a></p>'
        problem = f"<p>{escape(self.problem)}</p>" if self.problem else ""
        return f"<table><tbody>{rows}</tbody></table>{bar}{coming}{problem}"


def progress() -> Overview:
    """Return what you have solved; the last line of a cell shows it."""
    file = record.path()
    try:
        return Overview(tuple(catalogue()), {} if file is None else record.read(file))
    except (OSError, ValueError) as error:
        where = "" if file is None else files.shown(file)
        words = f"{where} cannot be read: {error}. The next verdict begins a new one and keeps this one aside."
        return Overview(tuple(catalogue()), {}, words)


def _words(lesson: Lesson, task: Task) -> str:
    return f"{lesson.number} {lesson.title}, exercise {task.number}: {task.title}"


def _notebook(lesson: Lesson) -> Path:
    return files.work() / lesson.path.name


def _link(lesson: Lesson, task: Task | None = None) -> str:
    """Return a link from the notebook that shows it; JupyterLab knows a cell by its id."""
    path = Path(os.path.relpath(_notebook(lesson), Path.cwd())).as_posix()
    return path if task is None else f"{path}#cell-id={task.cell}"
