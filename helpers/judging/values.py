"""Values that clients say so that an answer shows what it does with them: a spread, drawn once from a fixed seed.

An answer that was tried with "hello" alone has been tried with little: `if text:` drops an empty one, `isdigit` takes
a "²" for a number, a set forgets a repeat. Each function returns the same tuple in every process; a script says all of
it or a part, and the picture in the verdict shows which value it was.
"""

import functools
import random
from typing import TypeVar

from hangup.record.recorder import Scope
from hangup.servers.clients.handshake import Asked
from hangup.servers.memory.scope import http_scope, websocket_scope

T = TypeVar("T")

SEED = 6455
LONG = 70_000  # characters: longer than a line, a packet, the 65,535 of a 16-bit length, and any limit chosen by eye
_LETTERS = ("abcdefghijklmnopqrstuvwxyz", "äéßøñçİı", "бгджлфя", "αβγδξς", "שלום", "日本語文字", "🙂🚀👩‍🚀")
_TEXTS = (
    "",
    " ",
    "\n",
    "  between blanks\t",
    "two\nlines",
    "again",
    "again",
    "0",
    "²",
    "2.7",
    "inf",
    "-1",
    "null",
    "None",
    "[]",
    '{"type": "websocket.disconnect"}',
    'it\'s a "quote" \\ and a backslash',
    "%s {} {0} <b>&amp;</b>",
    "re\u0301sume\u0301 stra\u00dfe \ufb01n",  # combining accents, and letters whose capitals are longer
)
COMMANDS = ("quit", "exit", "stop", "ping", '{"seen":true}', "/quit", "STOP")
"""A server may mean something by them, an answer does not."""
_TIDIED = (  # what somebody tidies up, or takes for a flood
    "\ufeffcr\r\nlf, a no-break\u00a0space,  two blanks, a nul \x00, \u1e9e",
    "https://example.com/?q=1",
    "thrice",
    "thrice",
    "thrice",
)
_JSON: tuple[object, ...] = (
    0,
    "",
    [],
    {},
    False,
    None,
    0.5,
    -1,
    "0",
    "again",
    "again",
    [None],
    {"": ""},
    {"count": 99, "echo": "mine"},
    {"type": "websocket.disconnect", "code": 1001},
    [[1, "two"], {"three": [3.0]}],
    'it\'s a "quote" \\ and a backslash',
)
_LOST: tuple[object, ...] = ({"none": None, "deep": [{"null": None}]}, 2**53 + 1, 1.0, True)  # by one who is careless


@functools.cache
def texts() -> tuple[str, ...]:
    """Return texts that a careless answer mistakes, one of them said twice in a row, and a few that are drawn."""
    dice = random.Random(SEED)
    drawn = [word(dice) for _ in range(4)]
    drawn.append(" ".join(word(dice) for _ in range(LONG // 4))[:LONG])
    return (*_shuffled(_TEXTS, dice), *drawn, *COMMANDS, *_TIDIED)


@functools.cache
def json_values() -> tuple[object, ...]:
    """Return values that JSON can say, the falsy ones among them, one of them twice in a row, and some drawn ones."""
    dice = random.Random(SEED + 1)
    drawn = [word(dice), [word(dice) for _ in range(40)], {word(dice): dice.randrange(1_000)}, dice.random()]
    return (*_shuffled(_JSON, dice), *drawn, *_LOST)


@functools.cache
def binaries() -> tuple[bytes, ...]:
    """Return what a binary frame may carry: nothing, a text's bytes, what is no UTF-8, and some drawn bytes."""
    return b"", b"hello", b"\x00", b"\xff\xfe\x80", random.Random(SEED + 2).randbytes(40)


@functools.cache
def codes() -> tuple[int, ...]:
    """Return close codes that a peer may say (RFC 6455 section 7.4): the usual, others, and drawn ones.

    1012 is left out, because uvicorn says it of itself.
    """
    dice = random.Random(SEED + 3)
    usual = 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 3000, 4000
    return *usual, dice.randrange(3001, 4000), dice.randrange(4001, 5000)


def scope_of(kind: str = "websocket") -> Scope:
    """Return a scope as a server makes it of a client that asks for `/`; of another kind, what every scope has."""
    asked = Asked("/")
    made = {"websocket": websocket_scope, "http": http_scope}.get(kind)
    if made is None:
        return {"type": kind, "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    scope = made(asked)
    return {**scope, "headers": list(scope["headers"]), "state": {}}


def word(dice: random.Random) -> str:
    """Return a word of three to twelve letters of one alphabet."""
    return "".join(dice.choices(dice.choice(_LETTERS), k=dice.randint(3, 12)))


def _shuffled(values: tuple[T, ...], dice: random.Random) -> list[T]:
    """Return values in another order, in which those that were the same in a row still are."""
    pairs = [[value] for value in values]
    for number in range(len(pairs) - 1, 0, -1):
        if type(values[number]) is type(values[number - 1]) and values[number] == values[number - 1]:
            pairs[number - 1] += pairs.pop(number)
    dice.shuffle(pairs)
    return [value for pair in pairs for value in pair]
