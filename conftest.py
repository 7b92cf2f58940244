"""What holds for all tests of both houses.

Where a model of hangup is found untrue, the lessons are named that teach it; hangup itself knows no lesson.
Notebooks in work/ and notebooks/ hold answers: pytest judges them; those in solutions/ are compared by nbval.
"""

from collections.abc import Generator

import pytest

from tests.taught import lessons_on

pytest_plugins = ("helpers.grading.pytest_plugin",)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a section to the report of a failed test that compares a model with its server."""
    report = yield
    if report.failed and item.path.name == "test_models.py" and isinstance(item, pytest.Function):
        params = getattr(item, "callspec", None)
        if params is not None:
            report.sections.append(("what the course teaches", lessons_on(params.params)))
    return report
