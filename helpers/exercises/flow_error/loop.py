"""Scenes for lesson 03's loop, in memory: goodbyes with every code, and pages that are silent, or do not wait."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hangup.record.recorder import Message, describe
from helpers.judging.values import codes, scope_of

SILENCE = 9_000.0  # virtual seconds: longer than any deadline that one would choose
MANY = 1_200
PATIENCE = 3_600.0  # virtual seconds, beside the silence
ALMOST = ("1,000", "1 000", "1.000", "1_", "_1", "1__0", "--1", "+ 5", "$5", "5%", "0x10", "5", "½", "Ⅷ", "1e0")
"""What somebody may take for a number, and `int` does not read; and one that it reads."""


def adding(numbers: Sequence[str]) -> list[str]:
    """Return the answers that a page is due to get."""
    answers, total = [], 0
    for each in numbers:
        try:
            total += int(each)
            answers.append(str(total))
        except ValueError:
            answers.append("no number")
    return answers


async def said(answer: Any) -> str:
    """Let an app add up for pages that leave with every code, think for long, or do not wait; say what is wrong."""
    for pause, code in (*((0.0, code) for code in codes()), (SILENCE, 1001)):
        if problem := await _page(answer, pause, code):
            then = (
                f"a page that says nothing for {pause:g} seconds" if pause else f"a page that leaves with code {code}"
            )
            return f"{then}: {problem}"
    if problem := await _page(answer, 0.0, 1001, ALMOST):
        return f"a page that sends {', '.join(ALMOST)}: {problem}"
    for slow, network in ((0.0, ""), (0.5, ", on a slow network")):
        if await _page(answer, 0.0, 1001, ["1"] * MANY, slow):
            return f"a page that sends {MANY} numbers{network}: it does not get {MANY} answers, or not the sums"
    if problem := await _page(answer, 0.0, 1001, ("4", "5", "three", "6"), slow=60.0):
        return f"a page that sends four texts and then waits for the answers, on a slow network: {problem}"
    if problem := await _parting(answer):
        return f"a page that sends four texts and leaves while the second answer is on its way: {problem}"
    return ""


async def _page(answer: Any, pause: float, code: int, numbers: Sequence[str] = ("4", "5"), slow: float = 0.0) -> str:
    coming: list[Message] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": number} for number in numbers),
        {"type": "websocket.disconnect", "code": code, "reason": ""},
    ]
    got: list[object] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        if asked == 2 and pause:
            await asyncio.sleep(pause)
        await asyncio.sleep(2 * len(coming) * slow if asked == len(coming) - 1 else 0.0)
        asked += 1
        if asked > len(coming) + 50:
            raise ConnectionError("this page has left")
        return coming[min(asked, len(coming)) - 1]

    async def send(message: Message) -> None:
        if slow:
            await asyncio.sleep(slow)
        got.append(message.get("text", message["type"]))

    try:
        async with asyncio.timeout(PATIENCE + pause):
            await answer(scope_of(), receive, send)
    except Exception as error:
        return f"the app raised {describe(error)}"
    if asked > len(coming):
        return "receive() was called again after the disconnect"
    due = ["websocket.accept", *adding(numbers)]
    if got[: len(due)] == due and len(got) > len(due):
        return f"after the disconnect, the app sent {got[len(due)]!r}"
    return "" if got == due else f"it got {', '.join(map(str, got))} in place of {', '.join(due)}"


async def _parting(answer: Any) -> str:
    """Let a page leave while answers are due that it will not hear; say what the app lets out of a send after that."""
    coming: list[Message] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": number} for number in ("4", "5", "three", "6")),
    ]
    leaving, told = asyncio.Event(), False

    async def receive() -> Message:
        nonlocal told
        await asyncio.sleep(0)
        if coming:
            return coming.pop(0)
        await leaving.wait()
        told = True
        return {"type": "websocket.disconnect", "code": 1001, "reason": ""}

    async def send(message: Message) -> None:
        if told:
            raise ConnectionResetError("this page has left, and the app knows")
        await asyncio.sleep(60)

    asyncio.get_running_loop().call_later(150, leaving.set)
    try:
        async with asyncio.timeout(PATIENCE):
            await answer(scope_of(), receive, send)
    except Exception as error:
        return f"the app raised {describe(error)}"
    return ""
