"""A storm is the same each time, and the door counts what it says."""

import itertools

import pytest
from websockets.client import backoff

from helpers.props.storm import chart, storm, table


def in_step():
    """Yield the same pause each time."""
    return itertools.repeat(5.0)


def test_equal_storms_are_equal():
    doors = [storm(backoff, clients=50, rate=5) for _ in range(2)]
    assert doors[0].came == doors[1].came
    assert doors[0].entered == doors[1].entered


def test_clients_in_step_come_in_one_second_and_half_of_them_in_vain():
    door = storm(in_step, clients=20, rate=1, away=12)
    assert door.peak == 20
    assert door.came[:20] == [0.0] * 20
    assert door.vain > 0
    assert len(door.entered) == 20


def test_nobody_gets_in_while_the_server_is_away():
    assert min(storm(backoff, clients=20, away=30).entered) >= 30


@pytest.mark.parametrize("rate", [1, 10])
def test_the_server_does_so_many_handshakes_a_second(rate):
    door = storm(backoff, clients=30, rate=rate, away=3)
    first, last = min(door.entered), max(door.entered)
    assert (last - first) * rate >= 29 * 0.999


def test_rows_count_from_the_moment_the_server_is_back():
    rows = storm(in_step, clients=10, rate=100, away=12).rows(until=6, step=2)
    assert [row["seconds"] for row in rows] == [0, 2, 4]
    assert [row["came each second"] for row in rows] == [0, 5, 0]
    assert [row["clients inside"] for row in rows] == [0, 10, 10]


def test_table_and_chart_have_a_part_for_each_storm():
    doors = {name: storm(in_step, clients=10, rate=100, away=12) for name in ("one", "other")}
    assert table(doors).rows[1] == ("other", "10", "0", "3 s")
    assert {row["delays"] for row in chart(doors).rows} == {"one", "other"}
