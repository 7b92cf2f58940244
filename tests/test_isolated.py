"""Probes in environments of their own: real ones, ones that misbehave, and recorded runs where no environment is."""

import configparser
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hangup.servers import releases
from hangup.servers.releases import NoEnvironmentError, ProbeError, Run
from helpers.exercises.late_send.releases import late_sends
from helpers.props import isolated as module
from helpers.props.isolated import isolated, record

OLD = ["idna==3.9"]  # a small package in one wheel for every Python


def version(prefix):
    import importlib.metadata

    print(prefix)  # noqa: T201 - a probe prints
    return importlib.metadata.version("idna")


async def waits(answer):
    import asyncio

    await asyncio.sleep(0)
    return answer


def given(source):
    namespace: dict[str, Callable[[int], int]] = {}
    exec(source, namespace)
    return namespace["doubled"](21)


def doubled(x):
    return 2 * x


def surroundings():
    import os
    import sys

    return [sorted(os.environ), sys.path, str(sys.version_info[:2])]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and a cache that holds nothing; nothing recorded either."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "RECORDED", tmp_path / "recorded")


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """Records are kept in a folder that goes away."""
    monkeypatch.setattr(module, "RECORDED", tmp_path / "recorded")


def left(mark: str) -> list[int]:
    """Return the processes whose command line has `mark` in it; who has been killed gets time to die."""
    deadline = time.monotonic() + 60
    while (found := _running(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def _running(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            found.append(int(folder.name))
    return found


def test_a_function_runs_under_another_release():
    run = isolated(version, "idna", under=OLD)
    assert run.lines == ("idna", '"3.9"')
    assert (run.recorded, run.under) == ("", ("idna==3.9",))


def test_what_it_prints_can_be_read_as_json():
    assert isolated(waits, [1, None, "ü"], under=[]).values == [[1, None, "ü"]]


def test_a_function_among_the_arguments_arrives_as_its_source():
    assert isolated(given, doubled, under=[]).values == [42]


def test_a_text_is_a_probe():
    assert isolated("print('a')\nprint('b')", under=[]).lines == ("a", "b")
    with pytest.raises(TypeError, match="takes no arguments"):
        isolated("", 1, under=[])


def test_a_probe_inherits_nothing_of_this_python(monkeypatch):
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "UV_PROJECT", "JPY_PARENT_PID", "GRANIAN_PORT"):
        monkeypatch.setenv(name, "/nowhere")
    names, path, python = isolated(surroundings, under=[]).values[0]
    assert [name for name in names if name.startswith(("PYTHON", "VIRTUAL", "UV_PROJECT", "JPY", "GRANIAN"))] == []
    assert str(Path(module.__file__).parent.parent) not in path
    assert "/nowhere" not in path
    assert python == str(sys.version_info[:2])


def test_the_second_run_asks_no_network(monkeypatch):
    isolated(version, "", under=OLD)
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert isolated(version, "", under=OLD).recorded == ""


def test_without_a_network_the_recorded_run_stands_in_and_says_so(recorded, monkeypatch, tmp_path):
    real = record(version, "idna", under=OLD)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    run = isolated(version, "idna", under=OLD)
    assert run.lines == real.lines == ("idna", '"3.9"')
    assert (real.recorded, real.origin) == ("", "(this ran here, now)")
    assert run.origin.startswith("(this is the run recorded with Python 3.")
    assert "idna was not found in the cache" in run.origin
    assert "\n" not in run.origin


def test_an_index_that_refuses_is_no_network_too(recorded, monkeypatch, tmp_path):
    record(version, "idna", under=OLD)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert "Failed to fetch" in isolated(version, "idna", under=OLD).recorded.replace(
        "Request failed", "Failed to fetch"
    )


def test_a_network_that_swallows_everything_is_given_up(recorded, monkeypatch, tmp_path):
    record(version, "idna", under=OLD)
    monkeypatch.setattr(releases, "INSTALLING", 1.0)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://192.0.2.1/simple")  # RFC 5737: nobody answers there
    assert isolated(version, "idna", under=OLD).recorded


def test_only_a_run_of_the_same_text_stands_in(recorded, monkeypatch, tmp_path):
    record(version, "idna", under=OLD)
    record(version, "again", under=OLD)
    record(version, "again", under=OLD)
    assert len(json.loads((tmp_path / "recorded" / "version.json").read_text("utf-8"))) == 2
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    assert isolated(version, "again", under=OLD).lines[0] == "again"
    with pytest.raises(NoEnvironmentError, match="no run of version as it stands here is recorded"):
        isolated(version, "other", under=OLD)


def test_a_variable_lets_isolated_record(recorded, monkeypatch, tmp_path):
    monkeypatch.setenv("RECORD_PROBES", "1")
    run = isolated(version, "idna", under=OLD)
    (entry,) = json.loads((tmp_path / "recorded" / "version.json").read_text("utf-8"))
    assert (entry["under"], tuple(entry["lines"])) == (OLD, run.lines)


def test_without_an_environment_nothing_is_recorded(offline):
    with pytest.raises(NoEnvironmentError):
        record(version, "idna", under=OLD)
    assert not module.RECORDED.exists()


def test_a_release_that_does_not_exist_is_no_environment():
    with pytest.raises(NoEnvironmentError, match="no run of version as it stands here"):
        isolated(version, "", under=["idna==0.0.0.1"])


def test_a_probe_that_fails_says_how():
    with pytest.raises(ProbeError, match=r"(?s)ended with 1 under idna==3.9:.*ZeroDivisionError"):
        isolated("1 / 0", under=OLD)


def test_a_failing_probe_is_not_replaced_by_a_recorded_run(recorded):
    record("print('once')", under=[])
    with pytest.raises(ProbeError):
        isolated("print('once'); exit(2)", under=[])


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_probe_that_hangs_is_killed_with_its_children():
    mark = f"mark-{os.getpid()}-hangs"
    program = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {mark!r}])
time.sleep(60)
"""
    with pytest.raises(ProbeError, match=r"did not end within 0.5 s"):
        isolated(program, under=[], timeout=0.5)
    assert left(mark) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_child_that_outlives_its_probe_is_killed():
    mark = f"mark-{os.getpid()}-outlives"
    program = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {mark!r}])
print("done")
"""
    assert isolated(program, under=[], timeout=60).lines == ("done",)
    assert left(mark) == []


def test_a_probe_that_closes_its_pipes_and_hangs_is_killed():
    with pytest.raises(ProbeError, match=r"did not end within 0.5 s"):
        isolated("import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)", under=[], timeout=0.5)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_probe_that_prints_a_lot_is_stopped(stream):
    with pytest.raises(ProbeError, match="printed more than 200,000 bytes"):
        isolated(f"import sys\nwhile True: sys.{stream}.write('x' * 1000)", under=[])


def test_what_fits_is_read_whole():
    assert isolated("print('x' * 150_000)", under=[]).lines == ("x" * 150_000,)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_interrupt_button_leaves_nothing(tmp_path):
    mark = f"mark-{os.getpid()}-interrupt"
    program = f"""
import signal, tempfile
from hangup.servers import releases
from helpers.props.isolated import isolated
read = releases._read
def reads(*args):
    open({str(tmp_path / "reads")!r}, "w").close()
    return read(*args)
releases._read = reads
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
tempfile.tempdir = {str(tmp_path)!r}
isolated("import sys, time\\nsys.argv.append({mark!r})\\nopen({str(tmp_path / "up")!r}, 'w').close()\\ntime.sleep(60)",
         under=[])
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not all((tmp_path / name).exists() for name in ("reads", "up")) and time.monotonic() < deadline:
            time.sleep(0.01)
        children = _running(str(tmp_path / "probe-"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert len(children) == 1
    assert "KeyboardInterrupt" in err
    assert left(str(tmp_path / "probe-")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reads", "up"]


def test_nothing_is_left_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    isolated(version, "", under=OLD)
    with pytest.raises(ProbeError):
        isolated("1 / 0", under=OLD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("why", ["", "this is the run recorded with Python 3.11.7; no environment here: Failed (a) b"])
def test_nbval_takes_both_origins_for_equal_and_nothing_else(why):
    rules = configparser.ConfigParser(interpolation=None)
    rules.read(Path(__file__).parent / "sanitize.cfg")

    def sanitized(*lines, why=""):
        text = str(Run(("a==1",), lines, why))
        for section in rules.values():
            if "regex" in section:
                text = re.sub(section["regex"], section["replace"], text)
        return text

    assert sanitized("one", "two", why=why) == sanitized("one", "two")
    assert sanitized("one", "three", why=why) != sanitized("one", "two")


@pytest.mark.parametrize("release", ["10.4", "11.0.3", "13.1"])
def test_what_lesson_06_runs_is_recorded_as_it_stands(monkeypatch, release):
    """There is no wheel of websockets 10.4 for Python 3.12 and later."""

    def nowhere(*_: object) -> Run:
        raise NoEnvironmentError("no usable wheels")

    monkeypatch.setattr(module, "run_program", nowhere)
    run = isolated(late_sends, under=[f"websockets=={release}"])
    assert "no usable wheels" in run.origin
    assert len(run.values[0]) == 2
