"""Answers to lesson 07, some of them wrong on purpose."""

# ruff: noqa: RUF006

import asyncio
import contextlib
from collections import deque
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
from starlette.websockets import WebSocketDisconnect, WebSocketState

from helpers.exercises.chat_room import FAREWELL, ex1, ex2, ex3
from tests.answers import attempt, right, wrong

GONE = (WebSocketDisconnect, RuntimeError)


async def listen(websocket, events, scope=None):
    """Send what comes, until the member is gone; then end the reader too."""
    with suppress(*GONE):
        async for event in events:
            await websocket.send_text(event.message)
    if scope is not None:
        scope.cancel()


async def talking(websocket, broadcast):
    """What many answers have in common: a room without a farewell."""
    async with broadcast.subscribe("room") as events, anyio.create_task_group() as group:
        group.start_soon(listen, websocket, events, group.cancel_scope)
        async for text in websocket.iter_text():
            await broadcast.publish("room", text)
        group.cancel_scope.cancel()


# ---- 1, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex1, "says_farewell")
async def farewell_at_known_codes(websocket, broadcast):
    """Says it for the codes that a list names; an application's own code is not on it."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        listener, code = asyncio.create_task(listen(websocket, events)), 1012
        try:
            while True:
                await broadcast.publish("room", await websocket.receive_text())
        except WebSocketDisconnect as end:
            code = end.code
        except RuntimeError:
            code = 1006
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            if code in {1000, 1001, 1005, 1006, 1011, 1012}:
                await broadcast.publish("room", FAREWELL)


@wrong(ex1, "answers_everything")
async def heeds_a_word(websocket, broadcast):
    """A word is a command, and ends the talk."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events, group.cancel_scope)
                async for text in websocket.iter_text():
                    if text == "quit":
                        break
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "leaves_no_task")
async def waits_for_nobody(websocket, broadcast):
    """The advice of many threads: cancel the listener, and do not wait for it."""
    await websocket.accept()

    async def own():
        async with broadcast.subscribe("room") as events:
            await listen(websocket, events)

    task = asyncio.create_task(own())
    async for text in websocket.iter_text():
        await broadcast.publish("room", text)
    await broadcast.publish("room", FAREWELL)
    task.cancel()


@wrong(ex1, "leaves_no_task")
async def not_in_a_finally(websocket, broadcast):
    """Cancels and waits, but not when the handler itself is cancelled."""
    await websocket.accept()

    async def own():
        async with broadcast.subscribe("room") as events:
            await listen(websocket, events)

    task = asyncio.create_task(own())
    async for text in websocket.iter_text():
        await broadcast.publish("room", text)
    task.cancel()
    await asyncio.wait([task])
    await broadcast.publish("room", FAREWELL)


@wrong(ex1, "says_farewell")
async def no_farewell(websocket, broadcast):
    """Leaves without a word."""
    await websocket.accept()
    await talking(websocket, broadcast)


@wrong(ex1, "says_farewell")
async def farewell_in_the_group(websocket, broadcast):
    """Says it inside the group that it has cancelled, where publish is cancelled as well."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events, anyio.create_task_group() as group:
        group.start_soon(listen, websocket, events, group.cancel_scope)
        async for text in websocket.iter_text():
            await broadcast.publish("room", text)
        group.cancel_scope.cancel()
        await broadcast.publish("room", FAREWELL)


@wrong(ex1, "says_farewell")
async def farewell_on_disconnect_only(websocket, broadcast):
    """Says it after the group, not in a finally: not when the server stops the handler."""
    await websocket.accept()
    await talking(websocket, broadcast)
    await broadcast.publish("room", FAREWELL)


@wrong(ex1, "says_farewell")
async def farewell_twice(websocket, broadcast):
    """Both tasks say it."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:

                async def own():
                    try:
                        await listen(websocket, events)
                    finally:
                        with anyio.CancelScope(shield=True):
                            await broadcast.publish("room", FAREWELL)

                group.start_soon(own)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "says_farewell")
async def farewell_of_nobody(websocket, broadcast):
    """The finally stands around accept too: those who never came are said to have left."""
    try:
        await websocket.accept()
        await talking(websocket, broadcast)
    finally:
        await broadcast.publish("room", FAREWELL)


@wrong(ex1, "ends_quietly")
async def lets_the_send_fail(websocket, broadcast):
    """Nobody catches what send raises when the peer is gone; with a task group it comes out as a group."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:

                async def own():
                    async for event in events:
                        await websocket.send_text(event.message)

                group.start_soon(own)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@right(ex1)
async def lets_the_refusal_out(websocket, broadcast):
    """The listener ends the reader when it cannot send. The reader may be quicker: nobody is blamed for that race."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events, group.cancel_scope)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "ends_quietly")
async def the_reader_goes_on(websocket, broadcast):
    """The listener ends quietly and tells nobody; Starlette then refuses to read."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "ends")
async def waits_for_the_listener(websocket, broadcast):
    """Forgets to cancel: the group waits for a listener that waits for messages."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "answers_everything")
async def listens_to_itself(websocket, broadcast):
    """Reads and listens in turns: hears others only after having spoken."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
                await websocket.send_text((await events.get()).message)
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "answers_everything")
async def a_room_of_its_own(websocket, broadcast):
    """A channel for each connection: nobody hears anybody."""
    await websocket.accept()
    channel = str(id(websocket))
    async with broadcast.subscribe(channel) as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events, group.cancel_scope)
                async for text in websocket.iter_text():
                    await broadcast.publish(channel, text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish(channel, FAREWELL)


@wrong(ex1, "ends_quietly")
async def closes_again(websocket, broadcast):
    """Closes a connection that is closed."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events, group.cancel_scope)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)
    await websocket.close()


@wrong(ex1, "gives_back_its_subscription")
async def keeps_the_subscription(websocket, broadcast):
    """Enters the subscription by hand and leaves it only when all goes well."""
    await websocket.accept()
    subscription = broadcast.subscribe("room")
    events = await subscription.__aenter__()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(listen, websocket, events, group.cancel_scope)
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
            group.cancel_scope.cancel()
    finally:
        await broadcast.publish("room", FAREWELL)
        kept.append(subscription)


kept: list[Any] = []


@wrong(ex1, "heeds_cancellation")
async def swallows_everything(websocket, broadcast):
    """Broad suppress around the session, cancellation included."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        with suppress(BaseException):
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, events, group.cancel_scope)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        await broadcast.publish("room", FAREWELL)


# ---- 1, right ------------------------------------------------------------------------------------------------------


@wrong(ex1, "lets_nothing_out")
async def a_group_leaves(websocket, broadcast):
    """asyncio.TaskGroup: what the listener's send raises comes out in a group."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def own():
            async for event in events:
                await websocket.send_text(event.message)

        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(own())
                with suppress(*GONE):
                    async for text in websocket.iter_text():
                        await broadcast.publish("room", text)
                task.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "hears_farewell")
async def says_farewell_to_nobody(websocket, broadcast):
    """Takes the farewell for a sign between handlers, and sends it to no member."""
    await websocket.accept()

    async def spoken(events):
        async for event in events:
            if event.message != FAREWELL:
                yield event

    async with broadcast.subscribe("room") as events:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(listen, websocket, spoken(events), group.cancel_scope)
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
                group.cancel_scope.cancel()
        finally:
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "leaves_no_task")
async def only_asks_the_listener(websocket, broadcast):
    """Cancels the listener first and then says farewell: where that takes no time the listener outlives the handler."""
    await websocket.accept()
    subscribed = asyncio.Event()

    async def own():
        async with broadcast.subscribe("room") as events:
            subscribed.set()
            await listen(websocket, events)

    task = asyncio.create_task(own())
    try:
        await subscribed.wait()
        with suppress(*GONE):
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
    finally:
        task.cancel()
        if subscribed.is_set():
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "says_farewell")
async def farewell_of_the_listener_too(websocket, broadcast):
    """The listener says it when a send has failed, and the handler says it at its end."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def own():
            try:
                async for event in events:
                    await websocket.send_text(event.message)
            except GONE:
                await broadcast.publish("room", FAREWELL)

        task = asyncio.create_task(own())
        try:
            with suppress(*GONE):
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await broadcast.publish("room", FAREWELL)


@wrong(ex1, "answers_everything")
async def speaks_before_it_listens(websocket, broadcast):
    """Reads while the listener still subscribes: who speaks at once does not hear itself."""
    await websocket.accept()
    member = False

    async def own():
        nonlocal member
        async with broadcast.subscribe("room") as events:
            member = True
            await listen(websocket, events)

    task = asyncio.create_task(own())
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
    finally:
        task.cancel()
        await asyncio.wait([task])
        if member:
            await broadcast.publish("room", FAREWELL)


@right(ex1)
async def once_it_has_subscribed(websocket, broadcast):
    """The listener subscribes, the reader waits for that, and the handler says farewell if it came about."""
    await websocket.accept()
    subscribed = asyncio.Event()

    async def own():
        async with broadcast.subscribe("room") as events:
            subscribed.set()
            await listen(websocket, events)

    async def read():
        await subscribed.wait()
        with suppress(*GONE):
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)

    tasks = [asyncio.create_task(own()), asyncio.create_task(read())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if subscribed.is_set():
            await broadcast.publish("room", FAREWELL)


@right(ex1)
async def by_hand(websocket, broadcast):
    """create_task, cancel, wait, look."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        reader = asyncio.current_task()
        assert reader is not None

        async def own():
            with suppress(*GONE):
                async for event in events:
                    await websocket.send_text(event.message)

        task = asyncio.create_task(own())
        try:
            with suppress(RuntimeError):  # Starlette's, when a send has failed
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
            await broadcast.publish("room", FAREWELL)


@right(ex1)
async def first_of_two(websocket, broadcast):
    """Two tasks, and whichever ends first ends the other."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def read():
            with suppress(*GONE):
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)

        tasks = [asyncio.create_task(read()), asyncio.create_task(listen(websocket, events))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await broadcast.publish("room", FAREWELL)


@right(ex1)
async def with_an_exit_stack(websocket, broadcast):
    """An exit stack: what is entered last is left first."""
    await websocket.accept()
    async with contextlib.AsyncExitStack() as stack:
        events = await stack.enter_async_context(broadcast.subscribe("room"))
        stack.push_async_callback(broadcast.publish, "room", FAREWELL)
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(listen, websocket, events, group.cancel_scope)
        with suppress(RuntimeError):
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
        group.cancel_scope.cancel()


class End(Exception):
    """Ends an asyncio task group."""


@right(ex1)
async def with_asyncios_group(websocket, broadcast):
    """asyncio.TaskGroup, which has no cancel(): an exception of its own ends it."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def own():
            await listen(websocket, events)
            raise End

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(own())
                while (message := await websocket.receive())["type"] != "websocket.disconnect":
                    await broadcast.publish("room", message["text"])
                raise End
        except* (End, RuntimeError):
            pass
        finally:
            await broadcast.publish("room", FAREWELL)


# ---- 2 -------------------------------------------------------------------------------------------------------------


def forget(members, member):
    """Remove a member who may have been removed already."""
    with suppress(ValueError):
        members.remove(member)


@wrong(ex2, "hears_everything")
async def walks_backwards(websocket, members):
    """No copy, from behind: when somebody leaves, the one who is sent to has its turn again."""
    await websocket.accept()
    members.append(websocket)
    try:
        while "text" in (said := await websocket.receive()):
            for member in reversed(members):
                with suppress(*GONE):
                    await member.send_text(said["text"])
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def half_a_minute_is_enough(websocket, members):
    """A slow member misses what takes thirty seconds."""
    await websocket.accept()
    members.append(websocket)
    try:
        while "text" in (said := await websocket.receive()):
            for member in list(members):
                with suppress(*GONE, TimeoutError):
                    async with asyncio.timeout(30):
                        await member.send_text(said["text"])
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def an_inbox_of_twenty(websocket, members):
    """An inbox that drops the oldest: a slow member misses what was said meanwhile."""
    await websocket.accept()
    inbox: asyncio.Queue[str] = asyncio.Queue(20)
    members.append(inbox)

    async def send():
        with suppress(*GONE):
            while True:
                await websocket.send_text(await inbox.get())

    sending = asyncio.create_task(send())
    try:
        while "text" in (said := await websocket.receive()):
            for each in members:
                if each.full():
                    each.get_nowait()
                each.put_nowait(said["text"])
    finally:
        members.remove(inbox)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


@wrong(ex2, "answers_everything")
async def the_tutorial(websocket, members):
    """The tutorials' room: who speaks gets the exception about who is gone, and leaves."""
    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for member in list(members):
                await member.send_text(text)
    except WebSocketDisconnect:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def catches_nothing(websocket, members):
    """finally, and no except: who is gone takes the speaker along, with an error."""
    await websocket.accept()
    members.append(websocket)
    try:
        async for text in websocket.iter_text():
            for member in list(members):
                await member.send_text(text)
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def removes_while_it_loops(websocket, members):
    """No copy: the list shrinks under the loop and the next member is passed over."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in members:
                try:
                    await member.send_text(text)
                except GONE:
                    forget(members, member)
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "answers_everything")
async def somebody_leaves_while_it_loops(websocket, members):
    """No copy: a member's own handler removes it during a send, and the next one is passed over."""
    await websocket.accept()
    members.append(websocket)
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for member in members:
                    with suppress(*GONE):
                        await member.send_text(text)
    finally:
        members.remove(websocket)


@wrong(ex2, "hears_everything")
async def last_words_are_lost(websocket, members):
    """Who cannot send to itself returns, and the others never hear what it said."""
    await websocket.accept()
    members.append(websocket)
    try:
        async for text in websocket.iter_text():
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    if member is websocket:
                        return
                    forget(members, member)
    except GONE:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "answers_everything")
async def removes_twice(websocket, members):
    """The dead are removed by two, and the second one fails."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    members.remove(member)
    except WebSocketDisconnect:
        pass
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def disconnect_only(websocket, members):
    """Catches WebSocketDisconnect, and not the RuntimeError of a second send: who speaks then is not answered."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                with suppress(WebSocketDisconnect):
                    await member.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "ends_quietly")
async def reads_after_a_failed_send(websocket, members):
    """Passes over every failed send, its own too, and reads on: Starlette refuses."""
    await websocket.accept()
    members.append(websocket)
    try:
        async for text in websocket.iter_text():
            for member in list(members):
                with suppress(*GONE):
                    await member.send_text(text)
    finally:
        members.remove(websocket)


@wrong(ex2, "leaves_the_room")
async def forgets_to_leave(websocket, members):
    """Nobody removes who leaves in silence."""
    await websocket.accept()
    members.append(websocket)
    with suppress(*GONE):
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    forget(members, member)


@wrong(ex2, "leaves_the_room")
async def leaves_when_all_is_well(websocket, members):
    """No finally: a handler that is cancelled stays a member."""
    await websocket.accept()
    members.append(websocket)
    with suppress(*GONE):
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    forget(members, member)
    forget(members, websocket)


@wrong(ex2, "leaves_the_room")
async def joins_before_accept(websocket, members):
    """A member before it is connected, and outside the try: it stays when accept fails."""
    members.append(websocket)
    await websocket.accept()
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    forget(members, member)
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "answers_everything")
async def gathers(websocket, members):
    """Sends to all at once; the first exception is the speaker's again."""
    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await asyncio.gather(*(member.send_text(text) for member in list(members)))
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "answers_everything")
async def stops_at_the_dead(websocket, members):
    """One try around the whole loop: those behind the dead hear nothing."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            try:
                for member in list(members):
                    await member.send_text(text)
            except GONE:
                forget(members, member)
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "answers_everything")
async def clears_the_room(websocket, members):
    """When somebody dies the list is made anew, without anybody."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    members.clear()
    except WebSocketDisconnect:
        pass
    finally:
        forget(members, websocket)


@wrong(ex2, "heeds_cancellation")
async def swallows_cancellation(websocket, members):
    """Bare except around everything."""
    await websocket.accept()
    members.append(websocket)
    try:
        while "text" in (said := await websocket.receive()):
            for member in list(members):
                with suppress(*GONE):
                    await member.send_text(said["text"])
    except BaseException:
        pass
    members.remove(websocket)


@wrong(ex2, "answers_everything")
async def fire_and_forget(websocket, members):
    """A task for each send, which nobody waits for: words overtake each other, and tasks are left."""

    async def tell(member, text):
        with suppress(*GONE):
            await anyio.sleep(0.01)
            await member.send_text(text)

    await websocket.accept()
    members.append(websocket)
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for member in list(members):
                    asyncio.create_task(tell(member, text))
    finally:
        members.remove(websocket)


@wrong(ex2, "hears_everything")
async def own_end_only(websocket, members):
    """Takes its own failed send for its end, though what it said before lies unread."""
    await websocket.accept()
    members.append(websocket)
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for member in [each for each in members if each is not websocket]:
                    with suppress(*GONE):
                        await member.send_text(text)
                await websocket.send_text(text)
    finally:
        members.remove(websocket)


@wrong(ex2, "hears_everything")
async def gathers_with_care(websocket, members):
    """gather, with every outcome returned; after a failed send of its own it reads no more."""
    await websocket.accept()
    members.append(websocket)
    try:
        while websocket.application_state is WebSocketState.CONNECTED:
            text = await websocket.receive_text()
            sends = [member.send_text(text) for member in members]
            await asyncio.gather(*sends, return_exceptions=True)
    except WebSocketDisconnect:
        pass
    finally:
        members.remove(websocket)


@wrong(ex2, "hears_everything")
async def asks_whether_it_is_a_member(websocket, members):
    """Whoever notices a death forgets, and who is forgotten reads no more, also what it said before."""

    def forget(member):
        if member in members:
            members.remove(member)

    await websocket.accept()
    members.append(websocket)
    try:
        while websocket in members:
            text = await websocket.receive_text()
            for member in list(members):
                try:
                    await member.send_text(text)
                except GONE:
                    forget(member)
    except WebSocketDisconnect:
        pass
    finally:
        forget(websocket)


@wrong(ex2, "answers_everything")
async def drops_empty_words(websocket, members):
    """Takes an empty message for none."""
    await websocket.accept()
    members.append(websocket)
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            for member in list(members):
                if message["text"]:
                    with suppress(*GONE):
                        await member.send_text(message["text"])
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def says_nothing_twice(websocket, members):
    """Takes a repeat for an echo, and passes over it."""
    await websocket.accept()
    members.append(websocket)
    last = None
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if message["text"] != last or last == "":
                for member in list(members):
                    with suppress(*GONE):
                        await member.send_text(message["text"])
            last = message["text"] or last
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def pops_the_first(websocket, members):
    """Takes out the first of the list, which is who leaves only if it came first."""
    await websocket.accept()
    members.append(websocket)
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            for member in list(members):
                with suppress(*GONE):
                    await member.send_text(message["text"])
    finally:
        members.pop(0)


@right(ex2)
async def reads_to_the_disconnect(websocket, members):
    """receive() up to the disconnect, a function for the sending, and removal in its own finally."""

    async def tell(member, text):
        with suppress(*GONE):
            await member.send_text(text)

    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            for member in [*members]:
                await tell(member, message["text"])
    finally:
        members.remove(websocket)


@wrong(ex2, "answers_everything")
async def a_group_for_each_round(websocket, members):
    """Tells all in a TaskGroup: when one is dead, what the slow ones wait for is cancelled."""
    await websocket.accept()
    members.append(websocket)
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            try:
                async with asyncio.TaskGroup() as group:
                    for member in members:
                        group.create_task(member.send_text(message["text"]))
            except* Exception:
                pass
    finally:
        members.remove(websocket)


@right(ex2)
async def gathers_to_the_disconnect(websocket, members):
    """gather, with every outcome returned, and receive(), which a failed send does not end."""
    await websocket.accept()
    members.append(websocket)
    try:
        while "text" in (message := await websocket.receive()):
            sends = [member.send_text(message["text"]) for member in members]
            await asyncio.gather(*sends, return_exceptions=True)
    finally:
        members.remove(websocket)


@right(ex2)
async def a_group_in_which_none_fails(websocket, members):
    """Anyio's task group for each round; each send of it looks after its own failure."""
    await websocket.accept()
    members.append(websocket)

    async def tell(member, text):
        with suppress(*GONE):
            await member.send_text(text)

    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            async with anyio.create_task_group() as group:
                for member in members:
                    group.start_soon(tell, member, message["text"])
    finally:
        members.remove(websocket)


@right(ex2)
async def raw_messages(websocket, members):
    """Raw receive() and send(), below Starlette's states."""
    await websocket.accept()
    members.append(websocket)
    try:
        while (message := await websocket._receive())["type"] != "websocket.disconnect":
            for member in tuple(members):
                with suppress(Exception):
                    await member._send({"type": "websocket.send", "text": message["text"]})
    finally:
        members.remove(websocket)


@wrong(ex2, "hears_everything")
async def a_queue_each_and_iter_text(websocket, members):
    """Members are queues; when its own task cannot send to it, Starlette refuses to read what it has said."""
    inbox: asyncio.Queue[str] = asyncio.Queue()

    async def send(scope):
        with suppress(*GONE):
            while True:
                await websocket.send_text(await inbox.get())
        scope.cancel()

    await websocket.accept()
    members.append(inbox)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send, group.cancel_scope)
            async for text in websocket.iter_text():
                for each in members:
                    each.put_nowait(text)
            group.cancel_scope.cancel()
    finally:
        members.remove(inbox)


@wrong(ex2, "hears_everything")
async def takes_a_refusal_for_the_end(websocket, members):
    """Members are queues; when its own task cannot send to it, it takes Starlette's refusal to read for its end."""
    inbox: asyncio.Queue[str] = asyncio.Queue()
    await websocket.accept()
    members.append(inbox)
    task = asyncio.create_task(sending(websocket, inbox))
    try:
        while True:
            text = await websocket.receive_text()
            for each in members:
                each.put_nowait(text)
    except GONE:
        pass
    finally:
        members.remove(inbox)
        task.cancel()
        await asyncio.wait([task])


@wrong(ex2, "hears_everything")
async def its_sender_ends_it(websocket, members):
    """Members are queues; the task that cannot send cancels the one that reads, before it has read everything."""
    inbox: asyncio.Queue[str] = asyncio.Queue()

    async def read():
        while "text" in (said := await websocket.receive()):
            for each in members:
                each.put_nowait(said["text"])

    async def send():
        await sending(websocket, inbox)
        reading.cancel()

    await websocket.accept()
    members.append(inbox)
    tasks = reading, _ = asyncio.create_task(read()), asyncio.create_task(send())
    try:
        await asyncio.wait([reading])
    finally:
        members.remove(inbox)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@right(ex2)
async def a_queue_each(websocket, members):
    """Members are queues, and everybody's own task sends; when it cannot, the handler reads on to the disconnect."""
    inbox: asyncio.Queue[str] = asyncio.Queue()
    await websocket.accept()
    members.append(inbox)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(sending, websocket, inbox)
            while "text" in (said := await websocket.receive()):
                for each in members:
                    each.put_nowait(said["text"])
            group.cancel_scope.cancel()
    finally:
        members.remove(inbox)


# ---- 3 -------------------------------------------------------------------------------------------------------------


def put(inbox, text):
    """Put a message into an inbox, and drop the oldest one if it is full."""
    if inbox.full():
        inbox.get_nowait()
    inbox.put_nowait(text)


async def sending(websocket, inbox, scope=None):
    """Send what is in the inbox until the member is gone."""
    with suppress(*GONE):
        while True:
            await websocket.send_text(await inbox.get())
    if scope is not None:
        scope.cancel()


def _with(inbox_of, tell, deliver=sending, refused=GONE):
    """Return a room made of a way to make an inbox, a way to fill all inboxes and a way to send what is in one.

    `refused` is what it passes over when it may read no more.
    """

    async def room(websocket, inboxes):
        inbox = inbox_of()
        await websocket.accept()
        inboxes.append(inbox)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(deliver, websocket, inbox, group.cancel_scope)
                with suppress(*refused):
                    async for text in websocket.iter_text():
                        await tell(inboxes, text)
                group.cancel_scope.cancel()
        finally:
            inboxes.remove(inbox)

    return room


def _named(name, doc, room):
    room.__name__, room.__doc__ = name, doc
    return room


async def _all(inboxes, text):
    for each in inboxes:
        put(each, text)


async def _waiting(inboxes, text):
    for each in list(inboxes):
        await each.put(text)


async def _newest_dropped(inboxes, text):
    for each in inboxes:
        if not each.full():
            each.put_nowait(text)


async def _cleared(inboxes, text):
    for each in inboxes:
        while each.full() or (each.qsize() and each.maxsize and each.full()):
            while not each.empty():
                each.get_nowait()
        each.put_nowait(text)


async def _raises(inboxes, text):
    for each in inboxes:
        each.put_nowait(text)


async def _patient(inboxes, text):
    for each in list(inboxes):
        try:
            async with asyncio.timeout(1):
                await each.put(text)
        except TimeoutError:
            put(each, text)


async def _set_changes(inboxes, text):
    for each in inboxes:
        put(each, text)
        if each.full():
            inboxes.remove(each)


async def _new_ones(inboxes, text):
    for each in inboxes:
        if text not in each._queue:
            put(each, text)


async def _in_batches(websocket, inbox, scope):
    with suppress(*GONE):
        while True:
            batch = [await inbox.get()]
            while not inbox.empty():
                batch.append(inbox.get_nowait())
            for text in batch:
                await websocket.send_text(text)
    scope.cancel()


async def _half_a_second(websocket, inbox, scope):
    with suppress(*GONE):
        while True:
            text = await inbox.get()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await websocket.send_text(text)
    scope.cancel()


wrong(ex3, "keeps_the_newest")(
    _named("without_a_limit", "Broadcaster's way: every message waits.", _with(asyncio.Queue, _raises))
)
wrong(ex3, "never_waits")(
    _named(
        "lets_the_speaker_wait", "await put(): who is slow stops everybody.", _with(lambda: asyncio.Queue(3), _waiting)
    )
)
wrong(ex3, "keeps_the_newest")(
    _named(
        "drops_the_newest", "Keeps what is old, drops what is new.", _with(lambda: asyncio.Queue(3), _newest_dropped)
    )
)
wrong(ex3, "keeps_the_newest")(
    _named("clears_the_inbox", "Drops all that waits, not the oldest only.", _with(lambda: asyncio.Queue(3), _cleared))
)
wrong(ex3, "keeps_the_newest")(
    _named("a_limit_of_four", "Counts the message on its way as waiting.", _with(lambda: asyncio.Queue(4), _all))
)
wrong(ex3, "keeps_the_newest")(_named("a_limit_of_two", "Off by one.", _with(lambda: asyncio.Queue(2), _all)))
wrong(ex3, "answers_everything")(
    _named(
        "raises_when_full",
        "put_nowait on a full queue: QueueFull ends the speaker.",
        _with(lambda: asyncio.Queue(3), _raises),
    )
)
wrong(ex3, "never_waits")(
    _named(
        "waits_a_little",
        "A timeout for each slow member, which everybody waits for.",
        _with(lambda: asyncio.Queue(3), _patient),
    )
)
wrong(ex3, "answers_everything")(
    _named(
        "throws_out_while_it_loops",
        "Throws out who is full, who then hears no more.",
        _with(lambda: asyncio.Queue(3), _set_changes),
    )
)
wrong(ex3, "keeps_the_newest")(
    _named("takes_all_out", "Takes all that waits, and sends it.", _with(lambda: asyncio.Queue(3), _all, _in_batches))
)
wrong(ex3, "keeps_the_newest")(
    _named("no_text_twice", "Passes over what waits already.", _with(lambda: asyncio.Queue(3), _new_ones))
)
wrong(ex3, "keeps_the_newest")(
    _named("gives_up", "Half a second for each send.", _with(lambda: asyncio.Queue(3), _all, _half_a_second))
)
wrong(ex3, "keeps_the_newest")(
    _named("last_in_first_out", "A stack: the newest comes first.", _with(lambda: asyncio.LifoQueue(3), _all))
)


@wrong(ex3, "answers_everything")
async def three_in_all(websocket, inboxes):
    """Three wait in all inboxes together: two slow members take each other's places."""
    await websocket.accept()
    inbox: asyncio.Queue[str] = asyncio.Queue(3)

    async def send():
        with suppress(*GONE):
            while True:
                await websocket.send_text(await inbox.get())

    inboxes.append(inbox)
    sending = asyncio.create_task(send())
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for each in inboxes:
                    crowded = sum(other.qsize() for other in inboxes) > 3 and not each.empty()
                    if each.full() or crowded:
                        each.get_nowait()
                    each.put_nowait(text)
    finally:
        inboxes.remove(inbox)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


@wrong(ex3, "never_waits")
async def sends_directly(websocket, inboxes):
    """No queue at all: the speaker sends to everybody."""
    await websocket.accept()
    inboxes.append(websocket)
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for each in list(inboxes):
                    with suppress(*GONE):
                        await each.send_text(text)
    finally:
        inboxes.remove(websocket)


@wrong(ex3, "takes_its_inbox_along")
async def leaves_its_inbox(websocket, inboxes):
    """No finally: a cancelled handler leaves its inbox behind."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    await websocket.accept()
    inboxes.append(inbox)
    async with anyio.create_task_group() as group:
        group.start_soon(sending, websocket, inbox, group.cancel_scope)
        async for text in websocket.iter_text():
            await _all(inboxes, text)
        group.cancel_scope.cancel()
    inboxes.remove(inbox)


@wrong(ex3, "leaves_no_task")
async def sender_runs_on(websocket, inboxes):
    """Cancels the sender and does not wait."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    await websocket.accept()
    inboxes.append(inbox)
    task = asyncio.create_task(sending(websocket, inbox))
    try:
        with suppress(RuntimeError):
            async for text in websocket.iter_text():
                await _all(inboxes, text)
    finally:
        inboxes.remove(inbox)
        task.cancel()


@wrong(ex3, "ends")
async def sender_never_ends(websocket, inboxes):
    """Waits for a sender that nobody has told."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    await websocket.accept()
    inboxes.append(inbox)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(sending, websocket, inbox)
            with suppress(RuntimeError):
                async for text in websocket.iter_text():
                    await _all(inboxes, text)
    finally:
        inboxes.remove(inbox)


@wrong(ex3, "ends_quietly")
async def sender_raises(websocket, inboxes):
    """The sender lets its exception out, told or not."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)

    async def send():
        while True:
            await websocket.send_text(await inbox.get())

    await websocket.accept()
    inboxes.append(inbox)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send)
            async for text in websocket.iter_text():
                await _all(inboxes, text)
            group.cancel_scope.cancel()
    finally:
        inboxes.remove(inbox)


right(ex3)(
    _named(
        "lets_the_refusal_out",
        "When its own task could not send, Starlette may refuse to read first: a race nobody is blamed for.",
        _with(lambda: asyncio.Queue(3), _all, refused=()),
    )
)
right(ex3)(_named("with_helpers", "The solution, in pieces.", _with(lambda: asyncio.Queue(3), _all)))


@wrong(ex3, "never_waits")
async def waits_for_its_own_inbox(websocket, inboxes):
    """Drops the oldest of the others' inboxes, and waits for room in its own."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    await websocket.accept()
    inboxes.append(inbox)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(sending, websocket, inbox, group.cancel_scope)
            async for text in websocket.iter_text():
                for each in inboxes:
                    if each is inbox:
                        await each.put(text)
                    else:
                        put(each, text)
            group.cancel_scope.cancel()
    finally:
        inboxes.remove(inbox)


@right(ex3)
async def with_a_deque(websocket, inboxes):
    """A deque that drops by itself, and an event."""
    inbox: deque[str] = deque(maxlen=3)
    filled = asyncio.Event()

    async def send(scope):
        with suppress(*GONE):
            while True:
                await filled.wait()
                while inbox:
                    await websocket.send_text(inbox.popleft())
                filled.clear()
        scope.cancel()

    await websocket.accept()
    inboxes.append((inbox, filled))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send, group.cancel_scope)
            with suppress(RuntimeError):
                async for text in websocket.iter_text():
                    for each, event in inboxes:
                        each.append(text)
                        event.set()
            group.cancel_scope.cancel()
    finally:
        inboxes.pop(next(n for n, (own, _) in enumerate(inboxes) if own is inbox))


class _OnDemand:
    """An inbox that has a task only while there is something to send; whoever puts something in begins it."""

    def __init__(self, websocket):
        self.websocket, self.waiting, self.sending, self.closed = websocket, [], None, False

    def put(self, text):
        self.waiting.append(text)
        if self.sending is None:
            self.go_on()
        del self.waiting[:-3]

    def go_on(self, _=None):
        self.sending = None
        if self.waiting and not self.closed:
            self.sending = asyncio.create_task(self.send(self.waiting.pop(0)))
            self.sending.add_done_callback(self.go_on)

    async def send(self, text):
        with suppress(Exception):
            await self.websocket.send_text(text)

    async def close(self, *, wait):
        self.closed = True
        if (sending := self.sending) is not None:
            sending.cancel()
            if wait:
                await asyncio.wait([sending])


async def _on_demand(websocket, inboxes, *, wait):
    await websocket.accept()
    inbox = _OnDemand(websocket)
    inboxes.append(inbox)
    try:
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            for each in inboxes:
                each.put(message["text"])
    finally:
        inboxes.remove(inbox)
        await inbox.close(wait=wait)


@right(ex3)
async def a_task_on_demand(websocket, inboxes):
    """Who speaks begins the task that sends; it is the listener's, whose handler waits for it."""
    await _on_demand(websocket, inboxes, wait=True)


@wrong(ex3, "leaves_no_task")
async def a_task_on_demand_runs_on(websocket, inboxes):
    """Who speaks begins the task that sends, and nobody waits for it, the listener's handler neither."""
    await _on_demand(websocket, inboxes, wait=False)


@right(ex3)
async def by_hand_as_well(websocket, inboxes):
    """create_task, cancel, wait."""
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    await websocket.accept()
    inboxes.append(inbox)
    task = asyncio.create_task(sending(websocket, inbox))
    try:
        with suppress(RuntimeError):
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                for each in tuple(inboxes):
                    put(each, message["text"])
    finally:
        inboxes.remove(inbox)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@right(ex3)
async def with_anyio_streams(websocket, inboxes):
    """Memory streams of anyio; who is full is relieved of the oldest."""
    await websocket.accept()
    send, receive = anyio.create_memory_object_stream[str](3)
    inbox = (send, receive)

    async def deliver(scope):
        with suppress(*GONE):
            async for text in receive:
                await websocket.send_text(text)
        scope.cancel()

    with send, receive:
        inboxes.append(inbox)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(deliver, group.cancel_scope)
                with suppress(RuntimeError):
                    async for text in websocket.iter_text():
                        for to, back in list(inboxes):
                            try:
                                to.send_nowait(text)
                            except anyio.WouldBlock:
                                back.receive_nowait()
                                to.send_nowait(text)
                group.cancel_scope.cancel()
        finally:
            inboxes.remove(inbox)


# ---- wrong for the others: who is slow, who is silent, who left first -----------------------------------------------


class Locks:
    """A lock for each event loop: a server has one."""

    def __init__(self):
        self.lock, self.loop = asyncio.Lock(), None

    def here(self):
        """Return the running loop's lock."""
        if self.loop is not asyncio.get_running_loop():
            self.lock, self.loop = asyncio.Lock(), asyncio.get_running_loop()
        return self.lock


ROOM = Locks()


@wrong(ex1, "answers_everything")
async def one_sends_at_a_time(websocket, broadcast):
    """The room has one lock around its sends: whom one member keeps waiting, the others do not hear."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def hear():
            with suppress(*GONE):
                async for event in events:
                    async with ROOM.here():
                        await websocket.send_text(event.message)

        listener = asyncio.create_task(hear())
        try:
            with suppress(*GONE):
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
        finally:
            try:
                listener.cancel()
                await asyncio.wait([listener])
            finally:
                await broadcast.publish("room", FAREWELL)


@wrong(ex1, "answers_everything")
async def ten_minutes_at_most(websocket, broadcast):
    """Who says nothing for ten minutes is thrown out, as if it were gone."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:
        listener = asyncio.create_task(listen(websocket, events))
        try:
            with suppress(*GONE, TimeoutError):
                while True:
                    text = await asyncio.wait_for(websocket.receive_text(), 600)
                    await broadcast.publish("room", text)
        finally:
            try:
                listener.cancel()
                await asyncio.wait([listener])
            finally:
                await broadcast.publish("room", FAREWELL)


@wrong(ex2, "answers_everything")
async def knows_its_number(websocket, members):
    """Removes by the number that it had when it came: once somebody before it has left, that is another's."""
    await websocket.accept()
    number = len(members)
    members.append(websocket)
    try:
        while "text" in (said := await websocket.receive()):
            for member in list(members):
                with suppress(*GONE):
                    await member.send_text(said["text"])
    finally:
        members.pop(min(number, len(members) - 1))


@wrong(ex2, "answers_everything")
async def an_hour_at_most(websocket, members):
    """Who says nothing for an hour is thrown out."""
    await websocket.accept()
    members.append(websocket)
    try:
        with suppress(TimeoutError):
            while "text" in (said := await asyncio.wait_for(websocket.receive(), 3_600)):
                for member in list(members):
                    with suppress(*GONE):
                        await member.send_text(said["text"])
    finally:
        members.remove(websocket)


async def inbox_to(websocket, inbox):
    """Send what lies in an inbox, until the member is gone."""
    with suppress(*GONE):
        while True:
            await websocket.send_text(await inbox.get())


@wrong(ex3, "never_waits")
async def gives_it_a_moment(websocket, inboxes):
    """Waits a moment for a place in a full inbox, before it drops the oldest."""
    await websocket.accept()
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    inboxes.append(inbox)
    deliverer = asyncio.create_task(inbox_to(websocket, inbox))
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for each in list(inboxes):
                    try:
                        await asyncio.wait_for(each.put(text), 0.01)
                    except TimeoutError:
                        each.get_nowait()
                        each.put_nowait(text)
    finally:
        inboxes.remove(inbox)
        deliverer.cancel()
        await asyncio.wait([deliverer])


@wrong(ex3, "answers_everything")
async def takes_the_inbox_with_its_number(websocket, inboxes):
    """Takes along the inbox that has its number, which is another's once somebody before it has left."""
    await websocket.accept()
    inbox: asyncio.Queue[str] = asyncio.Queue(3)
    number = len(inboxes)
    inboxes.append(inbox)
    deliverer = asyncio.create_task(inbox_to(websocket, inbox))
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for each in list(inboxes):
                    if each.full():
                        each.get_nowait()
                    each.put_nowait(text)
    finally:
        inboxes.pop(min(number, len(inboxes) - 1))
        deliverer.cancel()
        await asyncio.wait([deliverer])


@wrong(ex1, "answers_everything")
async def gives_up_who_is_slow(websocket, broadcast):
    """Who takes longer than half a minute for a text does not get it."""
    await websocket.accept()
    async with broadcast.subscribe("room") as events:

        async def hear():
            with suppress(*GONE):
                async for event in events:
                    with anyio.move_on_after(30):
                        await websocket.send_text(event.message)

        listener = asyncio.create_task(hear())
        try:
            with suppress(*GONE):
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
        finally:
            try:
                listener.cancel()
                await asyncio.wait([listener])
            finally:
                await broadcast.publish("room", FAREWELL)


@wrong(ex3, "holds_three")
async def drops_when_it_sends(websocket, inboxes):
    """Drops all but the newest three when the member reads again; until then its inbox grows and grows."""
    await websocket.accept()
    inbox: asyncio.Queue[str] = asyncio.Queue()
    inboxes.append(inbox)

    async def deliver():
        with suppress(*GONE):
            while True:
                text = await inbox.get()
                while inbox.qsize() >= 3:
                    text = inbox.get_nowait()
                await websocket.send_text(text)

    deliverer = asyncio.create_task(deliver())
    try:
        with suppress(*GONE):
            async for text in websocket.iter_text():
                for each in list(inboxes):
                    each.put_nowait(text)
    finally:
        inboxes.remove(inbox)
        deliverer.cancel()
        await asyncio.wait([deliverer])


# ---- what somebody who begins makes of the starters ------------------------------------------------------------------

attempt(ex1, "listener.cancel()", "await listener")
attempt(ex2, "for member in members:", "for member in list(members):")
attempt(ex3, "raise NotImplementedError", "await websocket.accept()")
