"""Answers to lesson 03, some of them wrong on purpose."""

# ruff: noqa: C901, D101, RET503

import asyncio
import contextlib
import json
import re

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from helpers.exercises.flow_error import ex1, ex2, ex3
from helpers.exercises.flow_error.guard import Gone, Misuse
from tests.answers import attempt, right, wrong

ACCEPT = {"type": "websocket.accept"}


def text(content):
    return {"type": "websocket.send", "text": str(content)}


def added(total, content):
    """Return the new total and the answer."""
    try:
        number = int(content)
    except ValueError:
        return total, "no number"
    return total + number, str(total + number)


# ---- 1, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex1, "ends")
async def as_in_the_report(scope, receive, send):
    """No branch for the disconnect."""
    total = 0
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send(ACCEPT)
        if message["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "answers_everything")
async def breaks_at_every_error(scope, receive, send):
    """The popular fix: `except Exception: break` takes a bad number for a departure."""
    total = 0
    while True:
        try:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                break
            if message["type"] == "websocket.connect":
                await send(ACCEPT)
            else:
                total += int(message["text"])
                await send(text(total))
        except Exception:
            break


@wrong(ex1, "ends")
async def goes_on_at_every_error(scope, receive, send):
    """`except Exception: continue`: a missing branch hides behind it."""
    total = 0
    while True:
        try:
            message = await receive()
            if message["type"] == "websocket.connect":
                await send(ACCEPT)
            else:
                total, answer = added(total, message["text"])
                await send(text(answer))
        except Exception:
            continue


@wrong(ex1, "ends")
async def waits_for_the_wrong_message(scope, receive, send):
    """Takes websocket.close, which an app sends, for websocket.disconnect, which it receives."""
    total = 0
    while (message := await receive())["type"] != "websocket.close":
        if message["type"] == "websocket.connect":
            await send(ACCEPT)
        elif message["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "ends")
async def ends_for_known_codes(scope, receive, send):
    """Knows 1000 and 1001, and takes every other goodbye for noise."""
    total = 0
    await receive()
    await send(ACCEPT)
    while True:
        message = await receive()
        if message.get("code") in (1000, 1001):
            return
        if message["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "ends")
async def asks_once_more(scope, receive, send):
    """Confirms the goodbye with one more receive()."""
    total = 0
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))
    await receive()


@wrong(ex1, "ends_quietly")
async def closes_what_is_closed(scope, receive, send):
    """Answers the goodbye with a close of its own."""
    total = 0
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))
    await send({"type": "websocket.close"})


@wrong(ex1, "answers_everything")
async def accepts_every_message(scope, receive, send):
    """Accepts in the loop, again and again: a flow error, which only real servers know."""
    total = 0
    while (message := await receive())["type"] != "websocket.disconnect":
        await send(ACCEPT)
        if message["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "answers_everything")
async def never_accepts(scope, receive, send):
    """Forgets the accept."""
    total = 0
    await receive()
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))


grand_total = 0


@wrong(ex1, "answers_everything")
async def adds_up_for_everybody(scope, receive, send):
    """A global total: the second connection does not begin with 0."""
    global grand_total
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        grand_total, answer = added(grand_total, message["text"])
        await send(text(answer))


@wrong(ex1, "answers_everything")
async def knows_no_minus(scope, receive, send):
    """`isdigit` says that -1 is no number."""
    total = 0
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"].isdigit():
            total += int(message["text"])
            await send(text(total))
        else:
            await send(text("no number"))


@wrong(ex1, "ends_quietly")
async def two_readers(scope, receive, send):
    """A watcher reads beside the loop, and takes every second message."""
    total = 0
    await receive()
    await send(ACCEPT)

    async def watch(scope):
        while (await receive())["type"] != "websocket.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch, group.cancel_scope)
        while (message := await receive())["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))
        group.cancel_scope.cancel()


@wrong(ex1, "heeds_cancellation")
async def bare_except(scope, receive, send):
    """`except BaseException` also catches the server's cancellation."""
    total = 0
    with contextlib.suppress(BaseException):
        await receive()
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "leaves_no_task")
async def a_task_that_stays(scope, receive, send):
    """A heartbeat task that nobody ends."""
    total = 0
    await receive()
    await send(ACCEPT)
    beat = asyncio.create_task(asyncio.sleep(1e6))
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))
    del beat


@wrong(ex1, "ends_quietly")
async def a_key_error(scope, receive, send):
    """Ends by the KeyError of a disconnect that has no text."""
    total = 0
    await receive()
    await send(ACCEPT)
    while True:
        total, answer = added(total, (await receive())["text"])
        await send(text(answer))


@wrong(ex1, "ends_quietly")
async def raises_at_the_end(scope, receive, send):
    """Starlette's exception, with nobody who catches it."""
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    total = 0
    while True:
        total, answer = added(total, await websocket.receive_text())
        await websocket.send_text(answer)


@wrong(ex1, "ends_with_the_page")
async def adds_up_a_hundred_times(scope, receive, send):
    """A hundred messages are enough, it thinks."""
    await receive()
    await send(ACCEPT)
    total = 0
    for _ in range(100):
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        total, answer = added(total, message["text"])
        await send(text(answer))


@wrong(ex1, "ends_with_the_page")
async def has_room_for_eight(scope, receive, send):
    """A queue between reader and writer: the ninth text that waits is thrown away."""
    await receive()
    await send(ACCEPT)
    texts: asyncio.Queue[str] = asyncio.Queue(8)

    async def answer_all():
        total = 0
        while True:
            total, answer = added(total, await texts.get())
            with contextlib.suppress(OSError):
                await send(text(answer))

    async with asyncio.TaskGroup() as group:
        writer = group.create_task(answer_all())
        while (message := await receive())["type"] == "websocket.receive":
            if not texts.full():
                texts.put_nowait(message["text"])
        writer.cancel()


@wrong(ex1, "ends_with_the_page")
async def has_an_hour(scope, receive, send):
    """An hour without a word is enough, it thinks."""
    await receive()
    await send(ACCEPT)
    total = 0
    with contextlib.suppress(TimeoutError):
        while (message := await asyncio.wait_for(receive(), 3_600))["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


SUMS: dict[object, int] = {}


@wrong(ex1, "answers_everything")
async def forgets_all_sums(scope, receive, send):
    """The sums are the module's, each by its connection: whoever leaves clears them all."""
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        SUMS[send], answer = added(SUMS.get(send, 0), message["text"])
        await send(text(answer))
    SUMS.clear()


# ---- 1, right ------------------------------------------------------------------------------------------------------


@right(ex1)
async def matches(scope, receive, send):
    """A match statement."""
    total = 0
    while True:
        match await receive():
            case {"type": "websocket.connect"}:
                await send(ACCEPT)
            case {"type": "websocket.receive", "text": content}:
                total, answer = added(total, content)
                await send(text(answer))
            case {"type": "websocket.disconnect"}:
                return


@right(ex1)
async def callbacks(scope, receive, send):
    """A table of functions by type."""
    total = 0

    async def connect(message):
        await send(ACCEPT)

    async def take(message):
        nonlocal total
        total, answer = added(total, message["text"])
        await send(text(answer))

    table = {"websocket.connect": connect, "websocket.receive": take}
    while (message := await receive())["type"] in table:
        await table[message["type"]](message)


@right(ex1)
async def starlette_inside(scope, receive, send):
    """A Starlette WebSocket that does all the talking."""
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    total = 0
    async for content in websocket.iter_text():
        total, answer = added(total, content)
        await websocket.send_text(answer)


@right(ex1)
async def starlette_raising(scope, receive, send):
    """Ends by Starlette's exception, and by no other."""
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    total = 0
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            total, answer = added(total, await websocket.receive_text())
            await websocket.send_text(answer)


@right(ex1)
async def reader_and_adder(scope, receive, send):
    """One task reads, another adds; a stream between them."""
    await receive()
    await send(ACCEPT)
    gone = False
    put, get = anyio.create_memory_object_stream[str](10)

    async def read():
        nonlocal gone
        async with put:
            while (message := await receive())["type"] == "websocket.receive":
                await put.send(message["text"])
            gone = True
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group, get:
        group.start_soon(read)
        total = 0
        async for content in get:
            total, answer = added(total, content)
            with contextlib.suppress(OSError):
                if not gone:
                    await send(text(answer))


class Adder:
    """An object with the state, and a `finally` that has nothing to do."""

    async def __call__(self, scope, receive, send):
        totals = {id(scope): 0}
        await receive()
        await send(ACCEPT)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                totals[id(scope)], answer = added(totals[id(scope)], message["text"])
                await send(text(answer))
        finally:
            totals.clear()


right(ex1)(Adder())


# ---- 1, more wrong -------------------------------------------------------------------------------------------------


def looping(answer_to):
    """Return an app that answers with `answer_to(total, content)`, which returns the new total and the answer."""

    async def app(scope, receive, send):
        total = 0
        await receive()
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            total, answer = answer_to(total, message["text"])
            await send(text(answer))

    app.__name__, app.__doc__ = answer_to.__name__, answer_to.__doc__
    return app


@wrong(ex1, "answers_everything")
@looping
def by_a_pattern(total, content):
    """Digits and a sign; `int` reads more than that."""
    if not re.fullmatch(r"-?[0-9]+", content):
        return total, "no number"
    return total + int(content), total + int(content)


@wrong(ex1, "answers_everything")
@looping
def by_float(total, content):
    """`float` reads 2.7, inf and 1e3 as well."""
    try:
        total += float(content)
    except ValueError:
        return total, "no number"
    return total, int(total) if abs(total) < 1e300 else total


@wrong(ex1, "answers_everything")
@looping
def by_truth(total, content):
    """A sum of 0 is no answer."""
    try:
        total += int(content)
    except ValueError:
        return total, "no number"
    return total, total or "no number"


@wrong(ex1, "answers_everything")
@looping
def by_json(total, content):
    """JSON's numbers are others than those that `int` reads."""
    try:
        number = json.loads(content)
    except ValueError:
        return total, "no number"
    return (total + number, total + number) if isinstance(number, int) else (total, "no number")


@wrong(ex1, "ends_with_the_page")
async def gives_up_on_silence(scope, receive, send):
    """Takes half a minute of silence for a goodbye."""
    total = 0
    await receive()
    await send(ACCEPT)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30) as patience:
            while (message := await receive())["type"] == "websocket.receive":
                patience.reschedule(asyncio.get_running_loop().time() + 30)
                total, answer = added(total, message["text"])
                await send(text(answer))


@wrong(ex1, "ends_with_the_page")
async def knows_the_codes_of_servers(scope, receive, send):
    """Asks again after a code that it does not know."""
    total = 0
    await receive()
    await send(ACCEPT)
    while True:
        message = await receive()
        if message.get("code") in (1000, 1001, 1005, 1006, 1012):
            return
        if message["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            await send(text(answer))


@wrong(ex1, "ends_with_the_page")
async def answers_after_the_goodbye(scope, receive, send):
    """Tells the sum once more to whoever has left, and lets nothing out."""
    total = 0
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))
    with contextlib.suppress(OSError, RuntimeError):
        await send(text(total))


# ---- 2, wrong ------------------------------------------------------------------------------------------------------


async def tell(pages):
    for send in list(pages):
        with contextlib.suppress(OSError):
            if send in pages:
                await send(text(len(pages)))


async def until_gone(receive):
    while (await receive())["type"] != "websocket.disconnect":
        pass


@wrong(ex2, "answers_everything")
async def removes_nobody(scope, receive, send, pages):
    """The old page stays in the set."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    await tell(pages)
    await until_gone(receive)


@wrong(ex2, "answers_everything")
async def loops_for_ever(scope, receive, send, pages):
    """No disconnect branch."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    await tell(pages)
    while True:
        await receive()


@wrong(ex2, "answers_everything")
async def tells_only_itself(scope, receive, send, pages):
    """Whoever opens is told; the others are not."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await send(text(len(pages)))
        await until_gone(receive)
    finally:
        pages.discard(send)


@wrong(ex2, "answers_everything")
async def says_nothing_of_departures(scope, receive, send, pages):
    """Tells everybody who comes, and nobody who goes."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)


@wrong(ex2, "answers_everything")
async def tells_before_it_removes(scope, receive, send, pages):
    """The number still counts the page that leaves."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    finally:
        await tell(pages)
        pages.discard(send)


@wrong(ex2, "forgets_who_left")
async def no_finally(scope, receive, send, pages):
    """Removes the page after the loop, which an exception and a cancellation skip."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    await tell(pages)
    await until_gone(receive)
    pages.discard(send)
    await tell(pages)


async def tell_or_fail(pages):
    for send in list(pages):
        await send(text(len(pages)))


@wrong(ex2, "answers_everything")
async def one_dead_page_stops_all(scope, receive, send, pages):
    """A send to a page that has just left raises, and the rest of the loop is skipped."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_or_fail(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_or_fail(pages)


@wrong(ex2, "answers_everything")
async def loops_over_the_set_itself(scope, receive, send, pages):
    """The set changes while the loop waits: "Set changed size during iteration"."""

    async def tell_all():
        for other in pages:
            with contextlib.suppress(OSError):
                await other(text(len(pages)))
                await asyncio.sleep(0.01)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


count = 0


@wrong(ex2, "answers_everything")
async def a_global_count(scope, receive, send, pages):
    """A global number that a cancelled page never takes back; and a set that nobody uses."""
    global count
    await receive()
    await send(ACCEPT)
    pages.add(send)
    count += 1
    try:
        for other in list(pages):
            with contextlib.suppress(OSError):
                await other(text(count))
        await until_gone(receive)
        count -= 1
    finally:
        pages.discard(send)
        for other in list(pages):
            with contextlib.suppress(OSError):
                await other(text(count))


@wrong(ex2, "ends_quietly")
async def tells_a_closed_page(scope, receive, send, pages):
    """Says goodbye to the page that has left."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
        await send(text(len(pages) - 1))
    finally:
        pages.discard(send)
        await tell(pages)


@wrong(ex2, "answers_everything")
async def adds_before_the_accept(scope, receive, send, pages):
    """Is listed before it is open: another page's number reaches it too early, and is a flow error."""
    pages.add(send)
    try:
        await receive()
        await tell(pages)
        await send(ACCEPT)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell(pages)


@wrong(ex2, "looks_before_it_tells")
async def tells_in_tasks(scope, receive, send, pages):
    """Sends from tasks that nobody waits for."""
    tasks: list[asyncio.Future[None]] = []

    def tell_soon():
        tasks.extend(asyncio.ensure_future(other(text(len(pages)))) for other in list(pages))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        tell_soon()
        await until_gone(receive)
    finally:
        pages.discard(send)
        tell_soon()


@wrong(ex2, "answers_everything")
async def one_except_for_all(scope, receive, send, pages):
    """One `except Exception` around all of it: a dead page ends the living one."""
    try:
        await receive()
        await send(ACCEPT)
        pages.add(send)
        await tell_or_fail(pages)
        await until_gone(receive)
        pages.discard(send)
        await tell_or_fail(pages)
    except Exception:
        pages.discard(send)


@wrong(ex2, "answers_everything")
async def keeps_a_list_of_its_own(scope, receive, send, pages):
    """Remembers at the start who is there, and tells those."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    others = list(pages)
    try:
        for other in others:
            with contextlib.suppress(OSError):
                await other(text(len(pages)))
        await until_gone(receive)
    finally:
        pages.discard(send)
        for other in others:
            with contextlib.suppress(OSError):
                await other(text(len(pages)))


@wrong(ex2, "looks_before_it_tells")
async def trusts_a_snapshot(scope, receive, send, pages):
    """A copy of the set, and no second look: who is in it may have left since, and one server says RuntimeError."""

    async def tell_all():
        for other in list(pages):
            with contextlib.suppress(OSError):
                await other(text(len(pages)))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def takes_every_error_for_a_leaving(scope, receive, send, pages):
    """The popular fix: whoever cannot be told must be gone."""

    async def tell_all():
        for other in list(pages):
            try:
                if other in pages:
                    await other(text(len(pages)))
            except Exception:
                pages.discard(other)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def suppresses_everything(scope, receive, send, pages):
    """The same, in one word, and without taking the page out."""

    async def tell_all():
        for other in list(pages):
            with contextlib.suppress(Exception):
                if other in pages:
                    await other(text(len(pages)))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def gathers_and_looks_at_nothing(scope, receive, send, pages):
    """return_exceptions=True, and nobody looks at them."""

    async def tell_one(other):
        if other in pages:
            await other(text(len(pages)))

    async def tell_all():
        await asyncio.gather(*map(tell_one, list(pages)), return_exceptions=True)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def careless_around_all(scope, receive, send, pages):
    """Careful with each page, and careless around all of them."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    except Exception:
        return
    finally:
        pages.discard(send)
        with contextlib.suppress(Exception):
            await tell(pages)


@wrong(ex2, "heeds_cancellation")
async def swallows_the_cancellation(scope, receive, send, pages):
    """Tidies up after a cancellation, and does not pass it on."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    except asyncio.CancelledError:
        pass
    finally:
        pages.discard(send)
        await tell(pages)


@wrong(ex2, "answers_everything")
async def starlette_in_the_set(scope, receive, send, pages):
    """Starlette's objects in the set: the second send to a page that has left raises a RuntimeError, not an OSError."""
    websocket = WebSocket(scope, receive, send)

    async def tell_all():
        for other in list(pages):
            with contextlib.suppress(WebSocketDisconnect, OSError):
                await other.send_text(str(len(pages)))

    await websocket.accept()
    pages.add(websocket)
    try:
        await tell_all()
        async for _ in websocket.iter_text():
            pass
    finally:
        pages.discard(websocket)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def looks_at_what_it_gathered(scope, receive, send, pages):
    """return_exceptions=True; a RuntimeError is taken for a page that leaves, and is a bug."""

    async def tell_one(other):
        if other in pages:
            await other(text(len(pages)))

    async def tell_all():
        for result in await asyncio.gather(*map(tell_one, list(pages)), return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, OSError | RuntimeError):
                raise result

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "hides_no_bug")
async def takes_runtime_errors_for_goodbyes(scope, receive, send, pages):
    """`except (OSError, RuntimeError)`: one server's word for a page that has left, and anybody's for a bug."""

    async def tell_all():
        for other in list(pages):
            with contextlib.suppress(OSError, RuntimeError):
                if other in pages:
                    await other(text(len(pages)))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "tells_at_once")
async def waits_for_quiet(scope, receive, send, pages):
    """Waits a moment for others to come and go, and tells them all together."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await asyncio.sleep(0.3)
        await tell(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell(pages)


@wrong(ex2, "answers_everything")
async def closes_who_speaks(scope, receive, send, pages):
    """Whatever comes after the connect is taken for the goodbye."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await receive()
    finally:
        pages.discard(send)
        await tell(pages)


def counting(tell_all=tell, listen=until_gone):
    """Return an app that lists its page; `tell_all(pages)` and `listen(receive)` are its own."""

    async def app(scope, receive, send, pages):
        await receive()
        await send(ACCEPT)
        pages.add(send)
        try:
            await tell_all(pages)
            await listen(receive)
        finally:
            pages.discard(send)
            await tell_all(pages)

    return app


def wrong2(name, doc, **mistake):
    """Register a count with a mistake."""
    answer = counting(**mistake)
    answer.__name__, answer.__doc__ = name, doc
    wrong(ex2, "tells_everybody")(answer)


async def tell_in_bytes(pages):
    for send in list(pages):
        with contextlib.suppress(OSError):
            if send in pages:
                await send({"type": "websocket.send", "bytes": str(len(pages)).encode()})


async def tell_until_one_fails(pages):
    with contextlib.suppress(OSError):
        for send in list(pages):
            if send in pages:
                await send(text(len(pages)))


async def tell_the_quick(pages):
    async def tell_one(send):
        try:
            async with asyncio.timeout(10):
                if send in pages:
                    await send(text(len(pages)))
        except OSError:  # TimeoutError is one
            pages.discard(send)

    for send in list(pages):
        await tell_one(send)


async def reads_texts(receive):
    while (message := await receive())["type"] != "websocket.disconnect":
        message["text"].strip()


async def listens_for_an_hour(receive):
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3_600):
            await until_gone(receive)


wrong2("tells_in_bytes", "A number in a binary message.", tell_all=tell_in_bytes)
wrong2("stops_at_the_first_that_is_gone", "One `suppress` around the loop.", tell_all=tell_until_one_fails)
wrong2("drops_the_slow", "Takes a page that reads slowly for one that is gone.", tell_all=tell_the_quick)
wrong2("reads_what_pages_say", "A binary message has no text.", listen=reads_texts)
wrong2("forgets_the_silent", "Counts nobody who has been there for an hour.", listen=listens_for_an_hour)


@wrong(ex2, "tells_everybody")
async def tells_ten_pages(scope, receive, send, pages):
    """Tells ten pages at most."""

    async def tell():
        for other in list(pages)[:10]:
            if other in pages:
                with contextlib.suppress(OSError):
                    await other(text(len(pages)))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell()
        while (await receive())["type"] == "websocket.receive":
            pass
    finally:
        pages.discard(send)
        await tell()


@wrong(ex2, "tells_everybody")
async def counts_once_before_it_tells(scope, receive, send, pages):
    """Counts before it tells anybody: a page that leaves while a slow one is told is counted still."""

    async def tell():
        number = text(len(pages))
        for other in list(pages):
            if other in pages:
                with contextlib.suppress(OSError):
                    await other(number)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell()
        while (await receive())["type"] == "websocket.receive":
            pass
    finally:
        pages.discard(send)
        await tell()


@wrong(ex2, "tells_everybody")
async def says_nothing_when_cancelled(scope, receive, send, pages):
    """Removes the page however it leaves, and tells that after `finally`, where a cancellation does not come."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
    await tell(pages)


@wrong(ex2, "forgets_who_left")
async def tries_when_it_has_told(scope, receive, send, pages):
    """Tells the opening before `try`: who is cancelled meanwhile stays in the set, until somebody's message fails."""

    async def tell_or_remove():
        for other in list(pages):
            if other in pages:
                try:
                    await other(text(len(pages)))
                except OSError:
                    pages.discard(other)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    await tell_or_remove()
    try:
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_or_remove()


async def until_left(receive, pages, send):
    """Listen until a page leaves, and take it out of the set, also if somebody cancels that."""
    try:
        await until_gone(receive)
    except asyncio.CancelledError:
        pages.discard(send)
        await tell(pages)
        raise
    pages.discard(send)
    await tell(pages)


@wrong(ex2, "forgets_who_left")
async def thinks_of_the_cancelled(scope, receive, send, pages):
    """`except CancelledError` in place of `finally`: when a bug comes out, the page stays in the set."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
    except asyncio.CancelledError:
        pages.discard(send)
        await tell(pages)
        raise
    await until_left(receive, pages, send)


async def tell_all_but(errors, pages):
    """Tell everybody; these errors are taken for a page that leaves."""
    for other in list(pages):
        if other in pages:
            with contextlib.suppress(errors(other)):
                await other(text(len(pages)))


@wrong(ex2, "hides_no_bug")
async def hides_bugs_at_the_end(scope, receive, send, pages):
    """When its page has left, it suppresses every error: the connection is over, after all."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all_but(lambda _: Exception, pages)


@wrong(ex2, "hides_no_bug")
async def hides_its_own_bug(scope, receive, send, pages):
    """Whatever its own send raises is taken for its page's leaving."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all_but(lambda page: Exception if page is send else OSError, pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell(pages)


@wrong(ex2, "hides_no_bug")
async def takes_a_bug_of_receive_for_the_end(scope, receive, send, pages):
    """Whatever receive() raises ends the loop without a word."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell(pages)
        with contextlib.suppress(Exception):
            await until_gone(receive)
    finally:
        pages.discard(send)
        await tell(pages)


# ---- 2, right ------------------------------------------------------------------------------------------------------


class Telling:
    """Whoever tells goes round again for who comes meanwhile: one round at a time, for all connections."""

    pages = None
    again = False


async def go_round(pages):
    """Tell everybody, or have who does it go round again."""
    Telling.again = True
    if Telling.pages is pages:
        return
    Telling.pages = pages
    try:
        while Telling.again:
            Telling.again = False
            await tell(pages)
    finally:
        Telling.pages = None


@right(ex2)
async def one_tells_for_all(scope, receive, send, pages):
    """Connections share who tells, in a class of the module, as they share the set."""
    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await go_round(pages)
        await until_gone(receive)
    finally:
        pages.discard(send)
        await go_round(pages)


@right(ex2)
async def tells_all_at_once(scope, receive, send, pages):
    """gather() instead of a loop, of calls that each look whether the page is still there."""

    async def tell_one(other):
        with contextlib.suppress(OSError):
            if other in pages:
                await other(text(len(pages)))

    async def tell_all():
        await asyncio.gather(*map(tell_one, list(pages)))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@right(ex2)
async def tells_in_a_task_group(scope, receive, send, pages):
    """A task for each page: a bug in one comes out as a group, and cancels the others."""

    async def tell_one(other):
        with contextlib.suppress(OSError):
            if other in pages:
                await other(text(len(pages)))

    async def tell_all():
        async with anyio.create_task_group() as group:
            for other in list(pages):
                group.start_soon(tell_one, other)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        with anyio.CancelScope(shield=True):
            await tell_all()


@contextlib.asynccontextmanager
async def listed(send, pages):
    """List a page while the block runs."""
    pages.add(send)
    try:
        yield
    finally:
        pages.discard(send)
        await tell(pages)


@right(ex2)
async def in_a_context_manager(scope, receive, send, pages):
    """A context manager that lists and unlists."""
    await receive()
    await send(ACCEPT)
    async with listed(send, pages):
        await tell(pages)
        await until_gone(receive)


@right(ex2)
async def forgets_the_dead_at_once(scope, receive, send, pages):
    """Whoever cannot be reached is taken out by whoever finds out."""

    async def tell_all():
        told = -1
        while told != len(pages):
            told = len(pages)
            for other in list(pages):
                try:
                    if other in pages:
                        await other(text(len(pages)))
                except OSError:
                    pages.discard(other)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        await until_gone(receive)
    finally:
        pages.discard(send)
        await tell_all()


@right(ex2)
async def with_an_exit_stack(scope, receive, send, pages):
    """AsyncExitStack calls back at the end."""
    await receive()
    await send(ACCEPT)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(tell, pages)
        stack.callback(pages.discard, send)
        pages.add(send)
        await tell(pages)
        await until_gone(receive)


# ---- 3, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex3, "keeps_it_from_the_server")
def lets_everything_through(app):
    """Logs, and stops nothing."""
    log = []

    async def guarded(scope, receive, send):
        async def logged(message):
            log.append(message)
            await send(message)

        await app(scope, receive, logged)

    return guarded


def guard_with(
    *, shared=False, receive_stops="gone", scopes=True, after_close=True, misuse=True, late=Gone, order=True
):
    """Return a guard with one of the mistakes that the keywords name."""

    def guard(app):
        states = {"state": "connecting"}

        async def guarded(scope, receive, send):
            if scopes and scope["type"] != "websocket":
                return await app(scope, receive, send)
            own = states if shared else {"state": "connecting"}

            async def guarded_receive():
                if own["state"] in receive_stops.split():
                    raise late("gone")
                message = await receive()
                if message["type"].endswith(".disconnect"):
                    own["state"] = "gone"
                return message

            async def guarded_send(message):
                word = message["type"].partition(".")[2]
                if own["state"] == "gone" or (after_close and own["state"] == "closed"):
                    raise late("gone")
                allowed = {"connecting": ("accept", "close"), "open": ("send", "close")}.get(own["state"], ())
                if misuse and word not in allowed:
                    raise Misuse(word)
                if not order:
                    await send(message)
                own["state"] = {"accept": "open", "close": "closed"}.get(word, own["state"])
                if order:
                    await send(message)

            await app(scope, guarded_receive, guarded_send)

        return guarded

    return guard


def wrong3(rule, name, doc, **mistake):
    """Register a guard with a mistake."""
    answer = guard_with(**mistake)
    answer.__name__, answer.__doc__ = name, doc
    wrong(ex3, rule)(answer)


wrong3("lets_the_rest_through", "one_state_for_all", "The state lives outside the connection.", shared=True)
wrong3("lets_the_rest_through", "guards_the_lifespan", "Takes a lifespan for a WebSocket.", scopes=False)
wrong3("keeps_it_from_the_server", "receive_never_stops", "Forgets receive().", receive_stops="")
wrong3("tells_the_app", "raises_runtime_error", "A RuntimeError instead of Gone.", late=RuntimeError)
wrong3("tells_the_app", "raises_os_error", "OSError itself, which is no Gone.", late=OSError)
wrong3("keeps_it_from_the_server", "no_order", "Knows late from early, and no second accept.", misuse=False)
wrong3(
    "keeps_it_from_the_server",
    "forgets_its_own_close",
    "Thinks only the peer can end it.",
    after_close=False,
    misuse=False,
)
wrong3("tells_the_app", "a_close_is_misuse", "After a close of its own it says Misuse.", after_close=False)
wrong3("ends_quietly", "deaf_after_its_own_close", "A close stops receive() too.", receive_stops="closed gone")


@wrong(ex3, "tells_the_app")
def silent(app):
    """Drops what is not allowed, and says nothing."""

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        state = "connecting"

        async def guarded_receive():
            nonlocal state
            if state == "gone":
                return {"type": "websocket.disconnect", "code": 1005}
            message = await receive()
            if message["type"] == "websocket.disconnect":
                state = "gone"
            return message

        async def guarded_send(message):
            nonlocal state
            allowed = {"connecting": ("accept", "close"), "open": ("send", "close")}.get(state, ())
            word = message["type"].partition(".")[2]
            if word in allowed:
                state = {"accept": "open", "close": "closed"}.get(word, state)
                await send(message)

        await app(scope, guarded_receive, guarded_send)

    return guarded


@wrong(ex3, "keeps_it_from_the_server")
def asks_starlette(app):
    """Trusts a Starlette WebSocket that only sees what is sent through it."""

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        websocket = WebSocket(scope, receive, send)

        async def guarded_send(message):
            if websocket.client_state.name == "DISCONNECTED":
                raise Gone
            await send(message)

        await app(scope, receive, guarded_send)

    return guarded


@wrong(ex3, "keeps_it_from_the_server")
def catches_what_the_server_says(app):
    """Waits for the server's own error and translates it; some servers have none."""

    async def guarded(scope, receive, send):
        async def guarded_send(message):
            try:
                await send(message)
            except OSError as error:
                raise Gone from error
            except RuntimeError as error:
                raise Misuse from error

        await app(scope, receive, guarded_send)

    return guarded


@wrong(ex3, "answers_everything")
def forgets_to_return(app):
    """Returns nothing."""

    async def guarded(scope, receive, send):
        await app(scope, receive, send)


@wrong(ex3, "lets_the_rest_through")
def runs_the_app_elsewhere(app):
    """Starts the app in a task and returns at once."""

    async def guarded(scope, receive, send):
        asyncio.ensure_future(app(scope, receive, send))  # noqa: RUF006 - that is the mistake

    return guarded


def guard_that(*, receive_error=None, refusal=True, early=True, before=True, wraps=False, text_only=False):
    """Return a guard with one of the mistakes that the keywords name."""

    def guard(app):
        async def guarded(scope, receive, send):
            if scope["type"] != "websocket":
                return await app(scope, receive, send)
            state = "connecting"

            async def take():
                nonlocal state
                if state == "gone":
                    raise Gone("left")
                message = await receive()
                if message["type"] == "websocket.disconnect" and (before or state != "connecting"):
                    state = "gone"
                return message

            async def give(message):
                nonlocal state
                kind = message["type"].removeprefix("websocket.")
                if state == "gone" or (state == "closed" and (refusal or kind != "accept")):
                    raise Gone(state)
                if state == "connecting" and (kind == "send" or (early and kind not in ("accept", "close"))):
                    raise Misuse(kind)
                if state == "open" and kind == "accept":
                    raise Misuse(kind)
                state = {"accept": "open", "close": "closed"}.get(kind, state)
                if text_only and kind == "send":
                    message = {"type": "websocket.send", "text": message.get("text") or ""}
                try:
                    await send(message)
                except OSError as error:
                    if wraps:
                        raise Gone("left") from error
                    raise

            await app(scope, take, give)

        return guarded

    return guard


def _wrong_guard(name, sentence, rule, **mistake):
    made = guard_that(**mistake)
    made.__name__, made.__doc__ = name, sentence
    wrong(ex3, rule)(made)


_wrong_guard(
    "accepts_after_a_refusal", "A refusal is a close, too: nothing follows it.", "tells_the_app", refusal=False
)
_wrong_guard("lets_a_response_through", "Only a send is too early.", "tells_the_app", early=False)
_wrong_guard("is_told_after_the_accept", "A client may leave before the accept.", "tells_the_app", before=False)
_wrong_guard("wraps_the_server", "Makes a Gone of what the server raised.", "ends_quietly", wraps=True)
_wrong_guard("knows_text_only", "Copies text, and forgets bytes.", "lets_the_rest_through", text_only=True)


@wrong(ex3, "lets_the_rest_through")
def guards_every_request(app):
    """Knows the lifespan, and takes an HTTP request for a WebSocket."""
    guarded = guard_with(scopes=False)(app)

    async def chosen(scope, receive, send):
        await (app if scope["type"] == "lifespan" else guarded)(scope, receive, send)

    return chosen


@wrong(ex3, "tells_the_app")
def one_after_the_other(app):
    """A lock: the second task hears of its mistake when the first one's message is through."""

    async def locked(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        lock = asyncio.Lock()

        async def inner(scope, receive, send):
            async def give(message):
                async with lock:
                    await send(message)

            await app(scope, receive, give)

        await guard_with()(inner)(scope, receive, send)

    return locked


def _impatient(name, sentence, *, hears=None, says=None):
    """Register a guard that takes a peer for gone which is silent, or reads nothing, for so many seconds."""

    def guard(app):
        async def guarded(scope, receive, send):
            async def take():
                try:
                    return await asyncio.wait_for(receive(), hears)
                except TimeoutError:
                    raise Gone("silent") from None

            async def give(message):
                try:
                    await asyncio.wait_for(send(message), says)
                except TimeoutError:
                    raise Gone("slow") from None

            await guard_with()(app)(scope, take, give) if scope["type"] == "websocket" else await app(
                scope, receive, send
            )

        return guarded

    guard.__name__, guard.__doc__ = name, sentence
    wrong(ex3, "lets_the_rest_through")(guard)


_impatient("takes_silence_for_gone", "A peer that says nothing for a minute is gone, it thinks.", hears=60)
_impatient("takes_slow_for_gone", "A peer that reads nothing for a minute is gone, it thinks.", says=60)


@wrong(ex3, "tells_the_app")
def waits_for_the_accept(app):
    """Lets a send wait a moment before it calls it too early: another task may be about to accept."""

    async def patient(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        accepted = asyncio.Event()

        async def inner(scope, receive, send):
            async def give(message):
                if message["type"] == "websocket.accept":
                    accepted.set()
                elif message["type"] == "websocket.send":
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(accepted.wait(), 0.01)
                await send(message)

            await app(scope, receive, give)

        await guard_with()(inner)(scope, receive, send)

    return patient


# ---- 3, right ------------------------------------------------------------------------------------------------------


@right(ex3)
class Guard:
    """A class, and an object for each connection."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        connection = Connection(receive, send)
        await self.app(scope, connection.receive, connection.send)


class Connection:
    def __init__(self, receive, send):
        self._receive, self._send = receive, send
        self.accepted = self.closed = self.gone = False

    async def receive(self):
        if self.gone:
            raise Gone("there is nothing more")
        message = await self._receive()
        self.gone = message["type"] == "websocket.disconnect"
        return message

    async def send(self, message):
        if self.gone or self.closed:
            raise Gone(message["type"])
        if message["type"] == "websocket.close":
            self.closed = True
        elif self.accepted == (message["type"] == "websocket.accept"):
            raise Misuse(message["type"])
        else:
            self.accepted = True
        await self._send(message)


@right(ex3)
def by_a_table(app):
    """A table from state and message to the next state."""
    table = {
        ("connecting", "websocket.accept"): "open",
        ("connecting", "websocket.close"): "closed",
        ("open", "websocket.send"): "open",
        ("open", "websocket.close"): "closed",
    }

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        state = "connecting"

        async def guarded_receive():
            nonlocal state
            if state == "gone":
                raise Gone
            message = await receive()
            state = "gone" if message["type"] == "websocket.disconnect" else state
            return message

        async def guarded_send(message):
            nonlocal state
            if state in ("closed", "gone"):
                raise Gone(state)
            if (state, message["type"]) not in table:
                raise Misuse(f"{message['type']} while {state}")
            state = table[state, message["type"]]
            await send(message)

        await app(scope, guarded_receive, guarded_send)

    return guarded


@right(ex3)
def by_swapping(app):
    """Puts another function in place when the state changes."""

    async def gone(message=None):
        raise Gone

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        now = {"receive": receive}

        async def early(message):
            if message["type"] not in ("websocket.accept", "websocket.close"):
                raise Misuse
            now["send"] = late if message["type"] == "websocket.accept" else gone
            await send(message)

        async def late(message):
            if message["type"] == "websocket.accept":
                raise Misuse
            if message["type"] == "websocket.close":
                now["send"] = gone
            await send(message)

        async def guarded_receive():
            message = await now["receive"]()
            if message["type"] == "websocket.disconnect":
                now["receive"] = now["send"] = gone
            return message

        async def guarded_send(message):
            await now["send"](message)

        now["send"] = early
        await app(scope, guarded_receive, guarded_send)

    return guarded


class Late(Gone):
    """A Gone of one's own."""


right3 = guard_with(late=Late)
right3.__name__ = "with_an_error_of_its_own"
right(ex3)(right3)
two_accepts = guard_with(order=False)
two_accepts.__name__ = "sends_before_it_notes"
two_accepts.__doc__ = "Takes note of an accept when it has been sent: meanwhile a second task sends another."
wrong(ex3, "tells_the_app")(two_accepts)


@right(ex3)
class RaisesAtOnce:
    """An object; its send() is no coroutine function, and raises when it is called."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Pass a scope on, or guard it."""
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        state = ["connecting"]

        async def take():
            if state[0] == "gone":
                raise Gone
            message = await receive()
            if message["type"] == "websocket.disconnect":
                state[0] = "gone"
            return message

        def give(message):
            kind = message["type"].removeprefix("websocket.")
            if state[0] in ("closed", "gone"):
                raise Gone
            if kind not in {"connecting": ("accept", "close"), "open": ("send", "close")}[state[0]]:
                raise Misuse(kind)
            state[0] = {"accept": "open", "close": "closed"}.get(kind, state[0])
            return send(message)

        await self.app(scope, take, give)


@right(ex3)
def knows_its_clients(app):
    """It takes from the scope what every server puts there."""
    guarded = right3(app)
    seen: dict[object, int] = {}

    async def counted(scope, receive, send):
        if scope["type"] == "websocket":
            who = scope["client"][0], scope["path"], scope["query_string"], tuple(scope["subprotocols"])
            seen[who] = seen.get(who, 0) + len(scope["headers"])
        assert scope["asgi"]["version"]
        await guarded(scope, receive, send)

    return counted


# ---- 3, more wrong -------------------------------------------------------------------------------------------------


def guarding(connection):
    """Return a guard that puts such an object between app and server."""

    def guard(app):
        async def guarded(scope, receive, send):
            if scope["type"] != "websocket":
                return await app(scope, receive, send)
            own = connection(receive, send)
            await app(scope, own.receive, own.send)

        return guarded

    guard.__name__, guard.__doc__ = connection.__name__, connection.__doc__
    return guard


@wrong(ex3, "lets_the_rest_through")
def by_path(app):
    """Keeps the state of a connection under its path, which another one shares."""
    table: dict[str, Connection] = {}

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        own = table.setdefault(scope["path"], Connection(receive, send))
        try:
            own._receive, own._send = receive, send
            await app(scope, own.receive, own.send)
        finally:
            table.pop(scope["path"], None)

    return guarded


@wrong(ex3, "tells_the_app")
@guarding
class TakesBackWhatFailed(Connection):
    """An accept or a close that raised has not been sent."""

    async def send(self, message):
        before = self.accepted, self.closed
        try:
            await super().send(message)
        except ConnectionError:
            self.accepted, self.closed = before
            raise


@wrong(ex3, "tells_the_app")
@guarding
class KnowsOneCode(Connection):
    """A close is one with 1000."""

    async def send(self, message):
        await super().send(message)
        self.closed = self.closed and message.get("code", 1000) == 1000


@wrong(ex3, "lets_the_rest_through")
@guarding
class OneAtATime(Connection):
    """A lock for both ways: nothing is sent while somebody waits for a message."""

    def __init__(self, receive, send):
        lock = asyncio.Lock()

        async def receive_alone():
            async with lock:
                return await receive()

        async def send_alone(message):
            async with lock:
                await send(message)

        super().__init__(receive_alone, send_alone)


@wrong(ex3, "lets_the_rest_through")
def keeps_misuse_to_itself(app):
    """Whatever the app misuses, the server hears of no error."""

    async def guarded(scope, receive, send):
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        own = Connection(receive, send)
        with contextlib.suppress(Misuse):
            await app(scope, own.receive, own.send)

    return guarded


@wrong(ex3, "tells_the_app")
@guarding
class AcceptsFirst(Connection):
    """Asks for a second accept before it asks whether the connection has ended."""

    async def send(self, message):
        if self.accepted and message["type"] == "websocket.accept":
            raise Misuse("accepted before")
        await super().send(message)


@wrong(ex3, "tells_the_app")
@guarding
class EarlyBeforeGone(Connection):
    """A send before the accept is Misuse, even when the client has left."""

    async def send(self, message):
        if not self.accepted and message["type"] not in ("websocket.accept", "websocket.close"):
            raise Misuse("not accepted")
        await super().send(message)


@wrong(ex3, "tells_the_app")
@guarding
class ChecksThenWaits(Connection):
    """Looks at its state, then waits for a lock, then changes it: what is called behind a close that waits passes."""

    def __init__(self, receive, send):
        super().__init__(receive, send)
        self.lock = asyncio.Lock()

    async def send(self, message):
        kind = message["type"]
        if self.gone or self.closed:
            raise Gone(kind)
        if kind != "websocket.close" and self.accepted == (kind == "websocket.accept"):
            raise Misuse(kind)
        async with self.lock:
            self.accepted, self.closed = True, kind == "websocket.close"
            await self._send(message)


@wrong(ex3, "tells_the_app")
@guarding
class TakesBackWhatWasCancelled(Connection):
    """A close that was cancelled has not been sent."""

    async def send(self, message):
        before = self.closed
        try:
            await super().send(message)
        except asyncio.CancelledError:
            self.closed = before
            raise


@wrong(ex3, "lets_the_rest_through")
@guarding
class AsksOnce(Connection):
    """A receive() that was cancelled is the end of the connection."""

    async def receive(self):
        try:
            return await super().receive()
        except BaseException:
            self.gone = True
            raise


@wrong(ex3, "lets_the_rest_through")
@guarding
class WantsToBeAsked(Connection):
    """An accept before the app has received `websocket.connect` is Misuse."""

    asked = False

    async def receive(self):
        self.asked = True
        return await super().receive()

    async def send(self, message):
        if not self.asked:
            raise Misuse(message["type"])
        await super().send(message)


def _watched(known, hidden):
    """Return a guard that passes other scopes on, if it knows them, and keeps some of the app's own errors."""

    def guard(app):
        async def guarded(scope, receive, send):
            if scope["type"] != "websocket":
                if known and scope["type"] not in known:
                    raise NotImplementedError(scope["type"])
                return await app(scope, receive, send)
            own = Connection(receive, send)
            with contextlib.suppress(*hidden):
                await app(scope, own.receive, own.send)

        return guarded

    return guard


for name, sentence, known, hidden in (
    ("hides_the_goodbye", "What the app lets out once its client has left is no error: it catches Gone.", (), (Gone,)),
    ("hides_every_os_error", "The same, with OSError: a file that is missing is one, too.", (), (OSError,)),
    ("knows_three_scopes", "A scope that is not http, lifespan or websocket is an error.", ("http", "lifespan"), ()),
):
    made = _watched(known, hidden)
    made.__name__, made.__doc__ = name, sentence
    wrong(ex3, "lets_the_rest_through")(made)


@wrong(ex1, "ends_with_the_page")
async def reads_thousands(scope, receive, send):
    """Takes commas out before it asks `int`."""
    total = 0
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"].replace(",", ""))
        await send(text(answer))


@wrong(ex1, "ends_with_the_page")
async def says_the_newest(scope, receive, send):
    """A writer that sends the newest answer: of two texts that come while it sends, one gets none."""
    await receive()
    await send(ACCEPT)
    news, total, answer = asyncio.Event(), 0, ""

    async def write():
        while True:
            await news.wait()
            news.clear()
            await send(text(answer))

    writer = asyncio.create_task(write())
    try:
        while (message := await receive())["type"] == "websocket.receive":
            total, answer = added(total, message["text"])
            news.set()
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


@wrong(ex1, "ends_with_the_page")
async def a_group_lets_it_out(scope, receive, send):
    """A reader and a writer in a group: the writer sends on when the peer has left, and what that raises comes out."""
    await receive()
    await send(ACCEPT)
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def read():
        while (message := await receive())["type"] == "websocket.receive":
            queue.put_nowait(message["text"])
        queue.put_nowait(None)

    async def write():
        total = 0
        while (content := await queue.get()) is not None:
            total, answer = added(total, content)
            await send(text(answer))

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(write())


@right(ex1)
async def a_group_that_expects_it(scope, receive, send):
    """The same, with `except* OSError`."""
    with contextlib.suppress(OSError):
        try:
            await a_group_lets_it_out(scope, receive, send)
        except* OSError:
            pass


@right(ex1)
async def a_group_that_the_reader_ends(scope, receive, send):
    """What a send raises that comes with the goodbye is a race, and no mistake."""

    class Left(Exception):
        pass

    await receive()
    await send(ACCEPT)
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def read():
        while (message := await receive())["type"] == "websocket.receive":
            queue.put_nowait(message["text"])
        raise Left

    async def write():
        total = 0
        while True:
            total, answer = added(total, await queue.get())
            await send(text(answer))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())
    except* Left:
        pass


@right(ex1)
async def knows_its_client(scope, receive, send):
    """It takes from the scope what every server puts there."""
    assert all(scope[name] for name in ("asgi", "client", "headers", "path", "server"))
    await receive()
    await send(ACCEPT)
    total = 0
    while (message := await receive())["type"] == "websocket.receive":
        total, answer = added(total, message["text"])
        await send(text(answer))


@right(ex1)
async def one_task_asks(scope, receive, send):
    """A task that receives outlives the timeouts of those who wait for it."""
    total, asking = 0, None
    try:
        await receive()
        await send(ACCEPT)
        while True:
            asking = asking or asyncio.ensure_future(receive())
            done, _ = await asyncio.wait({asking}, timeout=600)
            if not done:
                continue
            message, asking = asking.result(), None
            if message["type"] == "websocket.disconnect":
                return
            total, answer = added(total, message["text"])
            await send(text(answer))
    finally:
        if asking:
            asking.cancel()
            await asyncio.wait({asking})


def counting_that(*, early=False, fixed=(False, False), cap=False, words=()):
    """Return a `count` with one of the mistakes that the keywords name."""

    async def tell(pages, is_fixed):
        number = len(pages)
        for page in list(pages):
            if page in pages:
                now = number if is_fixed else min(number, len(pages)) if cap else len(pages)
                with contextlib.suppress(OSError):
                    await page(text(now))

    async def count(scope, receive, send, pages):
        await receive()
        if early:
            pages.add(send)
        try:
            await send(ACCEPT)
            pages.add(send)
            await tell(pages, fixed[0])
            while (message := await receive())["type"] == "websocket.receive" and message.get("text") not in words:
                pass
        finally:
            pages.discard(send)
            await tell(pages, fixed[1])

    return count


for name, sentence, mistake in (
    ("opens_before_the_accept", "Is in the set before its accept is through.", {"early": True}),
    ("says_how_many_there_were", "Takes the number once, when a page has left.", {"fixed": (False, True)}),
    ("counts_who_was_there", "Counts those who have left meanwhile, not those who have opened.", {"cap": True}),
    ("heeds_a_goodbye", "A page that says bye has left.", {"words": ("bye",)}),
):
    made = counting_that(**mistake)
    made.__name__, made.__doc__ = name, sentence
    wrong(ex2, "tells_everybody")(made)


@right(ex2)
async def all_at_the_same_time(scope, receive, send, pages):
    """A group for each round, with a look in each task."""

    async def inform(page):
        if page in pages:
            with contextlib.suppress(OSError):
                await page(text(len(pages)))

    async def tell():
        async with asyncio.TaskGroup() as group:
            for page in pages:
                group.create_task(inform(page))

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell()
        while (await receive())["type"] == "websocket.receive":
            pass
    finally:
        pages.discard(send)
        await tell()


# ---- attempts ------------------------------------------------------------------------------------------------------

attempt(ex1, "            break", "            continue")


@wrong(ex2, "tells_everybody")
async def an_hour_each(scope, receive, send, pages):
    """Gives up a message that takes an hour: a page that is there, and slow, is told nothing."""

    async def tell(page):
        if page in pages:
            await page(text(len(pages)))

    async def tell_all():
        for page in list(pages):
            with contextlib.suppress(OSError):
                await asyncio.wait_for(tell(page), 3_600)

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        while (await receive())["type"] == "websocket.receive":
            pass
    finally:
        pages.discard(send)
        await tell_all()


@wrong(ex2, "tells_everybody")
async def a_group_for_each_round(scope, receive, send, pages):
    """All at the same time in a task group: the OSError of a page that is gone cancels the sends to the others."""

    async def tell(page):
        if page in pages:
            await page(text(len(pages)))

    async def tell_all():
        try:
            async with asyncio.TaskGroup() as group:
                for page in pages:
                    group.create_task(tell(page))
        except* OSError:
            pass

    await receive()
    await send(ACCEPT)
    pages.add(send)
    try:
        await tell_all()
        while (await receive())["type"] == "websocket.receive":
            pass
    finally:
        pages.discard(send)
        await tell_all()


attempt(ex2, "    pages.remove(send)", "    pages.discard(send)")
attempt(ex3, "await app(scope, receive, send)", "return await app(scope, receive, send)")


@wrong(ex3, "lets_the_rest_through")
class KeepsSendInSelf:
    """The object is the app's, and keeps the send of the connection that came last."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        self.send = send
        own = Connection(receive, lambda message: self.send(message))
        await self.app(scope, own.receive, own.send)


@wrong(ex3, "lets_the_rest_through")
class ClosesForAll:
    """Each connection begins anew; while two are open, a close of the one is a close of both."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        self.closed = False
        own = Connection(receive, send)

        async def say(message):
            if self.closed:
                raise Gone("closed")
            self.closed = message["type"] == "websocket.close"
            await own.send(message)

        await self.app(scope, own.receive, say)
