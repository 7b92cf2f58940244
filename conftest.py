"""What holds for all tests of both houses.

Where a model of hangup is found untrue, the lessons are named that teach it; hangup itself knows no lesson.
Notebooks in work/ and notebooks/ hold answers: pytest judges them; those in solutions/ are compared by nbval.
"""

import os
from collections.abc import Generator

import pytest

from tests.newest import of_a_cell
from tests.taught import lessons_on

pytest_plugins = ("helpers.grading.pytest_plugin",)


def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than there are processors: tests of real servers wait a part of their time."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a failed test what it concerns: which model and which lessons teach it, or which sentence of a lesson."""
    report = yield
    if report.failed and item.path.name == "test_models.py" and isinstance(item, pytest.Function):
        params = getattr(item, "callspec", None)
        if params is not None:
            lessons = lessons_on(params.params)
            report.sections.append(("what the course teaches", lessons))
            server = params.params.get("on_the_server") or params.params.get("server")
            item.user_properties += [("model", str(server)), ("lessons", lessons)]
    elif report.failed and item.path.suffix == ".ipynb" and item.path.parent.name == "solutions":
        item.user_properties += of_a_cell(item.path, getattr(item, "cell_num", 0))
    return report
