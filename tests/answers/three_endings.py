"""Answers to lesson 01, some of them wrong on purpose."""

import asyncio
import contextlib
import functools
from typing import Any

import anyio
from starlette.websockets import WebSocketDisconnect, WebSocketState

from helpers.exercises.three_endings import ex1, ex2
from tests.answers import attempt, right, wrong

# ---- 1, wrong ------------------------------------------------------------------------------------------------------


async def echo_until_bye(websocket):
    """What many answers below begin with; closes after "bye"."""
    await websocket.accept()
    while (text := await websocket.receive_text()) != "bye":
        await websocket.send_text(text)
    await websocket.close(4000)


def by_code(ended, code):
    """Report what a server said, truthfully."""
    if code in (1005, 1006):
        ended("unknown")
    else:
        ended("server" if code == 1012 else "peer", code)


@wrong(ex1, "tells_the_truth")
async def only_1006_is_nobody(websocket, ended):
    """Knows of 1006 and takes 1005 for something that was said."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code == 1006:
            ended("unknown")
        else:
            ended("server" if gone.code == 1012 else "peer", gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def only_1005_is_nobody(websocket, ended):
    """Knows of 1005; a send that fails is then a peer that said 1006."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code == 1005:
            ended("unknown")
        else:
            ended("server" if gone.code == 1012 else "peer", gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def blames_the_peer_for_the_restart(websocket, ended):
    """1012 is reported as the peer's."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code in (1005, 1006):
            ended("unknown")
        else:
            ended("peer", gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def always_unknown(websocket, ended):
    """Broad except: what the peer did say is lost."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except Exception:
        ended("unknown")
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def iterates(websocket, ended):
    """iter_text takes the disconnect for itself, and its code."""
    await websocket.accept()
    try:
        async for text in websocket.iter_text():
            if text == "bye":
                await websocket.close(4000)
                ended("app", 4000)
                return
            await websocket.send_text(text)
        ended("unknown")
    except WebSocketDisconnect:
        ended("unknown")
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def always_1001(websocket, ended):
    """Reports what is usual."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect:
        ended("peer", 1001)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def boasts_before_it_closes(websocket, ended):
    """Reports its close, and then the peer was faster."""
    await websocket.accept()
    try:
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        ended("app", 4000)
        with contextlib.suppress(WebSocketDisconnect):
            await websocket.close(4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def asks_after_its_own_close(websocket, ended):
    """Closes, asks receive() for the end, and reports what it says."""
    try:
        await echo_until_bye(websocket)
        by_code(ended, (await websocket.receive())["code"])
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def looks_at_the_state(websocket, ended):
    """application_state is CONNECTED until the app itself closes or a send fails: it does not tell who ended it."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        if websocket.application_state == WebSocketState.CONNECTED:
            ended("peer", gone.code)
        else:
            ended("unknown")
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def everything_else_is_a_cancellation(websocket, ended):
    """A default for finally that is a lie whenever nobody thought of a branch."""
    how: tuple[Any, ...] = ("cancelled",)
    await websocket.accept()
    try:
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000)
        how = ("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code not in (1005, 1006):
            how = ("server" if gone.code == 1012 else "peer", gone.code)
    finally:
        ended(*how)


@wrong(ex1, "reports_once")
async def forgets_the_cancellation(websocket, ended):
    """No branch for CancelledError, which is no Exception."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)


@wrong(ex1, "reports_once")
async def forgets_its_own_close(websocket, ended):
    """Every way out is reported but the ordinary one."""
    try:
        await echo_until_bye(websocket)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "reports_once")
async def reports_twice(websocket, ended):
    """Reports in except and, to be sure, in finally."""
    code = 1005
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        code = gone.code
        by_code(ended, code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise
    finally:
        if code != 1005:
            by_code(ended, code)


@wrong(ex1, "heeds_cancellation")
async def swallows_cancellation(websocket, ended):
    """Reports the cancellation and returns."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")


@wrong(ex1, "reports_once")
async def writes_its_log_first(websocket, ended):
    """Awaits something before it reports that it was cancelled: a second cancellation comes there."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
        ended("cancelled")
        raise


@wrong(ex1, "ends_quietly")
async def invents_a_word(websocket, ended):
    """A word that ended() does not know."""
    try:
        await echo_until_bye(websocket)
        ended("me", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "closes_on_bye")
async def answers_bye(websocket, ended):
    """Echoes "bye" like any text."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "closes_on_bye")
async def closes_with_1000(websocket, ended):
    """close() without the code, and a report of another one."""
    await websocket.accept()
    try:
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close()
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "ends_quietly")
async def closes_again(websocket, ended):
    """Double close: finally closes what the peer has closed."""
    try:
        await websocket.accept()
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
        await websocket.close(4000)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@wrong(ex1, "tells_the_truth")
async def shutdown_by_cancellation(websocket, ended):
    """Takes every cancellation for the server's shutdown, and gives it uvicorn's code."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("server", 1012)
        raise


# ---- 1, wrong for what is said once in a thousand times -------------------------------------------------------------


def but_for(is_bye=lambda text: text == "bye", by=by_code, patience=None):
    """Return what is the solution but for one thing."""

    async def testify(websocket, ended):
        await websocket.accept()
        try:
            while not is_bye(text := await asyncio.wait_for(websocket.receive_text(), patience)):
                await websocket.send_text(text)
            await websocket.close(4000)
            ended("app", 4000)
        except (WebSocketDisconnect, TimeoutError) as gone:
            by(ended, getattr(gone, "code", 1006))
        except asyncio.CancelledError:
            ended("cancelled")
            raise

    return testify


def as_app(ended, code):
    """Report 4000 as the app's own, whoever said it."""
    ended("app", 4000) if code == 4000 else by_code(ended, code)


def as_server(ended, code):
    """Report 1011, internal error, as the server's restart."""
    by_code(ended, 1012 if code == 1011 else code)


def only_usual_codes(ended, code):
    """Report codes from 3000 on as nobody's."""
    by_code(ended, 1006 if code >= 3000 else code)


@wrong(ex1, "tells_the_truth")
async def takes_4000_for_its_own(websocket, ended):
    """The peer may say 4000, too."""
    await but_for(by=as_app)(websocket, ended)


@wrong(ex1, "tells_the_truth")
async def takes_1011_for_the_servers(websocket, ended):
    """A peer that says 1011 has an error of its own."""
    await but_for(by=as_server)(websocket, ended)


@wrong(ex1, "tells_the_truth")
async def knows_usual_codes(websocket, ended):
    """Codes of applications, 3000 to 4999, are said by somebody."""
    await but_for(by=only_usual_codes)(websocket, ended)


@wrong(ex1, "answers_everything")
async def hears_bye_in_everything(websocket, ended):
    """Closes after "good bye" as well."""
    await but_for(is_bye=lambda text: text.strip().lower().endswith("bye"))(websocket, ended)


@wrong(ex1, "answers_everything")
async def takes_nothing_for_bye(websocket, ended):
    """Closes after an empty text as well."""
    await but_for(is_bye=lambda text: text in {"", "bye"})(websocket, ended)


@wrong(ex1, "answers_everything")
async def takes_silence_for_the_end(websocket, ended):
    """Nobody speaks for a minute."""
    await but_for(patience=60)(websocket, ended)


@wrong(ex1, "closes_on_bye")
async def echoes_bye(websocket, ended):
    """Echoes each text, "bye" too, before it closes."""
    await websocket.accept()
    try:
        text = ""
        while text != "bye":
            await websocket.send_text(text := await websocket.receive_text())
        await websocket.close(4000)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


# ---- 1, right ------------------------------------------------------------------------------------------------------


one_echoes = asyncio.Lock()


@wrong(ex1, "answers_everything")
async def one_echo_at_a_time(websocket, ended):
    """A lock of the module's around each echo: whose peer does not read keeps all others waiting."""
    await websocket.accept()
    how: tuple[Any, ...] = ("unknown",)
    try:
        while (text := await websocket.receive_text()) != "bye":
            async with one_echoes:
                await websocket.send_text(text)
        await websocket.close(4000)
        how = ("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code not in {1005, 1006}:
            how = ("server" if gone.code == 1012 else "peer", gone.code)
    except asyncio.CancelledError:
        how = ("cancelled",)
        raise
    finally:
        ended(*how)


@right(ex1)
async def one_word_in_finally(websocket, ended):
    """A variable that every branch sets, and one report in finally."""
    await websocket.accept()
    how: tuple[Any, ...] = ("unknown",)
    try:
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000)
        how = ("app", 4000)
    except WebSocketDisconnect as gone:
        if gone.code == 1012:
            how = ("server", 1012)
        elif gone.code not in {1005, 1006, 1015}:
            how = ("peer", gone.code)
    except asyncio.CancelledError:
        how = ("cancelled",)
        raise
    finally:
        ended(*how)


@right(ex1)
async def raw_messages(websocket, ended):
    """receive() and the type of each message; a send that fails is the end too."""
    await websocket.accept()
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if message["text"] == "bye":
                await websocket.close(4000)
                ended("app", 4000)
                return
            await websocket.send_text(message["text"])
        by_code(ended, message["code"])
    except WebSocketDisconnect:
        ended("unknown")
    except anyio.get_cancelled_exc_class():
        ended("cancelled")
        raise


@right(ex1)
async def asks_why_the_send_failed(websocket, ended):
    """After a send that failed, receive() still has the code."""
    await websocket.accept()
    try:
        while (text := await websocket.receive_text()) != "bye":
            try:
                await websocket.send_text(text)
            except WebSocketDisconnect:
                by_code(ended, (await websocket.receive())["code"])
                return
        await websocket.close(4000)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@contextlib.asynccontextmanager
async def reported(ended):
    """Reports how the block ended."""
    try:
        yield
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@right(ex1)
async def context_manager(websocket, ended):
    """The report in a context manager around the session."""
    async with reported(ended):
        await echo_until_bye(websocket)


@right(ex1)
async def in_a_task_group(websocket, ended):
    """The echo in a task, except* around the group, and the cancellation around both."""
    try:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(echo_until_bye(websocket))
            ended("app", 4000)
        except* WebSocketDisconnect as group_of_one:
            (gone,) = group_of_one.exceptions
            by_code(ended, getattr(gone, "code", 0))
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@right(ex1)
async def reads_ahead(websocket, ended):
    """A reader task and a queue: the reader may know of the end while a send fails."""
    await websocket.accept()
    messages: asyncio.Queue[Any] = asyncio.Queue()

    async def read():
        while True:
            messages.put_nowait(message := await websocket.receive())
            if message["type"] == "websocket.disconnect":
                return

    reader = asyncio.create_task(read())
    try:
        while (message := await messages.get())["type"] == "websocket.receive":
            if message["text"] == "bye":
                await websocket.close(4000)
                ended("app", 4000)
                return
            await websocket.send_text(message["text"])
        by_code(ended, message["code"])
    except (WebSocketDisconnect, RuntimeError):
        ended("unknown")
    except asyncio.CancelledError:
        ended("cancelled")
        raise
    finally:
        reader.cancel()
        await asyncio.wait([reader])


@right(ex1)
async def accepts_inside(websocket, ended):
    """Has accept() in the try as well: a peer that leaves before it is an OSError."""
    try:
        await echo_until_bye(websocket)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except OSError:
        ended("unknown")
    except asyncio.CancelledError:
        ended("cancelled")
        raise
    else:
        ended("app", 4000)


attempt(ex1, "await websocket.close(4000)", 'await websocket.close(4000)\n        ended("app", 4000)')

# ---- 2, wrong ------------------------------------------------------------------------------------------------------


async def send_all(websocket, prices):
    """Send each price; it never ends by itself."""
    async for price in prices:
        await websocket.send_text(price)


@wrong(ex2, "ends")
async def catches_what_send_raises(websocket, prices):
    """The popular advice: send raises when the peer is gone."""
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        await send_all(websocket, prices)


@wrong(ex2, "ends")
async def looks_before_it_sends(websocket, prices):
    """client_state is CONNECTED until somebody receives the disconnect."""
    await websocket.accept()
    async for price in prices:
        if websocket.client_state != WebSocketState.CONNECTED:
            return
        await websocket.send_text(price)


@wrong(ex2, "ends")
async def gathers(websocket, prices):
    """Waits for both with gather, and the sender never ends."""
    await websocket.accept()

    async def watch():
        async for _ in websocket.iter_text():
            pass

    await asyncio.gather(send_all(websocket, prices), watch())


@wrong(ex2, "ends")
async def sets_an_event(websocket, prices):
    """The watcher sets an event at which the sender looks, when the next price has come."""
    await websocket.accept()
    gone = asyncio.Event()

    async def watch():
        async for _ in websocket.iter_text():
            pass
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        async for price in prices:
            if gone.is_set():
                break
            await websocket.send_text(price)
    finally:
        watcher.cancel()
        await asyncio.wait([watcher])


@wrong(ex2, "ends")
async def looks_between_prices(websocket, prices):
    """Polls receive() between two prices; when no price comes, nobody looks."""
    await websocket.accept()
    async for price in prices:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                if (await websocket.receive())["type"] == "websocket.disconnect":
                    return
        await websocket.send_text(price)


@wrong(ex2, "answers_everything")
async def one_price_for_one_word(websocket, prices):
    """Waits for the peer's word before each price: this peer may say nothing."""
    await websocket.accept()
    async for price in prices:
        await websocket.receive_text()
        await websocket.send_text(price)


@wrong(ex2, "answers_everything")
async def any_message_is_the_end(websocket, prices):
    """Takes the first thing that is received for the disconnect."""
    await websocket.accept()
    async with anyio.create_task_group() as group:
        group.start_soon(send_all, websocket, prices)
        await websocket.receive()
        group.cancel_scope.cancel()


@wrong(ex2, "ends_quietly")
async def lets_the_group_raise(websocket, prices):
    """receive_text raises in the task group, and what comes out is an ExceptionGroup that nobody catches."""
    await websocket.accept()
    async with asyncio.TaskGroup() as group:
        group.create_task(send_all(websocket, prices))
        while True:
            await websocket.receive_text()


@wrong(ex2, "leaves_no_task")
async def forgets_the_sender(websocket, prices):
    """The handler ends with the peer, the sender does not."""
    await websocket.accept()
    task = asyncio.create_task(send_all(websocket, prices))
    async for _ in websocket.iter_text():
        pass
    assert not task.cancelled()


@wrong(ex2, "leaves_no_task")
async def cancels_and_goes(websocket, prices):
    """cancel() only asks; nobody waits."""
    await websocket.accept()
    task = asyncio.create_task(send_all(websocket, prices))
    try:
        async for _ in websocket.iter_text():
            pass
    finally:
        task.cancel()


@wrong(ex2, "leaves_no_task")
async def first_completed_and_go(websocket, prices):
    """asyncio.wait tells who was first, and leaves the other one alone."""
    await websocket.accept()
    tasks = [asyncio.create_task(send_all(websocket, prices)), asyncio.create_task(websocket.receive())]
    while True:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[1] not in done or tasks[1].result()["type"] == "websocket.disconnect":
            return
        tasks[1] = asyncio.create_task(websocket.receive())


@wrong(ex2, "ends_because_it_was_told")
async def gives_up_after_a_while(websocket, prices):
    """Ten seconds without a price must mean that the peer is gone, and the next one takes a minute."""
    await websocket.accept()
    try:
        while True:
            price = await asyncio.wait_for(anext(prices), 10)
            await websocket.send_text(price)
    except (TimeoutError, WebSocketDisconnect):
        pass


@wrong(ex2, "answers_everything")
async def gives_up_too_soon(websocket, prices):
    """A second without a price ends the session of a peer that is there."""
    await websocket.accept()
    with contextlib.suppress(TimeoutError, WebSocketDisconnect):
        while True:
            await websocket.send_text(await asyncio.wait_for(anext(prices), 1))


@wrong(ex2, "ends_quietly")
async def closes_to_be_sure(websocket, prices):
    """Double close, in finally."""
    await websocket.accept()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send_all, websocket, prices)
            async for _ in websocket.iter_text():
                pass
            group.cancel_scope.cancel()
    finally:
        await websocket.close()


@wrong(ex2, "heeds_cancellation")
async def swallows_every_cancellation(websocket, prices):
    """Waits for its own cancelled sender, and takes anybody's cancellation for that one."""
    await websocket.accept()
    task = asyncio.create_task(send_all(websocket, prices))
    try:
        async for _ in websocket.iter_text():
            pass
    except asyncio.CancelledError:
        pass
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
        await task


@wrong(ex2, "hears_goodbye_once")
async def asks_again(websocket, prices):
    """Empties the channel before it ends, as if something could still be in it."""
    await websocket.accept()
    async with anyio.create_task_group() as group:
        group.start_soon(send_all, websocket, prices)
        while (await websocket._receive())["type"] != "websocket.disconnect":
            pass
        group.cancel_scope.cancel()
    with anyio.move_on_after(1):
        await websocket._receive()


# ---- 2, wrong for prices that are said once in a thousand times -----------------------------------------------------


async def receive_while(websocket, keep_on):
    """Receive as long as this likes the message."""
    while keep_on(await websocket.receive()):
        pass


def pushing(send, keep_on=lambda message: message["type"] == "websocket.receive"):
    """Return what is the solution but for one thing."""

    async def push(websocket, prices):
        await websocket.accept()

        async def quietly():
            with contextlib.suppress(WebSocketDisconnect):
                await send(websocket, prices)

        async with anyio.create_task_group() as group:
            group.start_soon(quietly)
            await receive_while(websocket, keep_on)
            group.cancel_scope.cancel()

    return push


@wrong(ex2, "answers_everything")
async def skips_an_empty_price(websocket, prices):
    """An empty price is a price."""

    async def send(websocket, prices):
        async for price in prices:
            if price:
                await websocket.send_text(price)

    await pushing(send)(websocket, prices)


@wrong(ex2, "answers_everything")
async def sends_changes_only(websocket, prices):
    """The same price twice is two prices."""

    async def send(websocket, prices):
        last = None
        async for price in prices:
            if price != last:
                await websocket.send_text(price)
            last = price

    await pushing(send)(websocket, prices)


@wrong(ex2, "answers_everything")
async def gives_up_after_half_a_minute(websocket, prices):
    """The next price takes a minute."""

    async def send(websocket, prices):
        while True:
            await websocket.send_text(await asyncio.wait_for(anext(prices), 30))

    await pushing(send)(websocket, prices)


@wrong(ex2, "answers_everything")
async def keeps_eight_prices(websocket, prices):
    """A queue of eight, and prices that rush."""

    async def send(websocket, prices):
        queue: asyncio.Queue[str] = asyncio.Queue(8)

        async def collect():
            async for price in prices:
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(price)

        async with anyio.create_task_group() as group:
            group.start_soon(collect)
            while True:
                await websocket.send_text(await queue.get())

    await pushing(send)(websocket, prices)


@wrong(ex2, "answers_everything")
async def an_empty_text_is_the_end(websocket, prices):
    """The peer may say nothing, in so many words."""
    await pushing(send_all, keep_on=lambda message: message.get("text"))(websocket, prices)


@wrong(ex2, "ends_because_it_was_told")
async def gives_up_after_two_minutes(websocket, prices):
    """Two minutes without a price must mean that the peer is gone."""
    await websocket.accept()
    with contextlib.suppress(TimeoutError, WebSocketDisconnect):
        while True:
            await websocket.send_text(await asyncio.wait_for(anext(prices), 120))


@wrong(ex2, "leaves_no_task")
async def waits_too_shortly(websocket, prices):
    """Waits a hundredth of a second for a sender that has to let go of its feed."""
    await websocket.accept()
    task = asyncio.create_task(send_all(websocket, prices))
    try:
        while (await websocket.receive())["type"] == "websocket.receive":
            pass
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=0.01)


# ---- 2, right ------------------------------------------------------------------------------------------------------


at_a_time = asyncio.Lock()


@wrong(ex2, "answers_everything")
async def one_sends_at_a_time(websocket, prices):
    """A lock of the module's around each send: whose peer does not read keeps all others waiting."""
    await websocket.accept()

    async def push():
        with contextlib.suppress(WebSocketDisconnect):
            async for price in prices:
                async with at_a_time:
                    await websocket.send_text(price)

    async with anyio.create_task_group() as group:
        group.start_soon(push)
        while (await websocket.receive())["type"] == "websocket.receive":
            pass
        group.cancel_scope.cancel()


@right(ex2)
async def one_lock_for_each(websocket, prices):
    """A lock of the connection's own around each send keeps nobody else waiting."""
    await websocket.accept()
    lock = asyncio.Lock()

    async def push():
        with contextlib.suppress(WebSocketDisconnect):
            async for price in prices:
                async with lock:
                    await websocket.send_text(price)

    async with anyio.create_task_group() as group:
        group.start_soon(push)
        while (await websocket.receive())["type"] == "websocket.receive":
            pass
        group.cancel_scope.cancel()


@right(ex2)
async def waits_for_the_first(websocket, prices):
    """asyncio.wait for the first of two tasks; the other is cancelled and waited for."""
    await websocket.accept()

    async def until_gone():
        async for _ in websocket.iter_text():
            pass

    tasks = [asyncio.create_task(send_all(websocket, prices)), asyncio.create_task(until_gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@right(ex2)
async def group_that_fails_on_purpose(websocket, prices):
    """asyncio.TaskGroup: the disconnect ends the group as an exception, and except* takes it."""
    await websocket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_all(websocket, prices))
            while True:
                await websocket.receive_text()
    except* WebSocketDisconnect:
        pass


@right(ex2)
async def cancels_in_finally(websocket, prices):
    """Receives itself, and ends the sender in finally."""
    await websocket.accept()
    task = asyncio.create_task(send_all(websocket, prices))
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # a send that was told of the end first


@right(ex2)
async def callback_of_the_watcher(websocket, prices):
    """The watcher's done callback cancels a scope in which the handler itself sends."""
    await websocket.accept()

    async def until_gone():
        async for _ in websocket.iter_text():
            pass

    watcher = asyncio.create_task(until_gone())
    try:
        with anyio.CancelScope() as scope, contextlib.suppress(WebSocketDisconnect):
            watcher.add_done_callback(lambda _: scope.cancel())
            await send_all(websocket, prices)
    finally:
        watcher.cancel()
        await asyncio.wait([watcher])


@right(ex2)
async def polls_two_tasks(websocket, prices):
    """Looks twice a second which of two tasks is done, price or message."""
    await websocket.accept()
    price, message = asyncio.ensure_future(anext(prices)), asyncio.ensure_future(websocket.receive())
    try:
        while True:
            await asyncio.wait([price, message], timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                if message.result()["type"] == "websocket.disconnect":
                    return
                message = asyncio.ensure_future(websocket.receive())
            if price.done():
                await websocket.send_text(price.result())
                price = asyncio.ensure_future(anext(prices))
    finally:
        for task in (price, message):
            task.cancel()
        await asyncio.wait([price, message])


@right(ex2)
async def group_that_ends_with_its_reader(websocket, prices):
    """Both in a group: until it has cancelled the sender, that one may send, and hear of it."""
    await websocket.accept()

    async def until_gone():
        while (await websocket.receive())["type"] == "websocket.receive":
            pass
        raise EOFError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(until_gone())
            group.create_task(send_all(websocket, prices))
    except* (EOFError, WebSocketDisconnect):
        pass


@right(ex2)
async def says_how_the_first_ended(websocket, prices):
    """Waits for the first of two tasks and raises what it raised, also PricesFailed."""
    await websocket.accept()
    sender = asyncio.create_task(send_all(websocket, prices))
    reader = asyncio.create_task(receive_while(websocket, lambda message: message["type"] == "websocket.receive"))
    try:
        done, _ = await asyncio.wait([sender, reader], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sender.cancel()
        reader.cancel()
        await asyncio.gather(sender, reader, return_exceptions=True)
    with contextlib.suppress(WebSocketDisconnect):
        for task in done:
            task.result()


class Pusher:
    """A callable object that receives in the handler and sends in a task group."""

    async def __call__(self, websocket, prices):
        """Send until the peer is gone."""
        await websocket.accept()
        async with anyio.create_task_group() as group:
            group.start_soon(functools.partial(send_all, websocket, prices))
            while (await websocket.receive())["type"] == "websocket.receive":
                continue
            group.cancel_scope.cancel()


right(ex2)(Pusher())

attempt(ex2, "await websocket.send_text(price)", "await websocket.send_text(price + '!')")


# ---- wrong beside another, or beside a source that is slow to let go -------------------------------------------------


class Gone(Exception):
    """The peer has left."""


ALL = functools.cache(lambda _loop: asyncio.Lock())


@wrong(ex1, "answers_everything")
async def receives_under_a_lock(websocket, ended):
    """A lock for all, held while one client says nothing."""
    await websocket.accept()
    try:
        while True:
            async with ALL(asyncio.get_running_loop()):
                text = await websocket.receive_text()
            if text == "bye":
                break
            await websocket.send_text(text)
        await websocket.close(4000)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


async def until_gone(websocket):
    """What the answers below do beside their push."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def push_all(websocket, prices):
    """What the answers below do in a task."""
    async for price in prices:
        await websocket.send_text(price)


@wrong(ex2, "answers_everything")
async def waits_for_prices_under_a_lock(websocket, prices):
    """A lock for all, held while one waits for its price."""
    await websocket.accept()

    async def pushing():
        while True:
            async with ALL(asyncio.get_running_loop()):
                price = await anext(prices)
            await websocket.send_text(price)

    push = asyncio.create_task(pushing())
    try:
        await until_gone(websocket)
    finally:
        push.cancel()
        await asyncio.wait([push])


@wrong(ex2, "answers_everything")
async def obeys_stop(websocket, prices):
    """A text that ends the session is not ignored."""
    await websocket.accept()
    push = asyncio.create_task(push_all(websocket, prices))
    try:
        async for text in websocket.iter_text():
            if text == "stop":
                break
    finally:
        push.cancel()
        await asyncio.wait([push])


@wrong(ex2, "leaves_no_task")
async def waits_ten_seconds_for_the_push(websocket, prices):
    """A deadline for the end of a task that has been cancelled."""
    await websocket.accept()
    push = asyncio.create_task(push_all(websocket, prices))
    try:
        await until_gone(websocket)
    finally:
        push.cancel()
        await asyncio.wait([push], timeout=10)


PUSHES: set[asyncio.Task[None]] = set()


@wrong(ex2, "ends_because_it_was_told")
async def ends_every_push(websocket, prices):
    """Who leaves cancels the pushes of all."""
    await websocket.accept()
    watch = asyncio.create_task(until_gone(websocket))
    push = asyncio.create_task(push_all(websocket, prices))
    PUSHES.add(push)
    try:
        await asyncio.wait([watch, push], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watch, *PUSHES):
            task.cancel()
        PUSHES.clear()
        await asyncio.wait([watch, push])


@wrong(ex2, "answers_everything")
async def throws_the_talkative_out(websocket, prices):
    """Counts the texts that it ignores, and closes after the hundredth."""
    await websocket.accept()
    async with anyio.create_task_group() as group:
        group.start_soon(push_all, websocket, prices)
        said = 0
        while (await websocket.receive())["type"] == "websocket.receive":
            said += 1
            if said == 100:
                await websocket.close(1008)
                break
        group.cancel_scope.cancel()


@right(ex2)
async def a_callback_cancels(websocket, prices):
    """The reader's callback cancels the push; a cancellation of the handler's own goes on."""
    await websocket.accept()
    push = asyncio.ensure_future(push_all(websocket, prices))
    watch = asyncio.ensure_future(until_gone(websocket))
    watch.add_done_callback(lambda _: push.cancel())
    try:
        await asyncio.wait([push])
    finally:
        push.cancel()
        watch.cancel()
        await asyncio.gather(push, watch, return_exceptions=True)


@right(ex2)
async def an_hour_for_each_price(websocket, prices):
    """wait_for() around each send: cancelled in the turn in which the send fails, it raises what that raised."""
    await websocket.accept()

    async def push():
        async for price in prices:
            await asyncio.wait_for(websocket.send_text(price), 3600)

    async with anyio.create_task_group() as group:
        group.start_soon(push)
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
        group.cancel_scope.cancel()


# ---- wrong for a rare code, a reason, a peer that is fast or slow -------------------------------------------------


def testifying(echo, report):
    """Return what is a solution but for how it echoes, or what it makes of a disconnect."""

    async def testify(websocket, ended):
        await websocket.accept()
        try:
            while (text := await websocket.receive_text()) != "bye":
                await echo(websocket, text)
            await websocket.close(4000)
        except WebSocketDisconnect as gone:
            report(ended, gone.code)
        except asyncio.CancelledError:
            ended("cancelled")
            raise
        else:
            ended("app", 4000)

    return testify


async def say(websocket, text):
    """Echo a text."""
    await websocket.send_text(text)


@wrong(ex1, "tells_the_truth")
async def takes_1002_for_nobodys(websocket, ended):
    """A peer that says 1002 or 1007 does not like what it has read."""

    def report(ended, code):
        by_code(ended, 1006 if code in (1002, 1007) else code)

    await testifying(say, report)(websocket, ended)


@wrong(ex1, "ends_quietly")
async def gives_the_reason(websocket, ended):
    """Reports the reason, where the peer has given one, in place of the code."""
    await websocket.accept()
    try:
        await echo_until_bye_in(websocket)
    except WebSocketDisconnect as gone:
        if gone.code in (1005, 1006, 1012):
            by_code(ended, gone.code)
        else:
            ended("peer", gone.reason or gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise
    else:
        ended("app", 4000)


async def echo_until_bye_in(websocket):
    """Echo until "bye", and close."""
    while (text := await websocket.receive_text()) != "bye":
        await websocket.send_text(text)
    await websocket.close(4000)


@wrong(ex1, "answers_everything")
async def closes_before_it_has_echoed(websocket, ended):
    """Echoes in tasks: close() overtakes those of a peer that says everything at once."""
    tasks = []

    async def echo(websocket, text):
        tasks.append(asyncio.create_task(websocket.send_text(text)))

    try:
        await testifying(echo, by_code)(websocket, ended)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@wrong(ex1, "answers_everything")
async def gives_up_on_slow_peers(websocket, ended):
    """Five seconds for a peer to take its text, which is dropped then."""

    async def echo(websocket, text):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(websocket.send_text(text), 5)

    await testifying(echo, by_code)(websocket, ended)


@wrong(ex1, "answers_everything")
async def takes_a_third_for_a_flood(websocket, ended):
    """Says nothing to a text that comes a third time in a row."""
    said = [None, None]

    async def echo(websocket, text):
        if said[-2:] != [text, text]:
            await websocket.send_text(text)
        said.append(text)

    await testifying(echo, by_code)(websocket, ended)


@wrong(ex2, "answers_everything")
async def drops_prices_for_slow_peers(websocket, prices):
    """Five seconds for a peer to take its price, which is dropped then."""
    await websocket.accept()

    async def push():
        async for price in prices:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(websocket.send_text(price), 5)

    async with anyio.create_task_group() as group:
        group.start_soon(push)
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
        group.cancel_scope.cancel()


# ---- a watcher that the first price outruns --------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def a_group_until_gone(websocket):
    """Start a watcher that iterates and ends the group; the block may send before the watcher's first step."""

    async def watch():
        async for _ in websocket.iter_text():
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        yield


@right(ex2)
async def sends_beside_a_watcher_that_iterates(websocket, prices):
    """Where its first send is refused, the watcher begins too late: Starlette does not let it receive any more."""
    await websocket.accept()
    async with a_group_until_gone(websocket):
        await push_all(websocket, prices)


@right(ex2)
async def catches_its_send_beside_a_watcher_that_iterates(websocket, prices):
    """The same, and catches what its own send raises, as the hint says."""
    await websocket.accept()
    async with a_group_until_gone(websocket):
        with contextlib.suppress(WebSocketDisconnect):
            await push_all(websocket, prices)


@wrong(ex2, "ends_quietly")
async def closes_after_its_watcher(websocket, prices):
    """Double close, directly after the group that its watcher has ended."""
    await websocket.accept()
    async with a_group_until_gone(websocket):
        await push_all(websocket, prices)
    await websocket.close()


@right(ex1)
async def closes_politely_when_it_is_cancelled(websocket, ended):
    """Tells the peer that it goes, where it is cancelled: nobody has said "bye", so the code is its own."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        with contextlib.suppress(Exception):
            await websocket.close(1001)
        raise


@wrong(ex1, "tells_the_truth")
async def closes_what_is_gone(websocket, ended):
    """Closes when the peer has left; where that is refused, what the peer said is forgotten."""
    try:
        await echo_until_bye(websocket)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        try:
            await websocket.close()
        except Exception:
            ended("unknown")
        else:
            by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


@right(ex2)
async def sends_in_the_block_of_a_group(websocket, prices):
    """Its watcher fails on purpose: where a cancellation comes just before, asyncio's group loses that."""
    await websocket.accept()

    async def watch():
        await until_gone(websocket)
        raise Gone

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            await push_all(websocket, prices)
    except* (Gone, WebSocketDisconnect):
        pass


@right(ex2)
async def catches_each_refused_price(websocket, prices):
    """Goes on where a price was refused; what Starlette raises for the next one comes out, as the task lets it."""
    await websocket.accept()
    async with a_group_until_gone(websocket):
        async for price in prices:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.send_text(price)


# ---- wrong for what is said late, for codes that came later, for many at once ----------------------------------------


def only_the_first_codes(ended, code):
    """Report the codes that RFC 6455 does not know as nobody's."""
    by_code(ended, 1006 if code in {1013, 1014} else code)


@wrong(ex1, "tells_the_truth")
async def knows_the_first_codes(websocket, ended):
    """1013 and 1014 were registered later, and a peer may say them."""
    await but_for(by=only_the_first_codes)(websocket, ended)


@wrong(ex1, "answers_everything")
async def takes_a_later_silence_for_the_end(websocket, ended):
    """Five minutes after the first text nobody speaks."""
    patience = None
    try:
        await websocket.accept()
        while (text := await asyncio.wait_for(websocket.receive_text(), patience)) != "bye":
            patience = 300
            await websocket.send_text(text)
        await websocket.close(4000)
        ended("app", 4000)
    except (WebSocketDisconnect, TimeoutError) as gone:
        by_code(ended, getattr(gone, "code", 1006))
    except asyncio.CancelledError:
        ended("cancelled")
        raise


echoes = asyncio.Semaphore(10)


@wrong(ex1, "answers_everything")
async def ten_echoes_at_a_time(websocket, ended):
    """Ten whose peers do not read keep all others waiting."""
    try:
        await websocket.accept()
        while (text := await websocket.receive_text()) != "bye":
            async with echoes:
                await websocket.send_text(text)
        await websocket.close(4000)
        ended("app", 4000)
    except WebSocketDisconnect as gone:
        by_code(ended, gone.code)
    except asyncio.CancelledError:
        ended("cancelled")
        raise


class Verdict:
    """What the exception at the end of a session says of it."""

    def __init__(self, ended):
        self._ended = ended

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if error is None:
            self._ended("app", 4000)
        elif isinstance(error, asyncio.CancelledError):
            self._ended("cancelled")
        else:
            by_code(self._ended, getattr(error, "code", 1006))
        return isinstance(error, WebSocketDisconnect | OSError)


@right(ex1)
async def judged_by_its_exception(websocket, ended):
    """A class whose `__exit__` judges; what accept() raises is an end as well."""
    with Verdict(ended):
        await websocket.accept()
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000)


@wrong(ex2, "answers_everything")
async def asks_anew_after_a_while(websocket, prices):
    """After five minutes without a price it cancels the wait for one, and asks for the next."""

    async def send(websocket, prices):
        while True:
            with contextlib.suppress(TimeoutError):
                await websocket.send_text(await asyncio.wait_for(anext(prices), 300))

    await websocket.accept()
    task = asyncio.create_task(send(websocket, prices))
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        async for _ in websocket.iter_text():
            pass
    finally:
        task.cancel()
        await asyncio.wait([task])


@wrong(ex2, "ends")
async def keeps_what_it_ignores(websocket, prices):
    """A queue of a thousand for the peer's texts, which nobody reads: behind the next one comes the goodbye."""
    texts: asyncio.Queue[str] = asyncio.Queue(1_000)
    await websocket.accept()
    async with anyio.create_task_group() as group:

        async def watch():
            async for text in websocket.iter_text():
                await texts.put(text)
            group.cancel_scope.cancel()

        group.start_soon(watch)
        with contextlib.suppress(WebSocketDisconnect):
            await send_all(websocket, prices)


pushes = asyncio.Semaphore(10)


@wrong(ex2, "answers_everything")
async def ten_pushes_at_a_time(websocket, prices):
    """Ten whose peers do not read keep all others waiting."""

    async def send(websocket, prices):
        async for price in prices:
            async with pushes:
                await websocket.send_text(price)

    await pushing(send)(websocket, prices)


@right(ex2)
async def renews_what_is_done(websocket, prices):
    """A loop over two futures, message and price or the price's send: each is renewed when it is done."""
    await websocket.accept()
    message = asyncio.ensure_future(websocket.receive())
    price = asyncio.ensure_future(anext(prices))
    sending = None
    try:
        while True:
            await asyncio.wait({message, sending or price}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                if message.result()["type"] == "websocket.disconnect":
                    return
                message = asyncio.ensure_future(websocket.receive())
            if sending and sending.done():
                sending.result()
                sending = None
                price = asyncio.ensure_future(anext(prices))
            elif not sending and price.done():
                sending = asyncio.ensure_future(websocket.send_text(price.result()))
    finally:
        tasks = {task for task in (message, price, sending) if task}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
