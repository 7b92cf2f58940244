"""Runs a learner's copy of a lesson in a new kernel and collects what its checks say.

The checks write their verdicts to a log that the environment names. A check that is missing, or was changed, is the
lesson's own. A cell that raises is noted; one that hangs or ends the kernel is left out of a second run, so that the
other exercises are judged all the same. Nobody is kept from cheating here: the answer and its check share a process.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers import lessons
from helpers.catalogue import Lesson, Task, role
from helpers.lessons import Cell, Notebook, source_of
from helpers.progress.record import PROGRESS
from helpers.progress.remember import VERDICTS

if TYPE_CHECKING:
    from nbclient import NotebookClient

TIMEOUT = 60  # seconds that a cell may take
RUNS = 5  # kernels that are started for one notebook at most

Outcome = Literal["pass", "fail", "not attempted"]


@dataclass(frozen=True)
class Result:
    """What became of an exercise, and the sentence that says why it failed."""

    task: Task
    outcome: Outcome
    sentence: str = ""


def attempt(lesson: Lesson, path: Path, *, timeout: float = TIMEOUT, remember: bool = True) -> list[Result]:
    """Judge the answers in a notebook; with `remember` they count as checked by the learner.

    A lesson whose code nobody touched, or that is not there, is not attempted, which takes no kernel to find out.
    """
    new = lessons.handout(lesson.path)
    try:
        mine = lessons.read(path)
    except FileNotFoundError:
        return [Result(task, "not attempted") for task in lesson.tasks]
    except (OSError, ValueError) as error:
        sentence = f"{path.name} cannot be read: run python -m helpers learn, which keeps it aside ({error})"
        return [Result(task, "fail", sentence) for task in lesson.tasks]
    if _code(mine) <= _code(new):
        return [Result(task, "not attempted") for task in lesson.tasks]
    run = _Run(lesson, path, _composed(mine, new), timeout, remember)
    try:
        verdicts = run.verdicts()
    except RuntimeError as error:
        sentence = f"no kernel starts ({error}): run python -m helpers doctor"
        return [Result(task, "fail", sentence) for task in lesson.tasks]
    return [_result(task, verdicts.get(task.number), run, new) for task in lesson.tasks]


def _code(notebook: Notebook) -> set[str]:
    return {source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"}


def _composed(mine: Notebook, new: Notebook) -> list[Cell]:
    """Return the learner's code cells with the lesson's own checks, where they stand or else at the end."""
    checks = {found: cell for cell in new["cells"] if (found := role(cell)) is not None and found[0] == "check"}
    missing = dict(checks)
    cells = []
    for cell in mine["cells"]:
        if cell["cell_type"] == "code":
            found = role(cell)
            cells.append(cell if found is None or found not in missing else missing.pop(found))
    return cells + list(missing.values())


@dataclass
class _Run:
    """Runs of one notebook: cells that stopped one are left out of the next."""

    lesson: Lesson
    path: Path
    cells: list[Cell]
    timeout: float
    remember: bool
    errors: dict[int, str] = field(default_factory=dict)  # what a cell raised, or how it stopped a run, by its place
    stopped: set[int] = field(default_factory=set)

    def verdicts(self) -> dict[int, dict[str, str]]:
        """Return the verdict of each exercise that got one. Raises RuntimeError if no kernel starts."""
        found: dict[int, dict[str, str]] = {}
        for left in reversed(range(RUNS)):
            before = len(self.stopped)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = self._once(Path(folder) / "verdicts.jsonl")
                except RuntimeError:  # a kernel dies before its first word if somebody else took its port
                    if not left:
                        raise
                    continue
            if len(self.stopped) == before:
                break
        return found

    def error(self, kind: str, number: int) -> str:
        """Return what was raised by the starter, or the check, of an exercise."""
        places = (place for place, cell in enumerate(self.cells) if role(cell) == (kind, number))
        return next((self.errors[place] for place in places if place in self.errors), "")

    def _once(self, log: Path) -> dict[int, dict[str, str]]:
        """Run the cells in a new kernel until one stops it, and return the verdicts by exercise."""
        from nbclient.exceptions import CellTimeoutError, DeadKernelError

        client, found = self._client(), {}
        environment = {**os.environ, VERDICTS: str(log)} | ({} if self.remember else {PROGRESS: ""})
        with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
            for place, cell in enumerate(client.nb.cells):
                if place in self.stopped:
                    continue
                before = len(_lines(log))
                try:
                    client.execute_cell(cell, place)
                except CellTimeoutError:
                    self._stop(place, f"a cell ran for {self.timeout:g} seconds")
                except DeadKernelError:
                    self._stop(place, "a cell ended the kernel")
                if place in self.stopped:
                    break
                kind, number = role(self.cells[place]) or ("", 0)
                verdict = _last(_lines(log)[before:], f"{self.lesson.name} {number}")
                if kind == "check" and verdict is not None:
                    found[number] = verdict
        return found

    def _stop(self, place: int, words: str) -> None:
        self.errors[place] = words
        self.stopped.add(place)

    def _client(self) -> NotebookClient:
        import nbformat
        from nbclient import NotebookClient

        bare: Cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        cells = [{**bare, "id": f"cell-{place}", "source": source_of(cell)} for place, cell in enumerate(self.cells)]
        whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

        def note(cell: Any, cell_index: int, execute_reply: Any) -> None:
            self.errors[cell_index] = _raised(execute_reply["content"])

        def look(cell: Any, cell_index: int, execute_reply: Any) -> None:
            """See exit(): the kernel ends a moment later, in some other cell that has no part in it."""
            if any(each.get("source") == "ask_exit" for each in execute_reply["content"].get("payload", ())):
                self._stop(cell_index, "a cell ended the kernel")

        return NotebookClient(
            nbformat.from_dict(whole),  # type: ignore[no-untyped-call]  # nbformat is not annotated throughout
            timeout=self.timeout,
            kernel_name="python3",
            allow_errors=True,
            shutdown_kernel="immediate",
            on_cell_error=note,
            on_cell_executed=look,
            resources={"metadata": {"path": str(self.path.parent)}},
        )


def _raised(reply: Mapping[str, Any]) -> str:
    """Return what a cell raised in one line, without the name that a kernel gives to a cell."""
    first = f"{reply.get('ename', 'error')}: {reply.get('evalue', '')}".splitlines()[0]
    return re.sub(r"\((?:\d+\.py|<.*?>), line (\d+)\)", r"(line \1 of the cell)", first)


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _last(lines: list[str], name: str) -> dict[str, str] | None:
    """Return the last verdict of these, if it is on this exercise."""
    verdict: dict[str, str] = json.loads(lines[-1]) if lines else {}
    return verdict if verdict.get("name") == name else None


def _result(task: Task, verdict: dict[str, str] | None, run: _Run, new: Notebook) -> Result:
    if verdict is not None:
        outcome: Outcome = {"pass": "pass", "not attempted": "not attempted"}.get(verdict["outcome"], "fail")  # type: ignore[assignment]
        return Result(task, outcome, verdict["headline"] if outcome == "fail" else "")
    starters = {source_of(cell) for cell in new["cells"] if role(cell) == ("starter", task.number)}
    own = {source_of(cell) for cell in run.cells if role(cell) == ("starter", task.number)}
    if own and own <= starters:
        return Result(task, "not attempted")
    return Result(
        task, "fail", run.error("starter", task.number) or run.error("check", task.number) or "the check said nothing"
    )
