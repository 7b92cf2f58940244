"""The errors that an app, or its framework, logs about a peer that has left.

A framework that catches whatever a handler raises, logs it and returns hides from every other rule that the handler's
own cleanup was skipped, or that the handler fails whenever a peer leaves.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hangup.record.current import current
from hangup.record.errors import describe, is_library, leaves
from hangup.record.session import Session


class Logged(NamedTuple):
    """An error that was logged: `key` is equal in every session, `words` is what it said in this one."""

    key: tuple[str, str, str]
    words: str
    escaped: bool = False
    """Whether it is what the app's own code let out once the peer had left, which needs not be about that."""
    shown: bool = False
    """Whether it shows the exception by which the app was told, and is not only made while that is handled."""


def _look(record: logging.LogRecord) -> None:
    """Write down in its session an error that is about a peer that has left."""
    session = current()
    if session is None or record.name == "asyncio":  # what asyncio says of tasks is another rule's
        return
    shown = (record.exc_info[1] if record.exc_info else None) or _among(record.args)
    error = shown or sys.exception()
    if error is None:
        return
    about = _is_about_the_end(session, error)
    place = "" if about else _escaped_from(record, error)
    if about or place:
        said, words = record.getMessage().strip().partition("\n")[0], describe(error)
        says = about and (shown is not None or type(error).__name__ in said)
        key = (record.name, str(record.msg), f"{type(error).__name__}{place}")
        if not (about or session.codes or session.refusals or session.late):
            session.facts.setdefault("logged_before", set()).add(key)
            return
        said = said if words in said or repr(error) in said else f"{said}: {words}"
        session.logged = (*session.logged, Logged(key, f"{record.levelname} {record.name}: {said}", bool(place), says))


def _among(arguments: Any) -> BaseException | None:
    """Return the exception among a record's arguments: a callback logs that of a task, and handles none itself."""
    given = arguments.values() if isinstance(arguments, dict) else arguments or ()
    return next((each for each in given if isinstance(each, BaseException)), None)


def _is_about_the_end(session: Session, error: BaseException) -> bool:
    """Return whether an exception is, or stems from, one by which the app was told that its peer has left."""
    raised = [*session.refusals, *session.late]
    todo: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while todo:
        each = todo.pop()
        if each is None or any(each is other for other in seen):
            continue
        seen.append(each)
        if any(each is other for other in raised):
            return True
        if type(each).__name__ in {"WebSocketDisconnect", "WebSocketDisconnected"} and (session.codes or raised):
            return True
        todo += [each.__cause__, each.__context__, *(leaf for leaf in leaves(each) if leaf is not each)]
    return False


def _escaped_from(record: logging.LogRecord, error: BaseException) -> str:
    """Return where in the app's own code that was raised which a library has caught, and logs; nothing if it is not."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if not frames or not is_library(frames[0][0]) or not is_library(record.pathname):
        return ""
    return next((f" at {name}:{line}" for name, line in reversed(frames) if not is_library(name)), "")


@contextmanager
def errors_logged() -> Iterator[None]:
    """While the block runs, sessions know what they log about a peer that has left.

    A record is seen as it is made, whichever handlers its logger has; where the root has none, nothing is printed.
    """
    make, root, silence = logging.getLogRecordFactory(), logging.getLogger(), logging.NullHandler()

    def factory(*given: Any, **named: Any) -> logging.LogRecord:
        record = make(*given, **named)
        if record.levelno >= logging.ERROR:
            _look(record)
        return record

    logging.setLogRecordFactory(factory)
    root.addHandler(silence)
    try:
        yield
    finally:
        root.removeHandler(silence)
        logging.setLogRecordFactory(make)
