"""Apps that are wrong in some order of their tasks only, each beside its sound twin; `wrong(app)` is its invariant."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from hangup.record.recorder import ASGIApp
from hangup.servers.script import Expect, Leave, Script, Send, StopReading
from support.apps import app

GONE = (WebSocketDisconnect, WebSocketDisconnected, OSError)
LEFT = (*GONE, RuntimeError)


async def asks(times: int = 1) -> None:
    """Ask some other service, as often as that."""
    for _ in range(times):
        await asyncio.sleep(0)


def quietly(handler: Any) -> Any:
    """Return a handler that ends when it learns that its client has left."""

    async def quiet(websocket: Any) -> None:
        with contextlib.suppress(*GONE):
            await handler(websocket)

    return quiet


@dataclass(frozen=True)
class Race:
    """A kind of race: `make` returns the app, sound or not, `script` makes it show, `wrong` says what is wrong."""

    handler: Callable[..., Any]
    script: Script
    wrong: Callable[[Any], str | None] = lambda _: None

    def make(self, *, sound: bool) -> Callable[[], ASGIApp]:
        """Return what makes an app anew."""

        def new() -> Any:
            kept = SimpleNamespace()
            made: Any = app(quietly(self.handler(kept, sound)))
            made.kept = kept
            return made

        return new


def stock(kept, sound):
    """Two orders take from one stock."""
    kept.stock, kept.sold, lock = 9, 0, asyncio.Lock()

    async def sell():
        left = kept.stock
        await asks()
        kept.stock = left - 1
        kept.sold += 1

    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await asks(len(text))
            if sound:
                async with lock:
                    await sell()
            else:
                await sell()
            await websocket.send_text(f"{kept.stock} left")

    return handler


def slow_stock(kept, sound):
    """Two orders take from one stock; the other service answers after a known time."""
    kept.stock, kept.sold, lock = 9, 0, asyncio.Lock()

    async def sell():
        left = kept.stock
        await asyncio.sleep(0.01)
        kept.stock = left - 1
        kept.sold += 1

    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await asyncio.sleep(len(text) / 10)
            if sound:
                async with lock:
                    await sell()
            else:
                await sell()
            await websocket.send_text(f"{kept.stock} left")

    return handler


def oversold(app):
    kept = app.kept
    return None if kept.stock + kept.sold == 9 else f"{kept.sold} sold of 9, {kept.stock} left"


def crowd(kept, sound):
    """Who says something is heard by all; a dict of them may change meanwhile."""
    kept.guests = {}

    async def handler(websocket):
        await websocket.accept()
        kept.guests[websocket] = True
        try:
            async for text in websocket.iter_text():
                for guest in tuple(kept.guests) if sound else kept.guests:
                    await tell(guest, text)
        finally:
            del kept.guests[websocket]

    async def tell(guest, text):
        with contextlib.suppress(*LEFT):
            await guest.send_text(text)

    return handler


def postbox(kept, sound):
    """Letters wait for who is not there; a task carries them, and is cancelled when its owner leaves."""
    kept.letters, kept.posted, kept.carried = asyncio.Queue(), 0, 0

    async def carry(websocket):
        while True:
            letter = await kept.letters.get()
            try:
                await asks()
                await websocket.send_text(letter)
                kept.carried += 1
            except BaseException:
                if sound:
                    kept.letters.put_nowait(letter)
                raise

    async def handler(websocket):
        await websocket.accept()
        carrier = None
        try:
            async for text in websocket.iter_text():
                if text == "mine":
                    carrier = asyncio.create_task(carry(websocket))
                else:
                    kept.posted += 1
                    kept.letters.put_nowait(text)
        finally:
            if carrier is not None:
                carrier.cancel()
                await asyncio.gather(carrier, return_exceptions=True)

    return handler


def lost_letters(app):
    kept = app.kept
    lost = kept.posted - kept.carried - kept.letters.qsize()
    return f"{lost} letters lost" if lost else None


def transfer(kept, sound):
    """Money goes from one account to another, and both are locked."""
    accounts = {"x": asyncio.Lock(), "y": asyncio.Lock()}

    async def handler(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            first, second = sorted(text[:2]) if sound else text[:2]
            await asks(len(text))
            async with accounts[first]:
                await asks()
                async with accounts[second]:
                    await asks()
            await websocket.send_text("done")

    return handler


def seats(kept, sound, ends=lambda: asks(2)):
    """Who comes again has a new connection, which the end of the old one must not take away."""
    kept.seats, kept.lost = {}, False

    async def handler(websocket):
        await websocket.accept()
        name = None
        try:
            async for text in websocket.iter_text():
                if name is None:
                    name = text
                    kept.seats[name] = websocket
                kept.lost = kept.lost or name not in kept.seats
                await websocket.send_text("yes")
        finally:
            await ends()
            if name and (not sound or kept.seats.get(name) is websocket):
                kept.seats.pop(name, None)

    return handler


def slow_seats(kept, sound):
    """The same, and the end of the old connection takes a known time."""
    return seats(kept, sound, lambda: asyncio.sleep(0.5))


def unseated(app):
    return "a guest who is there has no seat" if app.kept.lost else None


def gallery(kept, sound):
    """Each picture is shown to all under a lock, one of whom does not look."""
    viewers, lock = [], asyncio.Lock()

    async def handler(websocket):
        await websocket.accept()
        viewers.append(websocket)
        own = asyncio.Lock()
        try:
            async for text in websocket.iter_text():
                async with own if sound else lock:
                    for viewer in [websocket] if sound else list(viewers):
                        with contextlib.suppress(*LEFT):
                            await viewer.send_text(text)
        finally:
            viewers.remove(websocket)

    return handler


def bracket(kept, sound):
    """Answers and a clock's signs are two messages each."""
    kept.said = []

    async def handler(websocket):
        await websocket.accept()
        lock = asyncio.Lock()

        async def pair(name):
            await websocket.send_text(f"<{name}>")
            kept.said.append(name)
            await asks()
            await websocket.send_text(f"</{name}>")
            kept.said.append(name)

        async def say(name):
            if sound:
                async with lock:
                    await pair(name)
            else:
                await pair(name)

        async def strike():
            while True:
                await asyncio.sleep(20)
                try:
                    await say("clock")
                except LEFT:
                    return

        clock = asyncio.create_task(strike())
        try:
            async for text in websocket.iter_text():
                await say(text)
        finally:
            clock.cancel()
            await asyncio.gather(clock, return_exceptions=True)

    return handler


def mixed(app):
    said = app.kept.said
    pairs = zip(said[::2], said[1::2], strict=False)
    return next((f"{one} and {other} are mixed" for one, other in pairs if one != other), None)


AB = (Send("1"), Send("1234", by="b"), Expect(), Expect(by="b"))
AGAIN = ("u", Expect(), Leave(), Send("u", by="b"), Expect(by="b"), Send("?", by="b"), Expect(by="b"))
RACES = {
    "stock": Race(stock, AB, oversold),
    "slow stock": Race(slow_stock, AB, oversold),
    "crowd": Race(crowd, ["hi", Send("hi", by="b"), Send("hi", by="c"), Leave(), Send("bye", by="c"), Expect(by="c")]),
    "postbox": Race(postbox, ["mine", Send("one", by="b"), Send("two", by="b"), Leave()], lost_letters),
    "transfer": Race(transfer, [Send("xy"), Send("yx, slowly", by="b"), Expect(), Expect(by="b")]),
    "seats": Race(seats, AGAIN, unseated),
    "slow seats": Race(slow_seats, AGAIN, unseated),
    "gallery": Race(gallery, [StopReading(), Send("one"), Send("two", by="b"), Expect(by="b")]),
    "bracket": Race(bracket, ["x", Expect(), Expect()], mixed),
}
