"""tests/newest.py: the report of the weekly run on newest releases."""

from pathlib import Path

import nbformat

from tests.newest import main, of_a_cell, sentence_above

ROOT = Path(__file__).parent.parent


def notebook(*cells):
    made = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(cells=[made[kind](source) for kind, source in cells])


def test_the_sentence_above_a_cell_is_its_nearest_prose():
    book = notebook(
        ("markdown", "# Title\n\nThe peer leaves."),
        ("code", "1"),
        ("markdown", "The server says 1006.\n\n<details>"),
        ("code", "2"),
        ("code", "3"),
    )
    assert [sentence_above(book, n) for n in range(3)] == ["The peer leaves.", *["The server says 1006."] * 2]


def test_a_cell_of_a_lesson_has_its_lesson_its_number_and_a_sentence():
    path = sorted((ROOT / "solutions").glob("*.ipynb"))[1]
    found = dict(of_a_cell(path, 2))
    assert (found["lesson"], found["cell"]) == (path.stem, "2")
    assert len(found["sentence"].split()) > 2


def test_an_untrue_model_a_changed_cell_and_another_test_are_told_apart(pytester, capsys, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    book = notebook(("markdown", "# A\n\nThe client hears 1006."), ("code", "print(1005)"))
    book.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1006\n")]
    book.cells[1].execution_count = 1
    book.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    (pytester.path / "solutions").mkdir()
    nbformat.write(book, pytester.path / "solutions" / "01-a.ipynb")
    pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT.as_posix()}"]')
    pytester.makepyfile(
        test_models="""
        import pytest
        def closes_late(): ...
        @pytest.mark.parametrize("on_the_server", ["granian"])
        @pytest.mark.parametrize("probe", [closes_late])
        def test_a_model(probe, on_the_server): pytest.fail("The model granian is true of 2.8", pytrace=False)
        """,
        test_other="def test_it(): assert False, 'else'",
    )
    spared = ("-p", "tests.spared", "-p", "no:faker", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*spared, "--nbval", "--junitxml=report.xml")
    capsys.readouterr()
    assert main([str(pytester.path / "report.xml")]) == 1
    said = capsys.readouterr().out
    assert "3 of 3 tests failed on uvicorn" in said
    assert "| granian |" in said
    assert "Lessons that teach it: 04-listener-lifespan." in said
    assert "| 01-a | 0 | The client hears 1006. |" in said
    assert "test_other" in said
    order = [said.index(words) for words in ("## Models", "## Lessons", "## Other")]
    assert order == sorted(order)


def test_it_is_added_to_the_job_summary(tmp_path, monkeypatch, capsys):
    (tmp_path / "report.xml").write_text('<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>')
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert main([str(tmp_path / "report.xml")]) == 0
    said = capsys.readouterr().out
    assert "Nothing: 1 tests passed on uvicorn" in said
    assert (tmp_path / "summary.md").read_text("utf-8") == said


def test_without_a_report_it_asks_for_one(capsys):
    assert main(["missing.xml"]) == 2
    assert "Name the JUnit report" in capsys.readouterr().err
