r"""What clients do, as a line of text: `text:hello, expect, b.json:{"type": "join"}, wait:1.5, leave`.

A step may begin with the letter of a client, `b.expect`. A comma that is part of a text has a \ before it; one inside
JSON has none. `script` reads such a line, `line` writes it. What it cannot say is said in a file, by `--script`.
"""

import argparse
import json
import re

from hangup.servers.script import ABSENT, Expect, Leave, Script, Send, Step, Wait, steps_of

KINDS = r"text:WORDS, binary:HEX, json:JSON, expect, expect:WORDS, expect-json:JSON, wait:SECONDS, leave or close"
_JSON = re.compile(r"(?:([a-z])\.)?(json|expect-json):\s*")
_STEP = re.compile(r"((?:\\,|[^,])*)")


def script(text: str) -> Script:
    """Return the script that a line of text is."""
    words = list(_split(text.strip()))
    if words[-1] in {"close", "close:1001"}:
        words.pop()
    return [_step(word) for word in words]


def _split(text: str) -> "list[str]":
    """Return the steps of a line, each without its commas' backslashes."""
    found, place = [], 0
    while True:
        place += len(text[place:]) - len(text[place:].lstrip())
        if begins := _JSON.match(text, place):
            try:
                end = json.JSONDecoder().raw_decode(text, begins.end())[1]
            except ValueError as error:
                raise argparse.ArgumentTypeError(
                    f"{text[place:]!r}: what follows the colon is no JSON: {error}."
                ) from None
            rest = _STEP.match(text, end)
            assert rest is not None
            if rest[1].strip():
                raise argparse.ArgumentTypeError(
                    f"{text[place:]!r}: there is more than one JSON value before the comma."
                )
            found.append(text[place:end])
        else:
            rest = _STEP.match(text, place)
            assert rest is not None
            found.append(rest[1].strip().replace("\\,", ","))
        place = rest.end() + 1
        if place > len(text):
            return found


def _step(text: str) -> Step:
    who, dot, step = text.partition(".") if re.match(r"[a-z]\.", text) else ("a", "", text)
    word, colon, words = step.partition(":")
    bare = not colon
    if word == "text" and colon:
        return Send(words, who)
    if word == "json" and colon:
        return Send(json=json.loads(words), by=who)
    if word == "binary" and colon:
        try:
            return Send(bytes.fromhex(words), who)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r}: bytes are written as hexadecimal digits, binary:00ff."
            ) from None
    if word == "expect-json" and colon:
        return Expect(json=json.loads(words), by=who)
    if word == "expect":
        return Expect(None if bare else words, who)
    if word == "leave" and bare and not dot:
        return Leave()
    if word == "wait" and not dot:
        return _wait(text, words)
    if word == "close":
        raise argparse.ArgumentTypeError(f"{text!r}: the client closes once, as its last step, and with 1001 only.")
    raise argparse.ArgumentTypeError(
        rf"{text!r} is no step: a step is {KINDS}, for another client b.text:WORDS; a comma in WORDS is \,"
    )


def _wait(text: str, words: str) -> Wait:
    try:
        return Wait(float(words))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: a pause is a number of seconds, wait:1.5.") from None


# ---- and back --------------------------------------------------------------------------------------------------------


def line(script: Script) -> str:
    """Return the line that says a script which `script` has read."""
    return ", ".join(_word(step) for step in steps_of(script)) or "close"


def _word(step: Step) -> str:
    if isinstance(step, Leave):
        return "leave"
    if isinstance(step, Wait):
        return f"wait:{step.seconds:g}"
    assert isinstance(step, Send | Expect)
    return f"{step.by}.{_said(step)}" if step.by != "a" else _said(step)


def _said(step: Send | Expect) -> str:
    if isinstance(step, Expect) and step.json is not ABSENT:
        return f"expect-json:{json.dumps(step.json)}"
    if step.text is None:
        return "expect"
    if isinstance(step.text, bytes):
        return f"binary:{step.text.hex()}"
    kind = "text" if isinstance(step, Send) else "expect"
    return f"{kind}:{step.text}".replace(",", "\\,")
