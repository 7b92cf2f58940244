"""What Litestar catches: it sends a websocket.close for it, so that the server hears nothing of the exception.

`caught`, an after_exception hook, writes it into the trace and into the session, where the rules of lesson 04 find it.
"""

import traceback
from dataclasses import dataclass
from typing import Any

from litestar.types import Scope

from hangup.record import rules
from hangup.record.recorder import Session, current, describe, leaves, note
from hangup.record.rules import rule
from helpers.exercises.listener_lifespan.clock import Broken
from helpers.judging.moment import slip

_BLINK = 0.05  # virtual seconds
_SEND = "litestar.connection.websocket", "wrapped_send"


@dataclass(frozen=True)
class Caught:
    """An exception that a handler let out to Litestar, in words: it must not keep the handler's frames alive.

    refused: send() had told the app of the end with it, which it may let out; late: the app had received the disconnect
    by then; broken: it tells of what is Broken.
    """

    words: str
    refused: bool
    late: bool
    broken: bool


async def caught(error: Exception, scope: Scope) -> None:
    """Write an exception that Litestar catches into the trace; an after_exception hook."""
    note(f"Litestar catches {describe(error)}")
    session = current()
    if session is None:
        return
    if found := slip(error, told=bool(session.codes)):
        session.facts["mistake"] = found
    inner = leaves(error)
    refused = all(each in session.refusals or _comes_from_send(each) for each in inner)
    broken = any(isinstance(each, Broken) for each in inner)
    session.facts.setdefault("caught", []).append(Caught(describe(error), refused, bool(session.codes), broken))


def _comes_from_send(error: BaseException) -> bool:
    """Return whether Litestar's own send() raised it, which knows of a disconnect that another task has received."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and (frames[-1][0].f_globals.get("__name__"), frames[-1][0].f_code.co_name) == _SEND


@rule
def keeps_its_cancellation(session: Session) -> str | None:
    """A handler that nobody cancelled does not end with CancelledError."""
    if session.ended == "cancelled" and not session.cancelled_by:
        return "CancelledError left the handler"
    return None


@rule
def leaves_nothing_to_catch(session: Session) -> str | None:
    """When the peer leaves, no exception reaches Litestar, which would send a close."""
    found: list[Caught] = session.facts.get("caught", [])
    for each in found:
        if not each.broken and (each.late or not each.refused):
            return f"Litestar caught {each.words}, and sent websocket.close" + " after the disconnect" * each.late
    return None


@rule
def ends_at_once(session: Session) -> str | None:
    """When the peer has left, the handler does not wait for anything but a reply."""
    left, over = session.facts.get("left"), session.facts.get("over")
    if left is None or over is None or session.cancelled_by:
        return None
    late: float = over - max(left, session.facts.get("replied", left))
    return f"the handler ended {late:.3g} seconds after the disconnect" if late > _BLINK else None


@rule
def raises_only_what_send_raised(session: Session) -> str | None:
    """When the peer leaves, nothing reaches Litestar but what send() raised."""
    found: list[Caught] = session.facts.get("caught", [])
    others = [each.words for each in found if not each.refused and not each.broken]
    return f"Litestar caught {others[0]}, and sent websocket.close" if others else None


@rule
def hides_nothing_from_litestar(session: Session) -> str | None:
    """When ticks(), reply() or readings() fails, the handler fails: Litestar hears of it."""
    found: list[Caught] = session.facts.get("caught", [])
    cancelled = session.cancelled_by  # then there is nobody left to tell
    if session.facts.get("broke") and not cancelled and not any(each.broken for each in found):
        return f"{session.facts['broke']} raised Broken, and Litestar heard nothing of it"
    return None


RULES = (leaves_nothing_to_catch, *rules.STRICT)
"""What `explore` is to judge in this lesson."""


def after_a_failure(app: Any, session: Session) -> None:
    """Allow what follows when something broke: Litestar's close, and that a task group prefers its own failure."""
    if session.facts.get("broke"):
        session.facts["allowed"] = (Exception,)
        session.facts["interrupted"] = False
        if session.cancelled_by:  # then there is nobody left to tell
            session.never_retrieved = ()


def after_a_lost_send(app: Any, session: Session) -> None:
    """Allow Litestar's close after what send() raised: @websocket_stream lets that out, in a group."""
    if session.facts.get("caught"):
        session.facts["allowed"] = (Exception,)
    after_a_failure(app, session)
