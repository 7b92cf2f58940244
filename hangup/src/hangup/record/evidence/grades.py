"""Tells what breaks a rule from what is only a remark, though the strict rules count it.

A task that ends by itself some time after its handler is one; so is an exception that the server takes in silence.
"""

import asyncio
from collections.abc import Iterator, Sequence

from hangup.record.errors import describe, leaves
from hangup.record.session import Session

_STARLETTE = "starlette.websockets", "send"


def let_out(session: Session) -> list[BaseException]:
    """Return the exceptions that left the handler, but for those by which the server told it that the peer has left."""
    if session.ended != "raised" or session.error is None:
        return []
    allowed: tuple[type[BaseException], ...] = session.facts.get("allowed", ())
    return [
        error
        for error in leaves(session.error)
        if not (isinstance(error, allowed) or _tells_of_the_end(session, error))
    ]


def _tells_of_the_end(session: Session, error: BaseException) -> bool:
    """Return whether a send told the app of the end with this exception, or Starlette's send made it of such a one.

    It may be let out (www.rst, Disconnected Client - send exception).
    """
    return _is_one_of(error, session.refusals) or made_of(error, session.refusals)


def made_of(error: BaseException, raised: Sequence[BaseException]) -> bool:
    """Return whether Starlette's send made this exception of one of those that a server's send has raised.

    An exception of the app's own that is raised while it handles one of these has it as its context as well. Until
    Python 3.11 asyncio's wait_for() gives the exception of its task another context, the cancellation that it handles.
    """
    lost = bool(raised) and isinstance(error.__context__, asyncio.CancelledError)
    if type(error).__name__ != "WebSocketDisconnect" or not (lost or _is_one_of(error.__context__, raised)):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    frame = None if last is None else last.tb_frame
    return frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) == _STARLETTE


def taken_in_silence(session: Session, error: BaseException) -> bool:
    """Return whether the server of this session logs nothing of an exception that an app lets out; measured.

    uvicorn does so with the ClientDisconnected that its own send raises, hypercorn with a CancelledError; neither with
    a group in which it is.
    """
    if error is not session.error:
        return False
    if isinstance(error, asyncio.CancelledError):
        return session.schedule.partition("/")[0] == "hypercorn"
    return type(error).__name__ == "ClientDisconnected" and _is_one_of(error, session.late)


def _is_one_of(error: BaseException | None, errors: Sequence[BaseException]) -> bool:
    return any(error is each for each in errors)


def remarks(session: Session, *, noisy: bool = False) -> Iterator[str]:
    """Yield what is worth a word and breaks no rule; of a session that does not end quietly, not how it ended."""
    yield from session.facts.get("remarks", ())
    for name, seconds in session.lingered:
        after = "the app has shut down" if name in session.left_at_shutdown else "it"
        words = f"{float(f'{seconds:.3g}'):g} s"  # and not 3.6e+03 s
        yield f"a task of the handler ({name}) ends {words} after {after}"
    if cut := session.facts.get("cut"):
        yield f"cancelled again while it cleans up, the handler ends at {cut}: what that leaves undone is not known"
    if noisy:
        return
    for error in let_out(session):
        if taken_in_silence(session, error):
            yield f"the handler lets {describe(error)} out, of which this server says nothing"
    uncalled = session.error if session.ended == "cancelled" and not session.cancelled_by else None
    if uncalled is not None and taken_in_silence(session, uncalled):
        yield "CancelledError leaves the handler, which nobody has cancelled; this server says nothing of it"
