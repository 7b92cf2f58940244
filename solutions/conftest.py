"""Closes the blind spots of nbval: what counts as run here was run, and what raises nothing is not called an exception.

nbval watches the messages that a cell publishes. A cell that raises an ExceptionGroup publishes none, and a cell that
should raise and does not publishes none either; the kernel's reply tells both. It also passes cells that never ran.

Cells tagged `redis` want a redis-server. Where there is none they are not run, and the last lines of the report say so;
with REDIS=required in the environment they fail.
"""

import contextlib
import os
import shutil
from collections.abc import Generator
from typing import Any

import pytest
from nbval import kernel as kernels
from nbval.plugin import IPyNbCell

_start_once = kernels.start_new_kernel


def _start(**options: Any) -> Any:
    """Start a kernel; one that dies before its first word, for somebody else took its port, is started again."""
    for _ in range(3):
        with contextlib.suppress(RuntimeError):
            return _start_once(**options)
    return _start_once(**options)


kernels.start_new_kernel = _start

NO_REDIS = "no redis-server on the PATH: apt install redis-server, brew install redis, or conda install redis-server"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a cell for what nbval does not see."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    if item.parent.timed_out:
        pytest.fail("an earlier cell of this notebook ran out of time")
    if item.cell.execution_count is None:
        pytest.fail("the stored notebook was not run whole: python -m helpers run")
    if item.options["skip"] or not item.options["check"]:
        pytest.fail("this cell is marked as not to be checked")
    if "redis" in item.cell.metadata.get("tags", []) and shutil.which("redis-server") is None:
        (pytest.fail if os.environ.get("REDIS") == "required" else pytest.skip)(NO_REDIS)
    statuses = _listen(item.parent.kernel)
    result = yield
    expected = "error" if item.options["check_exception"] else "ok"
    if statuses != [expected]:
        pytest.fail(f"the kernel replied {', '.join(statuses) or 'nothing'}, expected {expected}")
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was not run for want of a Redis: a skipped cell must not look like one that passed."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "redis-server" in str(report.longrepr)]
    if skipped:
        terminalreporter.section("not run", yellow=True)
        terminalreporter.write_line(f"{len(skipped)} checks of lesson 07: {NO_REDIS}")


def _listen(kernel: Any) -> list[str]:
    """Return a list that collects the status of each reply to a cell, until the next call."""
    statuses: list[str] = []
    ask = type(kernel).get_message

    def get_message(stream: str, timeout: float | None = None) -> Any:
        message = ask(kernel, stream, timeout=timeout)
        if message["msg_type"] == "execute_reply":
            statuses.append(message["content"]["status"])
        return message

    kernel.get_message = get_message
    return statuses
