"""Lessons as files: where they are, what their cells say, and how notebooks/ is derived from solutions/.

A solutions notebook is the one source of its lesson. Cells tagged `solution` exist only there; a cell tagged `starter`
and `ex1` holds the starter of exercise 1, one tagged `solution` and `ex1` its answer.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
ABOUT = "after_the_disconnect"
"""The key in a notebook's metadata under which a lesson says what it is: see helpers.contents."""
PROGRESS = "from helpers.progress import progress\n\nprogress()"
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
    """Return the learner's notebook for a solutions notebook: no solutions, no outputs; the same text at every call.

    Before the cell tagged `way-on` stands one that shows how far the learner is.
    """
    from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor  # slow to import

    notebook = nbformat.read(path, as_version=4)
    notebook, _ = TagRemovePreprocessor(remove_cell_tags={"solution"}, enabled=True).preprocess(notebook, {})
    notebook, _ = ClearOutputPreprocessor(enabled=True).preprocess(notebook, {})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "check" in cell.metadata.get("tags", []):
            cell.metadata.update(editable=False, deletable=False)
    for place in [n for n, cell in enumerate(notebook.cells) if "way-on" in cell.metadata.get("tags", [])]:
        notebook.cells.insert(place, nbformat.v4.new_code_cell(PROGRESS, id="progress"))
    return _text(notebook)


def _text(notebook: NotebookNode) -> str:
    about = {ABOUT: notebook.metadata[ABOUT]} if ABOUT in notebook.metadata else {}
    notebook.metadata = nbformat.from_dict(
        about
        | {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(dict(sorted(cell.metadata.items())))
    return str(nbformat.writes(notebook, version=4, indent=1, sort_keys=True, ensure_ascii=False)) + "\n"


def build() -> list[Path]:
    """Write notebooks/ anew and return the files that changed, those without a source removed."""
    changed = drifted()
    for path in changed:
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


@functools.cache
def cells(lesson: str, *tags: str) -> tuple[NotebookNode, ...]:
    """Return the cells of a lesson that carry all these tags."""
    path = source(lesson)
    return tuple(_with_tags(nbformat.read(path, as_version=4), set(tags)))


def _with_tags(notebook: NotebookNode, tags: set[str]) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        if tags <= set(cell.metadata.get("tags", [])):
            yield cell
