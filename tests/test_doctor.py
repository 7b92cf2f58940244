"""What the doctor finds on this machine, and on ones where something is missing."""

import importlib.metadata
import shutil
import socket
import subprocess
import sys

import pytest

from helpers import __main__ as command
from helpers import doctor, lessons
from helpers.workspace import files


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project with a lock of its own."""
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    monkeypatch.setenv(files.WORK, str(tmp_path / "work"))
    return tmp_path


def refused(*_, **__):
    raise PermissionError(1, "Operation not permitted")


def test_a_python_is_old_or_new_enough():
    assert doctor.python((3, 10, 14)).grade == "missing"
    assert "install 3.11 or newer" in doctor.python((3, 10, 14)).words
    assert doctor.python((3, 11, 0)).grade == doctor.python().grade == "ok"


def test_packages_are_compared_with_the_lock_as_this_machine_reads_it(room):
    """A missing one is needed, another release is good to know; what is for another system does not count."""
    version = importlib.metadata.version("pytest")
    lock = f"# the lock\npytest=={version}\nnone-such==1.0 ; sys_platform == 'nowhere'\n-e ./hangup\n-e .\n"
    (room / "requirements.txt").write_text(lock)
    assert str(doctor.packages()) == "✓ packages      3 as in the lock"
    (room / "requirements.txt").write_text(lock.replace(version, "1.0"))
    assert doctor.packages().grade == "note"
    assert f"pytest {version} (lock: 1.0)" in doctor.packages().words
    (room / "requirements.txt").write_text("\n".join(f"none-such-{n}==1" for n in range(5)))
    assert doctor.packages().grade == "missing"
    assert "none-such-0, none-such-1, none-such-2 and 2 more not installed: " in doctor.packages().words


def test_a_folder_that_cannot_be_written_to(room):
    assert doctor.folder().grade == "ok"
    (room / "work").rmdir()
    (room / "work").write_text("in the way")
    assert doctor.folder().grade == "missing"
    assert files.WORK in doctor.folder().words


def test_a_loopback_that_is_forbidden(monkeypatch):
    assert doctor.loopback().grade == "ok"
    monkeypatch.setattr(socket, "create_server", refused)
    assert doctor.loopback().grade == "missing"


def test_a_kernel_that_starts():
    assert str(doctor.kernel()) == "✓ kernel        starts and runs a cell"


@pytest.mark.parametrize(
    ("stdout", "stderr", "grade", "words"),
    [
        ("", "Traceback\nNoSuchKernel: python3", "missing", "does not start (NoSuchKernel: python3): "),
        ("/usr/bin/env\nok\n", "", "note", "runs /usr/bin/env, not this Python: "),
    ],
)
def test_a_kernel_that_does_not_start_or_is_another_pythons(monkeypatch, stdout, stderr, grade, words):
    done = subprocess.CompletedProcess([], 0, stdout, stderr)
    monkeypatch.setattr(doctor, "_run", lambda *_, **__: done)
    assert (doctor.kernel().grade, doctor.kernel().words[: len(words)]) == (grade, words)


def test_a_kernel_that_hangs(monkeypatch):
    def hang(*_, timeout):
        raise subprocess.TimeoutExpired("kernel", timeout)

    monkeypatch.setattr(doctor, "_run", hang)
    assert doctor.kernel().grade == "missing"


def test_what_is_optional_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert [check().grade for check in (doctor.redis, doctor.uv, doctor.chromium)] == ["note"] * 3


@pytest.mark.parametrize(("grade", "status"), [("ok", 0), ("note", 0), ("missing", 1)])
def test_only_what_is_missing_fails(monkeypatch, capsys, grade, status):
    for name in ("python", "packages", "folder", "loopback", "kernel", "redis", "uv"):
        monkeypatch.setattr(doctor, name, lambda: doctor.Finding("x", "ok", "fine"))
    monkeypatch.setattr(doctor, "chromium", lambda: doctor.Finding("chromium", grade, "words"))
    assert command.main(["doctor"]) == status
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_a_check_that_fails_itself_is_a_line(monkeypatch):
    def broken():
        raise RuntimeError("no disk")

    for name in ("packages", "folder", "loopback", "kernel", "redis", "uv", "chromium"):
        monkeypatch.setattr(doctor, name, broken)
    assert [str(each) for each in doctor.examine()][1] == "✗ broken        RuntimeError: no disk"
