"""Answers to lesson 00, some of them wrong on purpose."""

# ruff: noqa: E722, RUF006

import asyncio
import contextlib
import string
from typing import Any

import anyio
from starlette.websockets import WebSocketDisconnect

from helpers.exercises.start_here import ex1
from tests.answers import attempt, right, wrong

# ---- wrong ---------------------------------------------------------------------------------------------------------


@wrong(ex1, "ends_quietly")
async def lets_the_disconnect_escape(websocket):
    """No except: the disconnect escapes as an exception."""
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        await websocket.send_text(text.upper())


turns = asyncio.Lock()


@wrong(ex1, "answers_everything")
async def shouts_one_at_a_time(websocket):
    """A lock of the module's around each send: whose peer does not read keeps all others waiting."""
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        async for text in websocket.iter_text():
            async with turns:
                await websocket.send_text(text.upper())


@wrong(ex1, "yields")
async def busy_loop(websocket):
    """Busy loop: goes on after every error, the disconnect included."""
    await websocket.accept()
    while True:
        try:
            text = await websocket.receive_text()
            await websocket.send_text(text.upper())
        except Exception:
            continue


@wrong(ex1, "answers_everything")
async def one_message_only(websocket):
    """No loop: hangs up after the first message."""
    await websocket.accept()
    text = await websocket.receive_text()
    await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def never_accepts(websocket):
    """Forgets accept()."""
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


@wrong(ex1, "ends_quietly")
async def closes_again(websocket):
    """Double close: closes a connection that the peer has closed."""
    await websocket.accept()
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())
    finally:
        await websocket.close()


@wrong(ex1, "ends_quietly")
async def says_bye(websocket):
    """Sends after the peer has left."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())
    await websocket.send_text("BYE")


@wrong(ex1, "ends_quietly")
async def reads_past_the_disconnect(websocket):
    """Raw loop that skips what has no text, the disconnect included, and calls receive() again."""
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message.get("text") is not None:
            await websocket.send_text(message["text"].upper())


@wrong(ex1, "leaves_no_task")
async def heartbeat_outlives_the_socket(websocket):
    """Starts a heartbeat that nobody stops."""
    await websocket.accept()

    async def beat():
        while True:
            await asyncio.sleep(20)

    asyncio.create_task(beat())
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def reads_in_two_places(websocket):
    """Reads in two places: what the watcher gets, nobody answers."""
    await websocket.accept()

    async def watch():
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    watcher = asyncio.create_task(watch())
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())
    watcher.cancel()
    await asyncio.wait([watcher])


# ---- right ---------------------------------------------------------------------------------------------------------


@right(ex1)
async def expects_the_disconnect(websocket):
    """receive_text, and except WebSocketDisconnect around the loop."""
    await websocket.accept()
    try:
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(text.upper())
    except WebSocketDisconnect:
        pass


@right(ex1)
async def raw_receive(websocket):
    """Raw receive loop that looks at the type."""
    await websocket.accept()
    while (message := await websocket.receive())["type"] == "websocket.receive":
        await websocket.send_text(message["text"].upper())


@right(ex1)
async def task_group(websocket):
    """asyncio.TaskGroup with except*."""
    await websocket.accept()

    async def talk():
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(text.upper())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
    except* WebSocketDisconnect:
        pass


@right(ex1)
async def reader_and_writer(websocket):
    """A task reads, another writes, and is told by what its send raises."""
    await websocket.accept()
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def write():
        while (text := await texts.get()) is not None:
            await websocket.send_text(text.upper())

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        async for text in websocket.iter_text():
            texts.put_nowait(text)
        texts.put_nowait(None)


class Shouting:
    """A callable object with an option."""

    def __init__(self, change):
        self.change = change

    async def __call__(self, websocket):
        """Answer each text with what `change` makes of it."""
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(self.change(text))


right(ex1)(Shouting(str.upper))

# ---- wrong, but not in this check's sessions -----------------------------------------------------------------------


@wrong(ex1, "leaves_no_task")
async def task_per_answer(websocket):
    """Sends in tasks that nobody awaits: an end directly after a message finds one running."""
    await websocket.accept()
    async for text in websocket.iter_text():
        asyncio.create_task(websocket.send_text(text.upper()))


@wrong(ex1, "heeds_cancellation")
async def swallows_cancellation(websocket):
    """Bare except: swallows CancelledError as well."""
    await websocket.accept()
    try:
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(text.upper())
    except:
        return


latest: str = ""


@wrong(ex1, "answers_everything")
async def global_text(websocket):
    """Global state: a second connection changes the text while the first one waits to send it."""
    global latest
    await websocket.accept()
    async for latest in websocket.iter_text():
        await asyncio.sleep(0)
        await websocket.send_text(latest.upper())


# ---- wrong, for what nobody says in a first try --------------------------------------------------------------------


@wrong(ex1, "answers_everything")
async def skips_blanks(websocket):
    """Takes an empty text, or one of blanks, for none."""
    await websocket.accept()
    async for text in websocket.iter_text():
        if text.strip():
            await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def stops_at_an_empty_text(websocket):
    """Takes an empty text for the end."""
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while text := await websocket.receive_text():
            await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def strips_the_text(websocket):
    """Tidies up what it was to send back."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.strip().upper())


@wrong(ex1, "answers_everything")
async def answers_a_repeat_once(websocket):
    """Takes a text that is said twice for an echo."""
    await websocket.accept()
    last = None
    async for text in websocket.iter_text():
        if text != last:
            await websocket.send_text(text.upper())
        last = text


@wrong(ex1, "answers_everything")
async def knows_english_letters(websocket):
    """Translates a to z only."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.translate(str.maketrans(string.ascii_lowercase, string.ascii_uppercase)))


@wrong(ex1, "answers_everything")
async def cuts_long_texts(websocket):
    """Sends back the first 1,024 characters."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text[:1024].upper())


@wrong(ex1, "answers_everything")
async def loses_patience(websocket):
    """Takes a minute's silence for the end."""
    await websocket.accept()
    with contextlib.suppress(TimeoutError, WebSocketDisconnect):
        while True:
            await websocket.send_text((await asyncio.wait_for(websocket.receive_text(), 60)).upper())


@wrong(ex1, "answers_everything")
async def drops_what_it_has_no_room_for(websocket):
    """A queue of four, and no word to whoever says a fifth text."""
    await websocket.accept()
    texts: asyncio.Queue[str] = asyncio.Queue(4)
    async with anyio.create_task_group() as group:
        group.start_soon(shout_from, texts, websocket)
        async for text in websocket.iter_text():
            with contextlib.suppress(asyncio.QueueFull):
                texts.put_nowait(text)
        group.cancel_scope.cancel()


# ---- right: two tasks ----------------------------------------------------------------------------------------------


async def shout_from(texts, websocket):
    """Answer what is in a queue, until the peer is gone."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text((await texts.get()).upper())


@right(ex1)
async def hands_on_and_cancels(websocket):
    """Reads here and answers in a task, which is cancelled at the end."""
    await websocket.accept()
    texts: asyncio.Queue[str] = asyncio.Queue()
    async with anyio.create_task_group() as group:
        group.start_soon(shout_from, texts, websocket)
        async for text in websocket.iter_text():
            texts.put_nowait(text)
        group.cancel_scope.cancel()


@right(ex1)
async def reads_in_a_task_that_cancels(websocket):
    """Answers here and reads in a task, whose last act is to cancel."""
    await websocket.accept()
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def read():
        async for text in websocket.iter_text():
            await texts.put(text)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await shout_from(texts, websocket)


# ---- wrong for what is said late, often, or beside another ----------------------------------------------------------


@wrong(ex1, "answers_everything")
async def obeys_quit(websocket):
    """A text that ends the session, though nobody agreed on one."""
    await websocket.accept()
    async for text in websocket.iter_text():
        if text == "quit":
            break
        await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def a_hundred_texts(websocket):
    """A bound on the texts of one client."""
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        for _ in range(100):
            await websocket.send_text((await websocket.receive_text()).upper())


@wrong(ex1, "answers_everything")
async def four_thousand_letters(websocket):
    """A bound on the length of a text."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text[:4096].upper())


@wrong(ex1, "answers_everything")
async def an_hour_for_all(websocket):
    """A deadline for the whole session."""
    await websocket.accept()
    with anyio.move_on_after(3600):
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())


OPEN: list[Any] = []


@wrong(ex1, "answers_everything")
async def crosses_out_the_first(websocket):
    """Who leaves takes the first name off the list, which is another's."""
    await websocket.accept()
    OPEN.append(websocket)
    try:
        async for text in websocket.iter_text():
            if websocket in OPEN:
                await websocket.send_text(text.upper())
    finally:
        OPEN.pop(0)


attempt(ex1, "raise NotImplementedError", "await websocket.receive_text()")


# ---- wrong for a text that is tidied, a peer that is slow, or a code that is rare -------------------------------


def shouting(change):
    """Return what is the solution but for what it makes of a text."""

    async def shout(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(change(text))

    return shout


@wrong(ex1, "answers_everything")
async def tidies_line_ends(websocket):
    """Makes each line end with a newline alone."""
    await shouting(lambda text: text.replace("\r\n", "\n").upper())(websocket)


@wrong(ex1, "answers_everything")
async def squeezes_blanks(websocket):
    """Two blanks within a text become one."""
    await shouting(lambda text: text.upper().replace("  b", " b").replace("  T", " T"))(websocket)


@wrong(ex1, "answers_everything")
async def drops_what_nobody_sees(websocket):
    """Leaves out a byte order mark."""
    await shouting(lambda text: text.removeprefix("\ufeff").upper())(websocket)


@wrong(ex1, "answers_everything")
async def keeps_links(websocket):
    """A link in capital letters leads nowhere, so it stays as it is."""
    await shouting(lambda text: text if text.startswith("https://") else text.upper())(websocket)


@wrong(ex1, "answers_everything")
async def obeys_a_slash(websocket):
    """A command of a chat that this is not."""
    await websocket.accept()
    async for text in websocket.iter_text():
        if text.startswith("/quit"):
            return
        await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def gives_up_on_slow_peers(websocket):
    """Five seconds for a peer to take its text, which is dropped then."""
    await websocket.accept()
    async for text in websocket.iter_text():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(websocket.send_text(text.upper()), 5)


@wrong(ex1, "ends_quietly")
async def knows_usual_codes(websocket):
    """Lets out a disconnect whose code is rare."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text((await websocket.receive_text()).upper())
    except WebSocketDisconnect as gone:
        if gone.code not in (1000, 1001, 1005, 1006, 1012):
            raise


@wrong(ex1, "ends_quietly")
async def swallows_a_refused_send(websocket):
    """Goes on where a send was refused: Starlette does not let it receive any more."""
    await websocket.accept()
    async for text in websocket.iter_text():
        with contextlib.suppress(WebSocketDisconnect):
            await websocket.send_text(text.upper())


@right(ex1)
async def a_task_for_each_text(websocket):
    """Where the first of them is refused, Starlette raises another error in those that wait for their turn."""
    await websocket.accept()
    turn = asyncio.Lock()

    async def shout(text):
        async with turn:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.send_text(text.upper())

    async with asyncio.TaskGroup() as group:
        tasks = []
        async for text in websocket.iter_text():
            tasks.append(group.create_task(shout(text)))
        for task in tasks:
            task.cancel()


# ---- wrong for very long texts, for a silence after the first, for many at once --------------------------------------


@wrong(ex1, "answers_everything")
async def a_megabyte_is_too_much(websocket):
    """No word to whoever shouts for longer than a megabyte."""
    await websocket.accept()
    async for text in websocket.iter_text():
        if len(text) <= 2**20:
            await websocket.send_text(text.upper())


@wrong(ex1, "answers_everything")
async def loses_patience_once_they_have_met(websocket):
    """Takes five minutes' silence for the end, but waits for the first text."""
    await websocket.accept()
    patience = None
    with contextlib.suppress(TimeoutError, WebSocketDisconnect):
        while True:
            await websocket.send_text((await asyncio.wait_for(websocket.receive_text(), patience)).upper())
            patience = 300


ten = asyncio.Semaphore(10)


@wrong(ex1, "answers_everything")
async def has_room_for_ten(websocket):
    """The eleventh connection is accepted, and waits for another one's end."""
    await websocket.accept()
    async with ten:
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())


async def heard_in_time(websocket):
    """Yield each text that comes within an age."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            yield await asyncio.wait_for(websocket.receive_text(), 1e6)


@right(ex1)
async def waits_in_a_generator(websocket):
    """A deadline that nobody meets, in an async generator: what wait_for loses of a cancellation is not this one's."""
    await websocket.accept()
    async for text in heard_in_time(websocket):
        await websocket.send_text(text.upper())
