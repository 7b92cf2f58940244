"""The spread of values that scripts say: the same in every process, and each of a kind that shows something."""

import itertools
import json
import os
import subprocess
import sys

import pytest

from helpers.judging.values import LONG, binaries, codes, json_values, texts

SHOWN = "from helpers.judging.values import *; print(ascii([texts(), json_values(), binaries(), codes()]))"


def test_every_process_draws_the_same():
    """Another process, with another hash seed, says the same values."""
    printed = [
        subprocess.run(
            [sys.executable, "-c", SHOWN], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]


def test_drawing_leaves_the_common_dice_alone():
    """Whoever asks `random` gets what he would have got: a check compares its state."""
    import random

    before = random.getstate()
    texts.__wrapped__()
    json_values.__wrapped__()
    codes.__wrapped__()
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [
        ("nothing", lambda text: text == ""),
        ("blanks only", lambda text: text and not text.strip()),
        ("blanks around", lambda text: text.strip() and text != text.strip()),
        ("outside ASCII", lambda text: not text.isascii()),
        ("capitals of another length", lambda text: len(text.upper()) != len(text)),
        ("a digit that is no number", lambda text: text.isdigit() and not text.isdecimal()),
        ("two lines", lambda text: len(text.splitlines()) > 1),
        ("long", lambda text: len(text) == LONG),
        ("what is tidied", lambda text: all(odd in text for odd in ("\ufeff", "\r\n", "\u00a0", "  ", "\x00"))),
        ("a command", lambda text: text.startswith("/")),
        ("a link", lambda text: text.startswith("https://")),
    ],
)
def test_the_texts_are_of_many_kinds(kind, is_one):
    """At least one text is of each kind that a careless answer mistakes."""
    assert any(is_one(text) for text in texts()), kind


@pytest.mark.parametrize("values", [texts, json_values])
def test_one_value_is_said_twice_in_a_row(values):
    """What forgets a repeat shows."""
    said = values()
    assert any(type(a) is type(b) and a == b for a, b in itertools.pairwise(said))


def test_json_can_say_the_json_values():
    """Each comes back as it was, the falsy ones among them."""
    assert [json.loads(json.dumps(value)) for value in json_values()] == list(json_values())
    assert [value for value in json_values() if not value and not isinstance(value, float)]
    assert {type(value) for value in json_values() if not value} == {int, str, list, dict, bool, type(None)}


def test_the_codes_may_be_said():
    """No code is one that a close frame must not carry, or the server's own."""
    assert [code for code in codes() if code in {1004, 1005, 1006, 1012, 1015} or not 1000 <= code < 5000] == []
    assert {1000, 1001, 1008, 1011, 3000, 4000} <= set(codes())


def test_some_binary_is_no_text():
    """Who decodes whatever comes meets bytes that are no UTF-8."""
    with pytest.raises(UnicodeDecodeError):
        [each.decode() for each in binaries()]
