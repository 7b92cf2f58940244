"""What goes on elsewhere in real time, in threads and behind sockets, and may give a loop something to do.

Virtual time must not pass meanwhile, however busy the machine is. There is exact evidence for most of it:

- A future that `asyncio.wrap_future` has made stands for a job of a pool, or of another loop. It is done on the loop.
- A worker thread of anyio's has a queue that counts the jobs that are not done (`queue.Queue.unfinished_tasks`).
- A socket of a transport that has written something since it has read anything waits for an answer.

Any other thread is looked at: one that is parked (hangup.time.parked) brings nothing by itself. What takes too long is
given up, and said: what came of that session is not known.
"""

import asyncio
import contextlib
import functools
import os
import re
import socket
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from selectors import EVENT_WRITE, SelectorKey
from typing import Any

from hangup.record.errors import place_of
from hangup.record.evidence.files import name_in
from hangup.record.evidence.rings import Rings, rings_for
from hangup.record.internals import frames_now
from hangup.record.threads import run_in_thread
from hangup.time.parked import Parked, job_waits, waiting_in

PATIENCE = 10.0  # seconds of real time for which a session waits for one thing
AGAIN = 0.25  # seconds for what was given up once
RUNG, CHAIN = 3, 1.0  # how many threads that are timers are waited for at least, and for how many seconds
FILE, FILE_AGAIN = 0.5, 0.1  # the same for a file that the app itself has the loop watch
LOOK = 0.005  # seconds after which the loop looks again whether what it waits for may still come
LOOKS = 20  # how often all threads must have been seen parked, until a job is believed to wait for ever
A_WHILE = 2.0  # seconds of real time in an exploration for jobs that wait at a queue for a while only
ANYIO = "AnyIO worker thread"
A_JOB = "a job of AnyIO's"
A_SOCKET = "the socket at "
A_TIMER = "a threading.Timer"
A_FILE = "a file that is watched for "
Events = list[tuple[SelectorKey, int]]


class Elsewhere:
    """What one loop waits for in real time. `waited` says how long for what, `given_up` what never came."""

    def __init__(self) -> None:
        self.jobs: weakref.WeakKeyDictionary[asyncio.Future[Any], str] = weakref.WeakKeyDictionary()
        self.sockets = Sockets()
        self.waited: dict[str, float] = {}
        """Seconds, for "threads" and for "sockets"."""
        self.given_up: set[str] = set()
        """What never came in this session."""
        self.held: weakref.WeakKeyDictionary[threading.Thread, str] = weakref.WeakKeyDictionary()
        """The threads of pools that a job has held when a session was over, and the job."""
        self.places: dict[str, str] | None = None
        """Where the app has handed out each job, while somebody asks."""
        self.ended = 0
        """How many jobs have ended in this session."""
        self.timed = ""
        """The job that waits at a queue for a while only, and was not waited for to the end, if there is one."""
        self._left = A_WHILE
        self._spent: dict[str, float] = {}
        self._rung: dict[str, set[int]] = {}
        """Of threads that are timers and have one name those that were waited for in this session."""
        self._hopeless: set[str] = set()
        self._parked = Parked()
        self.ours: set[int] = set()

    def begin(self) -> None:
        """Begin an exploration in this thread; take the threads that are there already for parked."""
        self.ours = {threading.get_ident(), *waiting_in(run_in_thread.__code__)}
        self._parked = Parked()
        self._parked.take_for_parked()
        self.jobs.clear()
        self._hopeless.clear()
        self.waited.clear()
        self.rings, self._left = Rings(), A_WHILE
        self.begin_session()

    def end(self) -> None:
        """Let go of the frames of other threads: they hold whatever those threads hold, and this exploration."""
        self._parked = Parked()

    @contextlib.contextmanager
    def without(self, thread: threading.Thread) -> Iterator[None]:
        """While the block runs, know that a thread that has started is no app's."""
        ident = thread.ident or 0
        self.ours.add(ident)
        try:
            yield
        finally:
            self.ours.discard(ident)

    def pause(self, seconds: float) -> None:
        """Let real time pass for what goes on elsewhere."""
        time.sleep(seconds)

    def expect(self, future: "asyncio.Future[Any]", name: str = "a job in a thread") -> None:
        """Know that this future stands for a job elsewhere, until it is done."""
        if self.places is not None:
            self.places.setdefault(name, place_of(sys._getframe(1)))
        if future not in self.jobs:
            future.add_done_callback(self._job_ended)
        if not future.done():
            self.jobs[future] = name

    def _job_ended(self, future: "asyncio.Future[Any]") -> None:
        self.jobs.pop(future, None)
        self.ended += 1

    @property
    def may_bring_something(self) -> bool:
        """Whether there is a job or a thread; sockets are not counted."""
        return bool(self.jobs) or threading.active_count() > len(self.ours)

    @property
    def in_vain(self) -> str:
        """What this session waited for in vain, in words, if there was anything."""
        if not self.given_up:
            return ""
        names = sorted(self.given_up)
        more = f" and {len(names) - 3} more" if len(names) > 4 else ""
        return f"waited in real time, in vain, for {', '.join(names[:3] if more else names)}{more}"

    def begin_session(self) -> None:
        """Forget, for a new session, how long threads and sockets have been waited for."""
        self._spent.clear()
        self._rung.clear()
        self.given_up.clear()
        self.ended, self.timed = 0, ""

    def wait(self, select: Callable[[float], Events], fds: Callable[[], Iterable[SelectorKey]]) -> Events:
        """Wait, really, while something may come; return the events that it has brought, none if nothing will.

        `select` waits for events for so many seconds, `fds` returns the files that are watched.
        """
        parked = 0
        while (found := self._expected(fds())) is not None:
            kind, what = found
            if kind == "jobs":
                parked = parked + 1 if self._all_parked() else 0
                if parked >= LOOKS or (parked and what in self._hopeless):
                    seconds = job_waits(ANYIO, self.ours)
                    if not 0 < seconds <= self._left:
                        self.timed = what if seconds else self.timed
                        self._hopeless.add(what)
                        break
                    self._left -= LOOK if parked > LOOKS else LOOKS * LOOK
            elif parked:
                parked = 0
            began = time.monotonic()
            events = select(LOOK)
            took = time.monotonic() - began
            kind = "sockets" if kind == "sockets" else "threads"
            self.waited[kind] = self.waited.get(kind, 0.0) + min(took, 2 * LOOK)
            if events:
                return events
            # a machine that is busy makes a look longer than it should be: that costs no patience
            self._spent[what] = self._spent.get(what, 0.0) + min(took, 2 * LOOK)
            vain = what in self._hopeless or bool(self.given_up)
            if self._spent[what] >= ((FILE, FILE_AGAIN) if what.startswith(A_FILE) else (PATIENCE, AGAIN))[vain]:
                self.given_up.add(what)
                if kind == "sockets" and what in self._hopeless:  # one look is at all of them
                    self.given_up.update(each for each in self._hopeless if each.startswith(A_SOCKET))
                self._hopeless.add(what)
        return select(0)  # what came between the last look and the last thought

    def _expected(self, fds: Iterable[SelectorKey]) -> tuple[str, str] | None:
        """Return of what kind and what it is that may give the loop something to do, if there is anything."""
        if self.jobs:
            for future, what in list(self.jobs.items()):
                if not future.done() and what not in self.given_up:
                    return "jobs", what
        if threading.active_count() > len(self.ours):
            anyio = [
                t for t in threading.enumerate() if t.name == ANYIO and t.ident not in self.ours and t not in self.held
            ]
            for thread in anyio:
                if getattr(getattr(thread, "queue", None), "unfinished_tasks", 0) and A_JOB not in self.given_up:
                    return "jobs", A_JOB
            if (name := self._busy({thread.ident or 0 for thread in anyio})) is not None:
                return "threads", name
        if (fd := self.sockets.expects(fds, self.given_up)) is not None:
            return "sockets", fd
        return None

    def _busy(self, skipped: set[int]) -> str | None:
        """Return the name of a thread that may go on by itself, but for those skipped and those given up."""
        while (ident := self._parked.busy(self.ours | skipped)) is not None:
            name = _name_of(ident)
            if name.startswith(A_TIMER):
                self._ring(name, ident)
            if name not in self.given_up:
                return name
            skipped.add(ident)
        return None

    def _ring(self, name: str, ident: int) -> None:
        """Know a thread that is a timer. Of those that set themselves anew nothing has come, after some of them."""
        rung = self._rung.setdefault(name, set())
        rung.update(each.native_id or 0 for each in threading.enumerate() if each.ident == ident)
        if len(rung) >= RUNG and self._spent.get(name, 0.0) >= CHAIN:
            self.given_up.add(name)
            self._hopeless.add(name)

    def _all_parked(self) -> bool:
        """Whether no thread can go on by itself; one that has a loop of its own, or watches a process, may."""
        ident = self._parked.busy(self.ours)
        return ident is None and not any(_selects(i) for i in frames_now() if i not in self.ours)


class Sockets:
    """The sockets of a loop: which of them waits for an answer. Of one that is no transport's nobody can tell."""

    def __init__(self) -> None:
        self._asked: dict[int, bool] = {}

    def opened(self, transport: Any) -> None:
        """Know a transport: from here on it waits for an answer when it has written, until something comes."""
        fd = transport.get_extra_info("socket").fileno()
        self._asked[fd] = False

        def counted(name: str) -> None:
            write = getattr(transport, name)

            def counting(data: Any) -> None:
                self._asked[fd] = True
                write(data)

            setattr(transport, name, counting)

        counted("write")
        counted("writelines")

    def _name(self, key: SelectorKey) -> str:
        own = "" if key.fd in self._asked else name_in(key.data)
        return f"{A_FILE}{own}" if own else f"{A_SOCKET}{key.fd}"

    def read(self, fd: int) -> None:
        """Something came, or the peer has closed."""
        if fd in self._asked:
            self._asked[fd] = False

    def expects(self, fds: Iterable[SelectorKey], given_up: Iterable[str]) -> str | None:
        """Return the name of a socket from which something may come, if there is one."""
        for key in fds:
            name = self._name(key)
            waits = key.events & EVENT_WRITE or (self._asked[key.fd] if key.fd in self._asked else not _listens(key.fd))
            if waits and name not in given_up:
                return name
        return None


def _listens(fd: int) -> bool:
    """Whether a file is a socket of a server's, which waits for clients."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False  # a pipe: no socket would close the copy that is made of it
        with socket.socket(fileno=os.dup(fd)) as copy:
            return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def name_of_job(func: Any) -> str:
    """Return the name of a function that runs in a thread; `asyncio.to_thread` has wrapped it."""
    while isinstance(func, functools.partial):
        func = func.args[0] if func.args and getattr(func.func, "__name__", "") == "run" else func.func
    return f"{getattr(func, '__qualname__', type(func).__name__)} in a thread"


def _selects(ident: int) -> bool:
    frame = frames_now().get(ident)
    return frame is not None and frame.f_code.co_filename.endswith("selectors.py")


def thread_name(thread: threading.Thread) -> str:
    """Return a thread's name without the number that Python gives it, for it is another one each time."""
    found = re.fullmatch(r"Thread-\d+(?: \((.*)\))?", thread.name)
    return thread.name if found is None else found[1] or "Thread"


def _name_of(ident: int) -> str:
    found = next((thread for thread in threading.enumerate() if thread.ident == ident), None)
    if rings := rings_for(found):
        return f"{A_TIMER} ({rings})"
    return f"thread {thread_name(found).rstrip('0123456789-_') if found else 'unknown'}"
