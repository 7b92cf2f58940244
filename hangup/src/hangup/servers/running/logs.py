"""A server's warnings and errors, as notes in the trace of the session that caused them.

All servers that run share one handler; the loggers get back what they had when the last server has stopped.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hangup.record.current import current
from hangup.record.errors import describe
from hangup.record.recorder import Recorder
from hangup.record.session import Session
from hangup.trace.events import Event

_LOGGERS = {
    "uvicorn.error": "uvicorn",
    "uvicorn.asgi": "uvicorn",
    "_granian": "granian",
    "hypercorn.error": "hypercorn",
}


class _ToTrace(logging.Handler):
    """Turns a server's warnings and errors into notes on its lifeline."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.recorders: list[Recorder] = []
        self._before: list[tuple[logging.Logger, list[logging.Handler], int, bool]] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        session = current() or self._session(record.name, error)
        if session is not None:
            words = record.getMessage().strip().partition("\n")[0]
            if error is not None and error is not session.error:
                words += f" {describe(error)}"
            session.record(Event("server", "logs", words), final=True)

    def _session(self, logger: str, error: BaseException | None) -> Session | None:
        """Return the session whose exception it is, else the last one of that server."""
        server = _LOGGERS[logger]
        sessions = [
            s for recorder in self.recorders if recorder.trace.server.startswith(server) for s in recorder.sessions
        ]
        same = [session for session in sessions if error is not None and session.error is error]
        return next(reversed(same or sessions), None)

    def install(self) -> None:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            self._before.append((logger, logger.handlers, logger.level, logger.propagate))
            logger.handlers, logger.propagate = [self], False
            logger.setLevel(logging.WARNING)

    def restore(self) -> None:
        for logger, handlers, level, propagate in self._before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        self._before.clear()


_to_trace = _ToTrace()


@contextmanager
def logs_of(recorder: Recorder) -> Iterator[None]:
    """While the block runs, the servers' loggers write into the trace; afterwards they are as they were."""
    if not _to_trace.recorders:
        _to_trace.install()
    _to_trace.recorders.append(recorder)
    try:
        yield
    finally:
        _to_trace.recorders.remove(recorder)
        if not _to_trace.recorders:
            _to_trace.restore()
