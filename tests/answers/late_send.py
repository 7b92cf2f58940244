"""Answers to lesson 06, some of them wrong on purpose."""

# ruff: noqa: RUF006, SIM105

import asyncio
import contextlib

import anyio
import websockets
from websockets import ConnectionClosed, ConnectionClosedOK, State

import hangup
from helpers.exercises.late_send import ex1, ex2, ex3
from tests.answers import attempt, right, wrong


def connect(url, **options):
    """Connect, and keep all that the peer says: whoever does not read would not hear the pong behind it."""
    options.setdefault("open_timeout", options.get("ping_interval") or 10)
    return hangup.connect(url, max_queue=None, **options)


# ---- 1, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex1, "lets_it_out")
async def forgives_timeouts(websocket, messages):
    """Takes the source's TimeoutError for one of its own."""
    sent = 0

    class Over(Exception):
        pass

    async def read():
        await _read(websocket)
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
            reading.cancel()
    except* (Over, ConnectionClosed, TimeoutError):
        pass
    return sent


@wrong(ex1, "leaves_no_task")
async def waits_a_second_for_its_tasks(websocket, messages):
    """Cancels its tasks, waits a second for them, and leaves."""
    sent = 0

    async def write():
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(write()), asyncio.create_task(_read(websocket))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=1)
        await asyncio.wait(tasks, timeout=1)
    for task in done:
        task.result()
    return sent


@wrong(ex1, "knows_at_once")
async def catches(websocket, messages):
    """Wraps send() in try and except, as many pages advise."""
    sent = 0
    try:
        async for message in messages:
            await websocket.send(message)
            sent += 1
    except ConnectionClosed:
        pass
    return sent


@wrong(ex1, "knows_at_once")
async def checks_the_state(websocket, messages):
    """Looks at `state` before each message."""
    sent = 0
    async for message in messages:
        if websocket.state is not State.OPEN:
            break
        await websocket.send(message)
        sent += 1
        await asyncio.sleep(0)
    return sent


@wrong(ex1, "client_ends")
async def polls_without_pause(websocket, messages):
    """Asks for the state again and again, with sleep(0) between, beside a task that sends."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    while websocket.state is State.OPEN and not writing.done():
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    return sent


@wrong(ex1, "knows_at_once")
async def polls_every_second(websocket, messages):
    """Asks for the state once a second."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    while websocket.state is State.OPEN and not writing.done():
        await asyncio.wait([writing], timeout=1)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    return sent


async def race(websocket, messages, watch):
    """Send until there are no more messages, or until `watch` is done."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(write()), asyncio.create_task(watch)}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        with contextlib.suppress(ConnectionClosed):
            task.result()
    return sent


@wrong(ex1, "knows_at_once")
async def only_wait_closed(websocket, messages):
    """Waits for the end with wait_closed(), which hears nothing behind 16 unread messages."""
    return await race(websocket, messages, websocket.wait_closed())


@wrong(ex1, "delivers")
async def one_recv(websocket, messages):
    """Takes the first word of the peer for the end."""
    return await race(websocket, messages, websocket.recv())


@wrong(ex1, "gives_way")
async def never_gives_way(websocket, messages):
    """Has a reader, and no pause between two messages, so that the reader never runs."""
    sent = 0

    async def read():
        async for _ in websocket:
            pass

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1

    tasks = {asyncio.create_task(read()), asyncio.create_task(write())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return sent


@wrong(ex1, "leaves_no_task")
async def forgets_the_reader(websocket, messages):
    """Leaves its reader running when all messages are sent."""
    sent, over = 0, asyncio.Event()

    async def read():
        with contextlib.suppress(ConnectionClosed):
            async for _ in websocket:
                pass
        over.set()

    async def write():
        nonlocal sent
        try:
            with contextlib.suppress(ConnectionClosed):
                async for message in messages:
                    await websocket.send(message)
                    sent += 1
                    await asyncio.sleep(0)
        finally:
            over.set()

    asyncio.create_task(read())
    writing = asyncio.create_task(write())
    try:
        await over.wait()
    finally:
        writing.cancel()
        await asyncio.wait([writing])
    return sent


@wrong(ex1, "leaves_no_task")
async def does_not_wait_for_the_cancelled(websocket, messages):
    """Cancels the other task, and returns before it is over."""
    sent = 0

    async def read():
        with contextlib.suppress(ConnectionClosed):
            async for _ in websocket:
                pass

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(read()), asyncio.create_task(write())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return sent


@wrong(ex1, "leaves_no_task")
async def leaves_them_when_cancelled(websocket, messages):
    """Ends its tasks after the wait, and not in a `finally`."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(write()), asyncio.create_task(_read(websocket))}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sent


@wrong(ex1, "ends_quietly")
async def raises_a_group(websocket, messages):
    """Both in a TaskGroup: what ends the connection comes out in an ExceptionGroup."""
    sent = 0

    async def read():
        while True:
            await websocket.recv()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)
        reading.cancel()
    return sent


@wrong(ex1, "ends_quietly")
async def knows_only_polite_ends(websocket, messages):
    """Expects ConnectionClosedOK, and meets ConnectionClosedError when the process dies."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    writing.add_done_callback(lambda _: reading.cancel())

    async def read():
        while True:
            await websocket.recv()

    reading = asyncio.create_task(read())
    try:
        await asyncio.wait([reading])
        if not reading.cancelled():
            with contextlib.suppress(ConnectionClosedOK):
                reading.result()
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    return sent


@wrong(ex1, "counts_what_it_sent")
async def counts_before_sending(websocket, messages):
    """Counts what it has taken, not what it has sent."""
    taken = 0

    async def counted():
        nonlocal taken
        async for message in messages:
            taken += 1
            yield message

    await race(websocket, counted(), _read(websocket))
    return taken + 1


@wrong(ex1, "counts_what_it_sent")
async def returns_nothing(websocket, messages):
    """Forgets to return the number."""
    await race(websocket, messages, _read(websocket))


@wrong(ex1, "heeds_cancellation")
async def swallows_cancellation(websocket, messages):
    """Catches CancelledError together with everything else."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(write()), asyncio.create_task(_read(websocket))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        pass
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sent


@wrong(ex1, "hides_no_error")
async def never_looks(websocket, messages):
    """Waits for its tasks, and never looks at what they raised."""
    sent = 0

    async def read():
        while True:
            await websocket.recv()

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(read()), asyncio.create_task(write())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pending = {task for task in tasks if not task.done()}
        for task in pending:
            task.cancel()
        while not all(task.done() for task in pending):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(pending)
    return sent


@wrong(ex1, "delivers")
async def polls_recv(websocket, messages):
    """Looks for the end after each message with a short recv(), and gives up when there is none."""
    sent = 0
    async for message in messages:
        await websocket.send(message)
        sent += 1
        try:
            await asyncio.wait_for(websocket.recv(), 0.01)
        except (TimeoutError, ConnectionClosed):
            return sent
    return sent


@wrong(ex1, "lets_it_out")
async def hides_the_source(websocket, messages):
    """Gathers what its tasks raised, and looks at none of it: a broken meter looks like one with no more readings."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(write()), asyncio.create_task(_read(websocket))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return sent


@wrong(ex1, "counts_what_it_sent")
async def catches_the_sources_errors(websocket, messages):
    """Takes any OSError for the end of the connection: this one was the meter's."""
    try:
        return await race(websocket, messages, _read(websocket))
    except OSError:
        return 0


@wrong(ex1, "delivers")
async def drops_what_is_falsy(websocket, messages):
    """Takes an empty message for none."""

    async def some():
        async for message in messages:
            if message:
                yield message

    return await race(websocket, some(), _read(websocket))


@wrong(ex1, "delivers")
async def strips(websocket, messages):
    """Tidies the messages up."""

    async def tidy():
        async for message in messages:
            yield message.strip()

    return await race(websocket, tidy(), _read(websocket))


@wrong(ex1, "knows_at_once")
async def begins_to_listen_with_the_first(websocket, messages):
    """Waits for the first message before anybody reads."""
    try:
        first = await anext(messages)
    except StopAsyncIteration:
        return 0

    async def from_the_first():
        yield first
        async for message in messages:
            yield message

    return await race(websocket, from_the_first(), _read(websocket))


@wrong(ex1, "delivers")
async def texts_only(websocket, messages):
    """Makes a text of each message, also of a binary one."""

    async def some():
        async for message in messages:
            yield str(message)

    return await race(websocket, some(), _read(websocket))


@wrong(ex1, "delivers")
async def ten_minutes(websocket, messages):
    """Takes ten minutes without a message for the end."""

    async def watch():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_read(websocket), 600)

    return await race(websocket, messages, watch())


@wrong(ex1, "leaves_no_task")
async def waits_once(websocket, messages):
    """Waits for its tasks in a `finally`, which a second cancellation ends."""
    sent = 0

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    writing, reading = tasks = [asyncio.create_task(write()), asyncio.create_task(_read(websocket))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        writing.cancel()
        reading.cancel()
        await asyncio.wait(tasks)
    if not writing.cancelled():
        with contextlib.suppress(ConnectionClosed):
            writing.result()
    return sent


@wrong(ex1, "delivers")
async def gives_up_a_slow_peer(websocket, messages):
    """Takes a send() that waits for a second for the end of the connection."""
    sent = 0

    class Over(Exception):
        pass

    async def read():
        await _read(websocket)
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            async for message in messages:
                try:
                    async with asyncio.timeout(1):
                        await websocket.send(message)
                except TimeoutError:
                    break
                sent += 1
                await asyncio.sleep(0)
            reading.cancel()
    except* (Over, ConnectionClosed):
        pass
    return sent


@wrong(ex1, "leaves_no_task")
async def only_asks_the_reader(websocket, messages):
    """Sends by itself, and cancels its reader at the end: that has not ended yet when it returns."""
    sent, ended, task = 0, False, asyncio.current_task()
    assert task is not None

    async def read():
        nonlocal ended
        await _read(websocket)
        ended = True
        task.cancel()

    reader = asyncio.create_task(read())
    try:
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)
    except ConnectionClosed:
        pass
    except asyncio.CancelledError:
        if not ended:
            raise
        task.uncancel()
    finally:
        reader.cancel()
    return sent


@wrong(ex1, "goes_when_all_is_done")
async def lets_it_all_go_out(websocket, messages):
    """Waits two seconds when there are no more messages, so that the last one goes out."""

    async def and_two_seconds():
        async for message in messages:
            yield message
        await asyncio.sleep(2)

    return await race(websocket, and_two_seconds(), _read(websocket))


@wrong(ex1, "leaves_no_task")
async def shields_each_send(websocket, messages):
    """Shields each send, so that no message is cut: cancelled while one waits for room, it leaves that behind."""

    class Shielded:
        async def send(self, message):
            await asyncio.shield(asyncio.ensure_future(websocket.send(message)))

    return await race(Shielded(), messages, _read(websocket))


@wrong(ex1, "leaves_no_task")
async def shields_each_send_while_it_is_open(websocket, messages):
    """Waits for its shielded send when the connection ends, and not when it is cancelled."""

    class Shielded:
        async def send(self, message):
            sending = asyncio.ensure_future(websocket.send(message))
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:
                if websocket.state is not State.OPEN:
                    await asyncio.gather(sending, return_exceptions=True)
                raise

    return await race(Shielded(), messages, _read(websocket))


# ---- 1, right ------------------------------------------------------------------------------------------------------


async def _read(websocket):
    with contextlib.suppress(ConnectionClosed):
        async for _ in websocket:
            pass


class Over(Exception):
    """All is sent, or the connection has ended."""


async def pump(messages, queue, *, behind):
    """Read ahead into a queue; an error of the source goes through it as well, or past it."""
    try:
        async for message in messages:
            await queue.put(message)
    except Exception as error:
        if not behind:
            raise
        await queue.put(error)
    await queue.put(Over())


async def through_a_queue(websocket, messages, queue, *, behind):
    """Read ahead into a queue, and send from it."""
    sent = 0

    async def watch():
        await _read(websocket)
        raise Over

    async def push():
        nonlocal sent
        while True:
            message = await queue.get()
            if isinstance(message, Exception):
                raise message
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)

    try:
        async with asyncio.TaskGroup() as group:
            for each in (pump(messages, queue, behind=behind), watch(), push()):
                group.create_task(each)
    except* (Over, ConnectionClosed):
        pass
    return sent


@right(ex1)
async def a_queue_between(websocket, messages):
    """Three tasks of one group: whichever ends it fails, and a cancellation may come in that moment."""
    return await through_a_queue(websocket, messages, asyncio.Queue(1), behind=True)


@wrong(ex1, "delivers")
async def reads_ahead(websocket, messages):
    """An error of the source overtakes what is in the queue, and nobody sends that."""
    return await through_a_queue(websocket, messages, asyncio.Queue(), behind=False)


@wrong(ex1, "delivers")
async def reads_one_ahead(websocket, messages):
    """A short queue loses less, and still what the source gave before its error."""
    return await through_a_queue(websocket, messages, asyncio.Queue(1), behind=False)


@right(ex1)
async def tasks(websocket, messages):
    """Two tasks and asyncio.wait."""
    return await race(websocket, messages, _read(websocket))


@right(ex1)
async def task_group(websocket, messages):
    """Anyio's task group; the reader cancels the scope."""
    sent = 0

    async def read():
        await _read(websocket)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    return sent


@right(ex1)
async def except_star(websocket, messages):
    """Asyncio's task group, left by an exception of its own."""
    sent = 0

    class Over(Exception):
        pass

    async def read():
        await _read(websocket)
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
            reading.cancel()
    except* (Over, ConnectionClosed):
        pass
    return sent


@right(ex1)
async def callback(websocket, messages):
    """The writer is this coroutine; a reader's done callback cancels what it waits for."""
    sent = 0
    reading = asyncio.ensure_future(_read(websocket))
    try:
        while True:
            coming = asyncio.ensure_future(anext(messages))
            try:
                await asyncio.wait({coming, reading}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
            if coming.cancelled() or (reading.done() and coming.exception() is None):
                return sent
            try:
                await websocket.send(coming.result())
            except (StopAsyncIteration, ConnectionClosed):
                return sent
            sent += 1
    finally:
        reading.cancel()
        await asyncio.wait([reading])


class _Sender:
    """A callable object, with a small real pause between two messages."""

    def __init__(self):
        self.sent = 0

    async def __call__(self, websocket, messages):
        """Send and watch."""
        self.sent = 0
        both = [asyncio.ensure_future(self._write(websocket, messages)), asyncio.ensure_future(_read(websocket))]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        for task in done:
            task.result()
        return self.sent

    async def _write(self, websocket, messages):
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                self.sent += 1
                await asyncio.sleep(0.001)


right(ex1)(_Sender())


# ---- 2, wrong ------------------------------------------------------------------------------------------------------


async def send_in_time(websocket, message, interval):
    """Send a message; who waits for room for an interval gives the connection up."""
    later = asyncio.get_running_loop().call_later(interval, websocket.transport.abort)
    try:
        await websocket.send(message)
    finally:
        later.cancel()


async def send_all(websocket, messages, interval):
    """Send each message, and return how many."""
    sent = 0
    with contextlib.suppress(ConnectionClosed):
        async for message in messages:
            await send_in_time(websocket, message, interval)
            sent += 1
    return sent


async def paced(url, interval):
    """Connect with halves for everything, and keep what the peer says."""
    half = interval / 2
    times = dict.fromkeys(("open_timeout", "ping_interval", "ping_timeout", "close_timeout"), half)
    return await hangup.connect(url, max_queue=None, **times)


@wrong(ex2, "client_ends")
async def trusts_the_ping(url, messages, interval):
    """All times add up, but a send() that waits for room lets no ping out either."""
    sent = 0
    async with await paced(url, interval) as websocket:
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
    return sent


@wrong(ex2, "client_ends")
async def gives_the_message_up(url, messages, interval):
    """A deadline for each send(), and none for the close(), which waits for room as well."""
    sent = 0
    async with await paced(url, interval) as websocket:
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                try:
                    await asyncio.wait_for(websocket.send(message), interval)
                except TimeoutError:
                    break
                sent += 1
    return sent


@wrong(ex2, "knows_in_time")
async def long_in_send(url, messages, interval):
    """Waits for room for two intervals, and forgets the one before."""
    async with await paced(url, interval) as websocket:
        return await send_all(websocket, messages, 2 * interval)


@wrong(ex2, "delivers")
async def a_longer_queue(url, messages, interval):
    """Lets websockets keep 256 words in place of 16."""
    times = dict.fromkeys(("open_timeout", "ping_interval", "ping_timeout", "close_timeout"), interval / 2)
    sent = 0
    async with hangup.connect(url, max_queue=256, **times) as websocket:
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
    return sent


@wrong(ex2, "client_ends")
async def no_pings(url, messages, interval):
    """Uses the course's connect as it is: no pings."""
    async with connect(url) as websocket:
        return await send_all(websocket, endless(messages), interval)


async def endless(messages):
    """Go on when there are no more."""
    async for message in messages:
        yield message
    await asyncio.Event().wait()


@wrong(ex2, "delivers")
async def library_defaults(url, messages, interval):
    """Websockets' own connect with its defaults: 20, 20 and 10 seconds."""
    async with websockets.connect(url) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def only_the_interval(url, messages, interval):
    """Sets ping_interval, and leaves ping_timeout at 20."""
    async with connect(url, ping_interval=interval) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "knows_in_time")
async def halves_without_goodbye(url, messages, interval):
    """Forgets that the goodbye takes close_timeout, for a longer one."""
    half = interval / 2
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=2 * interval) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "knows_in_time")
async def halves_alone(url, messages, interval):
    """Halves twice, and leaves the goodbye its 10 seconds: right for a long interval."""
    async with connect(url, ping_interval=interval / 2, ping_timeout=interval / 2) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def constants(url, messages, interval):
    """Makes no use of the interval."""
    async with connect(url, ping_interval=12, ping_timeout=12) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def small_constants(url, messages, interval):
    """Makes no use of the interval; short enough for all but the shortest."""
    async with connect(url, ping_interval=1, ping_timeout=8.5, close_timeout=1) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def smaller_constants(url, messages, interval):
    """Makes no use of the interval, and gives up a peer whose pong takes a fifth of a long one."""
    async with connect(url, ping_interval=0.5, ping_timeout=4.5, close_timeout=0.5) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "knows_in_time")
async def leaves_no_room(url, messages, interval):
    """Spends nearly all the time on the three, and none on the wait for the next message, whose send() tells."""
    options = {"ping_interval": interval, "ping_timeout": 0.95 * interval, "close_timeout": 0.04 * interval}
    async with connect(url, **options) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "knows_in_time")
async def no_timeout(url, messages, interval):
    """ping_timeout=None: pings go out, and nobody minds whether an answer comes."""
    async with connect(url, ping_interval=interval / 2, ping_timeout=None, close_timeout=10) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def too_short(url, messages, interval):
    """Gives a slow peer up."""
    async with connect(url, ping_interval=1, ping_timeout=1, close_timeout=1) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def gives_up_when_idle(url, messages, interval):
    """Takes four seconds without a message to send for the end."""
    sent = 0
    async with connect(url, ping_interval=5, ping_timeout=5, close_timeout=5) as websocket:
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            while True:
                async with asyncio.timeout(interval / 5):
                    try:
                        message = await anext(messages)
                    except StopAsyncIteration:
                        break
                await websocket.send(message)
                sent += 1
    return sent


@wrong(ex2, "delivers")
async def waits_for_an_answer(url, messages, interval):
    """Expects the peer to say something within the interval."""
    sent = 0
    async with connect(url, close_timeout=1) as websocket:
        async for message in messages:
            await websocket.send(message)
            sent += 1
            try:
                await asyncio.wait_for(websocket.recv(), interval / 2)
            except (TimeoutError, ConnectionClosed):
                break
    return sent


@wrong(ex2, "ends_quietly")
async def lets_it_out(url, messages, interval):
    """Does not catch ConnectionClosed."""
    sent, half = 0, interval / 2
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
        async for message in messages:
            await websocket.send(message)
            sent += 1
    return sent


@wrong(ex2, "counts")
async def returns_none(url, messages, interval):
    """Forgets to return the number."""
    half = interval / 2
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
        await send_all(websocket, messages, interval)


@wrong(ex2, "connects_once")
async def says_the_first_on_its_own(url, messages, interval):
    """A connection for the first message, and another one for the others."""
    half = interval / 2
    async for message in messages:
        async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
            await websocket.send(message)
        break
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
        return 1 + await send_all(websocket, messages, interval)


@wrong(ex2, "closes")
async def leaves_it_open(url, messages, interval):
    """Never closes the connection, so its keepalive runs on."""
    half = interval / 2
    websocket = await connect(url, ping_interval=half, ping_timeout=half, close_timeout=half)
    return await send_all(websocket, messages, interval)


@wrong(ex2, "heeds_cancellation")
async def swallows_it(url, messages, interval):
    """A bare except around the sending."""
    sent, half = 0, interval / 2
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
        try:
            async for message in messages:
                await websocket.send(message)
                sent += 1
        except BaseException:
            pass
    return sent


@wrong(ex2, "delivers")
async def leaves_the_words_unread(url, messages, interval):
    """Times that add up, and a pong that lies behind unread words: who talks a lot is given up."""
    options = dict.fromkeys(("ping_interval", "ping_timeout", "close_timeout"), interval / 2)
    async with hangup.connect(url, **options) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def keeps_a_hundredth_more(url, messages, interval):
    """A queue of thirty-two words is larger, and still too short for forty."""
    options = dict.fromkeys(("ping_interval", "ping_timeout", "close_timeout"), interval / 2)
    async with hangup.connect(url, max_queue=32, **options) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "lets_it_out")
async def suppresses_everything(url, messages, interval):
    """Whatever ends it is taken for the end of the connection."""
    sent = 0
    options = dict.fromkeys(("ping_interval", "ping_timeout", "close_timeout"), interval / 2)
    async with connect(url, **options) as websocket:
        with contextlib.suppress(Exception):
            async for message in messages:
                await websocket.send(message)
                sent += 1
    return sent


@wrong(ex2, "delivers")
async def whole_seconds(url, messages, interval):
    """Rounds to whole seconds, at least one: half a second's interval asks for less."""
    options = dict.fromkeys(("ping_interval", "ping_timeout"), interval // 2)
    async with connect(url, close_timeout=1, **options) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "knows_in_time")
async def the_handshake_has_ten_seconds(url, messages, interval):
    """Bounds all but the handshake."""
    options = dict.fromkeys(("ping_interval", "ping_timeout", "close_timeout"), interval / 2)
    async with hangup.connect(url, max_queue=None, open_timeout=max(10, interval / 2), **options) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "delivers")
async def ten_seconds_at_most(url, messages, interval):
    """No pong takes longer than ten seconds, it believes."""
    half = interval / 2
    async with connect(url, ping_interval=half, ping_timeout=min(half, 10), close_timeout=half) as websocket:
        return await send_all(websocket, messages, interval)


@wrong(ex2, "counts_what_it_sent")
async def counts_the_one_that_failed(url, messages, interval):
    """Counts before it sends."""
    sent = 0
    half = interval / 2
    async with connect(url, ping_interval=half, ping_timeout=half, close_timeout=half) as websocket:
        async for message in messages:
            sent += 1
            try:
                await websocket.send(message)
            except ConnectionClosed:
                break
    return sent


@wrong(ex2, "hides_no_error")
async def looks_at_no_reader(url, messages, interval):
    """Lets its reader end with the connection, and nobody looks at what it raised."""
    half, sent = interval / 2, 0
    options = {"ping_interval": half, "ping_timeout": half, "close_timeout": half / 2, "open_timeout": interval}

    async def read():
        async for _ in websocket:
            pass

    async with hangup.connect(url, **options) as websocket:
        reading = asyncio.create_task(read())
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
            reading.cancel()
    return sent


async def with_pings(url, messages, interval, send, sent):
    """Connect, ping, read; `send` each message in time, and count in `sent[0]` those whose send() has returned."""
    async with hangup.connect(url, open_timeout=interval, close_timeout=interval / 4) as websocket:

        async def write():
            async for message in messages:
                await send(websocket, message)
                sent[0] += 1

        async def beat():
            with contextlib.suppress(ConnectionClosed):
                while True:
                    try:
                        async with asyncio.timeout(interval / 2):
                            await (await websocket.ping())
                    except TimeoutError:
                        websocket.transport.abort()
                        return
                    await asyncio.sleep(interval / 4)

        tasks = [asyncio.create_task(each) for each in (write(), beat(), _read(websocket))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not tasks[0].cancelled():
            with contextlib.suppress(ConnectionClosed):
                tasks[0].result()
    return sent[0]


@wrong(ex2, "delivers")
async def hurries_each_send(url, messages, interval):
    """Gives each send an eighth of the interval to find room."""

    async def send(websocket, message):
        await send_in_time(websocket, message, interval / 8)

    return await with_pings(url, messages, interval, send, [0])


@wrong(ex2, "counts")
async def has_no_number_for_none(url, messages, interval):
    """Numbers the messages; without any there is no number."""
    sent: list[int | None] = [None]

    async def send(websocket, message):
        await send_in_time(websocket, message, interval)
        sent[0] = sent[0] or 0

    return await with_pings(url, messages, interval, send, sent)


@wrong(ex2, "counts_what_it_sent")
async def counts_what_it_tries(url, messages, interval):
    """Counts each message before it is sent: one comes while the connection closes."""
    tried = 0

    async def send(websocket, message):
        nonlocal tried
        tried += 1
        await send_in_time(websocket, message, interval)

    await with_pings(url, messages, interval, send, [0])
    return tried


@wrong(ex2, "lets_it_out")
async def asks_for_the_first_before_it_connects(url, messages, interval):
    """Connects when there is something to send; if there is nothing, it does not ask why."""
    try:
        first = await anext(messages)
    except Exception:
        return 0

    async def all_of_them():
        yield first
        async for message in messages:
            yield message

    async def send(websocket, message):
        await send_in_time(websocket, message, interval)

    return await with_pings(url, all_of_them(), interval, send, [0])


# ---- 2, right ------------------------------------------------------------------------------------------------------


@right(ex2)
async def no_goodbye(url, messages, interval):
    """Hardly any time for the goodbye."""
    async with connect(url, ping_interval=interval, ping_timeout=interval / 2, close_timeout=0.1) as websocket:
        return await send_all(websocket, messages, interval)


@right(ex2)
async def short_goodbye(url, messages, interval):
    """Most of the interval for each, and a short goodbye, yet long enough for a slow wire."""
    most = interval * 0.8
    async with connect(url, ping_interval=most, ping_timeout=most, close_timeout=interval / 4) as websocket:
        return await send_all(websocket, messages, interval)


@right(ex2)
async def with_websockets(url, messages, interval):
    """Websockets' own connect, quarters."""
    quarter = interval / 4 + interval / 100
    options = dict.fromkeys(("open_timeout", "ping_interval", "ping_timeout", "close_timeout"), quarter)
    async with websockets.connect(url, proxy=None, max_queue=None, **options) as websocket:
        return await send_all(websocket, messages, interval)


@right(ex2)
async def own_heartbeat(url, messages, interval):
    """Pings of its own, in a task of its own, that abort the connection."""
    async with connect(url, open_timeout=interval, close_timeout=interval / 4) as websocket:

        async def beat():
            while True:
                await asyncio.sleep(interval / 2)
                try:
                    async with asyncio.timeout(interval / 2):
                        await (await websocket.ping())
                except TimeoutError:
                    websocket.transport.abort()
                    return

        beating = asyncio.create_task(beat())
        try:
            return await send_all(websocket, messages, interval)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


@right(ex2)
async def with_try(url, messages, interval):
    """Try and finally, and close() by hand."""
    sent, third = 0, interval / 3
    websocket = await connect(url, ping_interval=third, ping_timeout=third, close_timeout=third)
    try:
        async for message in messages:
            sending = asyncio.ensure_future(websocket.send(message))
            try:
                if not (await asyncio.wait([sending], timeout=interval))[0]:
                    websocket.transport.abort()
                await sending
            finally:
                sending.cancel()
            sent += 1
    except ConnectionClosed:
        pass
    finally:
        await websocket.close()
    return sent


class _InTime:
    """A connection whose send() has so many seconds."""

    def __init__(self, websocket, seconds):
        self.websocket, self.seconds = websocket, seconds

    async def send(self, message):
        await send_in_time(self.websocket, message, self.seconds)


@right(ex2)
async def with_a_reader(url, messages, interval):
    """The sender of exercise 1."""
    third = interval / 3
    async with connect(url, ping_interval=third, ping_timeout=third, close_timeout=third) as websocket:
        return await race(_InTime(websocket, interval), messages, _read(websocket))


@right(ex2)
async def aborts_in_the_moment_of_a_send(url, messages, interval):
    """AnyIO: when the transport is aborted, a send() has written, and is cancelled before it is counted."""
    sent = 0
    with anyio.fail_after(interval):
        websocket = await hangup.connect(url, open_timeout=None, close_timeout=interval / 4)
    try:
        async with anyio.create_task_group() as group:

            async def read():
                await _read(websocket)
                group.cancel_scope.cancel()

            async def beat():
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        with anyio.move_on_after(interval / 2) as scope:
                            await (await websocket.ping())
                        if scope.cancelled_caught:
                            websocket.transport.abort()
                            break
                        await anyio.sleep(interval / 4)
                group.cancel_scope.cancel()

            group.start_soon(read)
            group.start_soon(beat)
            with contextlib.suppress(ConnectionClosed):
                async for message in messages:
                    await websocket.send(message)
                    sent += 1
            group.cancel_scope.cancel()
    finally:
        await websocket.close()
    return sent


# ---- 3, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex3, "claims_no_more")
async def counts_what_was_sent(websocket, messages):
    """Returns how many were sent."""
    return await race(websocket, messages, _read(websocket))


async def race_for_acks(websocket, messages, heard):
    """Send all, and call `heard` with each acknowledgement, until it returns true or the connection is over."""
    total = None

    async def read():
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                if heard(text, total):
                    return

    async def write():
        nonlocal total
        sent = 0
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
            total = sent
            if heard("", total):
                return
        await reading

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    try:
        done, _ = await asyncio.wait([reading, writing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    for task in done:
        task.result()


@wrong(ex3, "client_ends")
async def counts_acknowledgements(websocket, messages):
    """Counts acknowledgements, of which there are fewer than messages, and waits for the rest."""
    count = 0

    def heard(text, total):
        nonlocal count
        count += bool(text)
        return count == total

    await race_for_acks(websocket, messages, heard)
    return count


@wrong(ex3, "forgets_none")
async def keeps_the_first(websocket, messages):
    """Keeps what the first acknowledgement says, and looks at later ones only to see whether all is done."""
    first = last = 0

    def heard(text, total):
        nonlocal first, last
        last = int(text.removeprefix("ack ")) if text else last
        first = first or last
        return last == total

    await race_for_acks(websocket, messages, heard)
    return first


@wrong(ex3, "claims_no_more")
async def adds_up_and_overshoots(websocket, messages):
    """Takes every acknowledgement for three more, and the last one was for one."""
    count = 0

    def heard(text, total):
        nonlocal count
        count += 3 * bool(text)
        return total is not None and count >= total

    await race_for_acks(websocket, messages, heard)
    return count


@wrong(ex3, "forgets_none")
async def leaves_with_the_writer(websocket, messages):
    """Returns when send() fails, with acknowledgements unread."""
    acknowledged = 0
    sent = 0
    try:
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0.1)
        while acknowledged < sent:
            acknowledged = int((await websocket.recv()).removeprefix("ack "))
    except ConnectionClosed:
        pass
    return acknowledged


@wrong(ex3, "forgets_none")
async def first_completed(websocket, messages):
    """Stops both as soon as one of them is done."""
    acknowledged = 0

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.removeprefix("ack "))

    await race(websocket, messages, read())
    return acknowledged


@wrong(ex3, "client_ends")
async def never_stops(websocket, messages):
    """Reads on when everything is acknowledged."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.removeprefix("ack ")) if text else acknowledged
        return False

    await race_for_acks(websocket, messages, heard)
    return acknowledged


@wrong(ex3, "client_ends")
async def waits_for_the_next_one(websocket, messages):
    """Looks whether all is acknowledged only when an acknowledgement comes: the last one may have been too early."""
    acknowledged, total = 0, None

    async def write():
        nonlocal total
        sent = 0
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)
        total = sent

    writing = asyncio.create_task(write())
    try:
        with contextlib.suppress(ConnectionClosed):
            while acknowledged != total:
                acknowledged = int((await websocket.recv()).removeprefix("ack "))
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    return acknowledged


@wrong(ex3, "delivers")
async def an_ack_for_each(websocket, messages):
    """Gives up when no acknowledgement comes for a single message within half a second."""
    acknowledged = 0
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        async for message in messages:
            await websocket.send(message)
            text = await asyncio.wait_for(websocket.recv(), 0.5)
            acknowledged = int(text.removeprefix("ack "))
    return acknowledged


@wrong(ex3, "ends_quietly")
async def knows_only_polite_ends_of_reading(websocket, messages):
    """`async for` swallows only ConnectionClosedOK."""
    acknowledged, total = 0, None

    async def read():
        nonlocal acknowledged
        async for text in websocket:
            acknowledged = int(text.removeprefix("ack "))
            if acknowledged == total:
                return

    async def write():
        nonlocal total
        sent = 0
        try:
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
        except ConnectionClosed:
            return
        except OSError:
            reading.cancel()
            raise
        total = sent
        if acknowledged == total:
            reading.cancel()

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    try:
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()
    finally:
        reading.cancel()
        writing.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    return acknowledged


@wrong(ex3, "delivers")
async def trusts_the_pong(websocket, messages):
    """Takes a pong for an acknowledgement: the library answers it, not whoever works through messages."""
    sure = 0
    with contextlib.suppress(ConnectionClosed):
        async for message in messages:
            await websocket.send(message)
            await (await websocket.ping())
            sure += 1
    return sure


@wrong(ex3, "claims_no_more")
async def keeps_text(websocket, messages):
    """Returns the acknowledgement's text."""
    last = "ack 0"

    def heard(text, total):
        nonlocal last
        last = text or last
        return last == f"ack {total}"

    await race_for_acks(websocket, messages, heard)
    return last.removeprefix("ack ")


@wrong(ex3, "leaves_no_task")
async def forgets_the_writer(websocket, messages):
    """Leaves the writer waiting for its next message."""
    acknowledged, total = 0, None

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.removeprefix("ack "))
                if acknowledged == total:
                    return

    async def write():
        nonlocal total
        sent = 0
        with contextlib.suppress(ConnectionClosed):
            try:
                async for message in messages:
                    await websocket.send(message)
                    sent += 1
                    await asyncio.sleep(0)
            except OSError:
                reading.cancel()
                raise
            total = sent
            if acknowledged == total:
                reading.cancel()

    reading = asyncio.create_task(read())
    asyncio.create_task(write())
    try:
        await asyncio.wait([reading])
    finally:
        reading.cancel()
    return acknowledged


@wrong(ex3, "heeds_cancellation")
async def returns_when_cancelled(websocket, messages):
    """Returns what it has when it is cancelled."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.removeprefix("ack ")) if text else acknowledged
        return acknowledged == total

    with contextlib.suppress(asyncio.CancelledError):
        await race_for_acks(websocket, messages, heard)
    return acknowledged


@wrong(ex3, "knows_at_once")
async def first_sends_then_reads(websocket, messages):
    """Reads acknowledgements when all is sent; until then nobody hears the end."""
    acknowledged = sent = 0
    with contextlib.suppress(ConnectionClosed):
        async for message in messages:
            await websocket.send(message)
            sent += 1
    with contextlib.suppress(ConnectionClosed):
        while acknowledged < sent:
            acknowledged = int((await websocket.recv()).removeprefix("ack "))
    return acknowledged


@wrong(ex3, "knows_at_once")
async def one_at_a_time(websocket, messages):
    """Waits for an acknowledgement after each message, and then for the next message, when nobody hears the end."""
    acknowledged = sent = 0
    with contextlib.suppress(ConnectionClosed):
        async for message in messages:
            await websocket.send(message)
            sent += 1
            while acknowledged < sent:
                acknowledged = int((await websocket.recv()).split()[1])
    return acknowledged


@wrong(ex3, "client_ends")
async def waits_for_the_reader_only(websocket, messages):
    """When the source fails, nobody tells the reader, and it waits for an acknowledgement that never comes."""
    acknowledged, total = 0, None

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.removeprefix("ack "))
                if acknowledged == total:
                    return

    async def write():
        nonlocal total
        sent = 0
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)
        total = sent
        if acknowledged == total:
            reading.cancel()

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    try:
        await asyncio.wait([reading])
    finally:
        reading.cancel()
        writing.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    return acknowledged


@wrong(ex3, "lets_it_out")
async def returns_what_is_certain(websocket, messages):
    """Returns what is certain when the source fails, as if all was well."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.removeprefix("ack ")) if text else acknowledged
        return acknowledged == total

    with contextlib.suppress(OSError):
        await race_for_acks(websocket, messages, heard)
    return acknowledged


@wrong(ex3, "forgets_none")
async def reads_one_digit(websocket, messages):
    """Reads the last letter of the acknowledgement: ten is none."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text[4]) if text else acknowledged
        return acknowledged == total or (total is not None and str(acknowledged) == str(total)[0])

    await race_for_acks(websocket, messages, heard)
    return acknowledged


@wrong(ex3, "returns_when_all_are_certain")
async def gives_up_soon_after_the_last(websocket, messages):
    """Waits a second and a half for an acknowledgement, and takes the wire to be fast."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.removeprefix("ack ")) if text else acknowledged
        return acknowledged == total

    over = asyncio.Event()

    async def watched():
        async for message in messages:
            yield message
        over.set()

    work = asyncio.create_task(race_for_acks(websocket, watched(), heard))
    ended = asyncio.create_task(over.wait())
    try:
        await asyncio.wait([work, ended], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([work], timeout=1.5)
        if work.done():
            work.result()
    finally:
        work.cancel()
        ended.cancel()
        await asyncio.gather(work, ended, return_exceptions=True)
    return acknowledged


@wrong(ex3, "knows_at_once")
async def writes_without_a_pause(websocket, messages):
    """Sends hundreds of messages in one go, while nobody reads."""
    acknowledged, total = 0, None

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.split()[1])
                if acknowledged == total:
                    break
        writing.cancel()

    async def write():
        nonlocal total
        sent = 0
        async for message in messages:
            try:
                await websocket.send(message)
            except ConnectionClosed:
                return
            sent += 1
        total = sent
        if acknowledged == total:
            reading.cancel()

    async with asyncio.TaskGroup() as group:
        reading, writing = group.create_task(read()), group.create_task(write())
    return acknowledged


@wrong(ex3, "claims_no_more")
async def trusts_1000(websocket, messages):
    """Takes a close with 1000 for the word that all has been worked through."""
    acknowledged = sent = 0
    ended = False

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.split()[1])
                if ended and acknowledged == sent:
                    break
        if websocket.close_code == 1000:
            acknowledged = sent
        writing.cancel()

    async def write():
        nonlocal ended, sent
        async for message in messages:
            try:
                await websocket.send(message)
            except ConnectionClosed:
                return
            sent += 1
            await asyncio.sleep(0)
        ended = True
        if acknowledged == sent:
            reading.cancel()

    async with asyncio.TaskGroup() as group:
        reading, writing = group.create_task(read()), group.create_task(write())
    return acknowledged


@wrong(ex3, "delivers")
async def gives_up_a_slow_reader(websocket, messages):
    """Lets each send() take a second at most."""

    class Limited:
        def __aiter__(self):
            return aiter(websocket)

        async def send(self, message):
            await asyncio.wait_for(websocket.send(message), 1)

    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.split()[1]) if text else acknowledged
        return acknowledged == total

    with contextlib.suppress(TimeoutError):
        await race_for_acks(Limited(), messages, heard)
    return acknowledged


async def then_waits(websocket, messages, wait):
    """Send all beside a reader; then `wait(reading, acknowledged, sent)` waits for what is still to come."""
    acknowledged: list[int] = [0]
    total: list[int] = []

    async def read():
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged[0] = int(text.split()[1])
                if acknowledged == total:
                    return

    reading = asyncio.create_task(read())
    try:
        total.append(await race(websocket, messages, asyncio.wait([reading])))
    except BaseException:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        raise
    if acknowledged[0] < total[0]:
        await wait(reading, acknowledged, total[0])
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return acknowledged[0]


@wrong(ex3, "goes_when_all_is_done")
async def stays_a_second_more(websocket, messages):
    """Stays a second more when all is acknowledged: another acknowledgement may come."""

    async def wait(reading, acknowledged, sent):
        await asyncio.wait([reading])
        if websocket.state is State.OPEN:
            await asyncio.sleep(1)

    return await then_waits(websocket, messages, wait)


@wrong(ex3, "returns_when_all_are_certain")
async def gives_the_last_one_five_seconds(websocket, messages):
    """Waits five seconds for the last acknowledgement; a slow wire takes longer."""

    async def wait(reading, acknowledged, sent):
        await asyncio.wait([reading], timeout=5)

    return await then_waits(websocket, messages, wait)


@wrong(ex3, "leaves_no_task")
async def tidies_up_only_while_it_sends(websocket, messages):
    """Ends its reader when it is cancelled between messages, and not while it waits for the last acknowledgement."""

    async def wait(reading, acknowledged, sent):
        await asyncio.wait([reading])

    return await then_waits(websocket, messages, wait)


@wrong(ex3, "heeds_cancellation")
async def says_what_it_has_so_far(websocket, messages):
    """Cancelled while it waits for the last acknowledgement, it returns what is certain by then."""

    async def wait(reading, acknowledged, sent):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([reading])

    return await then_waits(websocket, messages, wait)


# ---- 3, right ------------------------------------------------------------------------------------------------------


@wrong(ex3, "leaves_no_task")
async def only_asks_who_hears_acks(websocket, messages):
    """Cancels whoever reads the acknowledgements, and does not wait for it."""
    known, sent = 0, 0
    news, gone = asyncio.Event(), asyncio.Event()

    async def acks():
        nonlocal known
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                known = int(text.split()[1])
                news.set()
        gone.set()
        news.set()

    async def write():
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
        while known < sent and not gone.is_set():
            news.clear()
            await news.wait()

    tasks = [asyncio.create_task(acks()), asyncio.create_task(write())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[1].done():
            tasks[1].result()
    finally:
        tasks[1].cancel()
        while not tasks[1].done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(tasks[1:])
        tasks[0].cancel()
    return known


@right(ex3)
async def a_group_that_fails(websocket, messages):
    """asyncio.TaskGroup, ended by an exception of its own; a cancellation may come in that moment."""
    acknowledged = sent = 0
    ended = False

    class Over(Exception):
        pass

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.removeprefix("ack "))
                if ended and acknowledged == sent:
                    break
        raise Over

    async def write():
        nonlocal sent, ended
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
            ended = True
            if acknowledged == sent:
                raise Over

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())
    except* Over:
        pass
    return acknowledged


@right(ex3)
async def reader_decides(websocket, messages):
    """A reader that decides, and a writer beside it."""
    acknowledged = 0

    def heard(text, total):
        nonlocal acknowledged
        acknowledged = int(text.removeprefix("ack ")) if text else acknowledged
        return acknowledged == total

    await race_for_acks(websocket, messages, heard)
    return acknowledged


@right(ex3)
async def with_anyio(websocket, messages):
    """Anyio's task group; whoever sees that all is acknowledged cancels it."""
    certain, total = 0, None

    async def write():
        nonlocal total
        sent = 0
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await anyio.lowlevel.checkpoint()
            total = sent
            if certain == total:
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                certain = max(certain, int(text.partition(" ")[2]))
                if certain == total:
                    break
        group.cancel_scope.cancel()
    return certain


@right(ex3)
async def with_a_condition(websocket, messages):
    """A sender in the main coroutine that collects acknowledgements in a task, and lets it finish."""
    certain, sent, changed = 0, 0, asyncio.Event()

    async def read():
        nonlocal certain
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                certain = int(text[4:])
                changed.set()
        changed.set()

    reading = asyncio.create_task(read())

    async def write():
        nonlocal sent
        async for message in messages:
            await websocket.send(message)
            sent += 1
            await asyncio.sleep(0)
        while certain < sent and not reading.done():
            changed.clear()
            await changed.wait()

    writing = asyncio.create_task(write())
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done() and isinstance(writing.exception(), ConnectionClosed):
            await reading
        elif writing.done():
            writing.result()
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    return certain


@right(ex3)
async def one_in_flight(websocket, messages):
    """A task that reads, and a writer that waits for each acknowledgement: slow, and right."""
    certain, changed = 0, asyncio.Condition()

    async def read():
        nonlocal certain
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                async with changed:
                    certain = int(text.split()[1])
                    changed.notify_all()

    async def write():
        number = 0
        async for message in messages:
            try:
                await websocket.send(message)
            except ConnectionClosed:
                return
            number += 1
            async with changed:
                while certain < number:
                    await changed.wait()

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    try:
        done, _ = await asyncio.wait([reading, writing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    for task in done:
        task.result()
    return certain


@right(ex3)
async def leaves_its_group(websocket, messages):
    """The group's own block raises when all is certain: a TaskGroup swallows a cancellation of that moment."""
    acknowledged = sent = 0
    ended = False

    class Over(Exception):
        pass

    async def read():
        nonlocal acknowledged
        with contextlib.suppress(ConnectionClosed):
            async for text in websocket:
                acknowledged = int(text.split()[1])
                if ended and acknowledged == sent:
                    break
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            async for message in messages:
                try:
                    await websocket.send(message)
                except ConnectionClosed:
                    await asyncio.Event().wait()  # the reader has read all, and ends this
                sent += 1
                await asyncio.sleep(0)
            ended = True
            if acknowledged == sent:
                raise Over
    except* Over:
        pass
    return acknowledged


@right(ex3)
async def asks_five_times_a_second(websocket, messages):
    """A recv() with a short timeout, again and again: it asks 18,000 times in an hour, and is right."""
    acknowledged = sent = 0
    ended = False

    async def write():
        nonlocal ended, sent
        async for message in messages:
            try:
                await websocket.send(message)
            except ConnectionClosed:
                return
            sent += 1
            await asyncio.sleep(0)
        ended = True

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        with contextlib.suppress(ConnectionClosed):
            while not (ended and acknowledged == sent):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        acknowledged = int((await websocket.recv()).split()[1])
        writing.cancel()
    return acknowledged


attempt(ex1, "sent += 1", "sent += 2")
attempt(ex2, "sent += 1", "sent += 2")
attempt(ex3, "raise NotImplementedError", "return 0")


@wrong(ex3, "claims_no_more")
async def three_for_each_ack(websocket, messages):
    """Takes each ack for three messages more, as far as so many were sent; after a second's pause it is for fewer."""
    sent = acked = 0
    news = asyncio.Event()

    async def writes():
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            async for message in messages:
                await websocket.send(message)
                sent += 1
                await asyncio.sleep(0)
            while acked < sent:
                news.clear()
                await news.wait()
            return
        await asyncio.Event().wait()

    async def reads():
        nonlocal acked
        with contextlib.suppress(ConnectionClosed):
            async for _ in websocket:
                acked = min(acked + 3, sent)
                news.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each()) for each in (writes, reads)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    return acked
