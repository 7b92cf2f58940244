"""What the logs of a server say, in words: an answer for each question, as `hangup models` has them of the models."""

import re
from collections.abc import Sequence

from hangup.servers.matrix.asking import Logs
from hangup.servers.matrix.specification import SAYS
from hangup.servers.models import MODELS, words

NOT_ASKED = "?"
QUESTIONS = tuple(question for question, *_ in words.table([MODELS["uvicorn"]]).rows if question in SAYS)
"""The questions: those of the models (`hangup.servers.models.words`), but for further endings."""
_LEFT = {"close": "closes", "fin": "FIN", "reset": "RST"}


def answers(probes: Logs, with_lifespan: Logs, without: Logs) -> dict[str, str]:
    """Return an answer for each question; NOT_ASKED where the app was not called, or ended before it came to it."""
    told = {
        "the client closes without a code": _told(_log(probes, "reads_on", "close-without-a-code")[1:]),
        "the client closes": _told(_log(probes, "reads_on", "close")[1:], 1001),
        "the client dies (FIN)": _told(_log(probes, "reads_on", "fin")[1:]),
        "the network resets": _told(_log(probes, "reads_on", "reset")[1:]),
        "the server shuts down": _stopped(without),
        "the app has closed": _told(_log(probes, "closes_itself", "own")[4:], 4000),
    }
    own, refused, refused_late = (_log(probes, *which) for which in _OWN)
    said = {f"{what}: receive()": answer for what, answer in told.items()}
    said |= {
        "the peer has left: send()": _left(probes, "only_sends", 1),
        "the peer has left: close()": _left(probes, "closes_unread", 1),
        "the disconnect was received: send()": _left(probes, "sends_late", 2),
        "the disconnect was received: close()": _left(probes, "closes_late", 2),
        "in the same breath: close()": _done(_log(probes, "closes_at_once", "close"), 2),
        "the app has closed: send()": _done(own, 2),
        "the app has closed: close()": _done(own, 3),
        "left before accept: receive()": _before_accept(_log(probes, "reads_first", "early-fin")),
        "left before accept: accept": _early(probes, "accepts_nobody", 0),
        "left before accept: close()": _early(probes, "rejects", 0),
        "left before accept: accept, send()": _early(probes, "accepts_nobody", 1),
        "left before accept: accept, close()": _early(probes, "accepts_nobody", 2),
        "the app has refused: receive()": _told(refused[1:]),
        "the app has refused: send()": _done(refused_late, 1),
        "the app has refused: close()": _done(refused_late, 2),
    }
    for how in ("returned", "raised", "cancelled"):
        saw = [probes.saw.get(f"/ends/{when}/{how}") for when in ("early", "accepted")]
        said[f"the app ends ({how}): the client sees"] = _seen(*saw)
    said["the server shuts down: the client sees"] = _seen_at_stop(probes, without)
    said["the server shuts down: the app is cancelled"] = _cancelled(with_lifespan, without)
    return {question: said.get(question, NOT_ASKED) for question in QUESTIONS}


_OWN = (("closes_itself", "own"), ("rejects", "own"), ("rejects_twice", "own"))


def _log(logs: Logs, probe: str, ending: str) -> list[str]:
    return logs.lines.get(f"/{probe}/{ending}", [])


def _told(lines: Sequence[str], own: int | None = None) -> str:
    """Return the codes that receive() gave, and what it does then: wait, raise, or give the last one for ever."""
    codes: list[str] = []
    for line in lines:
        if found := re.search(r"disconnect .*'code': (None|\d+)", line):
            codes.append("its code" if own is not None and found[1] == str(own) else found[1])
        elif line == "receive waits":
            return ", ".join([*codes, "waits"])
        elif line.startswith("receive raises"):
            return ", ".join([*codes, line.removeprefix("receive ").partition(" (")[0]])
    if len(codes) < 2:
        return NOT_ASKED  # an app that is ended after its first one has not come to ask again
    while len(codes) > 1 and codes[-2] == codes[-1]:
        codes.pop()
    return f"{', '.join(codes)} for ever"


def _done(lines: Sequence[str], place: int) -> str:
    """Return what a send or a close did: the name of what it raised, "returns", or that it never did."""
    if place >= len(lines):
        return "never returns" if lines else NOT_ASKED
    if found := re.match(r"\w+ raises (\w+)", lines[place]):
        return found[1]
    return "never returns" if lines[place].endswith("never returns") else "returns"


def _left(logs: Logs, probe: str, place: int) -> str:
    """Return what a call does when the peer has left: once, if it is the same however he left."""
    return _joined({words: _done(_log(logs, probe, ending), place) for ending, words in _LEFT.items()})


def _early(logs: Logs, probe: str, place: int) -> str:
    found = {_LEFT[how]: _done(_log(logs, probe, f"early-{how}"), place) for how in ("fin", "reset")}
    return _joined(found)


def _joined(found: dict[str, str]) -> str:
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(f"{how}: {what}" for how, what in found.items())


def _before_accept(lines: Sequence[str]) -> str:
    accepts = next((n for n, line in enumerate(lines) if line.startswith("accept")), len(lines))
    before, after = _told(lines[:accepts]), _told(lines[accepts + 1 :])
    return "waits for accept" if before == "waits" and after not in {"waits", NOT_ASKED} else before


def _seen(*codes: int | None) -> str:
    return ", ".join(dict.fromkeys("nothing" if c is None else f"HTTP {c}" if c < 600 else str(c) for c in codes))


# ---- SIGTERM ---------------------------------------------------------------------------------------------------------


def _stopped(logs: Logs) -> str:
    lines = logs.lines.get("/stops/listens", [])
    if "begins" not in lines:
        return NOT_ASKED
    if "is cancelled" not in lines and logs.saw.get("/stops/listens") == 1006:
        return "waits"  # its process ends: what a receive() gives in that moment is chance
    after = [line for line in lines[lines.index("begins") + 1 :] if line != "is cancelled"]
    return _told(after) if len(after) == 3 else _told([*after, "receive waits"])


def _seen_at_stop(probes: Logs, stop: Logs) -> str:
    """Return what clients see; of an app that is cancelled first, what they see is how it ended, and not the stop."""
    if "begins" not in stop.lines.get("/stops/runs", []):
        return NOT_ASKED
    early, late = stop.saw.get("/stops/early"), stop.saw.get("/stops/runs")
    if "is cancelled" in stop.lines["/stops/runs"]:
        early = None if early == probes.saw.get("/ends/early/cancelled") else early
        late = None if late == probes.saw.get("/ends/accepted/cancelled") else late
    return _seen(early, late)


def _cancelled(with_lifespan: Logs, without: Logs) -> str:
    found = [logs.lines.get("/stops/runs", []) for logs in (with_lifespan, without)]
    if any("begins" not in lines for lines in found):
        return NOT_ASKED
    with_one, without_one = ("is cancelled" in lines for lines in found)
    if with_one:
        return "always" if without_one else "with a lifespan"
    return "without a lifespan" if without_one else "never"
