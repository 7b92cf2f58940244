"""What the exercises of lesson 04 say of things that cannot be an answer, each in a sentence."""

import functools
from contextlib import asynccontextmanager

import pytest
from litestar import websocket

from helpers.exercises.listener_lifespan import ex1, ex2


async def generates(socket):
    """Lacks its decorator."""
    yield


async def awaits(socket):
    """Has no yield."""


@asynccontextmanager
async def says_no_type(socket):
    """Lacks what Litestar wants to know."""
    yield


@asynccontextmanager
async def lives(socket):
    """Is one, until it is called."""
    yield


class AsAClass:
    """A context manager that Litestar would have to make."""

    def __init__(self, socket):
        """Take the socket."""

    async def __aenter__(self):
        """Begin."""

    async def __aexit__(self, *error):
        """End."""


@websocket("/")
async def handles(socket) -> None:
    """Lacks a type as well."""


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        (ex1, generates, "generates is a generator: put @asynccontextmanager on the line before its def."),
        (ex1, awaits, "awaits is an async function without a yield"),
        (ex1, says_no_type, "Litestar does not take says_no_type: ImproperlyConfiguredException"),
        (ex1, AsAClass, "Litestar does not take a class here: wrap it in a function with `socket: WebSocket`."),
        (ex1, functools.partial(lives), "Litestar does not take a partial here: wrap it in a function"),
        (ex1, lives(None), "pass the function itself, without ()."),
        (ex1, handles, "handles is no function"),
        (ex1, 3, "int is no function"),
        (ex2, awaits, 'awaits is no Litestar handler: put @websocket("/")'),
        (ex2, handles, "Litestar does not take handles: ImproperlyConfiguredException"),
        (ex2, dict, "dict is no Litestar handler"),
    ],
)
def test_what_is_no_answer_is_one_sentence(exercise, answer, words):
    """The verdict says what the answer is, and what to do."""
    verdict = exercise.check(answer)
    assert verdict.outcome == "no answer"
    assert words in verdict.headline
