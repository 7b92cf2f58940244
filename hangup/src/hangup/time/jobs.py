"""Jobs that hold a thread of a pool when their session is over: a thread that waits for what nobody brings any more.

`asyncio.to_thread(queue.get)` cannot be cancelled: the task that awaits it ends, and the thread waits on. A pool has a
few threads, and when all are held, nobody else's job is begun.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hangup.record.internals import drop_executor, frames_now, job_in, threads_now
from hangup.time.elsewhere import ANYIO, name_of_job
from hangup.time.parked import GRACE, is_parked, waits_for

if TYPE_CHECKING:
    from hangup.time.virtual import VirtualLoop


A_LOOK = 0.02  # seconds after which it is looked again whether a job has ended by itself
SHORT = GRACE / 2  # seconds of a timeout after which a job that is still there has begun another wait


@dataclass(frozen=True)
class HeldThread:
    """A thread of a pool, and the job that holds it."""

    thread: threading.Thread
    job: str

    @property
    def is_held(self) -> bool:
        """Whether the job holds it still, or does something between two waits."""
        return _job_at(self.thread) == self.job

    @property
    def seconds(self) -> float:
        """For how many seconds it waits at most: 0 where it does something, infinity where nothing ends the wait."""
        frame = frames_now().get(self.thread.ident or 0)
        return 0.0 if frame is None else waits_for(frame)


async def held_for_good(threads: "Iterable[HeldThread]", pause: Callable[[float], None]) -> list[HeldThread]:
    """Return those of these threads that their jobs hold for good.

    One that waits with a timeout is given some time to end; of one that waits for longer, nobody knows.
    """
    left, until = [each for each in threads if each.is_held], time.monotonic() + GRACE
    while any(each.seconds < math.inf for each in left) and time.monotonic() < until:
        pause(A_LOOK)
        await asyncio.sleep(0)  # who does not let the loop turn holds it
        left = [each for each in left if each.is_held]
    return [each for each in left if each.seconds == math.inf or 0 < each.seconds <= SHORT]


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
    return _job_at(thread) if frame is not None and is_parked(frame) else ""


def _job_at(thread: threading.Thread) -> str:
    """Return the name of the job that a pool's thread is at, nothing if it is at none."""
    frame = frames_now().get(thread.ident or 0)
    job = None if frame is None else job_in(frame, anyio=thread.name == ANYIO)
    return "" if job is None else name_of_job(job)
