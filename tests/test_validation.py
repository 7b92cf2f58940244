"""nbval with solutions/conftest.py fails the notebooks that nbval alone calls good."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def cell(source, *, count=1, outputs=(), tags=()):
    return new_code_cell(source, execution_count=count, outputs=list(outputs), metadata={"tags": list(tags)})


GROUP = "raise ExceptionGroup('two at once', [ValueError('x')])"
CELLS = {
    "never run": (cell("x = 1", count=None), "was not run whole"),
    "raises nothing": (cell("x = 1", tags=["raises-exception"]), "the kernel replied ok, expected error"),
    "skipped": (cell("1 / 0", tags=["nbval-skip"]), "marked as not to be checked"),
    "skipped by comment": (cell("# NBVAL_SKIP\n1 / 0"), "marked as not to be checked"),
    "magic": (cell("%nosuchmagic"), "Notebook cell execution failed"),
    "other output": (cell("print(1)", outputs=[new_output("stream", text="2\n")]), "Notebook cell execution failed"),
    "good": (cell("print(1)", outputs=[new_output("stream", text="1\n")]), ""),
    "raises as it should": (
        cell(
            "1 / 0",
            tags=["raises-exception"],
            outputs=[new_output("error", ename="ZeroDivisionError", evalue="division by zero")],
        ),
        "",
    ),
    "muted": (cell("get_ipython().showtraceback = lambda *_, **__: None"), ""),
    # IPython prints a group to stderr, addresses and all; muted, it publishes nothing that could differ
    "group": (cell(GROUP), "the kernel replied error, expected ok"),
}
SLOW = [cell("import time; time.sleep(60)"), cell("x = 1")]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What pytest says of each cell: a line for each nodeid, in folders with the same conftest as solutions/.

    Only the cells of `slow` have little time: on a busy machine others may need more.
    """
    runs = []
    for name, cells, seconds in (("cells", [each for each, _ in CELLS.values()], 60), ("slow", SLOW, 2)):
        room = tmp_path_factory.mktemp(name)
        (room / "conftest.py").write_text((ROOT / "solutions" / "conftest.py").read_text())
        (room / "pytest.ini").write_text("[pytest]\n")
        nbformat.write(new_notebook(cells=cells, metadata=KERNEL), room / f"{name}.ipynb")
        limit = f"--nbval-cell-timeout={seconds}"
        command = [sys.executable, "-m", "pytest", "--nbval", limit, "-q", "-rA", "-p", "no:xdist"]
        wide = os.environ | {"COLUMNS": "400"}
        runs.append(subprocess.Popen(command, cwd=room, env=wide, stdout=subprocess.PIPE, text=True))
    return {name: run.communicate()[0] for name, run in zip(("cells", "slow"), runs, strict=True)}


def lines(report: str, nodeid: str) -> list[str]:
    """Return what the summary says of a cell, from its line to that of the next cell."""
    found = report.partition("short test summary info")[2].partition(f" {nodeid}")
    outcome = found[0].splitlines()[-1].strip()
    return [outcome, *found[2].partition(".ipynb::Cell")[0].splitlines()]


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_passes_or_fails_for_its_own_reason(reports, name):
    report, reason = reports["cells"], CELLS[name][1]
    outcome, *said = lines(report, f"cells.ipynb::Cell {list(CELLS).index(name)}")
    assert outcome == ("FAILED" if reason else "PASSED"), report
    assert reason in "\n".join(said), report


def test_after_a_cell_that_ran_out_of_time_the_rest_fails_too(reports):
    report = reports["slow"]
    assert lines(report, "slow.ipynb::Cell 0")[0] == "FAILED", report
    outcome, *said = lines(report, "slow.ipynb::Cell 1")
    assert outcome == "FAILED", report
    assert "an earlier cell of this notebook ran out of time" in "\n".join(said), report


@pytest.mark.parametrize(("redis", "outcome"), [("", "SKIPPED"), ("required", "FAILED")])
def test_a_cell_that_wants_redis_is_not_passed_without_one(tmp_path, redis, outcome):
    """It is skipped, and the report ends with a line on it; where a Redis is required, it fails."""
    (tmp_path / "conftest.py").write_text((ROOT / "solutions" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    nbformat.write(new_notebook(cells=[cell("x = 1", tags=["redis"])], metadata=KERNEL), tmp_path / "cells.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-rA", "-p", "no:xdist"]
    bare = os.environ | {"COLUMNS": "400", "PATH": str(tmp_path), "REDIS": redis}
    report = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False).stdout
    assert f"\n{outcome} " in report, report
    assert "no redis-server on the PATH: apt install" in report, report
    assert ("1 checks of lesson 07" in report) == (outcome == "SKIPPED"), report
