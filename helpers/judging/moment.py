"""When and where a session broke, in words: server, ending and moment, and the learner's own line."""

import functools
import site
import sysconfig
from pathlib import Path

import hangup
from hangup.record.recorder import Session
from hangup.servers.sessions import CUT, ENDINGS


def when(session: Session) -> str:
    """Return server, ending and moment of an app's session in words, and the schedule's name if it can be replayed."""
    server, _, rest = session.schedule.partition("/")
    ending, _, moment = rest.partition("@")
    call, _, number = moment.partition("#")
    if call == "await":
        return f"{server} · your handler is cancelled at its await number {number} ({session.schedule})"
    if ending == "close" and session.facts.get("gone") == "fin":
        ending = "fin"  # before it is accepted, a client cannot close
    words = CUT if ending == "cut" else ENDINGS.get(ending, ("the server shuts down", None))[0]
    if number:
        return f"{server} · {words} before {call}() number {number} ({session.schedule})"
    speaker = ("client", "client a")  # the one whose connection ends
    said = [event.detail for event in session.trace if event.actor in speaker and event.action == "text"]
    return f"{server} · {words}" + (f" after {said[-1]}" if said else " at once")


def where(session: Session) -> str:
    """Return the learner's own line that the exception passed through, or who called from outside it."""
    if session.error is None or session.ended != "raised":
        return ""
    frames = session.where
    own = [frame for frame in frames if not _is_library(frame.filename)]
    if own:
        return f"line {own[-1].lineno} of your {own[-1].name}: {own[-1].line}" if own[-1].line else own[-1].name
    others = [frame for frame in frames if not Path(frame.filename).is_relative_to(_HANGUP)]
    if len(others) < 2:
        return ""
    caller, called = others[-2], others[-1]
    return f"not in your code: {Path(caller.filename).parent.name}'s {caller.name}() called {called.name}()"


_HANGUP = Path(hangup.__file__).resolve().parent


@functools.cache
def _libraries() -> tuple[str, ...]:
    paths = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), str(Path(__file__).resolve().parent.parent), str(_HANGUP)}
    return tuple(str(Path(path).resolve()) for path in paths)


def _is_library(filename: str) -> bool:
    return filename.startswith("<frozen") or str(Path(filename).resolve()).startswith(_libraries())
