"""What is remembered of the exercises: the file, the answers brought back, the overview, and that of a room."""

import functools
import json
import linecache
import multiprocessing
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

from helpers import __main__ as command
from helpers.catalogue import catalogue
from helpers.exercises.start_here import ex1
from helpers.judging.verdict import Verdict
from helpers.progress import progress, record, remember, source
from helpers.workspace import files

NAMES = [f"{lesson.name} {task.number}" for lesson in catalogue() for task in lesson.tasks]


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """The file that remembers, in a folder of its own."""
    monkeypatch.setenv(files.WORK, str(tmp_path))
    monkeypatch.setenv(record.PROGRESS, str(tmp_path / "progress.json"))
    monkeypatch.setattr(remember, "_said", set())
    return tmp_path / "progress.json"


async def shout(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


async def silent(websocket):
    await websocket.accept()


def verdict(outcome, rule=""):
    return Verdict(ex1.name, outcome, "headline", rule=rule)


# ---- the file ------------------------------------------------------------------------------------------------------


def test_a_check_is_remembered_with_the_answer(memory):
    assert ex1.check(silent).outcome == "fail"
    assert ex1.check(shout).passed
    entry = record.read(memory)["start-here 1"]
    assert (entry.mark, entry.outcome, entry.rule) == ("✓", "pass", "")
    assert [each.source for each in entry.passes] == [source.source_of(shout)]
    assert entry.tried is not None
    assert entry.tried.source.startswith("async def silent(websocket):")


def test_what_is_no_attempt_is_not_remembered(memory):
    for outcome in ("no answer", "not attempted"):
        remember.remember(ex1, verdict(outcome), shout)
    assert not memory.exists()


@pytest.mark.parametrize("outcome", ["pass", "fail"])
def test_once_passed_stays_passed_and_no_answer_is_written_over(memory, outcome):
    for text in ("one", "two", "one", "three"):
        record.add(memory, "a 1", "pass", "", text)
    record.add(memory, "a 1", outcome, "", "four")
    entry = record.read(memory)["a 1"]
    assert entry.mark == "✓"
    assert [each.source for each in entry.passes][:3] == ["two", "one", "three"]


def test_a_test_and_solutions_leave_no_trace(memory, monkeypatch):
    """Without a kernel nothing is remembered, nor in a kernel that runs in solutions/; nor if it is turned off."""
    monkeypatch.delenv(record.PROGRESS)
    remember.remember(ex1, verdict("pass"), shout)
    monkeypatch.setattr(remember, "get_shell", object)
    monkeypatch.chdir(Path(__file__).parent.parent / "solutions")
    remember.remember(ex1, verdict("pass"), shout)
    monkeypatch.chdir(memory.parent)
    monkeypatch.setenv(record.PROGRESS, "")
    remember.remember(ex1, verdict("pass"), shout)
    assert not memory.exists()
    monkeypatch.delenv(record.PROGRESS)
    remember.remember(ex1, verdict("pass"), shout)
    assert memory.exists()


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        "",
        '{"version": 2, "exercises": {}}',
        '{"version": 1, "exercises": {"a 1": {"passes": [3]}}}',
        "\udcff",
    ],
)
def test_a_broken_file_is_kept_aside_and_said(memory, broken, capsys):
    content = broken.encode("utf-8", "surrogateescape")
    memory.write_bytes(content)
    assert "cannot be read" in str(progress())
    assert memory.read_bytes() == content
    remember.remember(ex1, verdict("pass"), shout)
    assert record.read(memory)["start-here 1"].mark == "✓"
    assert [each.read_bytes() for each in (memory.parent / ".kept").glob("*")] == [content]
    assert "It is kept as" in capsys.readouterr().err


def test_what_a_newer_course_has_added_to_an_entry_stays(memory):
    record.add(memory, "a 1", "pass", "", "one")
    data = json.loads(memory.read_text())
    data["exercises"]["a 1"]["stars"] = 5
    memory.write_text(json.dumps(data))
    record.add(memory, "a 1", "fail", "ends", "two")
    assert json.loads(memory.read_text())["exercises"]["a 1"]["stars"] == 5


def test_a_file_that_cannot_be_written_is_one_sentence_and_the_verdict_is_told(memory, monkeypatch, capsys):
    def refused(*_):
        raise PermissionError("Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    assert [ex1.check(silent).outcome for _ in range(2)] == ["fail", "fail"]
    assert capsys.readouterr().err == "This verdict could not be remembered: Permission denied\n"


def _add_many(memory: Path, name: str) -> None:
    for number in range(20):
        record.add(memory, f"{name} {number}", "pass", "", "x")


def test_two_kernels_at_once_lose_nothing(memory):
    both = [multiprocessing.get_context("spawn").Process(target=_add_many, args=(memory, name)) for name in "ab"]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len(record.read(memory)) == 40


def test_a_log_gets_every_verdict(memory, monkeypatch, tmp_path):
    log = tmp_path / "verdicts"
    monkeypatch.setenv(remember.VERDICTS, str(log))
    ex1.check()
    ex1.check(silent)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(each["name"], each["outcome"], each["rule"]) for each in lines] == [
        ("start-here 1", "no answer", ""),
        ("start-here 1", "fail", "answers_everything"),
    ]


# ---- the answer ----------------------------------------------------------------------------------------------------


def test_mine_brings_back_what_passed_or_else_what_was_tried(memory):
    assert str(ex1.mine()) == "0 answers to start-here 1 are remembered."
    record.add(memory, ex1.name, "fail", "ends", "wrong = 1")
    assert "has not passed yet" in str(ex1.mine())
    record.add(memory, ex1.name, "pass", "", "right = 1")
    record.add(memory, ex1.name, "pass", "", "right = 2")
    assert "```python\nright = 2\n```" in str(ex1.mine())
    assert "mine(1) is the one before" in str(ex1.mine())
    assert ex1.mine(1).source == "right = 1"
    assert ex1.mine(2).source == ex1.mine(-1).source == ""


def test_the_source_of_what_is_no_function_of_a_cell(monkeypatch):
    monkeypatch.setitem(linecache.cache, "<string>", (9, None, ["print(1)\n"], "<string>"))  # python3.13 -c "print(1)"
    bound = functools.partial(shout)
    assert source.source_of(bound).startswith("async def shout(websocket):")
    assert source.source_of(Caller()).strip().startswith("async def __call__")
    assert source.source_of(3) == source.source_of(None) == source.source_of(print) == ""
    assert source.source_of(eval("lambda websocket: None")) == ""


def test_the_source_of_data_is_the_cell_that_names_it(monkeypatch):
    answer = {"a": "b"}
    cells = ["found = {}", "found = {'a': 'b'}", "print(found)"]
    shell = SimpleNamespace(
        user_ns={"_1": answer, "found": answer}, history_manager=SimpleNamespace(input_hist_raw=cells)
    )
    monkeypatch.setattr(source, "get_shell", lambda: shell)
    assert source.source_of(answer) == cells[1]


class Caller:
    """An answer that is an object."""

    async def __call__(self, websocket):
        """Is an answer, too."""


SETUP = """
import functools
from contextlib import asynccontextmanager
from helpers.exercises.start_here import ex1
from helpers.progress.source import source_of
"""
CELLS = {
    "function": "import json\nasync def f(websocket):\n    pass",
    "class": "class C:\n    x = 1\n    async def f(self):\n        pass",
    "decorated": "@asynccontextmanager\nasync def f(websocket):\n    yield",
    "wrapped": "def f():\n    async def g(websocket): pass\n    return functools.partial(g)\nf = f()",
    "timed": "%%time\nasync def f(websocket):\n    pass",
    "no methods": "class C:\n    x = 1",
}


def test_in_a_kernel_the_source_is_the_whole_cell_and_mine_opens_one(memory):
    """One kernel, since each costs a second: every kind of answer, then a check, and the answer brought back."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(memory.parent))
    try:

        def execute(code, expression="None"):
            reply = client.execute_interactive(code, user_expressions={"x": expression}, timeout=60, output_hook=id)
            content = reply["content"]
            return content["user_expressions"]["x"]["data"]["text/plain"], content["payload"]

        execute(SETUP)
        for kind, code in CELLS.items():
            name = "C" if "class C" in code else "f"
            assert execute(code, f"source_of({name})")[0] == repr(code), kind
        answer = 'import json\n\n@functools.wraps(print)\ndef x(): pass\n\nasync def shout(websocket):\n    """Mine."""'
        answer += "\n    await websocket.accept()\n    async for text in websocket.iter_text():\n"
        answer += "        await websocket.send_text(text.upper())"
        execute(answer)
        assert execute("v = ex1.check(shout)", "v.outcome")[0] == "'pass'"
        (payload,) = execute("ex1.mine()")[1]
        assert (payload["source"], payload["text"], payload["replace"]) == ("set_next_input", answer, False)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert [each.source for each in record.read(memory)["start-here 1"].passes] == [answer]


# ---- the overview --------------------------------------------------------------------------------------------------


def solve(memory, *names, outcome="pass"):
    for name in names:
        record.add(memory, name, outcome, "", "x")


def test_the_overview_says_what_is_solved_and_what_comes_next(memory, capsys):
    solve(memory, *NAMES[:2])
    solve(memory, NAMES[2], outcome="fail")
    assert command.main(["progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["00  Start here                  ✓", "01  Three endings               ✓ ✗"]
    assert lines[-2].endswith(f"  2 of {len(NAMES)}")
    path = memory.parent / "01-three-endings.ipynb"
    assert lines[-1] == f"next: 01 Three endings, exercise 2: Notice, in {path}"


def test_in_a_cell_it_links_to_the_exercise(memory, monkeypatch):
    solve(memory, NAMES[0])
    monkeypatch.chdir(memory.parent)
    page = progress()._repr_mimebundle_()["text/html"]
    assert '<a href="01-three-endings.ipynb#cell-id=cell-23">01 Three endings, exercise 1: Testify</a>' in page
    open_tags: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag, attrs):
            open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Balanced().feed(page)
    assert open_tags == []


def test_at_the_end_nothing_comes_next(memory):
    solve(memory, *NAMES)
    assert str(progress()).endswith(f"{len(NAMES)} of {len(NAMES)}\nEvery exercise is solved.")
    assert "Every exercise is solved" in progress()._repr_mimebundle_()["text/html"]


def test_the_overview_in_a_terminal_imports_neither_nbformat_nor_a_server(memory):
    code = "import sys; from helpers import __main__ as m; m.main(['progress']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1]
    assert [name for name in ("nbformat", "hangup", "starlette", "asyncio", "IPython") if f"'{name}'" in modules] == []


# ---- a room --------------------------------------------------------------------------------------------------------


@pytest.fixture
def handed_in(tmp_path):
    folder = tmp_path / "handed in"
    (folder / "bob" / "work").mkdir(parents=True)
    (folder / "cleo").mkdir()
    solve(folder / "anna.json", *NAMES[:3])
    solve(folder / "bob" / "work" / "progress.json", NAMES[0], "unknown 9")
    solve(folder / "cleo" / "progress.json", NAMES[0], outcome="fail")
    return folder


def test_a_room_is_one_table(handed_in, capsys):
    assert command.main(["collect", str(handed_in)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["anna", "✓", "✓✓"],
        ["bob", "✓", "○○"],
        ["cleo", "✗", "○○"],
        ["solved", "by", "2"],
    ]
    assert lines[2].endswith(f"3 of {len(NAMES)}")


def test_a_room_as_csv_and_json(handed_in, capsys):
    assert command.main(["collect", str(handed_in), "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ",".join(["name", *NAMES])
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["anna", "pass", "pass"],
        ["bob", "pass", ""],
        ["cleo", "fail", ""],
    ]
    assert command.main(["collect", str(handed_in), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cleo"] == {NAMES[0]: "fail"}


def test_a_broken_file_of_a_room_is_named_and_left_alone(handed_in, capsys):
    (handed_in / "dora.json").write_text("{")
    assert command.main(["collect", str(handed_in)]) == 1
    said = capsys.readouterr()
    assert "dora.json cannot be read" in said.err
    assert [line.split()[:2] for line in said.out.splitlines()][-2] == ["dora", "?"]
    assert (handed_in / "dora.json").read_text() == "{"
    assert command.main(["collect", str(handed_in / "nowhere")]) == 2
