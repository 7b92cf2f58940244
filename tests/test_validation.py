"""nbval with solutions/conftest.py fails the notebooks that nbval alone calls good."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def cell(source, *, count=1, outputs=(), tags=()):
    return new_code_cell(source, execution_count=count, outputs=list(outputs), metadata={"tags": list(tags)})


GROUP = "raise ExceptionGroup('two at once', [ValueError('x')])"
BAD = {
    # IPython prints a group to stderr, addresses and all; muted, it publishes nothing that could differ
    "group": ([cell("get_ipython().showtraceback = lambda *_, **__: None"), cell(GROUP)], "the kernel replied error"),
    "never_run": ([cell("x = 1", count=None)], "was not run whole"),
    "raises_nothing": ([cell("x = 1", tags=["raises-exception"])], "the kernel replied ok, expected error"),
    "skipped": ([cell("1 / 0", tags=["nbval-skip"])], "marked as not to be checked"),
    "skipped_by_comment": ([cell("# NBVAL_SKIP\n1 / 0")], "marked as not to be checked"),
    "magic": ([cell("%nosuchmagic")], "Cell"),
    "other_output": ([cell("print(1)", outputs=[new_output("stream", text="2\n")])], "Cell outputs differ"),
    "too_long": (
        [cell("import time; time.sleep(60)"), cell("x = 1")],
        "an earlier cell of this notebook ran out of time",
    ),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What pytest says of all the bad notebooks and a good one, each nodeid with its outcome and text."""
    import subprocess
    import sys

    room = tmp_path_factory.mktemp("validation")
    (room / "conftest.py").write_text((ROOT / "solutions" / "conftest.py").read_text())
    (room / "pytest.ini").write_text("[pytest]\n")
    good = [cell("print(1)", outputs=[new_output("stream", text="1\n")])]
    good.append(
        cell(
            "1 / 0",
            tags=["raises-exception"],
            outputs=[new_output("error", ename="ZeroDivisionError", evalue="division by zero")],
        )
    )
    for name, (cells, _) in {**BAD, "good": (good, "")}.items():
        nbformat.write(new_notebook(cells=cells, metadata=KERNEL), room / f"{name}.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-cell-timeout=2",
        "-q",
        "-rA",
        "-n",
        "2",
        "--dist",
        "loadscope",
    ]
    done = subprocess.run([*command, "--junitxml=report.xml"], cwd=room, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("name", BAD)
def test_a_bad_notebook_fails_for_its_own_reason(report, name):
    assert BAD[name][1] in report, report
    assert f"FAILED {name}.ipynb" in report, report


def test_a_good_notebook_passes(report):
    assert "PASSED good.ipynb::Cell 0" in report
    assert "PASSED good.ipynb::Cell 1" in report
