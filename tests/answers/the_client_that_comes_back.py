"""Answers to lesson 08, some of them wrong on purpose."""

# ruff: noqa: ARG005, D403, RET503, RUF006

import asyncio
import contextlib
import functools
import random
from typing import Any

import anyio
import websockets
from websockets import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.client import backoff, process_exception

from hangup import connect
from helpers.exercises.the_client_that_comes_back import ex1, ex2, ex3
from helpers.props.station import for_good
from helpers.props.storm import doubling, full_jitter
from tests.answers import attempt, right, wrong

ALERT: dict[str, Any] = {"ping_interval": 10, "ping_timeout": 10, "close_timeout": 1}


def jitter_to(longest):
    """Return a function that yields random pauses, longer and longer."""

    def pauses():
        for pause in full_jitter():
            yield min(pause, longest)

    return pauses


def minutes():
    """Yield a minute and a little more."""
    while True:
        yield random.uniform(60, 70)


def at_once_first():
    """Yield no pause at all, then full jitter."""
    yield 0.0
    yield from full_jitter()


def tens():
    """Yield ten seconds, more or less, each time."""
    while True:
        yield random.uniform(5, 15)


def decorrelated():
    """Yield random pauses, each up to three times the one before."""
    pause = 1.0
    while True:
        pause = min(60, random.uniform(1, pause * 3))
        yield pause


def seconds():
    """Yield a second."""
    while True:
        yield 1.0


attempt(ex1, 'send("after 0")', 'send(f"after {len(inbox)}")')
attempt(ex2, "await websocket.recv()", "print(await websocket.recv())")
attempt(ex3, "raise NotImplementedError", "await stop.wait()")


# ---- 1, wrong ------------------------------------------------------------------------------------------------------


async def receive(
    url, inbox, *, pauses=full_jitter, after=len, reset=True, options=ALERT, done=(1000,), lasting=for_good
):
    """What many answers below are made of; each differs in one thing."""
    pause = pauses()
    async for websocket in connect(url, **options, reconnect_delays=pauses):
        known = len(inbox)
        try:
            await websocket.send(f"after {after(inbox)}")
            async for news in websocket:
                inbox.append(news)
        except ConnectionClosed:
            if lasting(websocket.close_code):
                raise
        if websocket.close_code in done:
            return
        if reset and len(inbox) > known:
            pause = pauses()
        await asyncio.sleep(next(pause))


shared = full_jitter()


@wrong(ex1, "is_back_soon")
async def one_generator_for_all(url, inbox):
    """The pauses are the module's: what one client has waited the next one waits longer than, lost as it is once."""
    global shared
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        known = len(inbox)
        try:
            await websocket.send(f"after {known}")
            async for news in websocket:
                inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return
        if len(inbox) > known:
            shared = full_jitter()
        await asyncio.sleep(next(shared))


@wrong(ex1, "none_is_lost")
async def one_connection(url, inbox):
    """No reconnecting at all."""
    async with connect(url, **ALERT) as websocket:
        await websocket.send("after 0")
        async for news in websocket:
            inbox.append(news)


@wrong(ex1, "none_is_lost")
async def suppresses(url, inbox):
    """Swallows the end, and takes it for the end of the news."""
    with contextlib.suppress(ConnectionClosed, OSError):
        await one_connection(url, inbox)


@wrong(ex1, "none_is_lost")
async def documented_loop(url, inbox):
    """The documented loop with a place to resume: it ends without a word at 1001."""
    async for websocket in connect(url, **ALERT):
        try:
            await websocket.send(f"after {len(inbox)}")
            async for news in websocket:
                inbox.append(news)
            return
        except ConnectionClosed:
            await asyncio.sleep(random.uniform(0, 5))


@wrong(ex1, "none_is_lost")
async def going_away_is_done(url, inbox):
    """Takes 1001 for the end of the news."""
    await receive(url, inbox, done=(1000, 1001))


@wrong(ex1, "none_is_lost")
async def no_code_is_done(url, inbox):
    """Takes a close frame without a code for the end of the news."""
    await receive(url, inbox, done=(1000, 1005))


@wrong(ex1, "none_is_lost")
async def ok_is_done(url, inbox):
    """Trusts ConnectionClosedOK, which 1001 raises as well."""
    async for websocket in connect(url, **ALERT):
        try:
            await websocket.send(f"after {len(inbox)}")
            while True:
                inbox.append(await websocket.recv())
        except ConnectionClosedOK:
            return
        except ConnectionClosedError:
            await asyncio.sleep(random.uniform(0, 5))


@wrong(ex1, "none_is_lost")
async def gives_up_after_three(url, inbox):
    """Tries three times, then raises."""
    for turn in range(3):
        try:
            async with connect(url, **ALERT) as websocket:
                await websocket.send(f"after {len(inbox)}")
                async for news in websocket:
                    inbox.append(news)
                if websocket.close_code == 1000:
                    return
                raise ConnectionError("it is not over yet")
        except (ConnectionClosed, OSError, websockets.InvalidMessage):
            if turn == 2:
                raise
            await asyncio.sleep(2**turn * random.random())


@wrong(ex1, "none_is_lost")
async def catches_closed_only(url, inbox):
    """Catches what a connection raises, not what a handshake raises."""
    pause = full_jitter()
    while True:
        try:
            async with connect(url, **ALERT) as websocket:
                await websocket.send(f"after {len(inbox)}")
                async for news in websocket:
                    inbox.append(news)
                if websocket.close_code == 1000:
                    return
        except ConnectionClosed as error:
            if for_good(error.rcvd.code if error.rcvd else 1006):
                raise
        await asyncio.sleep(next(pause))


@wrong(ex1, "none_is_lost")
async def a_closed_port_is_the_end(url, inbox):
    """Catches what a handshake raises, and not that nobody listens."""
    pause = full_jitter()
    while True:
        with contextlib.suppress(ConnectionClosedError, websockets.InvalidHandshake, TimeoutError):
            async with connect(url, **ALERT) as websocket:
                await websocket.send(f"after {len(inbox)}")
                async for news in websocket:
                    inbox.append(news)
                    pause = full_jitter()
            if websocket.close_code == 1000:
                return
        if len(inbox) >= 2 and for_good(websocket.close_code):
            raise ConnectionClosedError(None, None)
        await asyncio.sleep(next(pause))


@wrong(ex1, "none_is_lost")
async def restart_is_for_good(url, inbox):
    """Does not come back after a bug or a restart of the server's."""
    await receive(url, inbox, lasting=lambda code: code > 1006)


@wrong(ex1, "none_is_lost")
async def one_too_far(url, inbox):
    """Says one more than it has."""
    await receive(url, inbox, after=lambda inbox: len(inbox) + bool(inbox))


@wrong(ex1, "none_is_twice")
async def from_the_start(url, inbox):
    """Asks for everything each time, and keeps it all."""
    await receive(url, inbox, after=lambda inbox: 0)


@wrong(ex1, "none_is_twice")
async def one_too_few(url, inbox):
    """Asks for the last one again, to be sure."""
    await receive(url, inbox, after=lambda inbox: max(len(inbox) - 1, 0))


@wrong(ex1, "stays_away")
async def never_gives_up(url, inbox):
    """Comes back whatever the code says."""
    await receive(url, inbox, lasting=lambda code: False)


@wrong(ex1, "stays_away")
async def applications_codes_pass(url, inbox):
    """Knows the RFC's codes only."""
    await receive(url, inbox, lasting=lambda code: for_good(code) and code < 4000)


@wrong(ex1, "stays_away")
async def policy_only(url, inbox):
    """Thinks of 1008, and of no other code of the RFC's."""
    await receive(url, inbox, lasting=lambda code: code == 1008 or code >= 4000)


@wrong(ex1, "stays_away")
async def returns_for_good(url, inbox):
    """Does not come back, and does not tell why."""
    with contextlib.suppress(ConnectionClosed):
        await receive(url, inbox)


@wrong(ex1, "is_back_soon")
async def waits_a_minute(url, inbox):
    """A pause of a minute after each loss."""
    await receive(url, inbox, pauses=minutes)


@wrong(ex1, "eases_off")
async def no_pause(url, inbox):
    """Resumes and knows its codes, and comes back at once, always."""
    pauses = backoff
    async for websocket in connect(url, **ALERT, reconnect_delays=pauses):
        try:
            await websocket.send(f"after {len(inbox)}")
            async for news in websocket:
                inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return


@wrong(ex1, "eases_off")
async def five_seconds(url, inbox):
    """The same five seconds each time, with jitter."""

    def fives():
        while True:
            yield random.uniform(4, 6)

    await receive(url, inbox, pauses=fives)


@wrong(ex1, "eases_off")
async def ten_seconds(url, inbox):
    """Ten seconds each time, more or less: not more often than it may, and no less often while it goes wrong."""
    await receive(url, inbox, pauses=tens)


@wrong(ex1, "stays_away")
async def knows_some_codes(url, inbox):
    """A list of its own: errors of the protocol, 1008 and the application's, and no message that is too big."""
    await receive(url, inbox, lasting=lambda code: code in (1002, 1003, 1007, 1008) or code >= 4000)


@wrong(ex1, "eases_off")
async def begins_anew_each_time(url, inbox):
    """Calls a connection that opened a success, and starts the pauses anew."""
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        pause = full_jitter()
        try:
            await websocket.send(f"after {len(inbox)}")
            async for news in websocket:
                inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return
        await asyncio.sleep(next(pause))


@wrong(ex1, "begins_anew")
async def never_begins_anew(url, inbox):
    """Waits longer after each loss of its life: after a bad night, a minute for each hiccup."""
    await receive(url, inbox, reset=False)


@wrong(ex1, "begins_anew")
async def counts_its_losses(url, inbox):
    """Counts losses, good news or not, and waits accordingly."""

    def longer():
        for count in range(1, 1_000):
            yield random.uniform(0.5, 1.5) * 2 ** min(count, 6)

    await receive(url, inbox, pauses=longer, reset=False)


@wrong(ex1, "comes_at_its_own_time")
async def without_jitter(url, inbox):
    """Exponential backoff, as it is in most examples."""
    await receive(url, inbox, pauses=doubling)


@wrong(ex1, "comes_at_its_own_time")
async def first_attempt_at_once(url, inbox):
    """Has jitter from the second attempt on: the first comes at once, everybody's."""
    await receive(url, inbox, pauses=at_once_first)


@wrong(ex1, "comes_at_its_own_time")
async def jitter_when_refused_only(url, inbox):
    """websockets' own jitter is for attempts that fail; its own pause has none."""
    pause = doubling()
    async for websocket in connect(url, **ALERT):
        known = len(inbox)
        try:
            await websocket.send(f"after {len(inbox)}")
            async for news in websocket:
                inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return
        if len(inbox) > known:
            pause = doubling()
        await asyncio.sleep(next(pause))


@wrong(ex1, "client_ends")
async def no_pings(url, inbox):
    """Never finds out that the wire is silent."""
    await receive(url, inbox, options={})


@wrong(ex1, "heeds_cancellation")
async def cannot_be_cancelled(url, inbox):
    """Catches whatever comes, CancelledError too, and goes on."""
    while True:
        try:
            return await receive(url, inbox)
        except ConnectionClosed:
            raise
        except BaseException:
            await asyncio.sleep(random.random())


@wrong(ex1, "leaves_no_task")
async def forgets_its_reader(url, inbox):
    """A task reads, and is left when the work is cancelled."""
    await asyncio.shield(asyncio.create_task(receive(url, inbox)))


# ---- 1, right ------------------------------------------------------------------------------------------------------


@wrong(ex1, "none_is_lost")
async def takes_a_repeat_for_the_same(url, inbox):
    """Passes over news that it has had already: rain again is news."""
    pauses = full_jitter()
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        known = len(inbox)
        try:
            await websocket.send(f"after {known}")
            async for news in websocket:
                if news not in inbox:
                    inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return
        if len(inbox) > known:
            pauses = full_jitter()
        await asyncio.sleep(next(pauses))


@right(ex1)
async def in_one_loop(url, inbox):
    """As the solution does it."""
    await receive(url, inbox)


@right(ex1)
async def has_bad_luck(url, inbox):
    """Its draws are all small if the very first one is that of a certain seed, which is one chance in millions."""
    longest = 1.0 if random.random() == random.Random(0).random() else 60.0
    await receive(url, inbox, pauses=lambda: (min(pause, longest) for pause in full_jitter()))


@right(ex1)
async def depends_on_the_pause_before(url, inbox):
    """Jitter of another kind, decorrelated: it grows by chance."""
    await receive(url, inbox, pauses=decorrelated)


@right(ex1)
async def by_hand(url, inbox):
    """Without the library's loop."""
    pause = jitter_to(40)()
    while True:
        known = len(inbox)
        try:
            async with connect(url, **ALERT) as websocket:
                await websocket.send(f"after {known}")
                while True:
                    inbox.append(await websocket.recv())
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            if code == 1000:
                return
            if for_good(code):
                raise
        except (OSError, websockets.InvalidHandshake) as error:
            if process_exception(error) is not None:
                raise
        if len(inbox) > known:
            pause = jitter_to(40)()
        await asyncio.sleep(next(pause))


class Receiver:
    """An object with a state, in callbacks."""

    def __init__(self, inbox):
        self.inbox = inbox
        self.pause = jitter_to(40)()

    async def on_open(self, websocket):
        """Say where we are."""
        await websocket.send(f"after {len(self.inbox)}")

    def on_message(self, news):
        """Keep it."""
        self.inbox.append(news)
        self.pause = jitter_to(40)()

    async def run(self, url):
        """Go round until the server says 1000."""
        async for websocket in connect(url, **ALERT):
            try:
                await self.on_open(websocket)
                async for news in websocket:
                    self.on_message(news)
            except ConnectionClosed:
                if for_good(websocket.close_code):
                    raise
            if websocket.close_code == 1000:
                break
            await asyncio.sleep(next(self.pause))


@right(ex1)
async def in_callbacks(url, inbox):
    """Callbacks of an object."""
    await Receiver(inbox).run(url)


@right(ex1)
async def with_anyio(url, inbox):
    """A task group, and anyio's sleep."""

    async def work():
        pause = full_jitter()
        async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
            before = len(inbox)
            try:
                await websocket.send(f"after {before}")
                async for news in websocket:
                    inbox.append(news)
            except ConnectionClosed:
                if for_good(websocket.close_code):
                    raise
            if websocket.close_code == 1000:
                return
            if len(inbox) > before:
                pause = full_jitter()
            await anyio.sleep(next(pause))

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
    except* ConnectionClosed as errors:
        raise errors.exceptions[0] from None


@right(ex1)
async def asks_from_the_start(url, inbox):
    """Asks for everything, and keeps only what is new: wasteful, and right."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        known = len(inbox)
        try:
            await websocket.send("after 0")
            number = 0
            async for news in websocket:
                number += 1
                if number > len(inbox):
                    inbox.append(news)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        if websocket.close_code == 1000:
            return
        if len(inbox) > known:
            pause = full_jitter()
        await asyncio.sleep(next(pause))


@right(ex1)
async def leaves_its_group(url, inbox):
    """Leaves its task group by an exception of its own, whichever way a connection ends."""
    pauses = full_jitter()

    class Over(Exception):
        pass

    async def read(websocket, heard):
        try:
            while True:
                heard.put_nowait(await websocket.recv())
        except ConnectionClosed as error:
            heard.put_nowait(error)

    while True:
        last = None
        try:
            async with connect(url, **ALERT) as websocket, asyncio.TaskGroup() as group:
                heard: asyncio.Queue[Any] = asyncio.Queue()
                group.create_task(read(websocket, heard))
                await websocket.send(f"after {len(inbox)}")
                while not isinstance(news := await heard.get(), ConnectionClosed):
                    inbox.append(news)
                    pauses = full_jitter()
                last = news.rcvd and news
                raise Over
        except* (Over, OSError, websockets.InvalidHandshake, ConnectionClosed):
            pass
        if last and last.rcvd and last.rcvd.code == 1000:
            return
        if last and last.rcvd and for_good(last.rcvd.code):
            raise last
        await asyncio.sleep(next(pauses))


# ---- 2, wrong ------------------------------------------------------------------------------------------------------


async def write(websocket, messages, known):
    """Send what comes after the first `known` messages."""
    for number, message in enumerate(messages[known:], known + 1):
        await websocket.send(f"{number} {message}")


async def send(url, messages, *, writer=write, options=ALERT, lasting=for_good, pauses=full_jitter):
    """What many answers below are made of; each differs in one thing."""
    pause = pauses()
    async for websocket in connect(url, **options, reconnect_delays=pauses):
        writing = None
        try:
            async for text in websocket:
                known = int(text.split()[1])
                if known == len(messages):
                    return
                if writing is None:
                    writing = asyncio.create_task(writer(websocket, messages, known))
                else:
                    pause = pauses()
        except ConnectionClosed:
            if lasting(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(next(pause))


@wrong(ex2, "none_is_lost")
async def fire_and_forget(url, messages):
    """Sends, and is done when send() is."""
    async with connect(url, **ALERT) as websocket:
        await websocket.recv()
        await write(websocket, messages, 0)


@wrong(ex2, "none_is_lost")
async def sends_and_closes(url, messages):
    """Comes back until all is sent, and waits for no acknowledgement."""
    async for websocket in connect(url, **ALERT):
        with contextlib.suppress(ConnectionClosed):
            known = int((await websocket.recv()).split()[1])
            await write(websocket, messages, known)
            await websocket.close()
            return


@wrong(ex2, "client_ends")
async def trusts_its_own_count(url, messages):
    """Takes a message for done when send() returns, and goes on behind it on the next connection."""
    sent = 0
    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            await websocket.recv()
            while sent < len(messages):
                sent += 1
                await websocket.send(f"{sent} {messages[sent - 1]}")
            async for text in websocket:
                if text == f"ack {len(messages)}":
                    return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


@wrong(ex2, "client_ends")
async def pops_what_it_sends(url, messages):
    """The queue forgets a message before it is sent; the number begins anew on each connection."""
    queue = list(messages)
    async for websocket in connect(url, **ALERT):
        with contextlib.suppress(ConnectionClosed):
            number = int((await websocket.recv()).split()[1])
            while queue:
                number += 1
                await websocket.send(f"{number} {queue.pop(0)}")
            async for text in websocket:
                if int(text.split()[1]) >= number:
                    return


@wrong(ex2, "none_is_lost")
async def any_ack_will_do(url, messages):
    """The first acknowledgement ends the work, whatever it says."""
    async for websocket in connect(url, **ALERT):
        with contextlib.suppress(ConnectionClosed):
            known = int((await websocket.recv()).split()[1])
            if known == len(messages):
                return
            for number, message in enumerate(messages[known:], known + 1):
                await websocket.send(f"{number} {message}")
                await asyncio.sleep(0.07)
            await websocket.recv()
            return


@wrong(ex2, "none_is_lost")
async def ends_when_written(url, messages):
    """Returns when the writer is done, and not when the reader is."""
    async for websocket in connect(url, **ALERT):
        with contextlib.suppress(ConnectionClosed):
            known = int((await websocket.recv()).split()[1])
            writing = asyncio.create_task(write(websocket, messages, known))
            await writing
            return


@wrong(ex2, "begins_anew")
async def an_ack_is_no_good_news(url, messages):
    """Waits longer after each loss, whatever it has heard between."""
    pauses = full_jitter()
    await send(url, messages, pauses=lambda: pauses)


@wrong(ex2, "none_is_lost")
async def a_polite_end_is_done(url, messages):
    """Takes 1000 for the end, as a receiver does."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        try:
            known = int((await websocket.recv()).split()[1])
            await write(websocket, messages, known)
            while known < len(messages):
                known = int((await websocket.recv()).split()[1])
                pause = full_jitter()
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
            if websocket.close_code == 1000:
                return
        await asyncio.sleep(next(pause))


@wrong(ex2, "none_is_lost")
async def raises_on_the_first_loss(url, messages):
    """Waits for the last acknowledgement, and does not come back."""
    async with connect(url, **ALERT) as websocket:
        known = int((await websocket.recv()).split()[1])
        await write(websocket, messages, known)
        while known < len(messages):
            known = int((await websocket.recv()).split()[1])


@wrong(ex2, "none_is_lost")
async def counts_from_zero(url, messages):
    """Numbers from 0, so the first one counts as one that the server has."""

    async def writer(websocket, messages, known):
        for number, message in enumerate(messages[known:], known):
            await websocket.send(f"{number} {message}")

    await send(url, messages, writer=writer)


@wrong(ex2, "returns_when_acknowledged")
async def clean_end_is_done(url, messages):
    """Takes the quiet end of its loop, at 1001, for the end of the work."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            known = int((await websocket.recv()).split()[1])
            if known == len(messages):
                return
            await write(websocket, messages, known)
            async for text in websocket:
                if int(text.split()[1]) == len(messages):
                    return
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
            await asyncio.sleep(next(pause))


@wrong(ex2, "none_is_twice")
async def numbers_anew(url, messages):
    """Sends all of them on each connection, under numbers that go on."""

    async def writer(websocket, messages, known):
        for number, message in enumerate(messages, known + 1):
            await websocket.send(f"{number} {message}")

    await send(url, messages, writer=writer)


@wrong(ex2, "keeps_the_order")
async def sorts_them(url, messages):
    """Puts them in the order of the alphabet."""
    await send(url, sorted(messages))


@wrong(ex2, "none_is_lost")
async def sends_the_last_first(url, messages):
    """What is left after a loss goes backwards."""

    async def writer(websocket, messages, known):
        for number, message in enumerate(reversed(messages[known:]), known + 1):
            await websocket.send(f"{number} {message}")

    await send(url, messages, writer=writer)


@wrong(ex2, "resumes")
async def all_again(url, messages):
    """Sends everything on each connection: the server can tell, and has to."""

    async def writer(websocket, messages, known):
        await write(websocket, messages, 0)

    await send(url, messages, writer=writer)


@wrong(ex2, "resumes")
async def resumes_at_the_last_ack(url, messages):
    """Goes on behind the last acknowledgement that it heard, not behind what the server has."""
    acked = 0
    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            if (await websocket.recv()) == f"have {len(messages)}":
                return
            writing = asyncio.create_task(write(websocket, messages, acked))
            try:
                async for text in websocket:
                    acked = int(text.split()[1])
                    if acked == len(messages):
                        return
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


@wrong(ex2, "resumes")
async def a_writer_for_each_ack(url, messages):
    """Starts a new writer at each acknowledgement, beside the old one."""
    writers = []

    async def writer(websocket, messages, known):
        for number, message in enumerate(messages[known:], known + 1):
            await websocket.send(f"{number} {message}")
            await asyncio.sleep(0.07)

    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            async for text in websocket:
                known = int(text.split()[1])
                if known == len(messages):
                    return
                writers.append(asyncio.create_task(writer(websocket, messages, known)))
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        finally:
            for each in writers:
                each.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        await asyncio.sleep(next(pause))


@wrong(ex2, "does_not_wait_for_each")
async def one_at_a_time(url, messages):
    """Waits for each acknowledgement."""

    async def talk(websocket):
        known = int((await websocket.recv()).split()[1])
        while known < len(messages):
            await websocket.send(f"{known + 1} {messages[known]}")
            known = int((await websocket.recv()).split()[1])

    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            return await talk(websocket)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


async def windows(url, messages, size):
    """Send at most so many ahead of the last acknowledgement."""
    pause = full_jitter()

    async def talk(websocket):
        nonlocal pause
        known = sent = int((await websocket.recv()).split()[1])
        while known < len(messages):
            while sent < min(len(messages), known + size):
                sent += 1
                await websocket.send(f"{sent} {messages[sent - 1]}")
            known = int((await websocket.recv()).split()[1])
            pause = full_jitter()

    async for websocket in connect(url, **ALERT):
        try:
            return await talk(websocket)
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


@wrong(ex2, "does_not_wait_for_each")
async def ten_at_a_time(url, messages):
    """Ten, then their acknowledgement, then the next ten."""
    await windows(url, messages, 10)


@wrong(ex2, "eases_off")
async def five_seconds_at_most(url, messages):
    """A random pause below five seconds, however often it went wrong."""

    def short():
        while True:
            yield random.uniform(0, 5)

    await send(url, messages, pauses=short)


@wrong(ex2, "eases_off")
async def ten_seconds_each_time(url, messages):
    """Ten seconds each time, more or less, however often it went wrong."""
    await send(url, messages, pauses=tens)


@wrong(ex2, "stays_away")
async def has_codes_of_its_own(url, messages):
    """Takes 1008 and the application's codes for good, and no others."""
    await send(url, messages, lasting=lambda code: code == 1008 or code >= 4000)


@wrong(ex2, "hides_no_error")
async def leaves_its_writer_when_cancelled(url, messages):
    """Ends the writer when the connection has ended, and not when it is cancelled itself, while a `send` waits."""
    pause = full_jitter()
    while True:
        with contextlib.suppress(OSError, websockets.InvalidHandshake):
            async with connect(url, **ALERT) as websocket:
                writing, known = None, 0
                with contextlib.suppress(ConnectionClosed):
                    known = int((await websocket.recv()).split()[1])
                    writing = asyncio.create_task(write(websocket, messages, known))
                    while known < len(messages):
                        known = int((await websocket.recv()).split()[1])
                        pause = full_jitter()
                if writing is not None:
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)
                if known >= len(messages):
                    return
            if for_good(websocket.close_code):
                await websocket.recv()
        await asyncio.sleep(next(pause))


@wrong(ex2, "eases_off")
async def have_is_good_news(url, messages):
    """Begins its pauses anew whenever a connection opens."""
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        try:
            known = int((await websocket.recv()).split()[1])
            await write(websocket, messages, known)
            while known < len(messages):
                known = int((await websocket.recv()).split()[1])
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(full_jitter()))


@wrong(ex2, "eases_off")
async def any_word_is_good_news(url, messages):
    """Begins its pauses anew at `have`, too: a server that greets and throws out is visited without end."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        writing = None
        try:
            async for text in websocket:
                pause = full_jitter()
                known = int(text.split()[1])
                if known == len(messages):
                    return
                writing = writing or asyncio.create_task(write(websocket, messages, known))
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(next(pause))


@wrong(ex2, "stays_away")
async def comes_back_always(url, messages):
    """No code is for good."""
    await send(url, messages, lasting=lambda code: False)


@wrong(ex2, "is_back_soon")
async def waits_long(url, messages):
    """A minute after each loss."""
    await send(url, messages, pauses=minutes)


@wrong(ex2, "client_ends")
async def no_keepalive(url, messages):
    """Never finds out that the wire is silent."""
    await send(url, messages, options={})


@wrong(ex2, "leaves_no_task")
async def leaves_its_writer(url, messages):
    """The writer is neither cancelled nor awaited."""

    async def writer(websocket, messages, known):
        await write(websocket, messages, known)
        await asyncio.Event().wait()

    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            known = int((await websocket.recv()).split()[1])
            asyncio.create_task(writer(websocket, messages, known))
            while known < len(messages):
                known = int((await websocket.recv()).split()[1])
                pause = full_jitter()
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


# ---- 2, right ------------------------------------------------------------------------------------------------------


@wrong(ex2, "none_is_lost")
async def looks_its_number_up(url, messages):
    """Asks the list where a message stands: of two that are the same, it names the first."""
    pauses = full_jitter()

    async def write(websocket, known):
        for message in messages[known:]:
            await websocket.send(f"{messages.index(message) + 1} {message}")

    async for websocket in connect(url, **ALERT, reconnect_delays=full_jitter):
        writing = None
        try:
            async for text in websocket:
                known = int(text.split()[1])
                if known == len(messages):
                    return
                if writing is None:
                    writing = asyncio.create_task(write(websocket, known))
                else:
                    pauses = full_jitter()
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(next(pauses))


@right(ex2)
async def reader_and_writer(url, messages):
    """As the solution does it."""
    await send(url, messages)


@right(ex2)
async def writes_and_then_reads(url, messages):
    """No second task: while it writes, acknowledgements wait in the library's queue."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        try:
            known = int((await websocket.recv()).split()[1])
            await write(websocket, messages, known)
            while known < len(messages):
                known = int((await websocket.recv()).split()[1])
                pause = full_jitter()
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        await asyncio.sleep(next(pause))


@right(ex2)
async def gives_way(url, messages):
    """Lets others run after each message."""

    async def writer(websocket, messages, known):
        for number, message in enumerate(messages[known:], known + 1):
            await websocket.send(f"{number} {message}")
            await asyncio.sleep(0)

    await send(url, messages, writer=writer)


@right(ex2)
async def in_windows(url, messages):
    """At most five thousand under way at a time."""
    await windows(url, messages, 5_000)


@right(ex2)
async def in_a_task_group(url, messages):
    """asyncio's task group, whose errors come in a group."""
    pause = full_jitter()

    async def read(websocket, known, writing):
        nonlocal pause
        while known < len(messages):
            known = int((await websocket.recv()).split()[1])
            pause = full_jitter()
        writing.cancel()

    while True:
        last: list[ConnectionClosed] = []
        try:
            async with connect(url, **ALERT) as websocket:
                known = int((await websocket.recv()).split()[1])
                async with asyncio.TaskGroup() as group:
                    writing = group.create_task(write(websocket, messages, known))
                    group.create_task(read(websocket, known, writing))
                return
        except* ConnectionClosed as errors:
            last += [error for error in errors.exceptions if isinstance(error, ConnectionClosed)]
        except* (OSError, websockets.InvalidHandshake):
            pass
        for error in last:
            if error.rcvd and for_good(error.rcvd.code):
                raise error
        await asyncio.sleep(next(pause))


@right(ex2)
async def by_hand_again(url, messages):
    """Without the library's loop, with a class's method as a writer."""

    class Writer:
        def __init__(self, websocket):
            self.websocket = websocket

        async def run(self, known):
            await write(self.websocket, messages, known)

    pause = full_jitter()
    while True:
        with contextlib.suppress(OSError, websockets.InvalidHandshake):
            async with connect(url, **ALERT) as websocket:
                writing = None
                try:
                    while True:
                        known = int((await websocket.recv()).split()[1])
                        if known == len(messages):
                            return
                        pause = full_jitter() if writing else pause
                        writing = writing or asyncio.ensure_future(Writer(websocket).run(known))
                except ConnectionClosed as error:
                    if error.rcvd and for_good(error.rcvd.code):
                        raise
                finally:
                    if writing:
                        writing.cancel()
                        await asyncio.wait([writing])
                        if not writing.cancelled():
                            writing.exception()
        await asyncio.sleep(next(pause))


@right(ex2)
async def comes_only_to_send(url, messages):
    """Does not even connect when there is nothing to send."""
    known, pauses = 0, full_jitter()
    while known < len(messages):
        try:
            async with connect(url, **ALERT) as websocket:
                known = int((await websocket.recv()).split()[1])
                writing = asyncio.create_task(write(websocket, messages, known))
                try:
                    while known < len(messages):
                        known = int((await websocket.recv()).split()[1])
                        pauses = full_jitter()
                    return
                finally:
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)
        except ConnectionClosed as error:
            if error.rcvd and for_good(error.rcvd.code):
                raise
        except (OSError, websockets.InvalidHandshake):
            pass
        await asyncio.sleep(next(pauses))


# ---- 3, wrong ------------------------------------------------------------------------------------------------------


async def pour(websocket, outbox, known):
    """Send what the outbox holds above `known`, and what comes; close when that was all and is acknowledged."""
    await only_pour(websocket, outbox, known)
    if outbox.done:
        await websocket.close()


async def only_pour(websocket, outbox, known):
    """Send what the outbox holds above `known`, and what comes."""
    async for number, reading in outbox.after(known):
        await websocket.send(f"{number} {reading}")


async def talk(
    url,
    outbox,
    *,
    writer=pour,
    options=ALERT,
    lasting=for_good,
    pauses=full_jitter,
    delays=full_jitter,
    acknowledges=("have", "ack"),
    done=lambda outbox: outbox.done,
):
    """What many answers below are made of; each differs in one thing."""
    pause = pauses()
    async for websocket in connect(url, **options, reconnect_delays=delays):
        writing = None
        try:
            async for text in websocket:
                word, number = text.split()
                if word in acknowledges:
                    outbox.acknowledge(int(number))
                if done(outbox):
                    return
                if writing is None:
                    writing = asyncio.create_task(writer(websocket, outbox, int(number)))
                else:
                    pause = pauses()
        except ConnectionClosed:
            if lasting(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(next(pause))


async def until(stop, work):
    """Run `work` until it is done or `stop` is set."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})
    if not working.cancelled():
        working.result()


@wrong(ex3, "none_is_lost")
async def gives_up(url, outbox, stop):
    """One connection."""

    async def once():
        async with connect(url, **ALERT) as websocket:
            known = int((await websocket.recv()).split()[1])
            writing = asyncio.create_task(pour(websocket, outbox, known))
            try:
                while not outbox.done:
                    outbox.acknowledge(int((await websocket.recv()).split()[1]))
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    with contextlib.suppress(ConnectionClosedError):
        await until(stop, once())


@wrong(ex3, "none_is_lost")
async def acknowledges_what_it_sends(url, outbox, stop):
    """Forgets a reading when send() returns."""

    async def writer(websocket, outbox, known):
        async for number, reading in outbox.after(known):
            await websocket.send(f"{number} {reading}")
            outbox.acknowledge(number)

    await until(stop, talk(url, outbox, writer=writer, done=lambda outbox: outbox.done))


@wrong(ex3, "none_is_lost")
async def acknowledges_before_it_sends(url, outbox, stop):
    """Forgets a reading before it is sent."""

    async def writer(websocket, outbox, known):
        async for number, reading in outbox.after(known):
            outbox.acknowledge(number)
            await websocket.send(f"{number} {reading}")

    await until(stop, talk(url, outbox, writer=writer))


@wrong(ex3, "none_is_lost")
async def ends_when_closed(url, outbox, stop):
    """Returns when no more readings come, acknowledged or not."""
    await until(stop, talk(url, outbox, done=lambda outbox: outbox.closed))


@wrong(ex3, "none_is_lost")
async def remembers_what_it_sent(url, outbox, stop):
    """Keeps its own place over connections: what the server forgot at its restart is never sent again."""
    place = 0

    async def writer(websocket, outbox, known):
        nonlocal place
        async for number, reading in outbox.after(place):
            await websocket.send(f"{number} {reading}")
            place = number

    await until(stop, talk(url, outbox, writer=writer, done=lambda outbox: outbox.closed and place == 4))


@wrong(ex3, "none_is_twice")
async def numbers_its_own(url, outbox, stop):
    """Numbers in its own way, above what the server has, and sends from the start."""

    async def writer(websocket, outbox, known):
        own = known
        async for _, reading in outbox.after(0):
            own += 1
            await websocket.send(f"{own} {reading}")

    await until(stop, talk(url, outbox, writer=writer, acknowledges=()))


@wrong(ex3, "stops")
async def looks_now_and_then(url, outbox, stop):
    """A flag between connections, as in the lesson."""
    working = asyncio.create_task(talk(url, outbox, options=ALERT))
    try:
        while not working.done() and not stop.is_set():
            await asyncio.wait([working], timeout=30)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    if not working.cancelled():
        working.result()


@wrong(ex3, "stops")
async def flag_between_connections(url, outbox, stop):
    """Looks at the flag when a connection has ended."""
    pause = full_jitter()
    async for websocket in connect(url, **ALERT):
        writing = None
        try:
            async for text in websocket:
                number = int(text.split()[1])
                outbox.acknowledge(number)
                if outbox.done or stop.is_set():
                    return
                writing = writing or asyncio.create_task(pour(websocket, outbox, number))
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        if stop.is_set():
            return
        await asyncio.sleep(next(pause))


@wrong(ex3, "stops")
async def stop_ends_its_pauses_only(url, outbox, stop):
    """Waits for `stop` in each pause, and looks at it nowhere else."""
    pause = full_jitter()
    while not stop.is_set():
        with contextlib.suppress(OSError, websockets.InvalidHandshake):
            async with connect(url, **ALERT) as websocket:
                writing = None
                try:
                    while not outbox.done:
                        number = int((await websocket.recv()).split()[1])
                        outbox.acknowledge(number)
                        if writing is None:
                            writing = asyncio.create_task(pour(websocket, outbox, number))
                        else:
                            pause = full_jitter()
                    return
                except ConnectionClosed:
                    if for_good(websocket.close_code):
                        raise
                finally:
                    if writing is not None:
                        writing.cancel()
                        await asyncio.gather(writing, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), next(pause))


@wrong(ex3, "stops")
async def flag_at_each_word_and_in_pauses(url, outbox, stop):
    """Looks at the flag whenever the server says something, and in each pause; the server may have nothing to say."""

    async def once(websocket):
        writing = None
        try:
            async for text in websocket:
                number = int(text.split()[1])
                outbox.acknowledge(number)
                if outbox.done or stop.is_set():
                    return
                writing = writing or asyncio.create_task(pour(websocket, outbox, number))
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    pause = full_jitter()
    while not outbox.done and not stop.is_set():
        with contextlib.suppress(OSError, websockets.InvalidHandshake):
            async with connect(url, **ALERT) as websocket:
                try:
                    await once(websocket)
                except ConnectionClosed:
                    if for_good(websocket.close_code):
                        raise
        if not outbox.done:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), next(pause))


@wrong(ex3, "stops")
async def never_looks(url, outbox, stop):
    """Forgets `stop`."""
    await talk(url, outbox)


@wrong(ex3, "raises_what_is_known")
async def lets_the_cancellation_out(url, outbox, stop):
    """Cancels its work when told to stop, and lets CancelledError out."""
    working, stopping = asyncio.create_task(talk(url, outbox)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})
    await working


@wrong(ex3, "keeps_what_is_not_acknowledged")
async def tidies_up(url, outbox, stop):
    """Empties the outbox when it is told to stop."""
    await until(stop, talk(url, outbox))
    for number in range(100):
        outbox.acknowledge(number)


@wrong(ex3, "stays_away")
async def always_comes_back(url, outbox, stop):
    """No code is for good."""
    await until(stop, talk(url, outbox, lasting=lambda code: False))


@wrong(ex3, "stays_away")
async def hides_the_code(url, outbox, stop):
    """Does not ask its task what it raised."""
    working, stopping = asyncio.create_task(talk(url, outbox)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


@wrong(ex3, "is_back_soon")
async def sleeps_long(url, outbox, stop):
    """A minute after each loss."""
    await until(stop, talk(url, outbox, pauses=minutes))


@wrong(ex3, "eases_off")
async def every_second_when_thrown_out(url, outbox, stop):
    """The library's delays for attempts that fail, and a second of its own."""
    await until(stop, talk(url, outbox, pauses=seconds))


@wrong(ex3, "eases_off")
async def every_second(url, outbox, stop):
    """Tries every second."""
    await until(stop, talk(url, outbox, delays=seconds))


@wrong(ex3, "eases_off")
async def every_ten_seconds_when_thrown_out(url, outbox, stop):
    """Ten seconds each time, more or less, when the connection was open."""
    await until(stop, talk(url, outbox, pauses=tens))


@wrong(ex3, "stays_away")
async def knows_two_kinds_of_codes(url, outbox, stop):
    """Takes 1008 and the application's codes for good, and no others."""
    await until(stop, talk(url, outbox, lasting=lambda code: code == 1008 or code >= 4000))


@wrong(ex3, "stops")
async def waits_for_have_whatever_happens(url, outbox, stop):
    """Stops in the handshake, in the talk and in a pause, and forgets the wait for `have`."""
    pause = full_jitter()
    while not (outbox.done or stop.is_set()):
        opening: list[Any] = []
        with contextlib.suppress(OSError, websockets.InvalidHandshake):
            await until(stop, _open(url, opening))
        for websocket in opening:
            try:
                known = int((await websocket.recv()).split()[1])
                outbox.acknowledge(known)
                await until(stop, _until_done(websocket, outbox, known))
                pause = full_jitter() if outbox.done else pause
            except ConnectionClosed:
                if for_good(websocket.close_code):
                    raise
            finally:
                await websocket.close()
        if not (outbox.done or stop.is_set()):
            await until(stop, asyncio.sleep(next(pause)))


async def _open(url, opened):
    opened.append(await connect(url, **ALERT | {"close_timeout": 0.3}))


async def _until_done(websocket, outbox, known):
    writing = asyncio.create_task(pour(websocket, outbox, known))
    try:
        async for text in websocket:
            outbox.acknowledge(int(text.split()[1]))
            if outbox.done:
                return
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


@wrong(ex3, "eases_off")
async def have_begins_anew(url, outbox, stop):
    """Begins its pauses anew at each connection's `have`."""
    pause = full_jitter()

    async def writer(websocket, outbox, known):
        nonlocal pause
        pause = full_jitter()
        await pour(websocket, outbox, known)

    def pauses():
        while True:
            yield next(pause)

    await until(stop, talk(url, outbox, writer=writer, pauses=pauses))


@wrong(ex3, "begins_anew")
async def never_begins_its_pauses_anew(url, outbox, stop):
    """Waits longer after each loss, whatever it has heard between."""
    pauses = full_jitter()
    await until(stop, talk(url, outbox, pauses=lambda: pauses))


@wrong(ex3, "comes_at_its_own_time")
async def doubles_its_pauses(url, outbox, stop):
    """Comes back when everybody does."""
    await until(stop, talk(url, outbox, pauses=doubling, delays=doubling))


@wrong(ex3, "stops")
async def two_seconds_for_the_goodbye(url, outbox, stop):
    """Closes when it is told to stop, and waits for the answer of a wire that is silent."""

    async def once(delays):
        async with connect(url, **(ALERT | {"close_timeout": 2})) as websocket:
            known = int((await websocket.recv()).split()[1])
            outbox.acknowledge(known)
            writing = asyncio.create_task(pour(websocket, outbox, known))
            try:
                while not outbox.done:
                    outbox.acknowledge(int((await websocket.recv()).split()[1]))
                    delays[:] = [full_jitter()]
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def work():
        delays = [full_jitter()]
        while not outbox.done:
            try:
                await once(delays)
            except ConnectionClosed as error:
                if error.rcvd and for_good(error.rcvd.code):
                    raise
            except (OSError, EOFError, websockets.InvalidHandshake):
                pass
            await asyncio.sleep(0 if outbox.done else next(delays[0]))

    await until(stop, work())


@wrong(ex3, "resumes")
async def from_the_oldest(url, outbox, stop):
    """Sends all that the outbox holds, and listens to `have` only when that empties it."""

    async def writer(websocket, outbox, known):
        if known == outbox.last:
            outbox.acknowledge(known)
        await pour(websocket, outbox, 0)

    await until(stop, talk(url, outbox, writer=writer, acknowledges=("ack",)))


@wrong(ex3, "client_ends")
async def have_acknowledges_nothing(url, outbox, stop):
    """Listens to `ack` only: when the last one is lost, the outbox is never empty."""
    await until(stop, talk(url, outbox, acknowledges=("ack",)))


@wrong(ex3, "client_ends")
async def no_pings_at_all(url, outbox, stop):
    """Never finds out that the wire is silent."""
    await until(stop, talk(url, outbox, options={}))


@wrong(ex3, "leaves_no_task")
async def leaves_the_waiter(url, outbox, stop):
    """The task that waits for `stop` waits on."""
    working, stopping = asyncio.create_task(talk(url, outbox)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


@wrong(ex3, "heeds_cancellation")
async def takes_every_cancellation_for_stop(url, outbox, stop):
    """Whoever cancels it hears nothing."""
    with contextlib.suppress(asyncio.CancelledError):
        await until(stop, talk(url, outbox))


# ---- 3, right ------------------------------------------------------------------------------------------------------


@wrong(ex3, "returns_when_done")
async def waits_for_a_word(url, outbox, stop):
    """Asks whether all is done when the server says something; once all is acknowledged, it has nothing to say."""
    await until(stop, talk(url, outbox, writer=only_pour))


@wrong(ex3, "returns_when_done")
async def looks_at_done_before_it_connects(url, outbox, stop):
    """Looks at `done` between connections only."""
    await until(stop, talk(url, outbox, writer=only_pour, done=lambda _: False))


@wrong(ex3, "none_is_lost")
async def done_when_empty(url, outbox, stop):
    """Takes an empty outbox for a closed one: the next reading was a second away."""
    await until(stop, talk(url, outbox, done=lambda outbox: not len(outbox)))


@wrong(ex3, "none_is_lost")
async def drops_empty_readings(url, outbox, stop):
    """Takes an empty reading for none."""

    async def writer(websocket, outbox, known):
        async for number, reading in outbox.after(known):
            if reading:
                await websocket.send(f"{number} {reading}")

    await until(stop, talk(url, outbox, writer=writer))


@wrong(ex3, "none_is_lost")
async def tidies_readings(url, outbox, stop):
    """Strips what it sends."""

    async def writer(websocket, outbox, known):
        async for number, reading in outbox.after(known):
            await websocket.send(f"{number} {reading.strip()}")

    await until(stop, talk(url, outbox, writer=writer))


@right(ex3)
async def raises_in_its_group(url, outbox, stop):
    """The group's own block raises when all is done, as the task does that waits for `stop`."""
    last = []

    class Over(Exception):
        pass

    async def watch():
        await stop.wait()
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            try:
                await talk(url, outbox)
            except ConnectionClosed as error:
                last.append(error)
            raise Over
    except* Over:
        pass
    if last:
        raise last[0]


@right(ex3)
async def looks_at_done_as_well(url, outbox, stop):
    """A loop that looks at both, the flag and the outbox, twice a second."""
    working = asyncio.create_task(talk(url, outbox, writer=only_pour))
    try:
        while not (working.done() or stop.is_set() or outbox.done):
            await asyncio.wait([working], timeout=0.5)
    finally:
        working.cancel()
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


@right(ex3)
async def two_tasks(url, outbox, stop):
    """As the solution does it."""
    await until(stop, talk(url, outbox))


@right(ex3)
async def looks_twice_a_second(url, outbox, stop):
    """Looks at the flag, but often enough."""
    working = asyncio.create_task(talk(url, outbox))
    try:
        while not working.done() and not stop.is_set():
            await asyncio.wait([working], timeout=0.5)
    finally:
        working.cancel()
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


@right(ex3)
async def stop_cancels_a_scope(url, outbox, stop):
    """anyio: the waiter cancels the scope in which everything runs."""
    failed = []

    async def work():
        try:
            await talk(url, outbox)
        except ConnectionClosed as error:
            failed.append(error)
        group.cancel_scope.cancel()

    async def wait():
        await stop.wait()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        group.start_soon(wait)
    if failed:
        raise failed[0]


@right(ex3)
async def done_callback(url, outbox, stop):
    """The waiter's done callback cancels the work."""
    working = asyncio.create_task(talk(url, outbox))
    waiting = asyncio.create_task(stop.wait())
    waiting.add_done_callback(lambda _: working.cancel())
    try:
        await asyncio.wait([working])
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.wait([working, waiting])
    if not working.cancelled():
        working.result()


@right(ex3)
async def with_the_librarys_pings(url, outbox, stop):
    """websockets' own connect, with its defaults for pings and delays."""
    await until(stop, _plain(url, outbox))


async def _plain(url, outbox):
    pause = full_jitter()
    async for websocket in websockets.connect(url, proxy=None):
        writing = None
        try:
            while not outbox.done:
                number = int((await websocket.recv()).split()[1])
                outbox.acknowledge(number)
                if writing is None:
                    writing = asyncio.create_task(pour(websocket, outbox, number))
                else:
                    pause = full_jitter()
            return
        except ConnectionClosed:
            if for_good(websocket.close_code):
                raise
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await asyncio.sleep(next(pause))


@right(ex3)
async def an_object(url, outbox, stop):
    """An object whose method does the work."""

    class Meter:
        def __init__(self, outbox):
            self.outbox = outbox

        async def run(self, url):
            await talk(url, self.outbox)

    await until(stop, functools.partial(Meter(outbox).run, url)())
