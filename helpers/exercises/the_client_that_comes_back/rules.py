"""What must hold for a client that comes back: about what a server has, when it was visited, and how it all ends.

Rules look at a session's facts: `book`, what the server has; `due`, what it should have; `server`, one of
`servers`; `took`, the virtual seconds from the fault to the end.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import websockets

from hangup.explorer.clients.schedules import ClientSchedule
from hangup.record.recorder import Session, describe
from hangup.record.rules import rule
from helpers.exercises.the_client_that_comes_back.servers import CLIENTS, LATE, REFUSALS, Scripted

SOON = 30.0  # virtual seconds in which a client is back after one loss that it can see
EASY = 66.0  # virtual seconds that REFUSALS attempts should take at least; full jitter below 30 s takes 120 ± 24
FIRST, LAST, LESS = 3, 6, 1.5  # the last of REFUSALS pauses are longer than the first, by this factor at least
STOP = 1.1  # virtual seconds within which a client stops: one, and what its tasks take besides
DONE = 5.0  # virtual seconds within which a client that is connected sees that its outbox is done
EACH = 0.003  # virtual seconds that a message may take when many are under way
REFUSED = f"upstream/reset@frame#0x{REFUSALS}"
UNDISTURBED = "client/undisturbed@end"


def books(due: Sequence[str]) -> Callable[[Any, Session], None]:
    """Return a probe that tells rules what a server has in its `book`, and what is due."""
    return lambda server, session: session.facts.update(book=server.book, due=due)


# ---- what the server has ---------------------------------------------------------------------------------------------


@rule
def none_is_lost(session: Session) -> str | None:
    """None is lost, whatever happens to the connection."""
    missing = list((Counter(session.facts["due"]) - Counter(session.facts["book"])).elements())
    if not missing or session.cancelled_by or session.facts.get("excused"):
        return None
    return f"{missing[0]!r} is lost{_end(session)}"


def _end(session: Session) -> str:
    """Say how a client ended that should not have."""
    if session.ended == "raised" and session.error is not None:
        return f"; the client raised {describe(session.error)}"
    return "; the client returned" if session.ended == "returned" else ""


@rule
def none_is_twice(session: Session) -> str | None:
    """None is applied twice."""
    book, due = Counter(session.facts["book"]), Counter(session.facts["due"])
    twice = [(each, count) for each, count in book.items() if count > max(due[each], 1)]
    return f"{twice[0][0]!r} is in the book {twice[0][1]} times" if twice else None


ONCE = (none_is_lost, none_is_twice)


@rule
def keeps_the_order(session: Session) -> str | None:
    """What is there is in order."""
    book, due = session.facts["book"], session.facts["due"]
    known, rest = set(due), iter(due)
    strange = [text for text in book if text not in known]
    if strange:
        return f"{strange[0]!r} is not one of them"
    later = next((place for place, text in enumerate(book) if text not in rest), None)  # `in` takes from an iterator
    return None if later is None else f"{book[later]!r} came after {book[later - 1]!r}"


@rule
def resumes(session: Session) -> str | None:
    """After a loss it sends only what the server does not have."""
    repeated = session.facts["server"].repeated
    return f"{repeated} messages came that the server had already" if repeated else None


@rule
def keeps_what_is_not_acknowledged(session: Session) -> str | None:
    """What the server has not acknowledged stays in the outbox."""
    gone = session.facts["server"].gone
    return f"{gone[0]!r} is neither acknowledged nor in the outbox" if gone else None


# ---- when it comes ---------------------------------------------------------------------------------------------------


@rule
def is_back_soon(session: Session) -> str | None:
    """After one loss the client is back within half a minute."""
    lost, took = ClientSchedule.parse(session.schedule), session.facts["took"]
    server = session.facts["server"]
    if not session.cancelled_by and (away := _longest_away(server)) > SOON:
        return f"of {CLIENTS} that were lost together, each of them once, one came back after {away:.3g} s"
    if session.cancelled_by or took is None or lost.fault in ("", "silence") or lost.times > 1:
        return None
    return f"it took {took:.3g} s" if took > SOON + server.needs else None


def _longest_away(server: Scripted) -> float:
    """Return the seconds after which the last of many clients was back that were lost together; 0 without such."""
    back = server.came[CLIENTS : 2 * CLIENTS]
    return back[-1] - server.all_lost if server.all_lost is not None and len(back) == CLIENTS else 0.0


@rule
def eases_off(session: Session) -> str | None:
    """While the server refuses or throws it out, the client comes less and less often."""
    server, took = session.facts["server"], session.facts.get("took")
    if session.cancelled_by or session.ended != "returned":
        return None
    if session.schedule == REFUSED and took is not None and took < EASY:
        return f"{REFUSALS} attempts in {took:.3g} s"
    if not server.thrown_out or len(server.came) <= server.thrown_out:
        return None
    came = server.came[: server.thrown_out + 1]
    if came[-1] - came[0] < EASY:
        return f"thrown out {server.thrown_out} times in {came[-1] - came[0]:.3g} s"
    first, last = (came[FIRST] - came[0]) / FIRST, (came[-1] - came[-1 - LAST]) / LAST
    return None if last >= first * LESS else f"it came back after {first:.3g} s at first, and after {last:.3g} s later"


@rule
def begins_anew(session: Session) -> str | None:
    """After good news the pauses begin anew: the client is back within half a minute, long as it may have waited."""
    away = session.facts["server"].away
    late = [seconds for seconds in away if seconds > SOON]
    return f"after {len(late)} of {len(away)} losses it was away for up to {max(late):.3g} s" if late else None


@rule
def comes_at_its_own_time(session: Session) -> str | None:
    """Clients that lose the server at the same moment do not all come back at the same moment."""
    server = session.facts["server"]
    back = server.came[CLIENTS : 2 * CLIENTS]
    if session.cancelled_by or server.all_lost is None or len(back) < CLIENTS or back[-1] - back[0] >= 0.01:
        return None
    return f"all {CLIENTS} were lost, and all came back after {back[0] - server.all_lost:.3g} s"


@rule
def does_not_wait_for_each(session: Session) -> str | None:
    """Messages do not wait for each other's acknowledgements."""
    server = session.facts["server"]
    if session.schedule != UNDISTURBED or session.ended != "returned" or server.for_good or server.thrown_out:
        return None
    if server.all_lost is not None or server.closes or not server.came:
        return None  # who has nothing to send need not come
    took = (server.ended_at or 0.0) - server.came[0]
    most = 1 + 2 * LATE + EACH * len(server.due)
    return f"{len(server.due)} messages took {took:.3g} s" if took > most else None


# ---- how it ends -----------------------------------------------------------------------------------------------------


@rule
def returns_when_acknowledged(session: Session) -> str | None:
    """The client returns only when the last message is acknowledged."""
    server = session.facts["server"]
    if session.ended != "returned" or session.cancelled_by or session.facts["excused"]:
        return None
    if server.acknowledged >= len(server.due):
        return None
    return f"it returned when {server.acknowledged} of {len(server.due)} were"


@rule
def stays_away(session: Session) -> str | None:
    """A client that is told not to come back lets that ConnectionClosed out, and does not come back."""
    code, came = session.facts["server"].for_good, len(session.facts["server"].came)
    if code is None or session.cancelled_by == "schedule":
        return None
    if came > 1:
        return f"the server closed with {code}; the client came {came} times"
    if isinstance(session.error, websockets.ConnectionClosed):
        return None
    return f"the server closed with {code}; the client {session.ended}" + (
        f" {describe(session.error)}" if session.error else ""
    )


@rule
def returns_when_done(session: Session) -> str | None:
    """When the outbox is closed and nothing is left in it, the client returns, also long after the last `ack`."""
    server = session.facts["server"]
    closed_at: float | None = server.closed_at
    if closed_at is None or not server.outbox.done or session.cancelled_by == "schedule" or session.ended == "raised":
        return None
    if session.cancelled_by or server.ended_at is None:
        return "the outbox was done, and an hour later it was still running"
    last = max([closed_at, *server.came])
    return (
        f"it returned {server.ended_at - last:.3g} s after the outbox was closed"
        if server.ended_at - last > DONE
        else None
    )


@rule
def stops(session: Session) -> str | None:
    """When it is told to stop, the client returns within a second, wherever it waits."""
    server = session.facts["server"]
    if server.stopped_at is None or session.cancelled_by == "schedule":
        return None
    if session.ended == "raised" and session.error is not None:
        return f"it raised {describe(session.error)}"
    if server.ended_at is None or session.cancelled_by:
        return "it was still running an hour later"
    took = server.ended_at - server.stopped_at
    return f"it returned {took:.3g} s later" if took > STOP else None
