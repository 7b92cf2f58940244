"""Answers to lesson 05, some of them wrong on purpose."""

# ruff: noqa: ASYNC100, ASYNC120, B012, RUF006, SIM105

import asyncio
import contextlib
import time
import weakref
from time import perf_counter
from typing import Any

import anyio
from starlette.websockets import WebSocketDisconnect

from helpers.exercises.cancelled_cleanup import ex1, ex2, ex3
from tests.answers import attempt, right, wrong

attempt(ex1, "await asyncio.shield(audit.write(count))", "await audit.write(count)")
attempt(ex2, "await desk.report(count)", "await asyncio.shield(desk.report(count))")
attempt(ex3, "task.cancel()", "pass")


async def echo(websocket, counter):
    """Accept, answer every message, and count in `counter[0]`."""
    await websocket.accept()
    async for text in websocket.iter_text():
        counter[0] += 1
        await websocket.send_text(text)


async def persist(task):
    """Wait until a task is done, however often we are cancelled; then raise the last cancellation, or its error."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    try:
        task.result()
    finally:
        if cancelled:
            raise cancelled


# ---- 1, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex1, "loses_no_row")
async def plain(websocket, audit):
    """A release that is itself interrupted: the cleanup awaits, and is cancelled there."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        await audit.write(count[0])


@wrong(ex1, "loses_no_row")
async def shield(websocket, audit):
    """asyncio.shield: nobody waits for the write when the handler is cancelled."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        await asyncio.shield(audit.write(count[0]))


@wrong(ex1, "loses_no_row")
async def anyio_shield(websocket, audit):
    """A scope's shield does not stop task.cancel()."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        with anyio.CancelScope(shield=True):
            await audit.write(count[0])


@wrong(ex1, "loses_no_row")
async def shield_in_the_group(websocket, audit):
    """The thread's own answer: a shield in the body of a task group."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        async with anyio.create_task_group():
            with anyio.CancelScope(shield=True):
                await audit.write(count[0])


@wrong(ex1, "loses_no_row")
async def child_under_a_shield(websocket, audit):
    """The child is started under a shield, and belongs to a group outside of it."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        async with anyio.create_task_group() as group:
            with anyio.CancelScope(shield=True):
                group.start_soon(audit.write, count[0])


@wrong(ex1, "loses_no_row")
async def task_group(websocket, audit):
    """The task group of asyncio cancels its children when its owner is cancelled."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        async with asyncio.TaskGroup() as group:
            group.create_task(audit.write(count[0]))


@wrong(ex1, "loses_no_row")
async def on_disconnect_only(websocket, audit):
    """Cleans up after WebSocketDisconnect, which nobody raises when the handler is cancelled."""
    count = 0
    await websocket.accept()
    try:
        while True:
            text = await websocket.receive_text()
            count += 1
            await websocket.send_text(text)
    except WebSocketDisconnect:
        task = asyncio.create_task(audit.write(count))
        await persist(task)


@wrong(ex1, "loses_no_row")
async def after_the_loop(websocket, audit):
    """Writes after the loop, without a try."""
    count = [0]
    await echo(websocket, count)
    await persist(asyncio.create_task(audit.write(count[0])))


@wrong(ex1, "loses_no_row")
async def accepts_outside(websocket, audit):
    """accept() stands before the try."""
    await websocket.accept()
    count = 0
    try:
        async for text in websocket.iter_text():
            count += 1
            await websocket.send_text(text)
    finally:
        await persist(asyncio.create_task(audit.write(count)))


@wrong(ex1, "loses_no_row")
async def waits_once_more(websocket, audit):
    """Survives one cancellation of the cleanup, not the second."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.shield(task)
            raise


@wrong(ex1, "loses_no_row")
async def fire_and_forget(websocket, audit):
    """Starts a task and returns."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        asyncio.create_task(audit.write(count[0]))


@wrong(ex1, "loses_no_row")
async def except_exception(websocket, audit):
    """CancelledError is no Exception."""
    count = [0]
    try:
        await echo(websocket, count)
    except Exception:
        pass
    await persist(asyncio.create_task(audit.write(count[0])))


@wrong(ex1, "keeps_it_once")
async def tries_again(websocket, audit):
    """Writes again when the write was cancelled, which it was at its last step."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        try:
            await audit.write(count[0])
        except asyncio.CancelledError:
            await persist(asyncio.create_task(audit.write(count[0])))
            raise


@wrong(ex1, "keeps_it_once")
async def in_except_and_in_finally(websocket, audit):
    """Release twice."""
    count = 0
    try:
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            count += 1
            await websocket.send_text(text)
    except WebSocketDisconnect:
        await persist(asyncio.create_task(audit.write(count)))
    finally:
        await persist(asyncio.create_task(audit.write(count)))


@wrong(ex1, "counts_right")
async def writes_first(websocket, audit):
    """Safe, and too early to know the number."""
    await persist(asyncio.create_task(audit.write(0)))
    await echo(websocket, [0])


@wrong(ex1, "counts_right")
async def counts_from_zero(websocket, audit):
    """Writes the index of the last message."""
    count = [-1]
    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(audit.write(max(count[0], 0))))


everybody = [0]


@wrong(ex1, "counts_right")
async def counts_everybody(websocket, audit):
    """Global state."""
    try:
        await echo(websocket, everybody)
    finally:
        await persist(asyncio.create_task(audit.write(everybody[0])))


@wrong(ex1, "heeds_every_cancellation")
async def forgets_the_cancellation(websocket, audit):
    """Waits as it should, and keeps the cancellation for itself."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue


@wrong(ex1, "heeds_every_cancellation")
async def returns_in_finally(websocket, audit):
    """A return in finally hides every exception."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await persist(asyncio.create_task(audit.write(count[0])))
        return


@wrong(ex1, "ends_quietly")
async def says_goodbye(websocket, audit):
    """Closes a connection that the peer has closed."""
    count = [0]
    try:
        await echo(websocket, count)
        await websocket.close()
    finally:
        await persist(asyncio.create_task(audit.write(count[0])))


async def hold(task):
    """Wait until a task is done, and return the last cancellation; a failure is not looked at."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


@wrong(ex1, "hides_no_error")
async def never_looks(websocket, audit):
    """asyncio.wait raises nothing: a write that fails is an error that nobody hears of."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        if cancelled := await hold(asyncio.create_task(audit.write(count[0]))):
            raise cancelled


@wrong(ex1, "fails_once")
async def looks_away(websocket, audit):
    """Fetches the exception of the write, and does nothing with it."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        cancelled = await hold(task)
        task.exception()
        if cancelled:
            raise cancelled


@wrong(ex1, "fails_once")
async def tries_a_full_one_again(websocket, audit):
    """A write that has failed is tried once more."""
    count = [0]

    async def write():
        try:
            await audit.write(count[0])
        except Exception:
            await audit.write(count[0])

    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(write()))


@wrong(ex1, "loses_no_row")
async def shields_for_a_second(websocket, audit):
    """A shield with a deadline that a slow write does not keep."""
    count = [0]

    async def write():
        with anyio.move_on_after(1, shield=True):
            await audit.write(count[0])

    try:
        await echo(websocket, count)
    finally:
        async with anyio.create_task_group() as group:
            group.start_soon(write)


@wrong(ex1, "loses_no_row")
async def survives_two(websocket, audit):
    """Waits through two cancellations; the third, some seconds later, is one too many."""
    count, cancelled = [0], None
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        for _ in range(2):
            try:
                await asyncio.wait([task])
                break
            except asyncio.CancelledError as error:
                cancelled = error
        await task
        if cancelled:
            raise cancelled


@wrong(ex1, "answers_everything")
async def stops_at_nothing(websocket, audit):
    """An empty text is a text; `while text` ends there."""
    count = [0]
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            if not text:
                break
            count[0] += 1
            await websocket.send_text(text)
    finally:
        await persist(asyncio.create_task(audit.write(count[0])))


@wrong(ex1, "counts_right")
async def counts_different_ones(websocket, audit):
    """A set of the texts: whoever says the same twice has said it once."""
    texts = set()
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            texts.add(text)
            await websocket.send_text(text)
    finally:
        await persist(asyncio.create_task(audit.write(len(texts))))


@wrong(ex1, "ends_with_its_row")
async def looks_now_and_then(websocket, audit):
    """Looks every five seconds whether the row is there."""
    count = [0]
    cancelled = None
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        while not task.done():
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled
        task.result()


@wrong(ex1, "loses_no_row")
async def holds_out_five_times(websocket, audit):
    """Nobody is cancelled more often than that."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        times = 0
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                times += 1
                if times > 5:
                    task.cancel()
                    raise
        if times:
            raise asyncio.CancelledError
        task.result()


@wrong(ex1, "loses_no_row")
async def holds_out_a_hundred_times(websocket, audit):
    """Waits for the row in a hundred rounds: the next cancellation is one too many."""
    counter = [0]
    try:
        await echo(websocket, counter)
    finally:
        task, told = asyncio.create_task(audit.write(counter[0])), None
        for _ in range(100):
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                told = error
        task.cancel()
        if told is not None:
            raise told
        await task


@wrong(ex1, "counts_right")
async def counts_to_a_thousand(websocket, audit):
    """Its rows have three digits."""
    counter = [0]
    try:
        await echo(websocket, counter)
    finally:
        await persist(asyncio.create_task(audit.write(min(counter[0], 999))))


@wrong(ex1, "answers_everything")
async def waits_thirty_seconds_for_a_message(websocket, audit):
    """A read with a deadline, which nobody has asked for: a client that thinks is thrown out."""
    count = 0
    try:
        await websocket.accept()
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            while True:
                async with asyncio.timeout(30):
                    text = await websocket.receive_text()
                count += 1
                await websocket.send_text(text)
    finally:
        await persist(asyncio.create_task(audit.write(count)))


# ---- 1, right ------------------------------------------------------------------------------------------------------


@right(ex1)
async def waits_in_a_loop(websocket, audit):
    """asyncio.wait in a loop."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(audit.write(count[0])))


@right(ex1)
async def own_shield(websocket, audit):
    """A child of an AnyIO group that stands in a shield of its own."""
    count = [0]

    async def write():
        with anyio.CancelScope(shield=True):
            await audit.write(count[0])

    try:
        await echo(websocket, count)
    finally:
        async with anyio.create_task_group() as group:
            group.start_soon(write)


@contextlib.asynccontextmanager
async def audited_session(audit):
    """Give a counter; write what it says at the end."""
    count = [0]
    try:
        yield count
    finally:
        async with anyio.create_task_group() as group:
            group.start_soon(written, audit, count)


async def written(audit, count):
    """Write, with a deadline."""
    with anyio.move_on_after(10, shield=True):
        await audit.write(count[0])


@right(ex1)
async def context_manager(websocket, audit):
    """An asynchronous context manager around the session."""
    async with audited_session(audit) as count:
        await echo(websocket, count)


@right(ex1)
async def shields_again_and_again(websocket, audit):
    """asyncio.shield in a loop, and a CancelledError of its own at the end."""
    count, again = [0], False
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.ensure_future(audit.write(count[0]))
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                again = True
        if again:
            raise asyncio.CancelledError


@right(ex1)
async def waits_for_an_event(websocket, audit):
    """A callback and an event."""
    count, done, cancelled = [0], asyncio.Event(), []
    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        task.add_done_callback(lambda _: done.set())
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError as error:
                cancelled.append(error)
        failed = task.exception()
        if cancelled:
            raise cancelled[0]
        if failed:
            raise failed


@right(ex1)
async def an_exit_stack(websocket, audit):
    """The write is the first thing on an exit stack."""
    count = [0]
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.start_soon, written, audit, count)
        await echo(websocket, count)


@right(ex1)
async def leaves_the_error_with_its_task(websocket, audit):
    """Cancelled, it lets that through, and never asks what became of the write."""
    count = [0]

    async def until_done(task):
        try:
            await asyncio.wait([task])
        finally:
            if not task.done():
                await until_done(task)

    try:
        await echo(websocket, count)
    finally:
        task = asyncio.create_task(audit.write(count[0]))
        await until_done(task)
        task.result()


# ---- 2, wrong ------------------------------------------------------------------------------------------------------


def leaving(goodbye):
    """Return a handler that ends with `goodbye(desk, count, seconds)`."""

    async def handler(websocket, desk, seconds):
        count = [0]
        try:
            await echo(websocket, count)
        finally:
            await goodbye(desk, count[0], seconds)

    handler.__name__, handler.__doc__ = goodbye.__name__, goodbye.__doc__
    return handler


@wrong(ex2, "gets_its_time")
@leaving
async def wait_for(desk, count, seconds):
    """wait_for in the handler: cancelled with it."""
    try:
        await asyncio.wait_for(desk.report(count), seconds)
    except TimeoutError:
        pass
    finally:
        await persist(asyncio.create_task(desk.close()))


@wrong(ex2, "gets_its_time")
@leaving
async def timeout(desk, count, seconds):
    """asyncio.timeout in the handler."""
    try:
        async with asyncio.timeout(seconds):
            await desk.report(count)
    except TimeoutError:
        pass
    finally:
        await desk.close()


@wrong(ex2, "gets_its_time")
@leaving
async def move_on_after(desk, count, seconds):
    """A shield with a deadline, in the handler's own task."""
    with anyio.move_on_after(seconds, shield=True):
        await desk.report(count)
    with anyio.CancelScope(shield=True):
        await desk.close()


@wrong(ex2, "gets_its_time")
@leaving
async def unshielded_child(desk, count, seconds):
    """A child with a deadline, without a shield."""

    async def leave():
        with anyio.move_on_after(seconds):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "gets_its_time")
@leaving
async def impatient(desk, count, seconds):
    """One second will do."""

    async def leave():
        with anyio.move_on_after(1, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "gives_up")
@leaving
async def no_deadline(desk, count, seconds):
    """Shielded for ever."""

    async def leave():
        with anyio.CancelScope(shield=True):
            await desk.report(count)
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "gives_up")
@leaving
async def generous(desk, count, seconds):
    """Three times the time."""

    async def leave():
        with anyio.move_on_after(3 * seconds, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "ends_quietly")
@leaving
async def fail_after(desk, count, seconds):
    """The timeout leaves the handler, in a group."""

    async def leave():
        try:
            with anyio.fail_after(seconds, shield=True):
                await desk.report(count)
        finally:
            with anyio.CancelScope(shield=True):
                await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
@leaving
async def close_in_the_try(desk, count, seconds):
    """The line stays open when the report is given up."""

    async def leave():
        with anyio.move_on_after(seconds, shield=True):
            await desk.report(count)
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
@leaving
async def close_without_a_shield(desk, count, seconds):
    """The second step of the cleanup is cancelled by the group."""

    async def leave():
        with anyio.move_on_after(seconds, shield=True):
            await desk.report(count)
        await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
@leaving
async def close_in_the_handler(desk, count, seconds):
    """Between the group and close() somebody may cancel."""

    async def leave():
        with anyio.move_on_after(seconds, shield=True):
            await desk.report(count)

    async with anyio.create_task_group() as group:
        group.start_soon(leave)
    await desk.close()


@wrong(ex2, "closes_the_line")
@leaving
async def closes_first(desk, count, seconds):
    """Both at once: the line is closed while the report is on it."""

    async def report():
        with anyio.move_on_after(seconds, shield=True):
            await desk.report(count)

    async def close():
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(report)
        group.start_soon(close)


@wrong(ex2, "closes_the_line")
@leaving
async def closes_twice(desk, count, seconds):
    """To be sure."""

    async def leave():
        try:
            with anyio.move_on_after(seconds, shield=True):
                await desk.report(count)
            with anyio.CancelScope(shield=True):
                await desk.close()
        finally:
            with anyio.CancelScope(shield=True):
                await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
@leaving
async def sleeps_it_out(desk, count, seconds):
    """Sleeps as long as a report may take, even if it is answered at once."""

    async def leave():
        task = asyncio.create_task(desk.report(count))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        await desk.close()

    await persist(asyncio.create_task(leave()))


@wrong(ex2, "reports_once")
@leaving
async def tries_twice(desk, count, seconds):
    """Half the time for each of two attempts."""

    async def leave():
        for _ in range(2):
            with anyio.move_on_after(seconds / 2, shield=True) as scope:
                await desk.report(count)
            if not scope.cancelled_caught:
                break
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "gets_its_time")
@leaving
async def in_the_background(desk, count, seconds):
    """A task that nobody waits for."""

    async def leave():
        try:
            async with asyncio.timeout(seconds):
                await desk.report(count)
        except TimeoutError:
            pass
        finally:
            await desk.close()

    asyncio.create_task(leave())


@wrong(ex2, "heeds_every_cancellation")
@leaving
async def hides_the_cancellation(desk, count, seconds):
    """Waits as it should, and returns."""

    async def leave():
        try:
            async with asyncio.timeout(seconds):
                await desk.report(count)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            await desk.close()

    with contextlib.suppress(asyncio.CancelledError):
        await persist(asyncio.create_task(leave()))


@wrong(ex2, "closes_the_line")
@leaving
async def a_refusal_skips_the_close(desk, count, seconds):
    """One child, two scopes; the report's exception leaves between them."""

    async def leave():
        with anyio.move_on_after(seconds, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "ends_quietly")
@leaving
async def lets_the_refusal_out(desk, count, seconds):
    """Closes the line in any case, and fails."""

    async def leave():
        try:
            with anyio.move_on_after(seconds, shield=True):
                await desk.report(count)
        finally:
            with anyio.CancelScope(shield=True):
                await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "hides_no_error")
@leaving
async def nobody_looks_at_the_refusal(desk, count, seconds):
    """asyncio.wait raises nothing, so the refusal is an exception of a task that nobody asks."""

    async def leave():
        task = asyncio.create_task(desk.report(count))
        _, late = await asyncio.wait([task], timeout=seconds)
        for each in late:
            each.cancel()
            await asyncio.wait([each])
        await desk.close()

    await persist(asyncio.create_task(leave()))


@wrong(ex2, "gives_up")
@leaving
async def begins_anew(desk, count, seconds):
    """Each cancellation starts the timer anew."""
    report, cancelled = asyncio.create_task(desk.report(count)), None
    while not report.done():
        try:
            await asyncio.wait([report], timeout=seconds)
            break
        except asyncio.CancelledError as error:
            cancelled = error
    report.cancel()

    async def close():
        await asyncio.gather(report, return_exceptions=True)
        await desk.close()

    await persist(asyncio.create_task(close()))
    if cancelled:
        raise cancelled


@wrong(ex2, "gives_up")
@leaving
async def always_five(desk, count, seconds):
    """Five seconds, whatever `seconds` says."""

    async def leave():
        with contextlib.suppress(ConnectionError), anyio.move_on_after(5, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
@leaving
async def one_deadline_for_both(desk, count, seconds):
    """The close is cut off when it lasts: it has what the report has left."""

    async def leave():
        with anyio.move_on_after(seconds, shield=True):
            try:
                await desk.report(count)
            except ConnectionError:
                pass
            finally:
                with anyio.move_on_after(1, shield=True):
                    await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "gets_its_time")
@leaving
async def a_little_less(desk, count, seconds):
    """Four fifths of the time, to be sure."""

    async def leave():
        with contextlib.suppress(ConnectionError), anyio.move_on_after(seconds * 0.8, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@wrong(ex2, "closes_the_line")
async def hurries_the_close(websocket, desk, seconds):
    """The close has a deadline, too, and takes longer than a report."""
    count = [0]

    async def leave():
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(desk.report(count[0]), seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(desk.close(), seconds)

    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(leave()))


@wrong(ex2, "closes_the_line")
async def closes_before_the_deadline(websocket, desk, seconds):
    """One deadline around both: a report that is answered at the last moment leaves no time for the close."""
    count = [0]

    async def leave():
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                try:
                    await desk.report(count[0])
                finally:
                    await desk.close()

    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(leave()))


@wrong(ex2, "closes_the_line")
async def does_not_wait_for_the_report(websocket, desk, seconds):
    """Cancels the report, and closes the line while it still hangs up."""
    count = [0]

    async def leave():
        report = asyncio.create_task(desk.report(count[0]))
        await asyncio.wait([report], timeout=seconds)
        if report.done():
            report.exception()
        report.cancel()
        await desk.close()

    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(leave()))


async def reports(desk, count, seconds):
    """Report, within so many seconds, and close."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(seconds):
            await desk.report(count)
    await desk.close()


@wrong(ex2, "gives_up")
async def gives_a_second_at_least(websocket, desk, seconds):
    """No report gets less than a second."""
    counter = [0]
    try:
        await echo(websocket, counter)
    finally:
        await persist(asyncio.create_task(reports(desk, counter[0], max(seconds, 1))))


@wrong(ex2, "gets_its_time")
async def gives_ten_seconds_at_most(websocket, desk, seconds):
    """No report gets more than ten seconds."""
    counter = [0]
    try:
        await echo(websocket, counter)
    finally:
        await persist(asyncio.create_task(reports(desk, counter[0], min(seconds, 10))))


@wrong(ex2, "answers_everything")
async def waits_half_an_hour_for_a_message(websocket, desk, seconds):
    """A read with a deadline, which nobody has asked for: a client that thinks for long is thrown out."""
    count = 0
    try:
        await websocket.accept()
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            while True:
                async with asyncio.timeout(1800):
                    text = await websocket.receive_text()
                count += 1
                await websocket.send_text(text)
    finally:
        await persist(asyncio.create_task(reports(desk, count, seconds)))


@wrong(ex2, "has_hours")
async def closes_within_a_minute(websocket, desk, seconds):
    """The close has a deadline, which nobody has asked for."""
    count = [0]

    async def leave():
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                await desk.report(count[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await desk.close()

    try:
        await echo(websocket, count)
    finally:
        await persist(asyncio.create_task(leave()))


# ---- 2, right ------------------------------------------------------------------------------------------------------


@right(ex2)
@leaving
async def one_child(desk, count, seconds):
    """One child, two scopes."""

    async def leave():
        with contextlib.suppress(ConnectionError), anyio.move_on_after(seconds, shield=True):
            await desk.report(count)
        with anyio.CancelScope(shield=True):
            await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@right(ex2)
@leaving
async def a_task_and_a_timeout(desk, count, seconds):
    """Without AnyIO: the deadline is in the task, the patience in the handler."""

    async def leave():
        try:
            async with asyncio.timeout(seconds):
                await desk.report(count)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            await desk.close()

    await persist(asyncio.create_task(leave()))


@right(ex2)
@leaving
async def wait_with_a_timeout(desk, count, seconds):
    """asyncio.wait with a timeout, then cancel and wait."""

    async def leave():
        task = asyncio.create_task(desk.report(count))
        _, late = await asyncio.wait([task], timeout=seconds)
        for each in late:
            each.cancel()
            await asyncio.wait([each])
        await asyncio.gather(task, return_exceptions=True)
        await desk.close()

    await persist(asyncio.create_task(leave()))


@right(ex2)
@leaving
async def an_outer_shield(desk, count, seconds):
    """One shield around both, and a deadline inside of it."""

    async def leave():
        with anyio.CancelScope(shield=True):
            try:
                with anyio.move_on_after(seconds):
                    await desk.report(count)
            except ConnectionError:
                pass
            finally:
                await desk.close()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)


@right(ex2)
async def with_call_later(websocket, desk, seconds):
    """A timer cancels the report; a callback starts the closing."""
    count = [0]
    try:
        await echo(websocket, count)
    finally:
        report = asyncio.create_task(desk.report(count[0]))
        timer = asyncio.get_running_loop().call_later(seconds, report.cancel)

        async def close():
            await asyncio.gather(report, return_exceptions=True)
            timer.cancel()
            await desk.close()

        await persist(asyncio.create_task(close()))


# ---- 3, wrong ------------------------------------------------------------------------------------------------------


class Holding:
    """A set of tasks: what many answers below begin with."""

    over = False

    def __init__(self):
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.over:
            task.cancel()

    async def wait_until(self, deadline):
        """Wait for all tasks, also for new ones, until the time is over."""
        now = asyncio.get_running_loop().time
        while self.tasks and now() < deadline:
            await asyncio.wait(self.tasks, timeout=deadline - now())

    async def cancel(self):
        """Cancel what is left and wait for it, and for what it starts."""
        self.over = True
        for task in self.tasks:
            task.cancel()
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def drain(self, seconds):
        await self.wait_until(asyncio.get_running_loop().time() + seconds)
        await self.cancel()


@wrong(ex3, "cancels_nothing_early")
class CancelsAtOnce(Holding):
    """A shutdown that does not wait."""

    async def drain(self, seconds):
        await self.cancel()


@wrong(ex3, "keeps_hold")
class WeakSet(Holding):
    """A WeakSet forgets tasks by itself, also those at work."""

    def __init__(self):
        self.known: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()

    def start(self, coroutine):
        self.known.add(asyncio.create_task(coroutine))

    async def drain(self, seconds):
        _, late = await asyncio.wait(list(self.known), timeout=seconds)
        for task in late:
            task.cancel()


@wrong(ex3, "keeps_hold")
class FireAndForget(Holding):
    """Counts its tasks and holds none."""

    count = 0

    def start(self, coroutine):
        self.count += 1
        asyncio.create_task(coroutine).add_done_callback(self.done)

    def done(self, task):
        self.count -= 1

    async def drain(self, seconds):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.count:
                    await asyncio.sleep(0.1)


@wrong(ex3, "cancels_nothing_early")
class Gathers(Holding):
    """gather without return_exceptions: the first failure ends the waiting."""

    async def drain(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.gather(*self.tasks)
        except Exception:
            await self.cancel()


@wrong(ex3, "cancels_nothing_early")
class LooksOnce(Holding):
    """What is started while it drains is not waited for."""

    async def drain(self, seconds):
        if self.tasks:
            _, late = await asyncio.wait(set(self.tasks), timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)


@wrong(ex3, "finishes")
class Closed(Holding):
    """Takes nothing new once it drains."""

    closed = False

    def start(self, coroutine):
        if self.closed:
            coroutine.close()
            raise RuntimeError("the registry is closed")
        super().start(coroutine)

    async def drain(self, seconds):
        self.closed = True
        await super().drain(seconds)


@wrong(ex3, "cancels_nothing_early")
class OneForAll(Holding):
    """A task that fails takes the others with it, as in a task group."""

    def start(self, coroutine):
        super().start(self.guard(coroutine))

    async def guard(self, coroutine):
        try:
            await coroutine
        except Exception:
            for task in self.tasks - {asyncio.current_task()}:
                task.cancel()
            raise


@wrong(ex3, "cancels_at_the_deadline")
class OnlyAsks(Holding):
    """Cancels what is left and returns: nobody waits for its cleanup."""

    async def drain(self, seconds):
        await self.wait_until(asyncio.get_running_loop().time() + seconds)
        for task in self.tasks:
            task.cancel()


@wrong(ex3, "cancels_at_the_deadline")
class NeverCancels(Holding):
    """Returns at the deadline, and leaves what is left at work."""

    async def drain(self, seconds):
        await self.wait_until(asyncio.get_running_loop().time() + seconds)


@wrong(ex3, "cancels_at_the_deadline")
class OneAfterTheOther(Holding):
    """Every task gets the whole time."""

    async def drain(self, seconds):
        while self.tasks:
            task = next(iter(self.tasks))
            _, late = await asyncio.wait([task], timeout=seconds)
            if late:
                task.cancel()
                await asyncio.wait([task])


@wrong(ex3, "cancels_at_the_deadline")
class NoDeadline(Holding):
    """Waits for ever."""

    async def drain(self, seconds):
        while self.tasks:
            await asyncio.wait(self.tasks)


@wrong(ex3, "drains_quietly")
class SleepsItOut(Holding):
    """Sleeps as long as it may, and then cancels."""

    async def drain(self, seconds):
        await asyncio.sleep(seconds)
        await self.cancel()


@wrong(ex3, "drains_quietly")
class EmptySet(Holding):
    """asyncio.wait refuses an empty set."""

    async def drain(self, seconds):
        deadline = asyncio.get_running_loop().time() + seconds
        await asyncio.wait(self.tasks, timeout=seconds)
        await self.wait_until(deadline)
        await self.cancel()


@wrong(ex3, "drains_quietly")
class LetsTheTimeoutOut(Holding):
    """asyncio.timeout raises, and nobody catches it."""

    async def drain(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.wait(self.tasks)
        finally:
            await self.cancel()


@wrong(ex3, "drains_quietly")
class RaisesWhatFailed(Holding):
    """Waits well, and then raises what one of them raised."""

    def start(self, coroutine):
        super().start(self.keep(coroutine))

    error = None

    async def keep(self, coroutine):
        try:
            await coroutine
        except Exception as error:
            self.error = error

    async def drain(self, seconds):
        await super().drain(seconds)
        if self.error:
            raise self.error


@wrong(ex3, "lets_go")
class Grows(Holding):
    """Never forgets a task that is done."""

    def start(self, coroutine):
        self.tasks.add(asyncio.create_task(coroutine))

    async def drain(self, seconds):
        deadline = asyncio.get_running_loop().time() + seconds
        while (left := [task for task in self.tasks if not task.done()]) and (
            rest := deadline - asyncio.get_running_loop().time()
        ) > 0:
            await asyncio.wait(left, timeout=rest)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


@wrong(ex3, "starts_them")
class Later(Holding):
    """Keeps coroutines, and runs them when the server stops."""

    def __init__(self):
        super().__init__()
        self.coroutines = []

    def start(self, coroutine):
        self.coroutines.append(coroutine)

    async def drain(self, seconds):
        for coroutine in self.coroutines:
            super().start(coroutine)
        self.coroutines = []
        await super().drain(seconds)
        for coroutine in self.coroutines:
            coroutine.close()


@wrong(ex3, "survives")
class AllTasks(Holding):
    """Waits for every task of the loop and cancels it, the server's own too."""

    async def drain(self, seconds):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()


@wrong(ex3, "ends_what_they_start")
class ForgetsTheirChildren(Holding):
    """Cancels what is there at the deadline, and does not look again: what that starts is left."""

    async def cancel(self):
        tasks = [*self.tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@wrong(ex3, "cancels_at_the_deadline")
class Impatient(Holding):
    """Asks again every second, and so breaks off the cleanup that it waits for."""

    async def cancel(self):
        while self.tasks:
            for task in self.tasks:
                task.cancel()
            await asyncio.wait(self.tasks, timeout=1)


@wrong(ex3, "cancels_at_the_deadline")
class WaitsASecond(Holding):
    """Gives a cleanup one second, and goes."""

    async def cancel(self):
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=1)


@wrong(ex3, "cancels_at_the_deadline")
class AlwaysFive(Holding):
    """Five seconds, whatever `seconds` says."""

    async def drain(self, seconds):
        await super().drain(5)


@wrong(ex3, "minds_its_own")
class OneSet(Holding):
    """A set in the class: all registries share it, and one drains the tasks of all."""

    shared: set[Any] = set()  # noqa: RUF012

    def __init__(self):
        self.tasks = self.shared


@wrong(ex3, "drains_quietly")
class RaisesAtTheEnd(Holding):
    """gather() raises what a cleanup raises."""

    async def cancel(self):
        self.over = True
        for task in self.tasks:
            task.cancel()
        while tasks := [*self.tasks]:
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for each in results:
                if isinstance(each, Exception):
                    raise each


class Draining:
    """What the registries below have in common."""

    def __init__(self):
        self.tasks = set()

    def start(self, coroutine):
        """Start a task, and hold it until it is done."""
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def wait(self, seconds):
        """Wait for all that runs, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.wait(self.tasks)

    async def drain(self, seconds):
        """Wait, then cancel what is left, each once, until nothing is."""
        await self.wait(seconds)
        while self.tasks:
            for task in self.tasks:
                task.cancel()
            await asyncio.wait(self.tasks)


@wrong(ex3, "lets_go")
class KeepsFailures(Draining):
    """Keeps a list of the tasks that have failed."""

    def __init__(self):
        super().__init__()
        self.failed = []

    def start(self, coroutine):
        """Start a task, and keep it if it fails."""
        super().start(coroutine)
        for task in self.tasks:
            task.remove_done_callback(self.look)
            task.add_done_callback(self.look)

    def look(self, task):
        """Keep a task that has failed."""
        if not task.cancelled() and task.exception():
            self.failed.append(task)


@wrong(ex3, "cancels_at_the_deadline")
class WaitsWithoutSeconds(Draining):
    """Takes 0 seconds for no limit."""

    async def wait(self, seconds):
        """Wait for all that runs."""
        if seconds:
            await super().wait(seconds)
        while self.tasks and not seconds:
            await asyncio.wait(self.tasks)


@wrong(ex3, "ends_what_they_start")
class CancelsTwoGenerations(Draining):
    """Cancels what the cancelled ones have started, and not what that starts."""

    async def drain(self, seconds):
        """Wait, cancel, cancel once more, and wait."""
        await self.wait(seconds)
        for _ in range(2):
            left = set(self.tasks)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        while self.tasks:
            await asyncio.wait(self.tasks)


class _Holding:
    """A registry that is right, for others to break."""

    late = False

    def __init__(self):
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.late:
            task.cancel()

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left)
        self.late = True
        for task in self.tasks:
            task.cancel()
        while self.tasks:
            await asyncio.wait(set(self.tasks))


@wrong(ex3, "ends_what_they_start")
class InRounds(_Holding):
    """Cancels what there is, waits for all of it, and looks again: what a cleanup starts and waits for is not asked."""

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left)
        while left := set(self.tasks):
            for task in left:
                task.cancel()
            await asyncio.wait(left)


@wrong(ex3, "ends_what_they_start")
class AsSoonAsOneIsDone(_Holding):
    """Looks again whenever a task is done, and none is done while a cleanup waits for what it has started."""

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left)
        asked: set[asyncio.Task[None]] = set()
        while self.tasks:
            for task in self.tasks - asked:
                task.cancel()
            asked |= self.tasks
            await asyncio.wait(set(self.tasks), return_when=asyncio.FIRST_COMPLETED)


@wrong(ex3, "lets_go")
class KeepsTheCoroutines(_Holding):
    """Lets go of the tasks, and keeps what they ran."""

    def __init__(self):
        super().__init__()
        self.coroutines = []

    def start(self, coroutine):
        self.coroutines.append(coroutine)
        super().start(coroutine)


@wrong(ex3, "finishes")
class AHundredAtATime(_Holding):
    """Lets a hundred run at a time: the others wait, and are cancelled before they begin."""

    def __init__(self):
        super().__init__()
        self.places = asyncio.Semaphore(100)

    def start(self, coroutine):
        super().start(self.wait(coroutine))

    async def wait(self, coroutine):
        async with self.places:
            await coroutine


@wrong(ex3, "cancels_nothing_early")
class TenSecondsAtMost(_Holding):
    """Drains for ten seconds at most."""

    async def drain(self, seconds):
        await super().drain(min(seconds, 10))


@wrong(ex3, "ends_what_they_start")
class FifteenGenerations(_Holding):
    """Cancels what is left fifteen times, and not what that starts then."""

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left)
        for _ in range(15):
            if left := set(self.tasks):
                for task in left:
                    task.cancel()
                await asyncio.wait(left)


@wrong(ex3, "drains_quietly")
class TakesTheirCancellation(_Holding):
    """Waits for one after the other: the cancellation of one is taken for its own."""

    async def drain(self, seconds):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.tasks:
                    with contextlib.suppress(Exception):
                        await asyncio.shield(next(iter(self.tasks)))
        await super().drain(0)


@wrong(ex3, "lets_go")
class SweepsAtTheStart:
    """Lets go of what is done when something is started, and not before."""

    def __init__(self):
        self.tasks = set()

    def start(self, coroutine):
        self.tasks = {task for task in self.tasks if not task.done()}
        self.tasks.add(asyncio.create_task(coroutine))

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while left := {task for task in self.tasks if not task.done()}:
            if (time := end - asyncio.get_running_loop().time()) <= 0:
                break
            await asyncio.wait(left, timeout=time)
        while left := {task for task in self.tasks if not task.done()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left)


@wrong(ex3, "has_hours")
class GoesAfterAMinute(_Holding):
    """Waits for a minute when it has cancelled."""

    async def drain(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await super().drain(0)


@wrong(ex3, "has_hours")
class SecondsForEachRound(_Holding):
    """Each round of waiting gets all the seconds: what the last round has started is cancelled late."""

    async def drain(self, seconds):
        while self.tasks:
            _, left = await asyncio.wait(set(self.tasks), timeout=seconds)
            if left:
                break
        await super().drain(0)


# ---- 3, right ------------------------------------------------------------------------------------------------------


@right(ex3)
class ASet(Holding):
    """A set, a callback, a loop."""


@right(ex3)
class WithATimeout(Holding):
    """asyncio.timeout around the waiting."""

    async def drain(self, seconds):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.wait(self.tasks)
        await self.cancel()


@right(ex3)
class WithAnyIO(Holding):
    """AnyIO's deadline, and gather that returns exceptions."""

    async def drain(self, seconds):
        with anyio.move_on_after(seconds):
            while self.tasks:
                await asyncio.wait(self.tasks)
        self.over = True
        for task in self.tasks:
            task.cancel()
        while tasks := [*self.tasks]:
            await asyncio.gather(*tasks, return_exceptions=True)


@right(ex3)
class WithAnEvent:
    """A dictionary, and an event that says when it is empty; who comes too late is cancelled at once."""

    over = False

    def __init__(self):
        self.tasks = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks[id(task)] = task
        self.empty.clear()
        task.add_done_callback(self.forget)
        if self.over:
            task.cancel()

    def forget(self, task):
        del self.tasks[id(task)]
        if not self.tasks:
            self.empty.set()

    async def drain(self, seconds):
        try:
            await asyncio.wait_for(self.empty.wait(), seconds)
        except TimeoutError:
            self.over = True
            for task in self.tasks.values():
                task.cancel()
            await self.empty.wait()


@right(ex3)
class SelfHolding:
    """Each task removes itself when its coroutine has ended, and logs what it raises; new ones are looked for."""

    def __init__(self):
        self.tasks = []

    def start(self, coroutine):
        self.tasks.append(asyncio.ensure_future(self.run(coroutine)))

    async def run(self, coroutine):
        try:
            await coroutine
        except Exception as error:
            self.last_words = repr(error)
        finally:
            self.tasks.remove(asyncio.current_task())

    async def drain(self, seconds):
        deadline, asked = asyncio.get_running_loop().time() + seconds, set()
        while self.tasks:
            left = deadline - asyncio.get_running_loop().time()
            if left > 0:
                await asyncio.wait(self.tasks, timeout=left)
            else:
                for task in self.tasks:
                    if task not in asked:
                        task.cancel()
                asked.update(self.tasks)
                await asyncio.wait(self.tasks, timeout=1)


@right(ex3)
class Wraps(_Holding):
    """Runs each in a coroutine of its own, which may be cancelled before it begins."""

    def start(self, coroutine):
        super().start(self.run(coroutine))

    async def run(self, coroutine):
        with contextlib.suppress(Exception):
            await coroutine


@wrong(ex3, "starts_them")
class ClosedForToday(_Holding):
    """At the deadline it closes: who wants to start something then hears of it, in the middle of its cleanup."""

    over = False

    def start(self, coroutine):
        if self.over:
            coroutine.close()
            raise RuntimeError("shut down")
        super().start(coroutine)

    async def drain(self, seconds):
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.tasks and (left := end - loop.time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        self.over = True
        for task in list(self.tasks):
            task.cancel()
        while self.tasks:
            await asyncio.wait(set(self.tasks))


@right(ex3)
class CountsInAQueue:
    """A queue is the counter: `join()` waits until everything is done."""

    def __init__(self):
        self.queue: asyncio.Queue[None] = asyncio.Queue()
        self.tasks = set()
        self.over = False

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.queue.put_nowait(None)
        self.tasks.add(task)
        task.add_done_callback(self.ended)
        if self.over:
            task.cancel()

    def ended(self, task):
        self.tasks.remove(task)
        self.queue.get_nowait()
        self.queue.task_done()

    async def drain(self, seconds):
        try:
            await asyncio.wait_for(self.queue.join(), seconds)
        except TimeoutError:
            self.over = True
            for task in tuple(self.tasks):
                task.cancel()
            await self.queue.join()


# ---- 1, a write that raises something else -------------------------------------------------------------------------


def in_a_child(write):
    """Return a handler that awaits `write(audit, count)` in a child of its own, in a shield."""

    async def record(websocket, audit):
        counter = [0]

        async def child():
            with anyio.CancelScope(shield=True):
                await write(audit, counter[0])

        try:
            await echo(websocket, counter)
        finally:
            async with anyio.create_task_group() as group:
                group.start_soon(child)

    record.__name__, record.__doc__ = write.__name__, write.__doc__
    return record


@wrong(ex1, "fails_once")
@in_a_child
async def takes_it_for_the_deadline(audit, count):
    """Its own deadline is quiet, and with it a TimeoutError that the write raises."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(audit.write(count), 5)


@wrong(ex1, "fails_once")
@in_a_child
async def takes_it_for_a_goodbye(audit, count):
    """Takes a ConnectionError of the audit for one of the peer's."""
    with contextlib.suppress(ConnectionError):
        await audit.write(count)


@wrong(ex1, "loses_no_row")
async def patient_for_almost_four_seconds(websocket, audit):
    """Waits on when it is cancelled again, but not when the time is almost over."""
    counter, cancelled = [0], None
    try:
        await echo(websocket, counter)
    finally:
        end = asyncio.get_running_loop().time() + 3.9
        task = asyncio.create_task(audit.write(counter[0]))
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
                if asyncio.get_running_loop().time() > end:
                    break
        if cancelled:
            raise cancelled
        task.result()


@right(ex1)
async def talks_in_a_task(websocket, audit):
    """The talk is a task, and so is all of it; who cancels the handler cancels the talk."""
    counter = [0]
    talking = asyncio.create_task(echo(websocket, counter))

    async def all_of_it():
        await asyncio.wait([talking])
        await audit.write(counter[0])
        await talking

    whole, hit = asyncio.create_task(all_of_it()), None
    while not whole.done():
        try:
            await asyncio.wait([whole])
        except asyncio.CancelledError as error:
            hit = error
            talking.cancel()
    if hit:
        whole.cancelled() or whole.exception()
        raise hit
    whole.result()


# ---- who looks again and again -------------------------------------------------------------------------------------


async def looked_for(task, every):
    """Look again and again whether a task is done, however often we are cancelled; then raise as `persist` does."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.sleep(every)
        except asyncio.CancelledError as error:
            cancelled = error
    await persist(task)
    if cancelled:
        raise cancelled


@right(ex1)
async def looks_for_its_row(websocket, audit):
    """Looks every 10 milliseconds whether the row is there."""
    counter = [0]
    try:
        await echo(websocket, counter)
    finally:
        await looked_for(asyncio.create_task(audit.write(counter[0])), 0.01)


@right(ex2)
async def looks_for_its_goodbye(websocket, desk, seconds):
    """Looks every tenth of a second whether report and close are through."""
    counter = [0]

    async def all_of_it():
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(desk.report(counter[0]), seconds)
        await desk.close()

    try:
        with contextlib.suppress(WebSocketDisconnect):
            await echo(websocket, counter)
    finally:
        await looked_for(asyncio.create_task(all_of_it()), 0.1)


@right(ex3)
class Looks:
    """Looks every 20 milliseconds whether anybody is left, and whom it has not cancelled yet."""

    def __init__(self):
        self.tasks = []

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.append(task)
        task.add_done_callback(self.tasks.remove)

    async def drain(self, seconds):
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.tasks and loop.time() < end:
            await asyncio.sleep(min(0.02, end - loop.time()))
        cancelled = set()
        while self.tasks:
            for task in [each for each in self.tasks if each not in cancelled]:
                cancelled.add(task)
                task.cancel()
            await asyncio.sleep(0.02)


# ---- who looks at a clock ------------------------------------------------------------------------------------------


@right(ex2)
async def looks_at_the_module(websocket, desk, seconds):
    """Its deadline is a moment of `time.monotonic`."""
    counter = [0]
    try:
        with contextlib.suppress(WebSocketDisconnect):
            await echo(websocket, counter)
    finally:
        cancelled, end = None, time.monotonic() + seconds
        report = asyncio.create_task(desk.report(counter[0]))
        while not report.done():
            try:
                await asyncio.wait([report], timeout=max(end - time.monotonic(), 0))
                report.cancel()
            except asyncio.CancelledError as error:
                cancelled = error
        if not report.cancelled():
            report.exception()
        try:
            await persist(asyncio.create_task(desk.close()))
        finally:
            if cancelled:
                raise cancelled


@right(ex3)
class LooksAtAClock:
    """Its deadline is a moment of `perf_counter`, which it has imported by name."""

    def __init__(self):
        self.tasks, self.over = set(), False

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.over:
            task.cancel()

    async def drain(self, seconds):
        end = perf_counter() + seconds
        while self.tasks and (left := end - perf_counter()) > 0:
            await asyncio.wait(list(self.tasks), timeout=left)
        self.over = True
        for task in list(self.tasks):
            task.cancel()
        while self.tasks:
            await asyncio.wait(list(self.tasks))


# ---- an error that is taken for something else ---------------------------------------------------------------------


@wrong(ex1, "fails_once")
async def one_error_is_enough(websocket, audit):
    """When the talk has raised, the write's own error is dropped."""
    counter, broken = [0], False
    try:
        await echo(websocket, counter)
    except Exception:
        broken = True
        raise
    finally:
        try:
            await persist(asyncio.create_task(audit.write(counter[0])))
        except Exception:
            if not broken:
                raise


@right(ex1)
async def both_in_a_group(websocket, audit):
    """When the talk has raised, and the write does, too, both come out in a group."""
    counter: list[int] = [0]
    errors: list[Exception] = []
    try:
        await echo(websocket, counter)
    except Exception as error:
        errors.append(error)
    finally:
        try:
            await persist(asyncio.create_task(audit.write(counter[0])))
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("talk and write", errors)


@wrong(ex3, "cancels_nothing_early")
class TakesTheirTimeoutForItsOwn(Holding):
    """Waits for one after the other, and takes a TimeoutError of theirs for the deadline."""

    async def wait_until(self, deadline):
        now = asyncio.get_running_loop().time
        while self.tasks:
            try:
                await asyncio.wait_for(asyncio.shield(next(iter(self.tasks))), deadline - now())
            except TimeoutError:
                return
            except (Exception, asyncio.CancelledError):
                pass
            await asyncio.sleep(0)


# ---- one at a time -------------------------------------------------------------------------------------------------

_gates: Any = weakref.WeakKeyDictionary()


def gate_of(thing, most):
    """Return the semaphore of an audit or a desk, through which so many go at a time."""
    return _gates.setdefault(thing, asyncio.Semaphore(most))


def through_a_gate(most, name, doc):
    """Return a handler that waits for a semaphore before it begins to write."""

    async def record(websocket, audit):
        counter = [0]
        try:
            await echo(websocket, counter)
        finally:
            async with gate_of(audit, most):
                await persist(asyncio.create_task(audit.write(counter[0])))

    record.__name__, record.__doc__ = name, doc
    return record


wrong(ex1, "loses_no_row")(
    through_a_gate(1, "one_writes_at_a_time", "One row at a time; cancelled before its turn, it never writes.")
)
wrong(ex1, "loses_no_row")(
    through_a_gate(2, "two_write_at_a_time", "Two rows at a time; the third is cancelled before its turn.")
)


@right(ex1)
async def waits_for_its_turn_in_the_task(websocket, audit):
    """One row at a time, and the task that nobody cancels waits for its turn."""
    counter = [0]

    async def write():
        async with gate_of(audit, 1):
            await audit.write(counter[0])

    try:
        await echo(websocket, counter)
    finally:
        await persist(asyncio.create_task(write()))


@wrong(ex2, "closes_the_line")
@leaving
async def closes_one_at_a_time(desk, count, seconds):
    """Closes one line at a time; cancelled before its turn, it never closes."""

    async def report():
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(desk.report(count), seconds)

    try:
        await persist(asyncio.create_task(report()))
    finally:
        async with gate_of(desk, 1):
            await persist(asyncio.create_task(desk.close()))


@wrong(ex3, "cancels_at_the_deadline")
class OneOfEachName:
    """Keeps its tasks by name: of two with one name it has forgotten the first."""

    over = False

    def __init__(self):
        self.named = {}

    def start(self, coroutine):
        name = coroutine.__name__
        task = self.named[name] = asyncio.create_task(coroutine)
        task.add_done_callback(lambda _: self.named.get(name) is task and self.named.pop(name))
        if self.over:
            task.cancel()

    async def drain(self, seconds):
        now = asyncio.get_running_loop().time
        end = now() + seconds
        while self.named and now() < end:
            await asyncio.wait(set(self.named.values()), timeout=end - now())
        self.over = True
        for task in self.named.values():
            task.cancel()
        while self.named:
            await asyncio.wait(set(self.named.values()))


@wrong(ex3, "cancels_at_the_deadline")
class CancelsTheirChildrenAgain(Holding):
    """Looks again and again for what was started late, and each time cancels all of that."""

    async def cancel(self):
        first = set(self.tasks)
        for task in first:
            task.cancel()
        while self.tasks:
            for task in self.tasks - first:
                task.cancel()
            await asyncio.wait(self.tasks, timeout=0.05)
