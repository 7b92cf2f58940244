"""What was found in public packages: the tables in docs/wild name what is there, and the small apps show what they say.

None of the packages is needed: their apps are compiled, and the small apps, which need none, are explored.
"""

import ast
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hangup import replay
from hangup.explorer.apps.schedules import EVERY, Schedule
from hangup.record.rules import GENERAL
from hangup.servers.models import MODELS
from hangup.servers.script import steps_of
from support import readme

WILD = readme.ROOT / "docs" / "wild"
TABLES = sorted(WILD.glob("table-*.toml"))
ENTRIES = [each for table in TABLES for each in tomllib.loads(table.read_text(encoding="utf-8"))["package"]]
SAID = [(entry["name"], said) for entry in ENTRIES for said in entry.get("said", ())]
SCRIPTS = sorted(WILD.glob("*.py"))
SENTENCES = {rule.sentence: rule for rule in GENERAL}
VERDICTS = {"broken", "sound", "not known", "does not install"}


def names(file: Path) -> set[str]:
    """Return the names that a file defines at its top, without running it."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        for target in (*getattr(node, "targets", ()), *([node.target] if isinstance(node, ast.AnnAssign) else ())):
            found |= {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    return found


BUGS = [file for file in SCRIPTS if {"SCRIPT", "RULE", "SCHEDULE"} <= names(file)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_an_entry_says_what_was_tried_what_came_out_and_how_that_was_verified(entry):
    assert {"name", "release", "verdict", "verified", "reported"} <= set(entry)
    assert entry["verdict"] in VERDICTS
    assert bool(entry.get("said")) == (entry["verdict"] == "broken")
    if entry["verdict"] == "does not install":
        return
    command = re.search(r"(\w+)\.py:(\w+)(\(\))?", entry["command"])
    assert command is not None
    file = WILD / f"{command[1]}.py"
    assert command[2] in names(file)
    about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    assert entry["release"] in about
    assert entry["command"] in about
    for option, script in re.findall(r"(--script) (\S+)", entry["command"]):
        assert option
        assert "script" in names(WILD / script)


@pytest.mark.parametrize(("name", "said"), SAID)
def test_what_was_said_names_a_rule_models_and_a_schedule_that_can_be_replayed(name, said):
    assert said["rule"] in SENTENCES, name
    assert set(said["models"]) <= set(MODELS)
    schedule = Schedule.parse(said["schedule"])
    assert (str(schedule), schedule.ending in EVERY) == (said["schedule"], True)
    assert schedule.model in said["models"]
    assert 0 < said["n"] <= said["of"]
    assert said["verified"]
    assert said["suffers"].endswith(".")


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_a_script_compiles_and_says_first_what_it_is(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert {"app", "make"} & names(file)


def imported(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[file.stem] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[file.stem]
    return module


@pytest.mark.parametrize("file", BUGS, ids=lambda file: file.stem)
def test_a_small_app_shows_what_was_found(file):
    for framework in ("starlette", "fastapi"):
        if f"from {framework}" in file.read_text(encoding="utf-8"):
            pytest.importorskip(framework)
    bug = imported(file)
    assert steps_of(bug.SCRIPT)
    options: dict[str, Any] = {"path": getattr(bug, "path", "/"), "lifespan": getattr(bug, "lifespan", False)}
    session = replay(bug.app, bug.SCHEDULE, bug.SCRIPT, closer=True, **options)
    rule = SENTENCES[bug.RULE]
    assert any(rule.test(each) for each in (session, *session.others)), session.trace


def test_the_small_apps_that_the_tables_name_are_there():
    assert {said["bug"] for _, said in SAID if "bug" in said} <= {file.name for file in BUGS}
    assert len(TABLES) > 0
    assert len(BUGS) > 0
