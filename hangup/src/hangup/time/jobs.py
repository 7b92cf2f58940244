"""Jobs that hold a thread of a pool when their session is over: a thread that waits for what nobody brings any more.

`asyncio.to_thread(queue.get)` cannot be cancelled: the task that awaits it ends, and the thread waits on. A pool has a
few threads, and when all are held, nobody else's job is begun.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hangup.record.internals import drop_executor, frames_now, job_in, threads_now
from hangup.time.elsewhere import ANYIO, name_of_job
from hangup.time.parked import is_parked

if TYPE_CHECKING:
    from hangup.time.virtual import VirtualLoop


@dataclass(frozen=True)
class HeldThread:
    """A thread of a pool, and the job that holds it."""

    thread: threading.Thread
    job: str

    @property
    def is_held(self) -> bool:
        """Whether the job holds it still."""
        return _job_that_holds(self.thread) == self.job


def newly_held(loop: "VirtualLoop") -> tuple[HeldThread, ...]:
    """Return the threads that jobs hold now and did not when somebody last asked.

    So that they take nothing from the sessions that follow, the loop's executor is given up: the next job gets another.
    """
    known = loop.elsewhere.held
    for thread, job in list(known.items()):
        if _job_that_holds(thread) != job:
            del known[thread]
    new = (thread for thread in threads_now() if thread not in known)
    found = tuple(HeldThread(thread, job) for thread in new if (job := _job_that_holds(thread)))
    if found:
        known.update({each.thread: each.job for each in found})
        drop_executor(loop)
    return found


def _job_that_holds(thread: threading.Thread) -> str:
    """Return the name of the job that a pool's thread is at, if the job waits for another thread; else nothing."""
    frame = frames_now().get(thread.ident or 0)
    if frame is None:
        return ""
    job = job_in(frame, anyio=thread.name == ANYIO)
    return name_of_job(job) if job is not None and is_parked(frame) else ""
