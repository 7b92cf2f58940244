"""What a clone holds: derived notebooks, the README's commands and picture, code that the linters accept."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import __main__ as command
from helpers import catalogue, lessons
from tests import lists
from tests.pictures import double_receive

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_notebooks_are_what_solutions_give(capsys):
    assert command.main(["build", "--check"]) == 0, capsys.readouterr().out


def test_the_picture_in_the_readme_is_a_real_run():
    assert (ROOT / ".github" / "double-receive.svg").read_text(encoding="utf-8") == double_receive()


def test_the_first_screen_has_the_two_commands_and_ci_runs_the_second():
    commands = [line for line in README.splitlines()[:12] if line.startswith("python3")]
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/"
    assert len(commands) == 2
    assert commands[0] == f"{install}python -m helpers learn --lab"
    assert commands[1] == f"{install}pytest"
    assert "bin/pytest$' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_and_lesson_00_list_what_the_lessons_say_of_themselves():
    assert [lesson.path.name for lesson in catalogue.catalogue()] == [path.name for path in lessons.sources()]
    assert lists.listed(lists.README) == catalogue.table("notebooks/"), "run python -m tests.lists"
    assert lists.listed(lists.START) == catalogue.table(), "run python -m tests.lists"


@pytest.mark.parametrize("lesson", catalogue.catalogue(), ids=lambda lesson: lesson.name)
def test_a_lesson_begins_with_what_it_says_of_itself_and_a_synchronous_cell(lesson):
    cells = nbformat.read(lessons.SOLUTIONS / lesson.path.name, as_version=4).cells
    needs = f"after {lesson.needs} · {lesson.uses}" if lesson.needs else "needs nothing but this page"
    assert cells[0].source.splitlines()[:2] == [
        f"# {lesson.number} · {lesson.title}",
        f"*{lesson.minutes} minutes · {needs}*",
    ]
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert "await" not in first.source


@pytest.mark.parametrize("lesson", catalogue.catalogue(), ids=lambda lesson: lesson.name)
def test_a_lesson_explains_the_errors_that_lead_to_it(lesson):
    cells = nbformat.reads(lessons.derive(lessons.SOLUTIONS / lesson.path.name), as_version=4).cells
    shown = nbformat.read(lessons.SOLUTIONS / lesson.path.name, as_version=4).cells
    outputs = [text for cell in shown for output in cell.get("outputs", ()) for text in _printed(output)]
    text = "\n".join([*(cell.source for cell in cells), *outputs])
    assert [words for words in lesson.errors if words.rstrip(".") not in text] == []


def _printed(output):
    return [output.get("text", ""), output.get("evalue", ""), output.get("data", {}).get("text/plain", "")]


@pytest.mark.parametrize("lesson", catalogue.catalogue(), ids=lambda lesson: lesson.name)
def test_what_came_out_is_folded_below_the_cell_that_is_to_be_predicted(lesson):
    cells = nbformat.reads(lessons.derive(lessons.SOLUTIONS / lesson.path.name), as_version=4).cells
    pairs = enumerate(itertools.pairwise(cells))
    asked = [n for n, (cell, after) in pairs if n and _asks(cell) and _runs(after)]  # a title asks what the lesson asks
    told = [next(c.source for c in cells[n + 1 :] if c.cell_type == "markdown") for n in asked]
    assert len(told) >= 1
    folded = re.compile(r"<details><summary>.+</summary>\n\n.+\n</details>", re.DOTALL)
    assert [text for text in told if not folded.match(text)] == []


def _asks(cell):
    """Tell whether a Markdown cell's last paragraph asks something."""
    return cell.cell_type == "markdown" and "?" in cell.source.split("</details>")[-1].split("\n\n")[-1]


def _runs(cell):
    return cell.cell_type == "code" and "starter" not in cell.metadata.get("tags", []) and cell.id != "progress"


@pytest.mark.parametrize("lesson", catalogue.catalogue(), ids=lambda lesson: lesson.name)
def test_a_lesson_ends_with_the_way_on(lesson):
    after = [each for each in catalogue.catalogue() if each.number > lesson.number][:1]
    for text in (lessons.derive(lesson.path), lesson.path.read_text("utf-8")):
        last = nbformat.reads(text, as_version=4).cells[-1]
        links = re.findall(r"\]\((.*?\.ipynb)\)", last.source)
        assert [each.path.name for each in after if each.path.name not in links] == []
        assert links.count("00-start-here.ipynb") == 1


@pytest.mark.parametrize("path", lessons.sources(), ids=lambda path: path.name)
def test_a_learner_cannot_edit_a_check_and_finds_no_answer(path):
    cells = nbformat.reads(lessons.derive(path), as_version=4).cells
    checks = [cell for cell in cells if "check" in cell.metadata.get("tags", [])]
    assert checks
    assert all(cell.metadata.editable is False and cell.metadata.deletable is False for cell in checks)
    assert not any("solution" in cell.metadata.get("tags", []) for cell in cells)
    assert not any(cell.outputs or cell.execution_count for cell in cells if cell.cell_type == "code")


def test_the_lock_has_exact_versions_and_ends_with_the_project():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["-e ./hangup", "-e ."]
    pins = [line for line in lines[:-2] if not line.startswith("#")]
    assert [pin for pin in pins if not re.match(r"[a-z0-9.-]+==[^ ]+( ; .+)?$", pin)] == []


@pytest.mark.parametrize("arguments", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_the_linters_accept_the_code(arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", lessons.sources(), ids=lambda path: path.name)
def test_what_is_stored_shows_starters_that_fail_and_answers_that_pass(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if "check" in c.metadata.get("tags", [])]
    shown = [(("solution" in c.metadata.tags), c.outputs[-1].data["text/plain"][0]) for c in cells]
    assert {mark for answered, mark in shown if answered} == {"✓"}
    assert {mark for answered, mark in shown if not answered} <= {"✗", "○"}


@pytest.mark.parametrize("path", lessons.sources(), ids=lambda path: path.name)
def test_what_is_stored_names_no_folder_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"[~/][\w./-]*/(?:site-packages|python3\.\d+)/", text)
    assert not re.findall(r"/(?:home|Users|root|tmp)/[\w.-]+", text)
