"""What lesson "Your own app" plays with: what three or four people do in the chat service, and what they complain of.

The scripts are for `hangup.explore`, with `path=PATH`; `left_behind` is an invariant of the service.
"""

from typing import Any

from hangup.servers.script import Expect, Leave, Request, Script, Send, Step, StopReading
from helpers.props.chat_service import Service

PATH = "/rooms/lobby"


def login(by: str, name: str) -> Request:
    """Return the step in which a client logs in."""
    return Request("POST", "/login", json={"name": name}, by=by)


def say(by: str, name: str, text: str, *, to: str) -> list[Step]:
    """Return the steps in which a client says something, and clients, a letter each, hear it."""
    heard = [Expect(json={"from": name, "text": text}, by=letter) for letter in to]
    return [Send(json={"do": "say", "text": text}, by=by), *heard]


LOGIN = (login("a", "ann"), login("b", "bob"))
TALK: Script = (
    *LOGIN,
    *say("a", "ann", "hi", to="ab"),
    Send("this is no JSON", by="b"),
    *say("b", "bob", "hello", to="ab"),
    Leave(),
    *say("b", "bob", "alone?", to="b"),
)
"""Ann and Bob talk; Ann leaves, and Bob talks on."""
TABS: Script = (
    *LOGIN,
    login("c", "ann"),
    *say("a", "ann", "two tabs", to="abc"),
    Leave(),
    *say("b", "bob", "still here?", to="bc"),
)
"""Ann has two tabs open, a and c, and closes one."""
SLOW: Script = (
    *LOGIN,
    StopReading(),
    *say("b", "bob", "anybody?", to="b"),
    Leave(),
    *say("b", "bob", "and now?", to="b"),
)
"""Ann's client stops reading, as a laptop does whose lid is closed; later it leaves."""

ISSUES = {
    "tunnel": "Whoever loses the network stays in the list of who is here, for good.",
    "log": 'The log is full of: Cannot call "receive" once a disconnect message has been received.',
    "mute": "Somebody was cut off in mid-sentence. Since then nobody can say anything.",
    "thrown out": "Somebody else's connection broke, and I was thrown out.",
    "frozen": "Somebody closed the lid of a laptop, and the whole room stood still.",
    "deploy": "The server stopped while somebody was leaving: their name stays.",
    "deaf": "I closed one of my two tabs. The other one is connected, and hears nothing.",
    "jobs": "Our tests start the app forty times. Then forty jobs wake up every hour.",
}
"""What people complain of: a short name, and their words."""


def left_behind(app: Any) -> str | None:
    """Say who is still listed, and whether the job runs, when everybody has left and the app has shut down."""
    service: Service = app.state.service
    still = sorted({name for room in service.rooms for name in service.here(room)})
    jobs = ["the job still runs: tidy"] if service.tidying else []
    return "; ".join(jobs + ([f"still listed: {', '.join(still)}"] if still else [])) or None
