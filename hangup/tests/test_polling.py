"""An app that looks again and again whether something has come is slow to explore, and no worse than one that waits."""

import asyncio
import contextlib

from starlette.websockets import WebSocketDisconnect

from hangup.explorer.apps.explore import explore, replay
from hangup.servers.script import Expect, Send, Wait
from support.apps import app

HI = (Send("hi"), Expect("hi"))
QUIET = (*HI, Wait(90), *HI, Wait(250), *HI)


def polling(seconds):
    """Return what echoes, and looks every so many seconds whether a text has come."""

    async def handler(websocket):
        await websocket.accept()
        texts: list[str] = []

        async def reads():
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    texts.append(await websocket.receive_text())

        reader = asyncio.create_task(reads())
        try:
            while texts or not reader.done():
                if not texts:
                    await asyncio.sleep(seconds)
                    continue
                with contextlib.suppress(WebSocketDisconnect):
                    await websocket.send_text(texts.pop(0))
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    return app(handler)


def test_who_looks_a_thousand_times_a_second_is_there_after_minutes():
    report = explore(polling(0.001), QUIET, limit=20)
    assert not report.broken


def test_who_looks_once_a_second_is_there_after_hours():
    report = explore(polling(1), (*HI, Wait(3 * 3600), *HI), limit=10)
    assert not report.broken


def test_an_answer_in_time_is_in_time_whatever_else_looks_meanwhile():
    async def takes_its_time(websocket):
        await websocket.accept()
        looks = asyncio.create_task(polls())
        try:
            async for text in websocket.iter_text():
                await asyncio.sleep(4.9)  # a client waits for five seconds
                await websocket.send_text(text)
        finally:
            looks.cancel()
            await asyncio.wait([looks])

    async def polls():
        while True:
            await asyncio.sleep(0.001)

    session = replay(app(takes_its_time), "uvicorn/close@end", QUIET)
    assert session.facts["unanswered"] == []


def test_who_looks_twice_a_second_is_there_after_one_long_silence_and_another():
    report = explore(polling(0.5), (Wait(4_000), *HI, Wait(4_000), *HI), limit=1, models=["uvicorn"])
    assert not report.broken
    assert not report.unknown


def test_of_who_speaks_too_often_for_that_long_a_silence_it_is_not_known():
    async def ticks(websocket):
        await websocket.accept()
        try:
            while True:
                await websocket.send_text("tick")
                for _ in range(9):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.1)
        except (WebSocketDisconnect, RuntimeError):
            return

    report = explore(app(ticks), (Wait(4_000), Expect()), limit=1, models=["uvicorn"], endings=["close"])
    assert not report.broken
    assert [each.why.partition(" in ")[0] for each in report.unknown] == ["given up after 20,000 turns of its loop"]
