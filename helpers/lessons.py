"""Lessons as files: where they are, what their cells say, and how notebooks/ is derived from solutions/.

A solutions notebook is the one source of its lesson. Cells tagged `solution` exist only there; a cell tagged `starter`
and `ex1` holds the starter of exercise 1, one tagged `solution` and `ex1` its answer.

Most of this reads notebooks as plain JSON, which costs milliseconds; `import nbformat` costs more than a second.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

Notebook = dict[str, Any]
Cell = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata of every notebook."""
ABOUT = "after_the_disconnect"
"""The key in a notebook's metadata under which a lesson says what it is: see helpers.catalogue."""
PROGRESS: Cell = {
    "cell_type": "code",
    "execution_count": None,
    "id": "progress",
    "metadata": {},
    "outputs": [],
    "source": ["from helpers.progress import progress\n", "\n", "progress()"],
}
"""What a learner's notebook runs before its way on. Not in solutions/: what comes out depends on who runs it."""


def sources() -> list[Path]:
    """Return the solutions notebooks, in the order of the lessons."""
    return sorted(SOLUTIONS.glob("[0-9][0-9]-*.ipynb"))


def source(number: str) -> Path:
    """Return the solutions notebook whose name starts with `number`; raise LookupError if there is not exactly one."""
    found = [path for path in sources() if path.name.startswith(number)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} notebooks in solutions/ start with {number!r}")
    return found[0]


def derive(path: Path) -> str:
    """Return the text of the learner's notebook for a solutions notebook."""
    return text(handout(path))


def read(path: Path) -> Notebook:
    """Return a notebook as JSON; raises ValueError for what is no notebook, OSError for what cannot be read."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, name: str) -> Notebook:
    """Return a notebook's text as JSON; raises ValueError with the notebook's name for what is none."""
    found = json.loads(text)
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not all(isinstance(c, dict) and "cell_type" in c for c in cells):
        raise ValueError(f"{name} is no notebook")
    return {**found, "metadata": found["metadata"] if isinstance(found.get("metadata"), dict) else {}}


def text(notebook: Notebook) -> str:
    """Return a notebook as the text of its file, as nbformat writes it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def handout(path: Path) -> Notebook:
    """Return the learner's notebook for a solutions notebook: no solutions, no outputs, the same at every call.

    Before the cell tagged `way-on` stands one that shows how far the learner is.
    """
    notebook = read(path)
    cells = []
    for cell in notebook["cells"]:
        if "solution" not in tags(cell):
            cells += [PROGRESS] * ("way-on" in tags(cell)) + [_bare(cell)]
    return notebook | {"cells": cells, "metadata": _metadata(notebook)}


def _metadata(notebook: Any) -> dict[str, Any]:
    """Return what is kept of a notebook's metadata: what the lesson says of itself, and the kernel."""
    found = notebook["metadata"]
    return ({ABOUT: found[ABOUT]} if ABOUT in found else {}) | KERNEL


def _bare(cell: Cell) -> Cell:
    fixed = {"editable": False, "deletable": False} if "check" in tags(cell) else {}
    kept = {key: value for key, value in cell["metadata"].items() if key not in {"execution", "collapsed", "scrolled"}}
    bare = cell | {"metadata": kept | fixed}
    return bare | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else bare


def tags(cell: Cell) -> list[str]:
    """Return a cell's tags, whatever stands in its metadata."""
    metadata = cell.get("metadata")
    found = metadata.get("tags") if isinstance(metadata, dict) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def source_of(cell: Cell) -> str:
    """Return a cell's source as one string; a file may hold it as a list of lines."""
    found = cell.get("source", "")
    return "".join(map(str, found)) if isinstance(found, list) else str(found)


def _text(notebook: NotebookNode) -> str:
    import nbformat

    notebook.metadata = nbformat.from_dict(_metadata(notebook))
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(dict(sorted(cell.metadata.items())))
    return str(nbformat.writes(notebook, version=4, indent=1, sort_keys=True, ensure_ascii=False)) + "\n"


def build(*, keep: Callable[[Path], object]) -> list[Path]:
    """Write notebooks/ anew and return the files that changed, those without a source removed.

    `keep` is called with each file before it is replaced or removed, and may copy it.
    """
    changed = drifted()
    for path in changed:
        if path.exists():
            keep(path)
        if (SOLUTIONS / path.name).exists():
            NOTEBOOKS.mkdir(exist_ok=True)
            path.write_text(derive(SOLUTIONS / path.name), encoding="utf-8")
        else:
            path.unlink()
    return changed


def drifted() -> list[Path]:
    """Return the files in notebooks/ that are missing, differ from what their source gives, or have no source."""
    wanted = {NOTEBOOKS / path.name: path for path in sources()}
    surplus = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if path not in wanted]
    differ = [n for n, path in wanted.items() if not n.exists() or n.read_text(encoding="utf-8") != derive(path)]
    return differ + surplus


def execute(path: Path, *, timeout: int = 120) -> None:
    """Run a solutions notebook in a new kernel and store its outputs; nothing is stored if a cell fails.

    Raises nbclient's CellExecutionError, for a group of exceptions too.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _tidy(cell.outputs)
    path.write_text(_text(notebook), encoding="utf-8")


_WHERE = re.compile(r"~?(?:/[^/\s\x1b]+)+/(?=site-packages/|python3\.\d+/)")
"""The folder in which packages or Python's own modules are installed."""


def _tidy(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return outputs without what differs from run to run or from machine to machine.

    A stream comes in as many pieces as it happened to be read in; a traceback names where packages are installed.
    """
    tidy: list[NotebookNode] = []
    for output in outputs:
        output.get("metadata", {}).clear()
        if "traceback" in output:
            output.traceback = [re.sub(_WHERE, "", line) for line in output.traceback]
        last = tidy[-1] if tidy else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            tidy.append(output)
    return tidy


def cells(lesson: str, *wanted: str) -> tuple[Cell, ...]:
    """Return the cells of a lesson that carry all these tags."""
    return tuple(cell for cell in _cells(source(lesson)) if {*wanted} <= {*tags(cell)})


@functools.cache
def _cells(path: Path) -> tuple[Cell, ...]:
    return tuple(read(path)["cells"])
