"""What docs/pytest.md says is true: its files are written, its tests run, and each output stands there as it comes."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from support import readme

pytest_plugins = ["pytester"]

PAGE = readme.ROOT / "docs" / "pytest.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = ("chat.py", "test_chat.py", "test_listen.py")


@pytest.fixture
def run(pytester, monkeypatch):
    """Write the page's files; return what runs a `pytest ...` in a process of its own, where they are."""
    for name, block in zip(FILES, readme.blocks(TEXT, "python"), strict=True):
        (pytester.path / name).write_text(block, encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(command):
        options = "-p", "hangup.pytest_plugin", "-p", "no:cacheprovider"
        return pytester.runpytest_subprocess(*options, *shlex.split(command)[1:])

    return run


def test_the_failure_that_is_shown_is_what_pytest_prints(run):
    command, _, shown = readme.blocks(TEXT, "console")[0].partition("\n")
    result = run(command.removeprefix("$ "))
    result.assert_outcomes(failed=1)
    printed = "\n".join(line.rstrip() for line in result.outlines)
    assert shown in f"{printed}\n"


def test_the_command_that_is_pasted_plays_one_schedule(run):
    result = run(readme.blocks(TEXT, "console")[1].removeprefix("$ "))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuleBroken: 1 of 1 schedules break a rule: the handler ends quietly*"])


def test_the_client_that_is_shown_keeps_every_rule(run):
    pytest.importorskip("websockets")
    run("pytest test_listen.py").assert_outcomes(passed=1)


def test_the_options_that_are_told_are_those_that_there_are(run):
    told = set(re.findall(r"^\| `(--hangup-\w+)", TEXT, re.MULTILINE))
    assert told == set(re.findall(r"(?m)^  (--hangup-\w+)=", str(run("pytest --help").stdout)))


def test_the_chat_is_the_one_of_the_readme():
    there = readme.blocks(readme.README.read_text(encoding="utf-8"), "python")[0]
    assert readme.blocks(TEXT, "python")[0] == there


def test_the_distribution_brings_the_plugin():
    project = tomllib.loads((readme.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"hangup": "hangup.pytest_plugin"}
    assert Path(PAGE).name in readme.README.read_text(encoding="utf-8")
