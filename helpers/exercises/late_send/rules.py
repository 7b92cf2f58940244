"""What must hold for a client that sends messages: it delivers, it knows when the end has come, it counts right.

Rules look at a session's facts: `scene`, `got` (what the server has), `sent`, `heard` (what was acknowledged), `took`
(virtual seconds from the end of the connection to that of the answer).
"""

from hangup.record.recorder import Session, describe, leaves
from hangup.record.rules import rule
from helpers.exercises.late_send.scenes import KEEPALIVE, Paced, Scene, SourceFailed, message

PROMPT = 0.1  # virtual seconds within which "at once" is
LOOK = 0.5  # the same for who looks now and then whether all is done
TRIPS = 4  # ways of the wire that it takes until both have closed
BURST = 500  # messages without a pause
PATIENT = KEEPALIVE["ping_interval"] + KEEPALIVE["ping_timeout"] + KEEPALIVE["close_timeout"]


def _scene(session: Session) -> Scene:
    scene: Scene = session.facts["scene"]
    return scene


def _took(session: Session) -> float | None:
    """Return the seconds from the end of the connection to that of the answer, if both happened."""
    took: float | None = session.facts.get("took")
    return took if session.facts["called"] else None


@rule
def delivers(session: Session) -> str | None:
    """While the peer is there, every message reaches it, in order."""
    scene, got = _scene(session), session.facts["got"]
    due = scene.after if scene.ending else len(scene.pauses)
    right = got == [message(number + 1) for number in range(len(got))]
    if right and (len(got) >= due if scene.ending else len(got) == due):
        return None
    raised = f"; the sender raised {describe(session.error)}" if session.ended == "raised" and session.error else ""
    if right:
        return f"the server has {len(got)} of {due} messages{raised}"
    wrong = next(number for number, text in enumerate(got, 1) if text != message(number))
    return f"message {wrong} of the server's is {got[wrong - 1]!r:.60}, and should be {message(wrong)!r:.60}"


@rule
def ends_quietly(session: Session) -> str | None:
    """The sender returns when it is done or the connection is over, and raises nothing."""
    if session.ended == "raised" and session.error is not None and not session.facts.get("early"):
        if _scene(session).fails and any(isinstance(leaf, SourceFailed) for leaf in leaves(session.error)):
            return None
        return describe(session.error)
    return None


@rule
def lets_it_out(session: Session) -> str | None:
    """What `messages` raises leaves the sender, at once."""
    failed, value = session.facts["failed"], session.facts.get("value")
    if failed is None or not _scene(session).fails or session.cancelled_by == "schedule":
        return None
    if session.ended == "returned":
        return f"messages raised SourceFailed, and the sender returned {value!r}, as if all was well"
    if session.ended != "raised":
        return "messages raised SourceFailed, and the sender never ended"
    if failed > 2 * _tidy(session) + _sending(session) + PROMPT:
        return f"messages raised SourceFailed, and the sender ended {failed:.3g} s later"
    return None


def _sending(session: Session) -> float:
    """Return the seconds that it may take to send what has come before."""
    scene = _scene(session)
    return scene.holds * len(scene.pauses)


def _tidy(session: Session) -> float:
    """Return the seconds that a close may take."""
    scene = _scene(session)
    return scene.interval if isinstance(scene, Paced) else scene.seconds


@rule
def knows_at_once(session: Session) -> str | None:
    """The sender returns at once when the connection ends, also while it waits for the next message."""
    took = _took(session)
    scene = _scene(session)
    most = (PATIENT if scene.ending == "silence" else TRIPS * scene.seconds) + scene.tidies + PROMPT
    if took is None or took <= most:
        return None
    return f"it ended {took:g} s after the connection"


@rule
def knows_in_time(session: Session) -> str | None:
    """The sender returns within two intervals when the peer goes silent."""
    scene, took = _scene(session), _took(session)
    assert isinstance(scene, Paced)
    if took is None or took <= 2 * scene.interval + PROMPT:
        return None
    return f"it ended after {took:.4g} s; two intervals are {2 * scene.interval:g} s"


@rule
def gives_way(session: Session) -> str | None:
    """The sender lets others run between two messages."""
    scene, sent = _scene(session), session.facts["sent"]
    if len(scene.pauses) < BURST or sent <= scene.after + BURST // 5:
        return None
    return f"the peer closed when it had message {scene.after}, and {sent} went out"


@rule
def counts_what_it_sent(session: Session) -> str | None:
    """The sender returns how many messages it has sent."""
    value, sent = session.facts.get("value"), session.facts["sent"]
    if session.ended != "returned" or sent is None or (type(value) is int and value == sent):
        return None
    if _scene(session).ending == "silence" and value == sent - 1:
        return None  # the last one was written, and its send() did not come back: no room, or the transport was aborted
    return f"it returned {value!r}; {sent} messages had gone out"


@rule
def counts(session: Session) -> str | None:
    """When all is sent, the sender returns how many messages that was."""
    value, got = session.facts.get("value"), len(session.facts["got"])
    if session.ended != "returned" or _scene(session).ending or (type(value) is int and value == got):
        return None
    return f"it returned {value!r}; the server has {got} messages"


@rule
def claims_no_more(session: Session) -> str | None:
    """The sender counts only messages that the peer has acknowledged."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or not session.facts["called"] or (type(value) is int and value <= heard):
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def forgets_none(session: Session) -> str | None:
    """The sender counts every acknowledgement that has come, also those that came just before the end."""
    value, heard = session.facts.get("value"), session.facts["heard"]
    if session.ended != "returned" or not session.facts["called"] or value == heard:
        return None
    return f"it returned {value!r}; the last acknowledgement that came said {heard}"


@rule
def returns_when_all_are_certain(session: Session) -> str | None:
    """When nothing ends the connection, the sender waits for the last acknowledgement."""
    scene, value = _scene(session), session.facts.get("value")
    total = len(scene.pauses)
    if session.ended != "returned" or scene.ending or scene.fails or not session.facts["called"] or value == total:
        return None
    return f"it returned {value!r} of {total}; the last acknowledgement was still to come"


@rule
def goes_when_all_is_done(session: Session) -> str | None:
    """The sender returns at once when nothing is left to do."""
    scene, lingered = _scene(session), session.facts["lingered"]
    if session.ended != "returned" or scene.ending or lingered is None:
        return None
    if lingered <= 2 * _tidy(session) + _sending(session) + LOOK:
        return None
    return f"it ended {lingered:.3g} s after all was done"


@rule
def connects_once(session: Session) -> str | None:
    """The sender opens one connection."""
    opened = session.facts["opened"]
    return None if opened <= 1 else f"it opened {opened}"


@rule
def closes(session: Session) -> str | None:
    """The sender closes the connection that it has opened."""
    lost = _scene(session).ending == "silence"  # a server that hears nothing knows of no close
    return "half a minute later it was still open" if session.facts["open"] and not lost else None
