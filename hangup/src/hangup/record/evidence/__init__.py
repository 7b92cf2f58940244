"""What else an app shows while its sessions are judged: what it logs, keeps, never runs, and what fails elsewhere."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from hangup.record.current import watch_tasks
from hangup.record.evidence.background import background_tasks, write_down_unrun
from hangup.record.evidence.logged import errors_logged
from hangup.record.evidence.outside import failures_outside, forget, something_failed, write_down

__all__ = ["forget", "something_failed", "watch", "write_down", "write_down_unrun"]


@contextmanager
def watch(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, let every session on that loop know its tasks, and what else it shows."""
    with watch_tasks(loop), failures_outside(loop), errors_logged(), background_tasks():
        yield
