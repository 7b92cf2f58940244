"""Scenes for lesson 03's pages, in memory: a page opens and leaves beside others, which are there, slow, or gone."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from hangup.record.recorder import Message, describe
from helpers.judging.values import binaries, codes, scope_of, texts

SILENCE = 9_000.0  # virtual seconds: longer than any deadline that one would choose
CROWD = 120
SLOW, AGES = 90.0, 4_000.0  # virtual seconds
Says = tuple[Message, ...]
_SAYS: Says = (
    *({"type": "websocket.receive", "text": text} for text in (*texts(), "bye", "close", "leave")),
    *({"type": "websocket.receive", "bytes": data} for data in binaries()),
)


class _Page:
    """The send() of a page that is there before: what it was told; it takes `seconds`, and may raise `error`.

    A set of pages has them in the order of their places, in every run.
    """

    def __init__(self, place: int, seconds: float = 0.0, error: type[OSError] | None = None) -> None:
        self.place, self.seconds, self.error = place, seconds, error
        self.told: list[object] = []

    def __hash__(self) -> int:
        return self.place

    async def __call__(self, message: Message) -> None:
        """Take note of a message."""
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error("this page has left")
        text = message.get("text")
        self.told.append(text if text is not None else message.get("bytes", message["type"]))


async def visited(answer: Any) -> str:
    """Let a page visit pages of each kind, leave with every code, say everything; return what is wrong, or nothing."""
    two, many = (0, 2), (0, *range(2, CROWD + 1))
    visits: list[tuple[str, int, list[_Page], Says, float]] = [
        *((f"that leaves with code {code}", code, [*map(_Page, two)], (), 0.0) for code in codes()[1:]),
        ("that says all kinds of things", 1001, [*map(_Page, two)], _SAYS, 0.0),
        (f"that says nothing for {SILENCE:g} seconds", 1001, [*map(_Page, two)], (), SILENCE),
        (f"that visits {CROWD} others", 1001, [*map(_Page, many)], (), 0.0),
    ]
    for what, code, others, says, silence in visits:
        if problem := await _visit(answer, code, others, says, silence):
            return f"a page {what}: {problem}"
    if problem := await _visit(answer, 1001, [_Page(0), _Page(2, AGES), _Page(3)], silence=SILENCE):
        return f"a message to another page takes {AGES:g} seconds: {problem}"
    if problem := await _visit(answer, 1001, [_Page(0), _Page(2, SLOW), _Page(3, 0.0, ConnectionResetError)]):
        return f"another page has left, and a message to a third takes {SLOW:g} seconds: {problem}"
    for scene in _SCENES:
        if problem := await scene(answer):
            return problem
    for error in (ConnectionResetError, TimeoutError, OSError):
        for place in (0, 2, 5):
            living = [_Page(each) for each in (0, 2, 5) if each != place]
            if problem := await _visit(answer, 1001, [*living, _Page(place, 0.0, error)]):
                return f"another page has left, and its send() raises {error.__name__}: {problem}"
    return ""


async def troubled(answer: Any) -> tuple[str, bool]:
    """Let a page open and leave where something has a bug; return what became of it, and whether it was hidden."""
    for where in _BUGS:
        for error in (TypeError, RuntimeError, ValueError, LookupError):
            hidden, listed = await _troubled(answer, where, error)
            if hidden:
                return f"{where} raised {error.__name__}, and your app returned as if nothing had happened", True
            if listed:
                return f"{where} raised {error.__name__}, which came out: the page is still in `pages`", False
    return "", False


_BUGS = (
    "another page's send(), when a page opened,",
    "another page's send(), when a page had left,",
    "a page's own send()",
    "a page's receive()",
)


async def _troubled(answer: Any, where: str, error: type[Exception]) -> tuple[bool, bool]:
    """Let a page open and leave beside a bug; return whether that was hidden, and whether the page is still listed."""
    pages: set[Any] = set()
    coming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]
    raised = came_out = False

    def bug() -> Exception:
        nonlocal raised
        raised = True
        return error("a bug, and no page that leaves")

    class Buggy(_Page):
        async def __call__(self, message: Message) -> None:
            opened, left, own, _ = _BUGS
            due = {opened: self is other, left: self is other and visitor not in pages, own: self is visitor}
            if message["type"] == "websocket.send" and due.get(where):
                raise bug()
            await super().__call__(message)

    async def receive() -> Message:
        await asyncio.sleep(0)
        if len(coming) == 1 and where == _BUGS[-1]:
            raise bug()
        return coming.pop(0) if len(coming) > 1 else coming[0]

    visitor, other = Buggy(1), Buggy(0)
    pages.add(other)
    try:
        async with asyncio.timeout(SILENCE):
            await answer(scope_of(), receive, visitor, pages)
    except Exception:
        came_out = True  # whatever came out tells of it
    return raised and not came_out, visitor in pages


async def _meanwhile(answer: Any, *, opens: bool, at_last: bool) -> str:
    """Let another page open or leave while a slow one is told that a page has opened, or left; say who counts it not.

    opens: it opens; at_last: the slow page is told that the page has left.
    """
    pages: set[Any] = set()
    visitor, other = _Page(1), _Page(2)
    wrong: list[str] = []

    class Slow(_Page):
        changed = False

        async def __call__(self, message: Message) -> None:
            await super().__call__(message)
            if not self.changed and at_last == (visitor not in pages):
                self.changed = True
                (pages.add if opens else pages.discard)(other)

    class Last(_Page):
        async def __call__(self, message: Message) -> None:
            if slow.changed and message.get("text") != str(len(pages)):
                wrong.append(f"a page was told {message.get('text')} afterwards, in place of {len(pages)}")
            await super().__call__(message)

    slow = Slow(0, SLOW)
    pages |= {slow, Last(3)} if opens else {slow, other, Last(3)}
    problem = await _opens(answer, visitor, pages) or "".join(wrong[:1])
    what = f"another page {'opens' if opens else 'leaves'} while a slow one is told that one has"
    return f"{what} {'left' if at_last else 'opened'}: {problem}" if problem else ""


async def _being_accepted(answer: Any) -> str:
    """Let a page open while another one is being accepted; say whether that one was told a number before."""
    early: list[object] = []

    class Awaited(_Page):
        accepted = False

        async def __call__(self, message: Message) -> None:
            if message["type"] == "websocket.accept":
                await asyncio.sleep(SLOW)
                self.accepted = True
            elif not self.accepted:
                early.append(message.get("text"))

    pages: set[Any] = {_Page(0)}
    first = asyncio.create_task(_opens(answer, Awaited(1), pages))
    await asyncio.sleep(SLOW / 2)
    problem = await _opens(answer, _Page(2), pages) or await first
    if not problem and early:
        problem = f"that one was told {early[0]} before its accept was through"
    return f"a page opens while another one is being accepted: {problem}" if problem else ""


async def _cancelled(answer: Any) -> str:
    """Cancel a page's handler while a slow page is told that it has opened, and while it waits; say who counts it."""
    moments = ((SLOW / 2, "while a slow page is told that it has opened"), (2 * SLOW, "while its page is silent"))
    for seconds, when in moments:
        others = [_Page(0), _Page(2, SLOW), _Page(3)]
        visitor, pages = _Page(1), set[Any](others)
        task = asyncio.create_task(_opens(answer, visitor, pages))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        problem = "" if task.cancelled() else task.result()
        if not problem and visitor in pages:
            problem = "its page is still in `pages`"
        for page in others:
            if not problem and page.told[-1:] != ["3"]:
                problem = f"another is told {_words(page.told)}, and 3 are there"
        if problem:
            return f"a page's `count` is cancelled {when}: {problem}"
    return ""


async def _opens(answer: Any, visitor: _Page, pages: set[Any]) -> str:
    """Let a page open and leave long after; return what is wrong."""
    coming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

    async def receive() -> Message:
        await asyncio.sleep(0 if len(coming) > 1 else 3 * SLOW)
        return coming.pop(0) if len(coming) > 1 else coming[0]

    try:
        async with asyncio.timeout(SILENCE):
            await answer(scope_of(), receive, visitor, pages)
    except Exception as error:
        return f"the app raised {describe(error)}"
    return ""


async def _visit(answer: Any, code: int, others: list[_Page], says: Says = (), silence: float = 0.0) -> str:
    """Let a page open beside others, say something, and leave; return what is wrong."""
    pages: set[Any] = {*others}
    visitor = _Page(1)
    coming: list[Message] = [{"type": "websocket.connect"}, *says]
    living = [page for page in others if page.error is None]
    before: list[list[object]] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        await asyncio.sleep(0)
        asked += 1
        if asked <= len(coming):
            return coming[asked - 1]
        if asked == len(coming) + 1:
            await asyncio.sleep(3 * SLOW + silence)
            before[:] = [list(page.told) for page in living]
        if asked > len(coming) + 50:
            raise ConnectionError("this page has left")
        return {"type": "websocket.disconnect", "code": code, "reason": ""}

    try:
        async with asyncio.timeout(2 * SILENCE):
            await answer(scope_of(), receive, visitor, pages)
    except Exception as error:
        return f"the app raised {describe(error)}"
    if not before:
        return "the app ended, and the page was there"
    return _wrongly_told(living, before, others)


def _wrongly_told(living: list[_Page], before: list[list[object]], others: list[_Page]) -> str:
    """Say what is wrong with what pages are told `before` the visitor leaves, and then; or nothing."""
    # a page that is gone may be counted until it has its own disconnect, and may be found out before
    counts = {str(number) for number in (len(living), len(others))}
    opened = {str(int(number) + 1) for number in counts}
    for page, first in zip(living, before, strict=True):
        then = page.told[len(first) :]
        if not first or first[-1] not in opened or not set(first) <= counts | opened:
            return f"when it opens, another is told {_words(first)} in place of {max(opened)}"
        if len(first) > 1 + (len(others) > len(living)):
            return f"another is told {_words(first)}, and nobody has left yet"
        if not then or then[-1] not in counts or not set(then) <= counts:
            return f"when it leaves, another is told {_words(then)} in place of {max(counts)}"
    return ""


def _words(told: list[object]) -> str:
    return ", ".join(map(repr, told)) or "nothing"


_SCENES: tuple[Callable[[Any], Awaitable[str]], ...] = (
    *(functools.partial(_meanwhile, opens=n % 2 > 0, at_last=n > 1) for n in range(4)),
    _being_accepted,
    _cancelled,
)
