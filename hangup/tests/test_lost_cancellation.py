"""A task group that has failed may lose a cancellation, or keep it for later: nobody is blamed for that."""

import asyncio
import contextlib
from types import FunctionType

import pytest
import websockets

from hangup.explorer.clients.explore import explore_client


async def echo(websocket):
    """Say everything back."""
    async for message in websocket:
        await websocket.send(message)


async def asks(url):
    """Asks once, and minds no end."""
    with contextlib.suppress(websockets.ConnectionClosed, OSError, websockets.InvalidHandshake):
        async with websockets.connect(url, compression=None, proxy=None) as websocket:
            await websocket.send("one")
            await websocket.recv()


async def over_in_a_group(url):
    """Ends in a group that has failed and waits for its other task, in which asyncio may lose a cancellation."""

    async def fails():
        raise LookupError

    async def tidies():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)

    await asks(url)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(tidies())
            group.create_task(fails())
    except* LookupError:
        pass


def test_a_cancellation_that_asyncios_group_loses_is_nobodys_fault():
    report = explore_client(over_in_a_group, lambda: echo)
    assert not [each.got for each in report.broken if "it was cancelled" in each.got]


async def raises_in_a_group(url):
    """Leaves a group by an exception of its block, and waits for the group's task."""
    await asks(url)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1))
            await asyncio.sleep(0)
            raise LookupError
    except* LookupError:
        pass


def test_a_group_whose_block_has_failed_loses_it_as_well():
    report = explore_client(raises_in_a_group, lambda: echo)
    assert not [each.got for each in report.broken if "it was cancelled" in each.got]


async def lets_go_in_a_group(url):
    """Takes a while to leave the block of a group, in which a task fails meanwhile."""

    async def fails():
        await asyncio.sleep(2)
        raise LookupError

    await asks(url)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            try:
                await asyncio.sleep(1)
            finally:
                await asyncio.shield(asyncio.sleep(5))
    except* LookupError:
        pass


def test_a_group_loses_it_also_where_a_task_fails_while_its_block_lets_go():
    report = explore_client(lets_go_in_a_group, lambda: echo)
    assert not [each.got for each in report.broken if "it was cancelled" in each.got]


@pytest.mark.parametrize("client", [over_in_a_group, raises_in_a_group], ids=lambda client: client.__name__)
def test_a_group_that_leaves_by_another_method_is_known(client, monkeypatch):
    """In newer releases of Python the group waits in `_aexit`, which `__aexit__` awaits."""
    if not hasattr(asyncio.TaskGroup, "_aexit"):
        waits = asyncio.TaskGroup.__aexit__
        assert isinstance(waits, FunctionType)
        code = waits.__code__.replace(co_name="_aexit")

        async def leave(self, et, exc, tb):
            return await self._aexit(et, exc, tb)

        monkeypatch.setattr(asyncio.TaskGroup, "_aexit", FunctionType(code, waits.__globals__), raising=False)
        monkeypatch.setattr(asyncio.TaskGroup, "__aexit__", leave)
    report = explore_client(client, lambda: echo)
    assert not [each.got for each in report.broken if "it was cancelled" in each.got]


async def swallows_in_a_group(url):
    """Takes its own cancellation for the end of its group, in which nothing has failed."""
    await asks(url)
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1))


def test_a_cancellation_that_the_client_swallows_is_its_own_fault():
    report = explore_client(swallows_in_a_group, lambda: echo)
    assert [each.got for each in report.broken if "it was cancelled" in each.got]
