"""Files that are never half written: where they are, a lock, an atomic write, and a dated copy of what is replaced.

`work/` is a learner's own and not tracked by git. In it `.base/` holds each lesson as it was last handed out, `.kept/`
the dated copies. A write goes to a new file beside the old one and takes its place in one step, so that a process that
is killed leaves the one or the other.
"""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from helpers import lessons

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WORK = "AFTER_THE_DISCONNECT_WORK"
"""The environment's name for a folder to work in, where the course's own cannot be written to."""


def work() -> Path:
    """Return the learner's folder: what the environment names, work/ in a checkout, or else one in his home."""
    if named := os.environ.get(WORK):
        return Path(named).expanduser().resolve()
    return lessons.ROOT / "work" if lessons.SOLUTIONS.is_dir() else Path.home() / "after-the-disconnect"


def shown(path: Path) -> str:
    """Return a path as sentences say it: from the project's folder, if it is in there."""
    return str(path.relative_to(lessons.ROOT)) if path.is_relative_to(lessons.ROOT) else str(path)


def write(path: Path, text: str) -> None:
    """Replace a file, or make one, in one step. Raises OSError; then the old file is as it was."""
    target = path.resolve()  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            fresh.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(fresh, target)  # noqa: PTH105  # tests pull the plug here
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _settle(target.parent)


def _settle(folder: Path) -> None:
    """Ask the disk to remember that a name changed; not every system can be asked."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def keep(path: Path) -> Path:
    """Copy a file, byte for byte, under a dated name into work/.kept/ and return the copy. Raises OSError."""
    folder = work() / ".kept"
    folder.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes()
    moment = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    for number in range(1, 1000):
        copy = folder / f"{path.stem}.{moment}{f'_{number}' if number > 1 else ''}{path.suffix}"
        with contextlib.suppress(FileExistsError), copy.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            return copy
    raise FileExistsError(f"{folder} is full of copies of this second")


def sweep(folder: Path) -> None:
    """Remove what writes that were killed have left in a folder. The caller holds the folder's lock."""
    for left in folder.glob(".*.ipynb.*.new"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Iterator[None]:
    """Hold a lock that belongs to `path` against every other process, and thread, that asks for it.

    Raises TimeoutError if somebody else has it for `patience` seconds. Where the file system knows no locks, such as
    an old NFS, there is none: writes are whole there too, but of two at once the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a+b") as file:
        until = time.monotonic() + patience
        while not _lock(file.fileno()):
            if time.monotonic() > until:
                raise TimeoutError(f"somebody else has been writing to {shown(path)} for {patience:g} seconds")
            time.sleep(0.02)
        yield  # the lock goes with the file, also when this process is killed


def _lock(handle: int) -> bool:
    """Try once to lock an open file; return False if somebody else has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # no locks here
    return True
