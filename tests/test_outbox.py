"""An outbox numbers, keeps until acknowledged, and keeps its limit."""

import asyncio

import pytest

from helpers.props.outbox import Outbox


def run(work):
    return asyncio.run(work())


async def filled(outbox, count):
    """Put `count` words into an outbox."""
    for number in range(count):
        await outbox.put(f"word {number + 1}")
    return outbox


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("drop oldest", ["word 3", "word 4"]), ("drop newest", ["word 1", "word 2"])],
)
def test_a_full_outbox_drops(policy, kept):
    async def work():
        outbox = await filled(Outbox(2, policy), 4)
        return list(outbox), outbox.dropped, len(outbox)

    assert run(work) == (kept, 2, 2)


def test_a_full_outbox_holds_who_puts_until_there_is_room():
    async def work():
        outbox = await filled(Outbox(2), 2)
        putting = asyncio.create_task(outbox.put("word 3"))
        await asyncio.sleep(0)
        waited = not putting.done()
        outbox.acknowledge(1)
        await putting
        return waited, list(outbox)

    assert run(work) == (True, ["word 2", "word 3"])


def test_a_dropped_message_leaves_a_gap_in_the_numbers():
    async def work():
        outbox = await filled(Outbox(2, "drop oldest"), 4)
        outbox.close()
        return [number async for number, _ in outbox.after(0)]

    assert run(work) == [3, 4]


def test_who_reads_waits_for_more_until_it_is_closed():
    async def work():
        outbox, got = await filled(Outbox(9), 1), []

        async def read():
            async for number, text in outbox.after(0):
                got.append((number, text))

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await outbox.put("word 2")
        outbox.close()
        await reading
        return got

    assert run(work) == [(1, "word 1"), (2, "word 2")]


def test_it_is_done_when_it_is_closed_and_all_is_acknowledged():
    async def work():
        outbox = await filled(Outbox(9), 2)
        seen = [outbox.done]
        outbox.close()
        seen.append(outbox.done)
        outbox.acknowledge(2)
        return [*seen, outbox.done]

    assert run(work) == [False, False, True]
