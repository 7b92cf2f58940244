"""Deriving, checking, running and reading notebooks, most of them made for the purpose."""

import subprocess
import sys

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers import __main__ as command
from helpers import catalogue, lessons

ABOUT = {"title": "Title", "minutes": 5, "with": "nothing", "needs": "06", "errors": ["it breaks"], "symptom": "once"}


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project of its own with one lesson."""
    for name in ("SOLUTIONS", "NOTEBOOKS"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(lessons, name, folder)
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    output = new_output("stream", text="4\n")
    cells = [
        new_markdown_cell("# 07 · Title", id="a"),
        new_code_cell("print(2 + 2)", id="b", execution_count=1, outputs=[output], metadata={"tags": ["check", "ex1"]}),
        new_code_cell("answer = 42", id="c", metadata={"tags": ["solution", "ex1"]}),
        new_code_cell("x = 1", id="d", metadata={"execution": {"iopub.status.busy": "2026-01-01"}}),
    ]
    metadata = {lessons.ABOUT: ABOUT, "signed": "by somebody"}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), lessons.SOLUTIONS / "07-title.ipynb")
    return tmp_path


def test_a_derived_notebook_has_no_solutions_and_no_outputs(room):
    cells = nbformat.reads(lessons.derive(lessons.source("07")), as_version=4).cells
    assert [cell.id for cell in cells] == ["a", "b", "d"]
    assert cells[1].outputs == []
    assert cells[1].execution_count is None
    assert cells[1].metadata == {"tags": ["check", "ex1"], "editable": False, "deletable": False}
    assert cells[2].metadata == {}


def test_before_the_way_on_a_learner_sees_how_far_he_is(room):
    path = lessons.source("07")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_markdown_cell("**Next:** nothing", id="e", metadata={"tags": ["way-on"]}))
    nbformat.write(notebook, path)
    cells = nbformat.reads(lessons.derive(path), as_version=4).cells
    assert [cell.id for cell in cells] == ["a", "b", "d", "progress", "e"]
    assert cells[3].source == lessons.source_of(lessons.PROGRESS)


def test_what_a_lesson_says_of_itself_is_in_both_its_notebooks(room):
    command.main(["run", "07"])
    command.main(["build"])
    for folder in (lessons.SOLUTIONS, lessons.NOTEBOOKS):
        assert set(nbformat.read(folder / "07-title.ipynb", as_version=4).metadata) == {
            lessons.ABOUT,
            "kernelspec",
            "language_info",
        }
    (lesson,) = catalogue.catalogue()
    assert (lesson.name, lesson.number, lesson.title, lesson.minutes) == ("title", "07", "Title", 5)
    assert (lesson.needs, lesson.uses, lesson.errors, lesson.symptom) == ("06", "nothing", ("it breaks",), "once")
    assert catalogue.table("x/").splitlines()[2] == (
        "| 07 | [Title](x/07-title.ipynb) | `it breaks`<br>(once) | 5 | nothing |"
    )


def test_deriving_twice_gives_the_same_bytes(room):
    path = lessons.source("07")
    assert lessons.derive(path) == lessons.derive(path)


def test_build_writes_what_changed_and_check_names_what_drifted(room, capsys):
    derived = lessons.NOTEBOOKS / "07-title.ipynb"
    assert command.main(["build", "--check"]) == 1
    assert (
        capsys.readouterr().out
        == "notebooks/07-title.ipynb is not what solutions/ gives: run python -m helpers build\n"
    )
    assert not derived.exists()
    assert command.main(["build"]) == 0
    assert capsys.readouterr().out == "notebooks/07-title.ipynb\n"
    assert command.main(["build", "--check"]) == 0
    derived.write_text(derived.read_text().replace("x = 1", "x = 2"))
    assert command.main(["build", "--check"]) == 1


def test_a_notebook_without_a_source_is_named_and_removed(room, capsys):
    command.main(["build"])
    stray = lessons.NOTEBOOKS / "08-stray.ipynb"
    stray.write_text("{}")
    assert command.main(["build", "--check"]) == 1
    assert "08-stray.ipynb" in capsys.readouterr().out
    command.main(["build"])
    assert not stray.exists()


def test_run_stores_outputs_and_nothing_that_changes_from_run_to_run(room, capsys):
    assert command.main(["run", "07"]) == 0
    path = lessons.source("07")
    first = path.read_bytes()
    assert [cell.execution_count for cell in nbformat.read(path, as_version=4).cells[1:]] == [1, 2, 3]
    assert command.main(["run", "07"]) == 0
    assert path.read_bytes() == first


@pytest.mark.parametrize("code", ["1 / 0", "raise ExceptionGroup('g', [ValueError('x')])"])
def test_a_lesson_that_fails_is_not_stored(room, code, capsys):
    path = lessons.source("07")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell(code, id="e"))
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError):
        lessons.execute(path)
    assert command.main(["run", "07"]) == 1
    assert path.read_bytes() == before


def test_an_unknown_lesson_is_one_sentence(room, capsys):
    assert command.main(["run", "99"]) == 1
    assert capsys.readouterr().err == "0 notebooks in solutions/ start with '99'\n"


NEEDLESS = {"nbformat", "nbconvert", "jsonschema", "uvicorn", "granian", "hypercorn", "httpx", "aiosqlite", "pytest"}


@pytest.mark.parametrize("path", lessons.sources(), ids=lambda path: path.name)
def test_the_first_cell_imports_no_server_and_nothing_that_only_authors_need(path):
    code = next(lessons.source_of(c) for c in lessons.cells(path.name[:2]) if c["cell_type"] == "code")
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "helpers.judging.exercise" in loaded
    assert loaded & NEEDLESS == set()


def test_cells_are_read_as_nbformat_reads_them():
    for path in lessons.sources():
        cells = nbformat.read(path, as_version=4).cells
        read = [
            (cell["cell_type"], lessons.source_of(cell), frozenset(lessons.tags(cell)))
            for cell in lessons.cells(path.name[:2])
        ]
        assert read == [(cell.cell_type, cell.source, frozenset(cell.metadata.get("tags", []))) for cell in cells]
