"""Virtual time for real sockets: an event loop on which two ends of a connection wait for minutes in milliseconds.

Both ends must live on this loop, connected through 127.0.0.1. Then the clock may jump as soon as the loop is idle, but
for one thing: bytes that one end has sent and the other cannot read yet. So before each jump the loop sends a byte of
its own through the loopback device and waits for it, really. The device hands on in order, so what was sent before has
arrived as well, and a last look finds it. Nothing is in flight when time passes.

What this leaves out: the kernel's own timers. A peer that never acknowledges is given up by no kernel here.
"""

import asyncio
import functools
import socket
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from hangup.record.threads import run_in_thread
from hangup.time.virtual import VirtualLoop

T = TypeVar("T")
TURNS = 2_000_000  # how often the loop may turn in one session, in which thousands of messages may pass


class LoopbackLoop(VirtualLoop):
    """A VirtualLoop for sockets of this process that talk to each other through 127.0.0.1."""

    waits_for_sockets = False

    def __init__(self) -> None:
        self._out, self._in = _pair()
        super().__init__()
        self.most_turns = TURNS
        self.turns_of_a_connection = 0
        """As how many turns a connection of an explored client counts: who connects without a pause spins, and soon."""
        self.looks_every = 1

    def settle(self) -> bool:
        """Return when everything that was sent before this call has arrived."""
        self._out.send(b".")
        self._in.recv(1)
        return True

    def close(self) -> None:
        """Close the loop and the two sockets of its own."""
        super().close()
        self._out.close()
        self._in.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return two TCP sockets that are connected to each other through 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        out = socket.create_connection(listener.getsockname())
        back, _ = listener.accept()
    out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return out, back


def now() -> float:
    """Return the seconds of the running loop's clock, virtual or not."""
    return asyncio.get_running_loop().time()


def in_virtual_time(make: Callable[..., Coroutine[Any, Any, T]], *given: Any, seconds: float = 30.0) -> T:
    """Run a coroutine function on a LoopbackLoop in a thread of its own, with what it is given; return what it returns.

    Raises what it raises, and Stuck when it takes longer than `seconds` of real time, or can never end. A notebook
    shows of that exception's traceback what lies inside the coroutine.
    """
    __tracebackhide__ = True
    try:
        return run_in_thread(functools.partial(make, *given), seconds=seconds, loop_factory=LoopbackLoop)
    except Exception as error:
        raise error.with_traceback(_inside(error.__traceback__)) from error.__cause__


def _inside(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that lies below the one `await` of run_in_thread; all, if it has none."""
    rest = traceback
    while rest is not None:
        if (
            rest.tb_frame.f_code.co_name == "main"
            and rest.tb_frame.f_code.co_filename == run_in_thread.__code__.co_filename
        ):
            return rest.tb_next
        rest = rest.tb_next
    return traceback
