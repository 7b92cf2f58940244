"""`learn` makes and renews the learner's copies of the lessons; `reset` gives him a lesson, or an exercise, afresh.

Whatever either of them replaces is kept as a dated copy first; if that copy cannot be written, nothing is replaced. The
notebook is written before its base: cut short between the two, the next renewal finds the same cells untouched.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from helpers import lessons
from helpers.catalogue import Lesson, catalogue
from helpers.lessons import Notebook
from helpers.workspace import edited, files
from helpers.workspace.merge import Merged, base_of, merge, restored


def learn() -> tuple[list[str], list[str]]:
    """Make or renew work/; return sentences on what was done, and on what could not be.

    Raises OSError or TimeoutError with a sentence if there can be no work/ at all.
    """
    done: list[str] = []
    failed: list[str] = []
    with _locked():
        files.sweep(files.work())
        for lesson in catalogue():
            try:
                done += _renewed(lesson)
            except Exception as error:  # one lesson must not keep the others, or JupyterLab, from opening
                failed.append(f"{files.shown(copy_of(lesson))} is as it was: {error}")
    return done, failed


def reset(lesson: Lesson, number: int | None = None) -> list[str]:
    """Hand out a lesson afresh, or one exercise of it; return sentences. Raises LookupError, OSError, TimeoutError."""
    if number not in (None, *(task.number for task in lesson.tasks)):
        raise LookupError(f"lesson {lesson.number} has no exercise {number}")
    with _locked():
        path, new = copy_of(lesson), lessons.handout(lesson.path)
        if not path.exists():
            return list(_renewed(lesson))
        kept = files.keep(path)
        try:
            fresh = new if number is None else restored(lessons.read(path), new, number)
        except ValueError as error:
            raise LookupError(
                f"{files.shown(path)} cannot be read ({error}): reset {lesson.number} as a whole"
            ) from None
        files.write(path, lessons.text(fresh))
        if number is None:
            _note_base(lesson, new)
    what = files.shown(path) if number is None else f"exercise {number} in {files.shown(path)}"
    return [f"{what} is as it is handed out; what you had is in {files.shown(kept)}"]


def lab(options: list[str]) -> None:
    """Become JupyterLab with the first lesson open. Its root is the project, so that solutions/ can be reached."""
    root = lessons.ROOT if files.work().is_relative_to(lessons.ROOT) else files.work()
    first = copy_of(catalogue()[0]).relative_to(root).as_posix()
    ours = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{first}"]
    ours += ["--ContentsManager.allow_hidden=True"]  # or else what is in .kept cannot be opened there
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *ours, *options])


def copy_of(lesson: Lesson) -> Path:
    """Return where the learner's copy of a lesson is, also if its number was another one then, or where it will be."""
    path = files.work() / lesson.path.name
    named = [] if path.exists() else sorted(files.work().glob(f"[0-9][0-9]-{lesson.name}.ipynb"))
    return named[0] if named else path


def _locked() -> AbstractContextManager[None]:
    return files.locked(files.work() / "lessons")


def _base(lesson: Lesson) -> Path:
    return files.work() / ".base" / f"{lesson.name}.ipynb"


def _note_base(lesson: Lesson, new: Notebook) -> None:
    """Remember what was handed out, if it is news."""
    old = _read(_base(lesson))
    base = base_of(new, old)
    if base != old:
        files.write(_base(lesson), lessons.text(base))


def _renewed(lesson: Lesson) -> Iterator[str]:
    """Make or renew one copy, and yield a sentence for what changed."""
    new, path, target = lessons.handout(lesson.path), copy_of(lesson), files.work() / lesson.path.name
    if path.exists():
        yield from _merged(lesson, path, target, new)
    else:
        yield from _made(target, new)
    _note_base(lesson, new)


def _made(target: Path, new: Notebook) -> Iterator[str]:
    """Make a copy; what somebody wrote into notebooks/ comes along, for that was the way once."""
    handed = lessons.NOTEBOOKS / target.name
    old = _read(handed)
    if old is None or _sources(old) == _sources(new):
        files.write(target, lessons.text(new))
        yield f"{files.shown(target)} is new"
        return
    text = edited.committed(handed)
    base = lessons.parse(text, handed.name) if text and edited.edited(handed) else None
    files.write(target, lessons.text(merge(base, old, new).notebook))
    yield f"{files.shown(target)} is new, with what you wrote into {files.shown(handed)}; work in this one from now on"


def _sources(notebook: Notebook) -> list[str]:
    return [lessons.source_of(cell) for cell in notebook["cells"]]


def _merged(lesson: Lesson, path: Path, target: Path, new: Notebook) -> Iterator[str]:
    """Renew a copy; one that cannot be read is kept aside."""
    for _ in range(3):
        before = path.read_bytes()
        try:
            mine = lessons.read(path)
        except ValueError:
            kept = files.keep(path)
            files.write(target, lessons.text(new))
            yield f"{files.shown(path)} is no notebook; it is kept as {files.shown(kept)}, and you have a fresh copy"
            break
        merged = merge(_read(_base(lesson)), mine, new)
        if merged.notebook == mine and path == target:
            return
        kept = files.keep(path)
        if path.read_bytes() == before:  # or else it was saved meanwhile
            files.write(target, lessons.text(merged.notebook))
            yield f"{files.shown(target)}: {_said(merged)}; what you had is in {files.shown(kept)}"
            break
    else:
        raise OSError("it is being saved all the time; close it, and try again")
    if path != target:
        path.unlink()


def _said(merged: Merged) -> str:
    counts = {
        "renewed": merged.renewed,
        "added": merged.added,
        "removed": merged.removed,
        "kept as you changed them, with the new ones below": merged.beside,
    }
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return f"cells {', '.join(said)}" if said else "the lesson's marks are renewed"


def _read(path: Path) -> Notebook | None:
    try:
        return lessons.read(path)
    except (OSError, ValueError):
        return None
