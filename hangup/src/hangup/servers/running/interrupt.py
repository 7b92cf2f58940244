"""The notebook's interrupt button, also while a cell only waits."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hangup.record.recorder import Interrupted, current


@contextmanager
def interruptible(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[], bool]]:
    """Let a notebook's interrupt button end an idle await; yield a function that tells whether it was pressed.

    ipykernel turns the button into a callback on the loop, but nothing wakes a loop that has no work (ipykernel#881).
    A signal handler registered with the loop makes every signal wake it, whatever that handler is for.
    An app that never awaits keeps that callback from running: Interrupted is raised where it spins.
    """
    before = signal.getsignal(signal.SIGINT)
    pressed = False

    def press(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        before(signum, frame)  # type: ignore[operator, misc]
        if current() is not None:
            raise Interrupted("you pressed the interrupt button")

    main = threading.current_thread() is threading.main_thread()
    if not main or not callable(before) or before is signal.default_int_handler or sys.platform == "win32":
        yield lambda: pressed
        return
    loop.add_signal_handler(signal.SIGURG, lambda: None)
    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
        loop.remove_signal_handler(signal.SIGURG)
