"""Answers to lesson 04, some of them wrong on purpose."""

# ruff: noqa: RUF006, SIM105
# Litestar reads the annotations, so they are as a learner writes them:
# mypy: disable-error-code="type-arg, call-overload"

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from litestar import WebSocket, get, websocket, websocket_listener, websocket_stream
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import send_websocket_stream
from litestar.handlers.websocket_handlers import WebsocketListener
from starlette.websockets import WebSocketDisconnect as StarletteDisconnect

from helpers.exercises.listener_lifespan import Reading, ex1, ex2, ex3, readings, reply, ticks
from tests.answers import attempt, right, wrong

# ---- 1, wrong ------------------------------------------------------------------------------------------------------

attempt(ex1, "await task", "pass")


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def catches_nothing(socket: WebSocket):
    """No except: the lifespan replaces the default one, which has it."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def catches_outside_the_group(socket: WebSocket):
    """`except` instead of `except*`: what leaves a group is a group."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except WebSocketDisconnect:
        pass


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def forgets_the_other_goodbye(socket: WebSocket):
    """`except*` without OSError: a tick on its way when the client leaves."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* WebSocketDisconnect:
        pass


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def cancels_in_the_group(socket: WebSocket):
    """Catches inside the group, and forgets that the ticker may have failed by then."""
    await socket.accept()
    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(send_websocket_stream(socket, ticks()))
        try:
            yield
        except WebSocketDisconnect:
            ticker.cancel()


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def catches_another_framework(socket: WebSocket):
    """The import is Starlette's exception, which Litestar never raises."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* (StarletteDisconnect, OSError):
        pass


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def closes_as_well(socket: WebSocket):
    """Tidy: closes what the client has closed."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* (WebSocketDisconnect, OSError):
        await socket.close()


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def says_bye(socket: WebSocket):
    """Says goodbye to nobody."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* (WebSocketDisconnect, OSError):
        await socket.send_text("bye")


@wrong(ex1, "keeps_its_cancellation")
@asynccontextmanager
async def suppresses_exceptions(socket: WebSocket):
    """CancelledError is no Exception."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        with suppress(Exception):
            await task


@wrong(ex1, "keeps_its_cancellation")
@asynccontextmanager
async def asks_the_task(socket: WebSocket):
    """task.exception() raises the cancellation of a task that was cancelled."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        await asyncio.wait([task])
        if error := task.exception():
            raise error


@wrong(ex1, "keeps_its_cancellation")
@asynccontextmanager
async def gathers_as_is(socket: WebSocket):
    """gather() raises the cancellation too."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        await asyncio.gather(task)


@wrong(ex1, "ends")
@asynccontextmanager
async def waits_for_the_ticker(socket: WebSocket):
    """No cancel: the ticker never ends."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        with suppress(OSError):
            await task


@wrong(ex1, "ends")
@asynccontextmanager
async def tells_by_event(socket: WebSocket):
    """The event is looked at after each tick, and the next one is an hour away."""
    await socket.accept()
    gone = asyncio.Event()

    async def until_gone():
        async for tick in ticks():
            yield tick
            if gone.is_set():
                return

    task = asyncio.create_task(send_websocket_stream(socket, until_gone()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        gone.set()
        with suppress(OSError):
            await task


@wrong(ex1, "ends")
@asynccontextmanager
async def catches_in_the_group(socket: WebSocket):
    """The group does not see the exception, so it waits for the ticker."""
    await socket.accept()
    with suppress(OSError):
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            try:
                yield
            except WebSocketDisconnect:
                pass


@wrong(ex1, "leaves_no_task")
@asynccontextmanager
async def starts_and_forgets(socket: WebSocket):
    """The ticker outlives the connection."""
    await socket.accept()
    asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass


@wrong(ex1, "leaves_no_task")
@asynccontextmanager
async def only_cancels(socket: WebSocket):
    """cancel() asks, and nobody waits."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def waits_and_does_not_look(socket: WebSocket):
    """asyncio.wait() waits and does not look; and cancel() of a task that has failed forgets that nobody did."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        await asyncio.wait([task])


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def gathers_everything(socket: WebSocket):
    """return_exceptions=True returns them, and nobody looks."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def swallows_the_group(socket: WebSocket):
    """`except ExceptionGroup` matches, whatever is in it."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except ExceptionGroup:
        pass


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def swallows_in_the_task(socket: WebSocket):
    """The ticker ends quietly, whatever happens."""
    await socket.accept()

    async def send():
        with suppress(Exception):
            await send_websocket_stream(socket, ticks())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def catches_everything(socket: WebSocket):
    """`except Exception` around the yield takes the listener's own bugs for goodbyes."""
    await socket.accept()
    with suppress(OSError):
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(_tick_until_gone(socket))
            try:
                yield
            except Exception:
                ticker.cancel()


async def _tick_until_gone(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect, OSError):
        await send_websocket_stream(socket, ticks())


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def swallows_the_cancellation_only(socket: WebSocket):
    """A tick on its way when the client leaves raises something else."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@wrong(ex1, "heeds_cancellation")
@asynccontextmanager
async def swallows_cancellation(socket: WebSocket):
    """Takes the server's cancellation for its own."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* (WebSocketDisconnect, OSError, asyncio.CancelledError):
        pass


@wrong(ex1, "answers_everything")
@asynccontextmanager
async def reads_as_well(socket: WebSocket):
    """listen_for_disconnect beside a listener eats messages."""
    await socket.accept()
    stream = send_websocket_stream(socket, ticks(), listen_for_disconnect=True, warn_on_data_discard=False)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stream)
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex1, "answers_everything")
@asynccontextmanager
async def ticks_first(socket: WebSocket):
    """The listener starts when the ticks are over."""
    await socket.accept()
    with suppress(WebSocketDisconnect, OSError):
        await send_websocket_stream(socket, ticks(), close=False)
        yield


@wrong(ex1, "answers_everything")
@asynccontextmanager
async def does_not_tick(socket: WebSocket):
    """Repaired by leaving the ticker out."""
    await socket.accept()
    try:
        yield
    except WebSocketDisconnect:
        pass


def ticking(tick):
    """Return a lifespan that runs `tick(socket)` beside the listener."""

    @asynccontextmanager
    async def lifespan(socket: WebSocket):
        await socket.accept()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tick(socket))
                yield
        except* (WebSocketDisconnect, OSError):
            pass

    lifespan.__name__, lifespan.__doc__ = tick.__name__, tick.__doc__
    return lifespan


@wrong(ex1, "answers_everything")
@ticking
async def leaves_out_the_empty(socket):
    """An empty tick is none."""
    async for tick in ticks():
        if tick:
            await socket.send_text(tick)


@wrong(ex1, "answers_everything")
@ticking
async def leaves_out_what_it_knows(socket):
    """A tick that repeats the last one is left out."""
    last = None
    async for tick in ticks():
        if tick != last:
            await socket.send_text(tick)
        last = tick


@wrong(ex1, "answers_everything")
@ticking
async def ticks_for_half_an_hour(socket):
    """Waits half an hour for a tick, and no longer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1_800):
            await send_websocket_stream(socket, ticks())


@wrong(ex1, "leaves_nothing_to_catch")
@asynccontextmanager
async def knows_few_codes(socket: WebSocket):
    """Takes a close code of the client's own for an error."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            try:
                yield
            except WebSocketDisconnect as error:
                if error.code >= 3000:
                    raise RuntimeError(f"code {error.code}") from None
                raise
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex1, "ends_at_once")
@asynccontextmanager
async def looks_five_times_a_second(socket: WebSocket):
    """A flag, and a task that looks at it."""
    await socket.accept()
    over = False
    task = asyncio.create_task(_tick_until_gone(socket))

    async def watch() -> None:
        while not over:
            await asyncio.sleep(0.2)
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        with suppress(WebSocketDisconnect):
            yield
    finally:
        over = True
        await watcher
        with suppress(asyncio.CancelledError):
            await task


# ---- 1, right ------------------------------------------------------------------------------------------------------


@right(ex1)
@asynccontextmanager
async def in_a_group(socket: WebSocket):
    """A ticker of its own, inside the group."""
    await socket.accept()

    async def tick():
        async for each in ticks():
            await socket.send_text(each)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(tick())
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@right(ex1)
@asynccontextmanager
async def swallows_its_own(socket: WebSocket):
    """try, finally, cancel; and the exceptions that say goodbye."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        yield
    except (WebSocketDisconnect, OSError):
        pass
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, WebSocketDisconnect, OSError):
            await task


@right(ex1)
@asynccontextmanager
async def with_anyio(socket: WebSocket):
    """AnyIO's group, cancelled by its scope; the connection is accepted by the first who needs it."""
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send_websocket_stream, socket, ticks())
            try:
                yield
            except WebSocketDisconnect:
                group.cancel_scope.cancel()
    except* OSError:
        pass


class Ticker:
    """An async context manager written out."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket

    async def __aenter__(self) -> None:
        await self.socket.accept()
        self.task = asyncio.create_task(send_websocket_stream(self.socket, ticks()))

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        self.task.cancel()
        (result,) = await asyncio.gather(self.task, return_exceptions=True)
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | OSError):
            raise result
        return isinstance(error, WebSocketDisconnect | OSError)


@right(ex1)
def as_a_class(socket: WebSocket) -> Ticker:
    """A function that returns a context manager."""
    return Ticker(socket)


@right(ex1)
@asynccontextmanager
async def with_a_stack(socket: WebSocket):
    """An exit stack, and a wait that looks."""
    await socket.accept()
    async with contextlib.AsyncExitStack() as stack:
        task = asyncio.create_task(send_websocket_stream(socket, ticks()))

        @stack.push_async_callback
        async def stop():
            task.cancel()
            await asyncio.wait([task])
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, WebSocketDisconnect | OSError):
                raise error

        try:
            yield
        except (WebSocketDisconnect, OSError):
            pass


# ---- 2, wrong ------------------------------------------------------------------------------------------------------

attempt(ex2, "readings())", "readings(), listen_for_disconnect=True)")


@wrong(ex2, "answers_everything")
@websocket("/")
async def dumps_a_dataclass(socket: WebSocket) -> None:
    """`json` knows no dataclasses."""
    await socket.accept()
    async for reading in readings():
        await socket.send_text(json.dumps(reading))


@wrong(ex2, "answers_everything")
@websocket_stream("/")
async def sends_words(socket: WebSocket) -> AsyncGenerator[str, None]:
    """str() of a dictionary is no JSON."""
    async for reading in readings():
        yield str(asdict(reading))


@wrong(ex2, "answers_everything")
@websocket_stream("/")
async def sends_lists() -> AsyncGenerator[list[Reading], None]:
    """Each reading in a list."""
    async for reading in readings():
        yield [reading]


@wrong(ex2, "answers_everything")
@websocket_stream("/")
async def collects_first() -> AsyncGenerator[list[Reading], None]:
    """Waits for the last reading before it sends the first."""
    yield [reading async for reading in readings()]


@wrong(ex2, "answers_everything")
@websocket_stream("/")
async def encodes_twice() -> AsyncGenerator[dict[str, str], None]:
    """JSON in JSON."""
    async for reading in readings():
        yield {"reading": json.dumps(asdict(reading))}


@wrong(ex2, "answers_everything")
@websocket_stream("/")
async def stops_after_one() -> AsyncGenerator[Reading, None]:
    """`return` in place of yield's next round."""
    async for reading in readings():
        yield reading
        return


@wrong(ex2, "answers_everything")
@websocket_stream("/readings")
async def elsewhere() -> AsyncGenerator[Reading, None]:
    """Another path."""
    async for reading in readings():
        yield reading


@wrong(ex2, "answers_everything")
@get("/")
async def over_http() -> list[Reading]:
    """No WebSocket at all."""
    return [reading async for reading in readings()]


@wrong(ex2, "answers_everything")
@websocket_listener("/")
async def on_request(data: str) -> list[Reading]:
    """A listener answers; nobody asks."""
    return [reading async for reading in readings()]


@wrong(ex2, "answers_everything")
@websocket("/")
async def listens_and_fails(socket: WebSocket) -> None:
    """It listens now, and still sends what is not text."""
    await socket.accept()
    await send_websocket_stream(socket, readings(), listen_for_disconnect=True)


@wrong(ex2, "ends")
@websocket("/")
async def does_not_listen(socket: WebSocket) -> None:
    """Encodes, and never learns of the end while it has nothing to send."""
    await socket.accept()
    await send_websocket_stream(socket, readings(), send_handler=WebSocket.send_json)


@wrong(ex2, "answers_everything")
@websocket_stream("/", listen_for_disconnect=False)
async def told_not_to_listen() -> AsyncGenerator[Reading, None]:
    """The right decorator, told not to listen: nobody hears of the end while the thermometers are silent."""
    async for reading in readings():
        yield reading


@wrong(ex2, "ends")
@websocket("/")
async def waits_for_an_oserror(socket: WebSocket) -> None:
    """Waits for a send that fails; two servers never let one fail."""
    await socket.accept()
    with suppress(OSError, WebSocketDisconnect):
        async for reading in readings():
            await socket.send_json(reading)


@wrong(ex2, "ends")
@websocket("/")
async def watches_and_goes_on(socket: WebSocket) -> None:
    """The watcher sees the end, and tells nobody."""
    await socket.accept()

    async def watch():
        async for _ in socket.iter_data():
            pass

    with suppress(OSError):
        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            await send_websocket_stream(socket, readings(), send_handler=WebSocket.send_json)


@wrong(ex2, "leaves_no_task")
@websocket("/")
async def reads_in_front(socket: WebSocket) -> None:
    """Reads in the foreground, and leaves the stream behind."""
    await socket.accept()
    asyncio.create_task(send_websocket_stream(socket, readings(), send_handler=WebSocket.send_json))
    async for _ in socket.iter_data():
        pass


@wrong(ex2, "raises_only_what_send_raised")
@websocket("/")
async def reads_in_a_group(socket: WebSocket) -> None:
    """The disconnect ends the group, and comes out of it."""
    await socket.accept()

    async def watch():
        while True:
            await socket.receive_text()

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await send_websocket_stream(socket, readings(), send_handler=WebSocket.send_json)


@wrong(ex2, "cancellable")
@websocket_stream("/")
async def starts_again() -> AsyncGenerator[Reading, None]:
    """Takes the cancellation that ends it for a hiccup."""
    while True:
        try:
            async for reading in readings():
                yield reading
        except asyncio.CancelledError:
            pass


@wrong(ex2, "hides_nothing_from_litestar")
@websocket("/")
async def hides_broken_thermometers(socket: WebSocket) -> None:
    """`except Exception` around the readings: the thermometers break, and nobody hears of it."""
    await socket.accept()

    async def stream():
        with contextlib.suppress(Exception):
            async for reading in readings():
                await socket.send_json(reading)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stream())
        async for _ in socket.iter_data():
            pass
        task.cancel()


def measuring(send):
    """Return a handler that runs `send(socket)` until the client leaves."""

    @websocket("/")
    async def handler(socket: WebSocket) -> None:
        await socket.accept()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(send(socket))
            async for _ in socket.iter_data():
                pass
            task.cancel()

    handler.fn.__name__, handler.fn.__doc__ = send.__name__, send.__doc__
    return handler


@wrong(ex2, "sends_texts")
@measuring
async def sends_bytes(socket):
    """The same JSON, in a binary message."""
    with suppress(OSError):
        async for reading in readings():
            await socket.send_json(reading, mode="binary")


@wrong(ex2, "answers_everything")
@measuring
async def rounds(socket):
    """One digit after the point is enough."""
    with suppress(OSError):
        async for reading in readings():
            await socket.send_json({"place": reading.place, "celsius": round(reading.celsius, 1)})


@wrong(ex2, "answers_everything")
@measuring
async def sends_what_is_new(socket):
    """Leaves out what was said already."""
    last = None
    with suppress(OSError):
        async for reading in readings():
            if reading != last:
                await socket.send_json(reading)
            last = reading


@wrong(ex2, "ends")
@websocket("/")
async def waits_for_the_first(socket: WebSocket) -> None:
    """Listens when there is something to send."""
    await socket.accept()
    stream = readings()
    first = await anext(stream)

    async def send() -> None:
        with suppress(OSError):
            await socket.send_json(first)
            async for reading in stream:
                await socket.send_json(reading)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(send())
        async for _ in socket.iter_data():
            pass
        task.cancel()


@wrong(ex2, "answers_everything")
@websocket("/")
async def gives_up_on_silent_thermometers(socket: WebSocket) -> None:
    """Gives up when the thermometers have said nothing for half an hour."""

    async def texts():
        stream = readings()
        while True:
            try:
                reading = await asyncio.wait_for(anext(stream), 1800)
            except (TimeoutError, StopAsyncIteration):
                return
            yield json.dumps(asdict(reading))

    await socket.accept()
    await send_websocket_stream(socket, texts(), listen_for_disconnect=True)


@wrong(ex2, "ends_at_once")
@websocket("/")
async def looks_between_readings(socket: WebSocket) -> None:
    """A flag, looked at five times a second."""
    await socket.accept()
    left = False

    async def watch() -> None:
        nonlocal left
        async for _ in socket.iter_data():
            pass
        left = True

    stream = readings()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        coming = group.create_task(anext(stream))
        while not left:
            await asyncio.wait([coming], timeout=0.2)
            if coming.done() and not coming.exception():
                with suppress(OSError, WebSocketDisconnect):
                    await socket.send_json(coming.result())
                coming = group.create_task(anext(stream))
        coming.cancel()


@wrong(ex2, "answers_everything")
@measuring
async def sends_a_thousand(socket):
    """Enough is enough."""
    count = 0
    with suppress(OSError):
        async for reading in readings():
            count += 1
            if count <= 1_000:
                await socket.send_json(reading)


# ---- 2, right ------------------------------------------------------------------------------------------------------


@right(ex2)
@websocket_stream("/")
async def as_dictionaries() -> AsyncGenerator[dict[str, Any], None]:
    """asdict, and Litestar's JSON."""
    async for reading in readings():
        yield asdict(reading)


@right(ex2)
@websocket_stream("/")
async def as_text() -> AsyncGenerator[str, None]:
    """JSON of one's own, sent as it is; the generator is closed by hand."""
    async with aclosing(readings()) as stream:
        async for reading in stream:
            yield json.dumps(asdict(reading))


@right(ex2)
@websocket("/")
async def with_a_send_handler(socket: WebSocket) -> None:
    """The function below the decorator, with what is missing."""
    await socket.accept()
    await send_websocket_stream(
        socket,
        readings(),
        send_handler=WebSocket.send_json,
        listen_for_disconnect=True,
        warn_on_data_discard=False,
    )


@right(ex2)
@websocket("/")
async def with_a_watcher(socket: WebSocket) -> None:
    """Reads in the foreground, and cancels the stream when that is over."""
    await socket.accept()

    async def measure():
        async for reading in readings():
            await socket.send_json(reading)

    try:
        async with asyncio.TaskGroup() as group:
            stream = group.create_task(measure())
            async for _ in socket.iter_data():
                pass
            stream.cancel()
    except* (OSError, WebSocketDisconnect):
        pass


@right(ex2)
@websocket("/")
async def whoever_is_first(socket: WebSocket) -> None:
    """asyncio.wait for the first of two."""
    await socket.accept()

    async def watch():
        async for _ in socket.iter_data():
            pass

    sending = send_websocket_stream(socket, readings(), send_handler=WebSocket.send_json)
    tasks = [asyncio.create_task(each) for each in (watch(), sending)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, OSError | WebSocketDisconnect):
            raise result


@right(ex2)
@websocket("/")
async def lets_a_send_fail(socket: WebSocket) -> None:
    """Waits for the first of two; the other one's send may raise Litestar's own disconnect, and that comes out."""
    await socket.accept()

    async def send() -> None:
        async for reading in readings():
            await socket.send_json(reading)

    async def hear() -> None:
        async for _ in socket.iter_data():
            pass

    tasks = [asyncio.create_task(send()), asyncio.create_task(hear())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


# ---- 3, wrong ------------------------------------------------------------------------------------------------------

attempt(ex3, "listen_for_disconnect=True, ", "")


@wrong(ex3, "ends")
@websocket("/")
async def does_not_cancel(socket: WebSocket) -> None:
    """One reader at last; and a group that waits for the next tick."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "ends")
@websocket("/")
async def gathers_both(socket: WebSocket) -> None:
    """`gather` waits for the slower one."""
    await socket.accept()

    async def answer():
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))

    with suppress(WebSocketDisconnect, OSError):
        await asyncio.gather(send_websocket_stream(socket, ticks()), answer())


@wrong(ex3, "answers_everything")
@websocket("/")
async def watches_beside(socket: WebSocket) -> None:
    """A watcher of one's own eats as much as Litestar's."""
    await socket.accept()

    async def watch():
        async for _ in socket.iter_data():
            pass
        ticker.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            group.create_task(watch())
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
    except* (WebSocketDisconnect, OSError):
        pass


@asynccontextmanager
async def _reading_lifespan(socket: WebSocket):
    await socket.accept()
    stream = send_websocket_stream(socket, ticks(), listen_for_disconnect=True, warn_on_data_discard=False)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stream)
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket_listener("/", connection_lifespan=_reading_lifespan)
async def listens_in_the_lifespan(data: str) -> str:
    """Another handler, the same second reader."""
    return await reply(data)


@wrong(ex3, "answers_everything")
@websocket("/")
async def a_task_for_each(socket: WebSocket) -> None:
    """A task for each text: a long answer is overtaken by a short one."""
    await socket.accept()

    async def answer(text):
        await socket.send_text(await reply(text))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send_websocket_stream(socket, ticks()))]
            async for text in socket.iter_data():
                tasks.append(group.create_task(answer(text)))
            for task in tasks:
                task.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def ticks_then_reads(socket: WebSocket) -> None:
    """One after the other."""
    await socket.accept()
    with suppress(WebSocketDisconnect, OSError):
        async for tick in ticks():
            await socket.send_text(tick)
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))


@wrong(ex3, "answers_everything")
@websocket("/")
async def echoes(socket: WebSocket) -> None:
    """Sends back the text, not its reply."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                await socket.send_text(text)
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def keeps_the_last(socket: WebSocket) -> None:
    """A mailbox with room for one text."""
    await socket.accept()
    arrived = asyncio.Event()
    mail: list[str] = []

    async def answer():
        while True:
            await arrived.wait()
            arrived.clear()
            await socket.send_text(await reply(mail[-1]))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send_websocket_stream(socket, ticks())), group.create_task(answer())]
            async for text in socket.iter_data():
                mail.append(text)
                arrived.set()
            for task in tasks:
                task.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "leaves_nothing_to_catch")
@websocket("/")
async def forgets_that_sending_fails(socket: WebSocket) -> None:
    """No OSError: a tick on its way when the client leaves."""
    await socket.accept()
    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(send_websocket_stream(socket, ticks()))
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))
        ticker.cancel()


@wrong(ex3, "leaves_nothing_to_catch")
@websocket("/")
async def receives_by_hand(socket: WebSocket) -> None:
    """receive_text raises what iter_data keeps, and except does not look into a group."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            while True:
                await socket.send_text(await reply(await socket.receive_text()))
    except (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "leaves_nothing_to_catch")
@websocket("/")
async def closes_at_the_end(socket: WebSocket) -> None:
    """Closes what the client has closed."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass
    await socket.close()


@wrong(ex3, "leaves_no_task")
@websocket("/")
async def leaves_the_ticker(socket: WebSocket) -> None:
    """The ticker outlives the connection."""
    await socket.accept()
    asyncio.create_task(send_websocket_stream(socket, ticks()))
    with suppress(WebSocketDisconnect, OSError):
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))


@wrong(ex3, "leaves_no_task")
@websocket("/")
async def does_not_wait(socket: WebSocket) -> None:
    """Cancels, and does not wait."""
    await socket.accept()
    ticker = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))
    except (WebSocketDisconnect, OSError):
        pass
    finally:
        ticker.cancel()


@wrong(ex3, "keeps_its_cancellation")
@websocket("/")
async def awaits_the_cancelled(socket: WebSocket) -> None:
    """The popular fix, without a lifespan."""
    await socket.accept()
    ticker = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))
    finally:
        ticker.cancel()
        await ticker


@wrong(ex3, "hides_nothing_from_litestar")
@websocket("/")
async def hides_the_clock(socket: WebSocket) -> None:
    """Everything is suppressed."""
    await socket.accept()
    ticker = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))
    except OSError:
        pass
    finally:
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)


@wrong(ex3, "hides_nothing_from_litestar")
class KeepsItOnSelf(WebsocketListener):
    """Callbacks; the listener is made once, so `self` is shared by all connections, and nobody looks at the ticker."""

    path = "/"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tasks: dict[WebSocket, asyncio.Task[None]] = {}

    async def on_accept(self, socket: WebSocket) -> None:
        """Start a ticker."""
        self.tasks[socket] = asyncio.create_task(send_websocket_stream(socket, ticks()))

    async def on_disconnect(self, socket: WebSocket) -> None:
        """Stop it."""
        task = self.tasks.pop(socket)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def on_receive(self, data: str) -> str:
        """Answer."""
        return await reply(data)


@wrong(ex3, "answers_everything")
@websocket("/")
async def ends_at_an_empty_text(socket: WebSocket) -> None:
    """An empty text is taken for the end."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                if not text:
                    break
                await socket.send_text(await reply(text))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def impatient_with_replies(socket: WebSocket) -> None:
    """A reply that takes more than a second is left out."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await socket.send_text(await reply(text))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def answers_each_text_once(socket: WebSocket) -> None:
    """Keeps its replies, and gives each of them once."""
    await socket.accept()
    given: set[str] = set()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                if text not in given:
                    given.add(text)
                    await socket.send_text(await reply(text))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def reads_json(socket: WebSocket) -> None:
    """`iter_json` reads texts that are JSON, and no others."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_json():
                await socket.send_text(await reply(str(text)))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def has_room_for_eight(socket: WebSocket) -> None:
    """A mailbox that drops what does not fit."""
    await socket.accept()
    box: asyncio.Queue[str] = asyncio.Queue(8)

    async def answer() -> None:
        while True:
            text = await reply(await box.get())
            await socket.send_text(text)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send_websocket_stream(socket, ticks())), group.create_task(answer())]
            async for text in socket.iter_data():
                with suppress(asyncio.QueueFull):
                    box.put_nowait(text)
            for task in tasks:
                task.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def strips(socket: WebSocket) -> None:
    """Tidies the text up before it is answered."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                await socket.send_text(await reply(text.strip()))
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def gives_a_reply_half_an_hour(socket: WebSocket) -> None:
    """Says no more than that a reply is late, after half an hour."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                try:
                    await socket.send_text(await asyncio.wait_for(reply(text), 1800))
                except TimeoutError:
                    await socket.send_text("late")
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@wrong(ex3, "answers_everything")
@websocket("/")
async def replies_one_after_another(socket: WebSocket) -> None:
    """A lock for all connections: one slow reply keeps everybody waiting."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                async with LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                    answer = await reply(text)
                await socket.send_text(answer)
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def queues_a_hundred(socket: WebSocket) -> None:
    """A queue with a hundred places, and no word of the text that finds none."""
    await socket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue(100)

    async def answer() -> None:
        while True:
            await socket.send_text(await reply(await queue.get()))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send_websocket_stream(socket, ticks())), group.create_task(answer())]
            async for text in socket.iter_data():
                with suppress(asyncio.QueueFull):
                    queue.put_nowait(text)
            for task in tasks:
                task.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def remembers_replies(socket: WebSocket) -> None:
    """The same text has the same reply."""
    await socket.accept()
    known: dict[str, str] = {}
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                if text not in known:
                    known[text] = await reply(text)
                await socket.send_text(known[text])
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def ticks_when_it_has_time(socket: WebSocket) -> None:
    """A tick that comes while a reply is made is left out."""
    await socket.accept()
    busy = False

    async def tick() -> None:
        async for each in ticks():
            if not busy:
                await socket.send_text(each)

    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(tick())
            async for text in socket.iter_data():
                busy = True
                await socket.send_text(await reply(text))
                busy = False
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


# ---- 3, right ------------------------------------------------------------------------------------------------------


@right(ex3)
@websocket("/")
async def replies_to_the_last(socket: WebSocket) -> None:
    """A ticker that is gone keeps no reply from being made."""
    await socket.accept()

    async def quietly(sending: Coroutine[Any, Any, None]) -> None:
        with suppress(OSError, WebSocketDisconnect):
            await sending

    async def answer() -> None:
        while True:
            await socket.send_text(await reply(await socket.receive_text()))

    ticking = asyncio.create_task(quietly(send_websocket_stream(socket, ticks())))
    answering = asyncio.create_task(quietly(answer()))
    try:
        await asyncio.wait([answering])
    finally:
        ticking.cancel()
        answering.cancel()
        await asyncio.wait([ticking, answering])
    for task in (answering, ticking):
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def _ticking(socket: WebSocket):
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@right(ex3)
@websocket_listener("/", connection_lifespan=_ticking)
async def as_a_listener(data: str) -> str:
    """A listener with the lifespan of exercise 1."""
    return await reply(data)


@right(ex3)
@websocket("/")
async def receives_and_looks_inside(socket: WebSocket) -> None:
    """receive_text raises the disconnect, which ends the group."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            while True:
                await socket.send_text(await reply(await socket.receive_text()))
    except* (WebSocketDisconnect, OSError):
        pass


@right(ex3)
@websocket("/")
async def with_a_scope(socket: WebSocket) -> None:
    """AnyIO: the reader's last act is to cancel the scope."""
    await socket.accept()

    async def tick():
        async for each in ticks():
            await socket.send_text(each)

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
            group.cancel_scope.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@right(ex3)
@websocket("/")
async def one_writer(socket: WebSocket) -> None:
    """Everything that is to be sent goes through one queue; try and finally."""
    await socket.accept()
    outgoing: asyncio.Queue[str] = asyncio.Queue()

    async def tick():
        async for each in ticks():
            outgoing.put_nowait(each)

    async def write():
        while True:
            await socket.send_text(await outgoing.get())

    async def read():
        async for text in socket.iter_data():
            outgoing.put_nowait(await reply(text))

    tasks = [asyncio.create_task(each) for each in (read(), write(), tick())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | OSError):
            raise result


# ---- a goodbye and a failure together --------------------------------------------------------------------------------


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def takes_the_group_whole(socket: WebSocket):
    """A group that holds a goodbye is one: what broke beside it goes with it."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except BaseExceptionGroup as errors:
        if not errors.subgroup((WebSocketDisconnect, OSError)):
            raise


@wrong(ex1, "hides_nothing_from_litestar")
@asynccontextmanager
async def writes_down_what_failed(socket: WebSocket):
    """A callback takes note of the ticker's error, in the turn after the goodbye that came with it."""
    await socket.accept()
    failed: list[BaseException] = []

    def look(task):
        if (
            not task.cancelled()
            and task.exception()
            and not isinstance(task.exception(), WebSocketDisconnect | OSError)
        ):
            failed.append(task.exception())

    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    task.add_done_callback(look)
    try:
        yield
    except (WebSocketDisconnect, OSError):
        pass
    finally:
        if task.cancel():
            await asyncio.wait([task])
            await asyncio.sleep(0)
    if failed:
        raise failed[0]


@right(ex1)
@asynccontextmanager
async def splits_the_group(socket: WebSocket):
    """Takes the goodbyes out of the group, and raises the rest."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_websocket_stream(socket, ticks()))
            yield
    except BaseExceptionGroup as errors:
        _, rest = errors.split((WebSocketDisconnect, OSError))
        if rest is not None:
            raise rest from None


@right(ex1)
@asynccontextmanager
async def gives_it_no_time(socket: WebSocket):
    """`wait_for(task, 0)` cancels the ticker and waits for it; a TimeoutError is an OSError."""
    await socket.accept()
    task = asyncio.create_task(send_websocket_stream(socket, ticks()))
    try:
        with suppress(WebSocketDisconnect):
            yield
    finally:
        with suppress(OSError):
            await asyncio.wait_for(task, 0)


@wrong(ex3, "hides_nothing_from_litestar")
@websocket("/")
async def takes_a_group_with_a_goodbye(socket: WebSocket) -> None:
    """The same for a handler: a lost send hides what broke beside it."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
            ticker.cancel()
    except BaseExceptionGroup as errors:
        if not errors.subgroup((OSError, WebSocketDisconnect)):
            raise


@wrong(ex3, "hides_nothing_from_litestar")
@websocket("/")
async def looks_at_the_ticker_later(socket: WebSocket) -> None:
    """The same for a handler: it asks what the callback has written down, which has not had its turn."""
    await socket.accept()
    failed: list[BaseException] = []

    async def stream():
        async for tick in ticks():
            await socket.send_text(tick)

    def look(task):
        if not task.cancelled() and not isinstance(task.exception(), WebSocketDisconnect | OSError):
            failed.append(task.exception())

    ticker = asyncio.create_task(stream())
    ticker.add_done_callback(look)
    try:
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))
    except (WebSocketDisconnect, OSError):
        pass
    finally:
        if ticker.cancel():
            await asyncio.wait([ticker])
    if failed:
        raise failed[0]


@right(ex3)
@websocket("/")
async def answers_what_has_come(socket: WebSocket) -> None:
    """A reader that reads ahead: what had come is answered when the client has left, however long that takes."""
    await socket.accept()
    put, take = anyio.create_memory_object_stream[str](100)

    async def read():
        async with put:
            async for text in socket.iter_data():
                await put.send(str(text))

    async def stream():
        with suppress(OSError, WebSocketDisconnect):
            async for tick in ticks():
                await socket.send_text(tick)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(stream)
        async with take:
            async for text in take:
                answer = await reply(text)
                with suppress(OSError, WebSocketDisconnect):
                    await socket.send_text(answer)
        group.cancel_scope.cancel()


@right(ex3)
@websocket("/")
async def looks_at_both(socket: WebSocket) -> None:
    """Two tasks; whichever ends first, both are ended, and both are looked at."""
    await socket.accept()

    async def answer():
        async for text in socket.iter_data():
            await socket.send_text(await reply(text))

    async def stream():
        async for tick in ticks():
            await socket.send_text(tick)

    reader, ticker = tasks = [asyncio.create_task(each) for each in (answer(), stream())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        reader.cancel()
        ticker.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, OSError | WebSocketDisconnect):
            raise error


async def _every_second(socket, *tasks):
    """Look every second whether a task is done; then end them all, and raise what the first of them raises."""
    try:
        while not any(task.done() for task in tasks) and socket.connection_state != "disconnect":
            await asyncio.sleep(1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


async def _all_readings(socket):
    async for reading in readings():
        await socket.send_json(reading)


async def _until_gone(socket):
    async for _ in socket.iter_data():
        pass


@right(ex2)
@websocket("/")
async def looks_for_the_end(socket: WebSocket) -> None:
    """Looks every 10 milliseconds whether the client has left, also for hours."""
    await socket.accept()
    sender, listener = tasks = [asyncio.create_task(each(socket)) for each in (_all_readings, _until_gone)]
    try:
        while not (sender.done() or listener.done()):
            await asyncio.sleep(0.01)
    finally:
        sender.cancel()
        listener.cancel()
        await asyncio.wait(tasks)
    if not sender.cancelled():
        sender.result()


@wrong(ex2, "ends")
@websocket("/")
async def looks_where_nothing_changes(socket: WebSocket) -> None:
    """Looks at the state of the connection every second, but nobody receives: it never changes."""
    await socket.accept()
    await _every_second(socket, asyncio.create_task(_all_readings(socket)))


@wrong(ex2, "ends_at_once")
@websocket("/")
async def looks_once_a_second(socket: WebSocket) -> None:
    """Looks every second whether the client has left."""
    await socket.accept()
    await _every_second(socket, *(asyncio.create_task(each(socket)) for each in (_all_readings, _until_gone)))


@right(ex3)
@websocket("/")
async def cancels_both(socket: WebSocket) -> None:
    """Reads itself, and cancels who ticks and who answers when it has heard the goodbye."""
    await socket.accept()
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def answer():
        while True:
            await socket.send_text(await reply(await texts.get()))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send_websocket_stream(socket, ticks())), group.create_task(answer())]
            async for text in socket.iter_data():
                texts.put_nowait(text)
            for task in tasks:
                task.cancel()
    except* OSError:
        pass


TICKERS: list[asyncio.Task[None]] = []
SENDERS: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def _ending(which, socket):
    """Tick until the client leaves, and then end the tickers that `which` chooses of all clients'."""
    await socket.accept()
    mine = asyncio.create_task(send_websocket_stream(socket, ticks()))
    TICKERS.append(mine)
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        for task in which(mine):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError, WebSocketDisconnect):
                await task


@wrong(ex1, "answers_everything")
@asynccontextmanager
async def ends_everybodys_ticker(socket: WebSocket):
    """The tickers are the module's: whoever leaves ends them all, and the others hear no tick any more."""

    def which(mine):
        ended, TICKERS[:] = [mine, *TICKERS], []
        return ended

    async with _ending(which, socket):
        yield


@wrong(ex1, "answers_everything")
@asynccontextmanager
async def gives_a_tick_five_seconds(socket: WebSocket):
    """A tick that takes long on its way is given up."""
    await socket.accept()

    async def stream():
        async for tick in ticks():
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await socket.send_text(tick)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stream())
            yield
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex2, "answers_everything")
@websocket("/")
async def ends_everybodys_stream(socket: WebSocket) -> None:
    """The senders are the module's: whoever leaves ends them all."""
    await socket.accept()

    async def stream():
        with suppress(WebSocketDisconnect):
            await _all_readings(socket)

    async with asyncio.TaskGroup() as group:
        SENDERS.add(group.create_task(stream()))
        await _until_gone(socket)
        while SENDERS:
            SENDERS.pop().cancel()


@wrong(ex2, "answers_everything")
@websocket("/")
async def keeps_the_newest(socket: WebSocket) -> None:
    """While a message is on its way, of the readings that come only the newest is kept."""
    await socket.accept()
    newest: asyncio.Queue[Reading] = asyncio.Queue(1)

    async def read():
        async for reading in readings():
            if newest.full():
                newest.get_nowait()
            newest.put_nowait(reading)

    async def stream():
        with suppress(WebSocketDisconnect):
            while True:
                await socket.send_json(await newest.get())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each()) for each in (read, stream)]
        await _until_gone(socket)
        for task in tasks:
            task.cancel()


@wrong(ex2, "answers_everything")
@websocket("/")
async def gives_a_reading_five_seconds(socket: WebSocket) -> None:
    """A reading that takes long on its way is given up."""
    await socket.accept()

    async def stream():
        async for reading in readings():
            with suppress(TimeoutError, WebSocketDisconnect):
                async with asyncio.timeout(5):
                    await socket.send_json(reading)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stream())
        await _until_gone(socket)
        task.cancel()


@wrong(ex3, "answers_everything")
@websocket("/")
async def gives_an_answer_five_seconds(socket: WebSocket) -> None:
    """An answer that takes long on its way is given up."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            async for text in socket.iter_data():
                answer = await reply(text)
                with suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await socket.send_text(answer)
            ticker.cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@wrong(ex3, "answers_everything")
@websocket("/")
async def ends_the_last_ticker(socket: WebSocket) -> None:
    """The tickers are the module's: whoever leaves ends the one that was started last."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            TICKERS.append(group.create_task(send_websocket_stream(socket, ticks())))
            async for text in socket.iter_data():
                await socket.send_text(await reply(text))
            TICKERS.pop().cancel()
    except* (WebSocketDisconnect, OSError):
        pass


@right(ex3)
@websocket("/")
async def has_one_loop(socket: WebSocket) -> None:
    """Waits for the next tick and the next text; while a reply is made the clock waits: its next hour begins later."""
    await socket.accept()
    clock, texts = ticks(), socket.iter_data()
    tick, text = (asyncio.ensure_future(anext(each)) for each in (clock, texts))
    try:
        while True:
            await asyncio.wait({tick, text}, return_when=asyncio.FIRST_COMPLETED)
            if text.done():
                await socket.send_text(await reply(str(text.result())))
                text = asyncio.ensure_future(anext(texts))
            if tick.done():
                await socket.send_text(tick.result())
                tick = asyncio.ensure_future(anext(clock))
    except (StopAsyncIteration, WebSocketDisconnect, OSError):
        pass
    finally:
        tick.cancel()
        text.cancel()
        await asyncio.wait({tick, text})
    for task in (tick, text):
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, StopAsyncIteration | WebSocketDisconnect | OSError):
            raise error


@right(ex3)
@websocket("/")
async def a_tick_hears_of_it(socket: WebSocket) -> None:
    """Answers what has come when the client has left; a tick that comes meanwhile cannot be sent, and ends that."""
    await socket.accept()
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def read():
        async for text in socket.iter_data():
            texts.put_nowait(str(text))
        texts.put_nowait(None)

    async def answer():
        while (text := await texts.get()) is not None:
            await socket.send_text(await reply(text))
        ticker.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(send_websocket_stream(socket, ticks()))
            group.create_task(read())
            group.create_task(answer())
    except* (WebSocketDisconnect, OSError):
        pass
