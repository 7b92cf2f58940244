"""What hangup's README says is true: each command prints what stands there, and the picture is a real replay."""

import subprocess
import sys
from pathlib import Path

import pytest

from hangup.servers.models import EXPLORED
from support import readme

TEXT = readme.README.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Be where the README's files are."""
    readme.in_a_folder_with_its_files(TEXT, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("chat", "listener"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_each_command_prints_what_stands_below_it():
    assert "$ hangup explore chat:app --path /chat\nchat:app at /chat on " in TEXT
    assert readme.written_anew(TEXT) == TEXT


def test_the_picture_is_a_real_replay_of_the_schedule_that_is_named():
    assert f"first at {readme.SCHEDULE}," in TEXT
    assert readme.PICTURE.read_text(encoding="utf-8") == readme.picture()
    assert f"({readme.PICTURE.relative_to(readme.ROOT).as_posix()})" in TEXT


def test_the_lines_of_python_do_what_they_say():
    code = readme.blocks(TEXT, "python")[2]
    assert len([line for line in code.splitlines() if line]) <= 10
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("server ")
    assert 'WebSocketDisconnected: Cannot call "send" once a close message has been sent.\nclient ' in done.stdout


def test_the_sentence_on_servers_says_what_the_table_says():
    table = TEXT.split("$ hangup explore")[1].split("\n\n")[1]
    wrong = {line.split()[0] for line in table.splitlines() if "✗" in line}
    assert wrong == {name for name in EXPLORED if name.startswith("uvicorn")}
    assert set(EXPLORED) - wrong == {"granian", "hypercorn"}
    assert "uvicorn's three implementations raise at some moments; granian and hypercorn never do." in TEXT


def test_the_floors_are_those_that_the_extras_ask_for():
    extras = (readme.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("uvicorn", "granian", "hypercorn"):
        floor = extras.partition(f"{name}>=")[2].partition('"')[0]
        assert f"{name} from {floor}" in TEXT


def test_it_is_short():
    assert Path(readme.README).stat().st_size < 11_000
