"""When and where a session broke, in words: server, ending and moment, the learner's own line, an error in it."""

import difflib
import functools
import linecache
import re
import site
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path

import hangup
from hangup.record.recorder import Session, describe, leaves
from hangup.servers.sessions import CUT, ENDINGS
from hangup.trace.trace import Trace


def when(session: Session) -> str:
    """Return server, ending and moment of an app's session in words, and the schedule's name if it can be replayed."""
    server, _, rest = session.schedule.partition("/")
    ending, _, moment = rest.partition("@")
    call, _, number = moment.partition("#")
    if call == "await":
        again = ", and again where it waits next" if ending == "cancel-twice" else ""
        return f"{server} · your handler is cancelled at its await number {number}{again} ({session.schedule})"
    if ending == "close" and session.facts.get("gone") == "fin":
        ending = "fin"  # before it is accepted, a client cannot close
    words = CUT if ending == "cut" else ENDINGS.get(ending, ("the server shuts down", None))[0]
    if ending == "close":
        words = words.replace("with 1001", _code(session))
    if number:
        return f"{server} · {words} before {call}() number {number} ({session.schedule})"
    speaker = ("client", "client a")  # the one whose connection ends
    said = [event.detail for event in session.trace if event.actor in speaker and event.action == "text"]
    return f"{server} · {words}" + (f" after {said[-1]}" if said else " at once")


def named(schedule: str) -> str:
    """Return a schedule's server, ending and moment in words, with its name, where no session of it can be told."""
    session = Session(Trace(), "a")
    session.schedule = schedule
    words = when(session).removesuffix(" at once")
    return words if schedule in words else f"{words} ({schedule})"


def _code(session: Session) -> str:
    """Return with which code client a closed by itself, in words, as its picture has it; or else the usual one."""
    closes = (event for event in session.trace if event.action == "close")
    first = next(closes, None)
    if first is None or first.to != "server":
        return "with 1001"
    return f"with {first.detail}" if first.detail[:1].isdigit() else first.detail


def where(session: Session) -> str:
    """Return the learner's own line that the exception passed through, or who called from outside it.

    A framework that handles an exception may raise another one by that: then it is the line of the first that counts.
    """
    if session.error is None or session.ended != "raised":
        return ""
    frames = session.where
    own = _own(frames)
    if own:
        return _line(own[-1])
    others = [frame for frame in frames if not Path(frame.filename).is_relative_to(_HANGUP)]
    if len(others) < 2:
        return ""
    caller, called = others[-2], others[-1]
    if any("exception" in part for part in Path(caller.filename).parts[-2:]):
        first = session.error.__context__
        own = _own(traceback.extract_tb(first.__traceback__)) if first is not None else []
        return _line(own[-1]) if own else ""
    return f"not in your code: {Path(caller.filename).parent.name}'s {caller.name}() called {called.name}()"


def _own(frames: Sequence[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    return [frame for frame in frames if not _is_library(frame.filename)]


def mistake(session: Session, *, told: bool) -> tuple[str, str] | None:
    """Return an error that is the answer's own, whatever its peer does, and the line that raised it; or None.

    `told` says whether the answer had been told of an end. What somebody between the answer and the server has caught
    is in the fact "mistake".
    """
    tasks = [task for task in session.tasks if task.done() and not task.cancelled()]
    errors = [session.error, *(task.exception() for task in tasks)]
    found = (slip(error, told=told) for error in errors if error is not None)
    return session.facts.get("mistake") or next((each for each in found if each), None)


def slip(error: BaseException, *, told: bool) -> tuple[str, str] | None:
    """Return an exception in words and the learner's line that raised it, if it is a slip; or None.

    Once an answer is told of an end, a value may be missing for that reason: then only a name that nobody has defined,
    or one that is nearly right, is a slip. What a library raises is none, nor what the learner's own `raise` raises.
    """
    for leaf in leaves(error):
        if not isinstance(leaf, (NameError, AttributeError, TypeError)):
            continue
        frames = traceback.extract_tb(leaf.__traceback__)
        if not frames or _is_library(frames[-1].filename) or (frames[-1].line or "").startswith("raise"):
            continue
        unknown = type(leaf) is NameError and "is not defined" in str(leaf)
        if unknown or not told or (isinstance(leaf, AttributeError) and _is_nearly_right(leaf)):
            return describe(leaf), _line(frames[-1])
    return None


def _is_nearly_right(error: AttributeError) -> bool:
    if error.obj is None or error.name is None:
        return False
    return bool(difflib.get_close_matches(error.name, dir(error.obj), 1))


def raised_at(error: BaseException) -> str:
    """Return the learner's own line that an exception came through last, or nothing."""
    for leaf in leaves(error):
        own = [frame for frame in traceback.extract_tb(leaf.__traceback__) if not _is_library(frame.filename)]
        if own:
            return _line(own[-1])
    return ""


def held_at(got: str) -> str:
    """Return the learner's own line at which an exploration says that he holds the event loop, or nothing.

    `got` are the exploration's words, with a file's name. That of a cell is a number, which says nothing to anybody.
    """
    found = re.search(r"it was still at (.+\.py), line (\d+), in (\w+),", got)
    if found is None:
        return ""
    file, line, function = found[1], int(found[2]), found[3]
    known = [name for name in list(linecache.cache) if Path(name).name == file and not _is_library(name)]
    source = linecache.getline(known[-1], line).strip() if known else ""
    return f"line {line} of your {function}: {source}" if source else ""


def _line(frame: traceback.FrameSummary) -> str:
    return f"line {frame.lineno} of your {frame.name}: {frame.line}" if frame.line else frame.name


_HANGUP = Path(hangup.__file__).resolve().parent


@functools.cache
def _libraries() -> tuple[str, ...]:
    paths = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), str(Path(__file__).resolve().parent.parent), str(_HANGUP)}
    return tuple(str(Path(path).resolve()) for path in paths)


def _is_library(filename: str) -> bool:
    return filename.startswith("<frozen") or str(Path(filename).resolve()).startswith(_libraries())
