"""What docs/troubleshooting.md says of an error is raised here, by the program that the page shows."""

import asyncio
import re
import runpy
import warnings

import pytest

from hangup.servers.releases import NoEnvironmentError
from helpers import book, lessons

ERRORS = book.errors()
TAUGHT = re.findall(r"^\| \d\d \|.*?\|(.*?)\|", (lessons.ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.filterwarnings("default:daphne was not run")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.anchor)
def test_a_program_raises_the_words_that_its_heading_says(error):
    try:
        seen = asyncio.run(runpy.run_path(str(error.program))["main"]())
    except NoEnvironmentError as missing:
        warnings.warn(f"daphne was not run: no environment: {missing}", stacklevel=1)
        pytest.skip(str(missing))
    assert [words for words in error.words if words not in seen] == []


def test_no_program_is_left_out():
    assert {error.program for error in ERRORS} == set((book.DOCS / "errors").glob("*.py"))


def test_every_error_in_the_readme_is_explained():
    known = "\n".join(words for error in ERRORS for words in error.words)
    asked = [words.rstrip(".").removeprefix("RuntimeError: ") for row in TAUGHT for words in re.findall("`(.+?)`", row)]
    shown = {
        "asyncio.exceptions.CancelledError": "CancelledError",
        "starlette.websockets.WebSocketDisconnect": "WebSocketDisconnect",
        "received 1009 (message too big)": "1009",
    }
    assert [words for words in asked if shown.get(words, words) not in known] == []
    assert len(asked) >= 7


@pytest.mark.parametrize(
    "words",
    [
        'Cannot call "receive" once a disconnect message has been received',
        "ASGI flow error",
        "Unexpected ASGI message 'websocket.close', after sending 'websocket.close' or response already completed",
        'Cannot call "send" once a close message has been sent',
        'WebSocket is not connected. Need to call "accept" first',
        "keepalive ping timeout",
        "cannot call recv while another coroutine is already waiting",
        "Attempted to exit cancel scope in a different task",
        "no close frame received or sent",
        "took too long to shut down",
        "received 1008 (policy violation)",
        "1009",
        "1005",
        "1006",
        "1012",
        "CancelledError",
    ],
)
def test_an_error_that_people_search_for_has_a_heading(words):
    assert [error.anchor for error in ERRORS if any(each.startswith(words) for each in error.words)]
