"""How a run ends: what still runs when a server stops gets time, is cancelled, or is told of in the trace."""

import asyncio
import contextlib
import traceback
from typing import Any

from hangup.record.recorder import Recorder, Session
from hangup.servers.stalls import patience, pending
from hangup.trace.events import Event


async def let_finish(recorder: Recorder, graceful_timeout: float) -> None:
    """Wait for apps whose client has left, as far as this process knows."""
    waiting = [s for s in recorder.sessions if s.letter not in recorder.trace.connected and not s.finished.is_set()]
    if waiting:
        ends = [asyncio.ensure_future(session.finished.wait()) for session in waiting]
        for end in await pending(ends, graceful_timeout):
            end.cancel()


def note_stop(recorder: Recorder) -> None:
    """Draw the server's stop when an app still runs."""
    running = [s for s in recorder.sessions if not s.finished.is_set()]
    for session in running:
        session.cancelled_by = "server"
    if running:
        chains = [f"{who} {s.letter}" for s in running for who in ("session", "client")]
        recorder.trace.record(Event("server", "note", "shuts down"), chains=chains, gives="stop", rank=(1, ""))


async def end_handlers(recorder: Recorder) -> None:
    """Cancel handlers that still run, and their tasks only if they wait for them: the lifespan may wait for others."""
    for session in recorder.sessions:
        if session.main and not session.finished.is_set():
            _note_that_it_never_returns(session)
            session.main.cancel()
            if await pending([session.main], 0.5):
                await _cancel([task for task in (*session.tasks, session.main) if not task.done()])


async def until_clients_left(recorder: Recorder, seconds: float) -> None:
    """Wait until this process's own clients know that their connections are closed."""
    with contextlib.suppress(TimeoutError):
        async with patience(seconds):
            while recorder.trace.connected:
                await asyncio.sleep(0.001)


async def clean_up(recorder: Recorder) -> None:
    """Cancel what the server's stop left behind, and let the trace say what it was."""
    for session in recorder.sessions:
        for task, line in session.tasks.items():
            if not task.done() and not task.cancelling():
                session.record(Event(line, "still running", "after the server has stopped"), final=True)
        if session.main and not session.finished.is_set():
            _note_that_it_never_returns(session)
        await _cancel([t for t in (*session.tasks, session.main) if t is not None and not t.done()])
        for error in (session.error, *session.retrieve_exceptions()):
            _forget_frames(error)


def _note_that_it_never_returns(session: Session) -> None:
    session.record(Event(session.app, "never returns", "(the server has stopped; it is cancelled now)"), final=True)


def _forget_frames(error: BaseException | None) -> None:
    """Clear the local variables that an exception keeps alive; through them it would hold a server's threads."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        if (error := waiting.pop()) is None or id(error) in seen:
            continue
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        waiting += [error.__cause__, error.__context__]
        waiting += error.exceptions if isinstance(error, BaseExceptionGroup) else ()


async def _cancel(tasks: "list[asyncio.Future[Any]]") -> None:
    """Cancel tasks until they are done, three times at most: one that swallows it is given up."""
    for _ in range(3):
        for task in tasks:
            task.cancel()
        tasks = await pending(tasks, 0.5)
