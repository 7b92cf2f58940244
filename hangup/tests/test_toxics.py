"""A fault that cannot be is one sentence."""

from typing import Any

import pytest

from hangup.network.toxics import (
    Bandwidth,
    Bytes,
    Close,
    Frame,
    Latency,
    Reset,
    Slicer,
)

WRONG: Any = "wrong"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Bytes(-1), "Bytes takes a number of bytes, 0 or more, not -1."),
        (lambda: Frame(0), "Frame takes the number of a frame, 1 or more, not 0."),
        (lambda: Latency(-0.1), "Latency takes seconds, 0 or more, not -0.1."),
        (lambda: Slicer(0), "Slicer takes a size in bytes, 1 or more, not 0."),
        (lambda: Slicer(1, -1), "Slicer takes a delay in seconds, 0 or more, not -1."),
        (lambda: Bandwidth(0), "Bandwidth takes bytes per second, above 0, not 0."),
        (lambda: Reset(to=WRONG), "to is 'client', 'server' or 'both', not 'wrong'."),
        (lambda: Close(stream=WRONG), "A stream is 'upstream' or 'downstream', not 'wrong'."),
        (lambda: Close(at=WRONG), "A fault happens at Bytes(n), Frame(n), When(event) or None, not at 'wrong'."),
    ],
)
def test_a_fault_that_cannot_be_is_one_sentence(make, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        make()
    assert str(caught.value) == sentence
