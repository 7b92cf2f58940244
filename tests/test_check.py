"""Judging the answers in work/ without the learner, on a lesson made for the purpose, and as items of pytest."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers import __main__ as command
from helpers import lessons
from helpers.progress import record
from helpers.workspace import files

ROOT = Path(__file__).parent.parent
NAME = "07-title.ipynb"
FIRST = """
import os
from types import SimpleNamespace
from helpers.progress.remember import remembered

class Exercise:
    def __init__(self, number):
        self.name = f"title {number}"

    @remembered
    def check(self, answer):
        outcome = {None: "not attempted", 1: "pass", 3: "no answer"}.get(answer(), "fail")
        return SimpleNamespace(outcome=outcome, headline=f"rule 1 of 2: it returns 1, not {answer()}", rule="one")

ex1, ex2, ex3 = map(Exercise, (1, 2, 3))
"""


def cell(source, *tags, kind="code"):
    bare = {"cell_type": kind, "id": str(abs(hash((source, tags))))[:9], "metadata": {"tags": list(tags)}}
    return bare | {"source": source} | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def exercise(number):
    starter = cell(f"def answer{number}(): return None", "starter", f"ex{number}")
    return [starter, cell(f"ex{number}.check(answer{number})", "check", f"ex{number}")]


CELLS = [cell("# 07 · Title", kind="markdown"), cell(FIRST), *exercise(1), *exercise(2), *exercise(3)]


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project of its own with one lesson of three exercises, handed out."""
    monkeypatch.setenv(files.WORK, str(tmp_path / "work"))
    monkeypatch.setenv(record.PROGRESS, str(tmp_path / "work" / "progress.json"))
    for name in ("SOLUTIONS", "NOTEBOOKS"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setattr(lessons, name, tmp_path / name.lower())
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    notebook = {"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (lessons.SOLUTIONS / NAME).write_text(lessons.text(notebook))
    command.main(["learn"])
    return tmp_path


def answer(**sources):
    """Write answers into the learner's copy: `starter1="…"`; `own="…"` is a cell of his own before the exercises."""
    path = files.work() / NAME
    notebook = lessons.read(path)
    for name, source in sources.items():
        kind, number = name[:-1], name[-1]
        for each in notebook["cells"]:
            if lessons.tags(each) == [kind, f"ex{number}"]:
                each["source"] = source
    if "own" in sources:
        notebook["cells"].insert(2, cell(sources["own"]))
    notebook["cells"] = [each for each in notebook["cells"] if each["source"] != "deleted"]
    path.write_text(lessons.text(notebook))


def check(capsys, *arguments):
    """Run `check`; return its status and what it says."""
    capsys.readouterr()
    status = command.main(["check", *arguments])
    said = capsys.readouterr()
    assert not said.err
    return status, said.out.rstrip("\n")


RULE = "rule 1 of 2: it returns 1, not"


def test_right_wrong_and_untouched_answers_are_one_line_and_two_files(room, capsys):
    answer(starter1="def answer1(): return 1", starter2="def answer2(): return 2")
    line = f"07 title  ✓ ex1  ✗ ex2 {RULE} 2  ○ ex3"
    assert check(capsys, "--json", str(room / "a.json"), "--junit", str(room / "a.xml")) == (1, line)
    (told,) = json.loads((room / "a.json").read_text())
    assert [(each["outcome"], each["sentence"]) for each in told["exercises"]] == [
        ("pass", ""),
        ("fail", f"{RULE} 2"),
        ("not attempted", ""),
    ]
    suite = ElementTree.parse(room / "a.xml").getroot()[0]
    assert [suite.attrib[each] for each in ("name", "tests", "failures", "skipped")] == ["title", "3", "1", "1"]
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"]]
    assert {name: each.mark for name, each in record.read(room / "work" / "progress.json").items()} == {
        "title 1": "✓",
        "title 2": "✗",
    }


def test_what_nobody_touched_takes_no_kernel_and_does_not_fail(room, capsys, monkeypatch):
    monkeypatch.setattr("nbclient.NotebookClient", None)
    assert check(capsys, "07") == (0, "07 title  ○ ex1  ○ ex2  ○ ex3")
    (files.work() / NAME).unlink()
    assert check(capsys, "title") == (0, "07 title  ○ ex1  ○ ex2  ○ ex3")


def test_a_cell_that_does_not_end_or_ends_the_kernel_costs_its_own_exercise_only(room, capsys, monkeypatch):
    """On a busy machine others take longer than the two seconds that are enough for one which does not end."""
    spins = "while True: pass"
    own = staticmethod(lambda cell: 2 if spins in cell.source else 120)
    monkeypatch.setattr("nbclient.NotebookClient.timeout_func", own)
    answer(
        starter1=spins,
        starter2="os._exit(1)",
        starter3="def answer3(): return 1",
    )
    line = "07 title  ✗ ex1 a cell ran for 2 seconds  ✗ ex2 a cell ended the kernel  ✓ ex3"
    assert check(capsys, "--timeout", "2") == (1, line)


def test_what_raises_is_told_and_the_rest_is_judged(room, capsys):
    """SyntaxError, exit(), a group, a name that is gone, a check of the learner's own, a check that is deleted."""
    answer(
        own="raise ExceptionGroup('two', [ValueError()])",
        starter1="def answer1(:",
        starter2="exit()",
        starter3="def answer3(): return 1",
        check3="deleted",
    )
    status, line = check(capsys)
    assert status == 1
    assert "✗ ex1 SyntaxError: invalid syntax (line 1 of the cell)" in line
    assert "✗ ex2 a cell ended the kernel" in line
    assert line.endswith("✓ ex3")


def test_checks_are_the_lessons_own_and_earlier_verdicts_do_not_count(room, capsys):
    answer(
        own="fine = lambda: 1\nex1.check(fine); ex2.check(fine)",
        check1="ex1.check(fine)",
        starter2="deleted",
        starter1="def answer1(): return 3",
    )
    line = f"07 title  ✗ ex1 {RULE} 3  ✗ ex2 NameError: name 'answer2' is not defined  ○ ex3"
    assert check(capsys) == (1, line)


def test_a_broken_notebook_fails_with_a_sentence_and_stays(room, capsys):
    path = files.work() / NAME
    path.write_text("{")
    status, line = check(capsys)
    assert status == 1
    words = "07-title.ipynb cannot be read: run python -m helpers learn, which keeps it aside"
    assert line.startswith(f"07 title  ✗ ex1 ex2 ex3 {words}")
    assert path.read_text() == "{"


def test_misuse_is_told_from_failure(room, capsys, monkeypatch):
    assert command.main(["check", "99"]) == 2
    assert capsys.readouterr().err == "no lesson is called '99'; there are 07\n"
    monkeypatch.setenv(files.WORK, str(room / "nowhere"))
    assert command.main(["check"]) == 2
    assert capsys.readouterr().err == "there is no nowhere yet: run python -m helpers learn\n"
    with pytest.raises(SystemExit, match="2"):
        command.main(["check", "--nonsense"])


# ---- pytest --------------------------------------------------------------------------------------------------------


def run_pytest(*arguments, cwd=ROOT):
    spared = ("-p", "tests.spared", "-p", "no:faker", "-p", "no:xdist")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *spared, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False).stdout


CONFTEST = """
from pathlib import Path
from helpers import lessons
lessons.ROOT = Path(__file__).parent
lessons.SOLUTIONS, lessons.NOTEBOOKS = lessons.ROOT / "solutions", lessons.ROOT / "notebooks"
pytest_plugins = ("helpers.grading.pytest_plugin",)
"""


def test_in_pytest_a_right_answer_passes_a_wrong_one_fails_and_an_untouched_one_is_skipped(room):
    """With nbval turned on and warnings as errors, as in this project; a notebook of the learner's own is no lesson."""
    answer(starter1="def answer1(): return 1", starter2="def answer2(): return 2")
    (room / "work" / "scratch.ipynb").write_text((room / "work" / NAME).read_text())
    (room / "conftest.py").write_text(CONFTEST)
    (room / "pytest.ini").write_text("[pytest]\n")
    said = run_pytest("--nbval", "-W", "error", "-rA", "work", cwd=room)
    assert "1 failed, 1 passed, 1 skipped" in said, said
    assert "PASSED work/07-title.ipynb::ex1\n" in said
    assert f"_ title 2: Exercise 2 _{'_' * 20}" in said
    assert f"\n{RULE} 2\n" in said
    assert "SKIPPED [1] " in said
    assert not (room / "work" / "progress.json").exists()


def test_notebooks_are_judged_and_solutions_compared():
    """The project's own conftest.py decides: collected, one item for each exercise, or one for each cell."""
    paths = ("notebooks/02-double-receive.ipynb", "solutions/00-start-here.ipynb")
    said = run_pytest("-o", "addopts=", "--nbval", "--collect-only", *paths)
    ids = [line for line in said.splitlines() if "::" in line]
    assert [each for each in ids if each.startswith("notebooks")] == [f"{paths[0]}::ex{number}" for number in (1, 2, 3)]
    assert next(each for each in ids if each.startswith("solutions")) == f"{paths[1]}::Cell 0"
