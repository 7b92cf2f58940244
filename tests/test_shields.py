"""What shields do to a cleanup: four moments of a cancellation, and a task that nobody holds."""

import asyncio

import anyio
import pytest

from helpers.props.shields import forgotten, outcome, outcomes


async def plain(write):
    """Shield nothing."""
    await write()


async def scoped(write):
    """Stand in an AnyIO shield."""
    with anyio.CancelScope(shield=True):
        await write()


@pytest.mark.parametrize(
    ("cleanup", "how", "when", "expected"),
    [
        (plain, "task.cancel()", "before", "✓ row, line after"),
        (plain, "task.cancel()", "in", "✗ nothing"),
        (plain, "scope.cancel()", "before", "✗ nothing"),
        (scoped, "scope.cancel()", "in", "✓ row, line after"),
        (scoped, "task.cancel()", "in", "✗ nothing"),
    ],
)
def test_outcome_tells_what_got_done(cleanup, how, when, expected):
    assert asyncio.run(outcome(cleanup, how, when)) == expected


def test_outcomes_is_a_row_for_each_cleanup():
    table = asyncio.run(outcomes(plain, scoped))
    assert table.header[1] == "task.cancel() before"
    assert [row[0] for row in table.rows] == ["plain", "scoped"]
    assert table.rows[1][4] == "✓ row, line after"


async def never():
    """Wait for what nobody else holds."""
    await asyncio.Event().wait()


async def shielded():
    """Leave a task to itself."""
    await asyncio.shield(never())


@pytest.mark.parametrize(
    ("cleanup", "expected"), [(shielded, "Task was destroyed but it is pending!"), (never, "nothing")]
)
def test_forgotten_tells_what_asyncio_says_of_a_task_that_nobody_holds(cleanup, expected):
    async def work():
        def mine(loop, context):
            """Handle nothing; it must be back afterwards."""

        asyncio.get_running_loop().set_exception_handler(mine)
        said = await forgotten(cleanup)
        return said, asyncio.get_running_loop().get_exception_handler() is mine

    assert asyncio.run(work()) == (expected, True)
