"""Who waits for whom: which locks suspended tasks hold and wait for, and at which lines. Nothing is patched for it.

What a task waits for is in the frames of its await chain. What it holds is what its `async with` blocks are to leave;
the line of such a block is in the source. A lock that was acquired without `async with` is not seen to be held.
"""

import ast
import asyncio
import functools
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import hangup
from hangup.record.internals import entered
from hangup.record.session import Session
from hangup.servers.memory import MemoryConnection

LOCKS = (asyncio.Lock, asyncio.Semaphore, asyncio.Condition)
_WAITS = {
    asyncio.Lock.acquire.__code__: "lock",
    asyncio.Semaphore.acquire.__code__: "semaphore",
    asyncio.Condition.wait.__code__: "condition",
    asyncio.Event.wait.__code__: "event",
    asyncio.Queue.get.__code__: "queue",
    asyncio.Queue.put.__code__: "queue",
    asyncio.sleep.__code__: "clock",
}
_LOCKED = ("lock", "semaphore")
_OURS = (str(Path(hangup.__file__).parent), str(Path(asyncio.__file__).parent))


@dataclass(frozen=True, eq=False)
class Waiting:
    """A task that is suspended: at which line, for what (None: not known), and what it holds, with the lines."""

    letter: str
    who: str
    where: str
    kind: str
    target: object
    holds: tuple[tuple[object, str], ...]

    @property
    def is_handler(self) -> bool:
        """Whether it is a session's own task."""
        return self.who == f"{self.letter}'s handler"

    @property
    def for_a_lock(self) -> bool:
        """Whether it waits for somebody who has a lock."""
        return self.kind in _LOCKED


def who_of(session: Session, task: "asyncio.Task[Any]") -> str:
    """Return what a task of a session is called in a sentence."""
    if task is session.main or task not in session.tasks:
        return f"{session.letter}'s handler"
    return f"{session.letter}'s task {session.name_of(task)}"


def waiting(sessions: Sequence[Session]) -> list[Waiting]:
    """Return the tasks of sessions that are suspended."""
    found = []
    for session in sessions:
        for task in filter(None, (session.main, *session.tasks)):
            if not task.done() and task is not asyncio.current_task():
                found.append(_one(session.letter, who_of(session, task), task))
    return found


def is_stuck(session: Session, sessions: Sequence[Session], *, listens: bool) -> bool:
    """Return whether a session waits for what no passing of time brings; it may do so in receive(), if it `listens`."""
    found = waiting(sessions)
    mine = [each for each in found if each.letter == session.letter]
    hung = [each for each in mine if each.for_a_lock or (each.is_handler and not listens)]
    return any(not _waits_for_time(each, found, ()) for each in hung)


def _waits_for_time(one: Waiting, found: Sequence[Waiting], seen: tuple[Waiting, ...]) -> bool:
    """Return whether a task goes on by itself, as far as is known: some task for which it may wait only sleeps."""
    if one.kind == "clock" or one in seen:
        return one.kind == "clock"
    if one.kind.startswith("send()"):
        return False
    if one.for_a_lock and (holders := [each for each in found if any(lock is one.target for lock, _ in each.holds)]):
        return any(_waits_for_time(each, found, (*seen, one)) for each in holders)
    return any(each.kind == "clock" for each in found if one.for_a_lock or each.letter == one.letter)


def in_words(found: Sequence[Waiting]) -> list[str]:
    """Say of those who hold a lock or wait for one what they do, and whether they wait for each other."""
    numbers: dict[int, int] = {}

    def name(kind: str, lock: object) -> str:
        return f"{kind} {numbers.setdefault(id(lock), len(numbers) + 1)}"

    lines, waits_for = [], {}
    for each in found:
        if not each.holds and not each.for_a_lock:
            continue
        parts = [f"holds {name(type(lock).__name__.lower(), lock)} ({where})" for lock, where in each.holds]
        waits = f"for {name(each.kind, each.target)} " if each.target is not None else ""
        waits = f"in {each.kind} " if each.kind.startswith("send()") else waits
        parts.append(f"waits {waits}at {each.where}")
        lines.append(f"{each.who} {' and '.join(parts)}")
        if each.for_a_lock:
            waits_for[each.who] = [o.who for o in found if any(lock is each.target for lock, _ in o.holds)]
    if circle := _circle(waits_for):
        lines.append(f"they wait for each other for ever: {' → '.join(circle)}")
    return lines


def _circle(waits_for: dict[str, list[str]]) -> list[str]:
    for start in waits_for:
        path = [start]
        while after := waits_for.get(path[-1]):
            if after[0] in path:
                return [*path[path.index(after[0]) :], after[0]]
            path.append(after[0])
    return []


def _one(letter: str, who: str, task: "asyncio.Task[Any]") -> Waiting:
    chain = list(_chain(task.get_coro()))
    kind, target = _target(chain)
    holds: list[tuple[object, str]] = []
    for coro, frame in chain:
        managers = entered(coro)
        blocks = _blocks(frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno) if managers else []
        for place, manager in enumerate(managers):
            if isinstance(manager, LOCKS):
                line = blocks[place] if len(blocks) == len(managers) else frame.f_lineno
                holds.append((manager, place_of(frame, line)))
    entering = next((n for n, (lock, _) in reversed(list(enumerate(holds))) if lock is target), None)
    if entering is not None:
        del holds[entering]  # it is still on its way in
    return Waiting(letter, who, where_of(task), kind, target, tuple(holds))


def _target(chain: Sequence[tuple[Any, FrameType]]) -> tuple[str, object]:
    """Return of what kind it is for which a chain waits, and the thing itself."""
    kind = ""
    for _, frame in chain:
        if frame.f_code in _WAITS:
            return _WAITS[frame.f_code], frame.f_locals.get("self")
        connection = frame.f_locals.get("self") if frame.f_code.co_name == "send" else None
        if isinstance(connection, MemoryConnection) and not connection.client.reads:
            kind = f"send() to client {connection.client.letter}, who does not read,"
    return kind, None


def _chain(coro: Any) -> Iterator[tuple[Any, FrameType]]:
    """Yield a coroutine, what it awaits, and so on, with their frames."""
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or getattr(coro, "ag_frame", None)
        if frame is not None:
            yield coro, frame
        coro = next((each for n in ("cr_await", "gi_yieldfrom", "ag_await") if (each := getattr(coro, n, None))), None)


def where_of(task: "asyncio.Task[Any]") -> str:
    """Return the line of the app's own at which a task waits: the innermost in the file in which the handler is."""
    frames = [frame for _, frame in _chain(task.get_coro()) if not frame.f_code.co_filename.startswith(_OURS)]
    own = [frame for frame in frames if "site-packages" not in frame.f_code.co_filename]
    if not (own or frames):
        return "an unknown line"
    file = (own or frames)[0].f_code.co_filename
    frame = [frame for frame in own or frames if frame.f_code.co_filename == file][-1]
    return place_of(frame, frame.f_lineno)


def place_of(frame: FrameType, line: int) -> str:
    """Return a line of a frame's file in words."""
    path = frame.f_code.co_filename
    source = linecache.getline(path, line).strip()
    return f"{Path(path).name}:{line}" + (f" `{source}`" if source else "")


@functools.lru_cache(maxsize=512)
def _blocks(path: str, name: str, line: int) -> list[int]:
    """Return the lines of the `with` blocks around a function's line, one for each of their managers, from outside."""
    tree, blocks = _tree(path), []
    functions = (ast.AsyncFunctionDef, ast.FunctionDef)
    for node in [] if tree is None else ast.walk(tree):
        if isinstance(node, functions) and node.name == name and node.lineno <= line <= _end(node):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.AsyncWith | ast.With)]
            blocks = sorted(n.lineno for n in inner if n.lineno <= line <= _end(n) for _ in n.items)
    return blocks


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


@functools.lru_cache(maxsize=64)
def _tree(path: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return None
