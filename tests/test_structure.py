"""The two houses stay as they are drawn: arrows, floors, rooms that one person can hold in mind."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = {"hangup": ROOT / "hangup" / "src" / "hangup", "helpers": ROOT / "helpers"}
MODULES = sorted(path for house in HOUSES.values() for path in house.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
LINES, ROOM = 300, 8


def name(path: Path) -> str:
    return str(path.relative_to(ROOT)).removeprefix("hangup/src/")


def test_no_arrow_runs_back():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_short_and_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    assert re.match(r".+[.:?]$|.+\.\s", first), "its docstring does not begin with a sentence"
    assert len(text.splitlines()) <= LINES


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_holds_what_one_can_keep_in_mind(folder):
    if folder.name not in {"exercises", "props"}:  # one or two a lesson
        modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= ROOM, modules


def test_the_map_in_contributing_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w/]+)/?` \|", text, re.MULTILINE))
    rooms = {name(folder) for folder in FOLDERS if "exercises/" not in name(folder)} - {"hangup"}
    assert {each.rstrip("/") for each in named} == rooms
