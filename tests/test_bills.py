"""billing(): a price service and a database, real, and nothing of them afterwards."""

import asyncio

import pytest

from helpers.bills import billing


def test_a_bill_is_written_when_the_door_opens():
    async def work():
        async with billing() as bills:
            task = asyncio.create_task(bills.write(3))
            await asyncio.wait([task], timeout=0.05)
            assert not task.done()
            bills.door.set()
            await task
            assert await bills.rows() == [6]

    asyncio.run(work())


def test_nothing_is_left_when_somebody_still_waits_at_the_door(leaves_nothing):
    async def work():
        async with billing() as bills:
            task = asyncio.create_task(bills.write(3))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await bills.rows() == []

    leaves_nothing(work)
