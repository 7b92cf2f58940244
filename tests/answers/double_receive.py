"""Answers to lesson 02, some of them wrong on purpose."""

# ruff: noqa: B012, RUF006, SIM105

import asyncio
import contextlib
import functools
import itertools
import json
import math
from collections import defaultdict
from typing import Any

import anyio
from starlette.endpoints import WebSocketEndpoint
from starlette.websockets import WebSocket, WebSocketDisconnect

from helpers.exercises.double_receive import ex1, ex2, ex3
from tests.answers import attempt, right, wrong

# ---- 1, wrong ------------------------------------------------------------------------------------------------------


@wrong(ex1, "ends_quietly")
class CatchesEverything(WebSocketEndpoint):
    """Broad except in on_connect, around a loop that raises nothing."""

    async def on_connect(self, websocket):
        await websocket.accept()
        count = 0
        try:
            async for message in websocket.iter_json():
                count += 1
                await websocket.send_json({"count": count, "echo": message})
        except Exception:
            pass


@wrong(ex1, "tells_the_true_code")
class HidesTheError(WebSocketEndpoint):
    """Broad except in dispatch: the double receive is still there, and on_disconnect hears 1011."""

    async def on_connect(self, websocket):
        await websocket.accept()
        count = 0
        async for message in websocket.iter_json():
            count += 1
            await websocket.send_json({"count": count, "echo": message})

    async def dispatch(self):
        with contextlib.suppress(Exception):
            await super().dispatch()


class Counting(WebSocketEndpoint):
    """What many answers below begin with."""

    encoding = "json"
    count = 0

    async def on_receive(self, websocket, data):
        self.count += 1
        await websocket.send_json({"count": self.count, "echo": data})


@wrong(ex1, "tells_the_true_code")
class SaysGoodbyeTwice(Counting):
    """Release twice: dispatch calls on_disconnect once more, to be sure."""

    async def on_connect(self, websocket):
        self.websocket = websocket
        await websocket.accept()

    async def dispatch(self):
        try:
            await super().dispatch()
        finally:
            await self.on_disconnect(self.websocket, 1000)


total = 0


@wrong(ex1, "answers_everything")
class GlobalCounter(WebSocketEndpoint):
    """Global state: the second connection does not begin with 1."""

    encoding = "json"

    async def on_receive(self, websocket, data):
        global total
        total += 1
        await websocket.send_json({"count": total, "echo": data})


@wrong(ex1, "answers_everything")
class ListenerTask(WebSocketEndpoint):
    """Reads in two places: a listener task next to the endpoint's own loop."""

    async def on_connect(self, websocket):
        await websocket.accept()
        self.listener = asyncio.create_task(self.listen(websocket))

    async def listen(self, websocket):
        count = 0
        async for message in websocket.iter_json():
            count += 1
            await websocket.send_json({"count": count, "echo": message})

    async def on_disconnect(self, websocket, close_code):
        self.listener.cancel()
        await asyncio.wait([self.listener])


@wrong(ex1, "ends_quietly")
class FirstInOnConnect(Counting):
    """Reads the first message in on_connect, where a disconnect raises."""

    async def on_connect(self, websocket):
        await websocket.accept()
        await self.on_receive(websocket, await websocket.receive_json())


@wrong(ex1, "ends_quietly")
class ClosesAgain(Counting):
    """Double close: on_disconnect closes a connection that the peer has closed."""

    async def on_disconnect(self, websocket, close_code):
        await websocket.close()


@wrong(ex1, "ends_quietly")
class SaysBye(Counting):
    """on_disconnect sends to a peer that has left."""

    async def on_disconnect(self, websocket, close_code):
        await websocket.send_json({"total": self.count})


@wrong(ex1, "ends")
class DrainsTheChannel(Counting):
    """on_disconnect waits for one more message, which does not come."""

    async def on_disconnect(self, websocket, close_code):
        await self.receive()


@wrong(ex1, "answers_everything")
class CountsFromZero(WebSocketEndpoint):
    """Adds one after sending."""

    encoding = "json"
    count = 0

    async def on_receive(self, websocket, data):
        await websocket.send_json({"count": self.count, "echo": data})
        self.count += 1


@wrong(ex1, "answers_everything")
class CountsLocally(WebSocketEndpoint):
    """The count is a local variable still, so every message is the first."""

    encoding = "json"

    async def on_receive(self, websocket, data):
        count = 0
        count += 1
        await websocket.send_json({"count": count, "echo": data})


@wrong(ex1, "answers_everything")
class ForgetsTheEncoding(WebSocketEndpoint):
    """No encoding: the echo is the raw text with its quotes."""

    count = 0

    async def on_receive(self, websocket, data):
        self.count += 1
        await websocket.send_json({"count": self.count, "echo": data})


@wrong(ex1, "answers_everything")
class NeverAccepts(Counting):
    """Overrides on_connect and forgets accept()."""

    async def on_connect(self, websocket):
        self.count = 0


class Beating(Counting):
    """A counter with a heartbeat."""

    async def on_connect(self, websocket):
        await websocket.accept()
        self.heartbeat = asyncio.create_task(self.beat())

    async def beat(self):
        while True:
            await asyncio.sleep(20)


@wrong(ex1, "leaves_no_task")
class HeartbeatOutlivesTheSocket(Beating):
    """Nobody cancels the heartbeat."""


@wrong(ex1, "leaves_no_task")
class CancelsWithoutWaiting(Beating):
    """Cancel without await: the heartbeat still runs when on_disconnect returns."""

    async def on_disconnect(self, websocket, close_code):
        self.heartbeat.cancel()


# ---- 1, right ------------------------------------------------------------------------------------------------------


@right(ex1)
class CountsInInit(WebSocketEndpoint):
    """Callbacks, with a counter from itertools that __init__ makes."""

    encoding = "json"

    def __init__(self, *args):
        super().__init__(*args)
        self.numbers = itertools.count(1)

    async def on_receive(self, websocket, data):
        await websocket.send_json({"count": next(self.numbers), "echo": data})


@right(ex1)
class CountsInTheState(WebSocketEndpoint):
    """Text and JSON by hand, the count in websocket.state."""

    encoding = "text"

    async def on_connect(self, websocket):
        websocket.state.count = 0
        await websocket.accept()

    async def on_receive(self, websocket, text):
        websocket.state.count += 1
        await websocket.send_text(json.dumps({"count": websocket.state.count, "echo": json.loads(text)}))


@right(ex1)
class FinallyInDispatch(Counting):
    """Try and finally around dispatch."""

    async def dispatch(self):
        self.open = True
        try:
            await super().dispatch()
        finally:
            self.open = False


@right(ex1)
class WaitsForTheHeartbeat(Beating):
    """A heartbeat that on_disconnect cancels and waits for."""

    async def on_disconnect(self, websocket, close_code):
        self.heartbeat.cancel()
        await asyncio.wait([self.heartbeat])


@right(ex1)
class GroupInDispatch(Counting):
    """An anyio task group around dispatch, for a heartbeat."""

    async def dispatch(self):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await super().dispatch()
            group.cancel_scope.cancel()


@right(ex1)
class WorkerBehindAStream(WebSocketEndpoint):
    """Answers in a task, which has its turn before the endpoint is told of the end."""

    encoding = "json"

    async def dispatch(self):
        self.inbox, outbox = anyio.create_memory_object_stream[tuple[WebSocket, Any]](math.inf)
        async with anyio.create_task_group() as group:
            group.start_soon(self.work, outbox)
            with self.inbox:
                await super().dispatch()

    async def work(self, outbox):
        with outbox, contextlib.suppress(WebSocketDisconnect):
            count = 0
            async for websocket, data in outbox:
                count += 1
                await websocket.send_json({"count": count, "echo": data})

    async def on_receive(self, websocket, data):
        with contextlib.suppress(anyio.BrokenResourceError):
            self.inbox.send_nowait((websocket, data))


# ---- 1, wrong for what JSON can say --------------------------------------------------------------------------------


@wrong(ex1, "answers_everything")
class SkipsWhatIsFalsy(Counting):
    """Takes 0, "" and [] for no message."""

    async def on_receive(self, websocket, data):
        if data:
            await super().on_receive(websocket, data)


@wrong(ex1, "answers_everything")
class SkipsARepeat(Counting):
    """Takes a message that is said twice for one."""

    last: Any = ...

    async def on_receive(self, websocket, data):
        if data != self.last:
            self.last = data
            await super().on_receive(websocket, data)


@wrong(ex1, "answers_everything")
class MergesObjects(Counting):
    """An object's own "count" wins."""

    async def on_receive(self, websocket, data):
        self.count += 1
        more = data if isinstance(data, dict) else {}
        await websocket.send_json({"count": self.count, "echo": data} | more)


@wrong(ex1, "answers_everything")
class EndsAfterTwoMinutes(Counting):
    """A deadline for the whole session."""

    async def dispatch(self):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(120):
                await super().dispatch()


@wrong(ex1, "sends_texts")
class AnswersInBytes(Counting):
    """Sends the JSON in a binary frame, which is a Blob in a browser."""

    async def on_receive(self, websocket, data):
        self.count += 1
        await websocket.send_json({"count": self.count, "echo": data}, mode="binary")


@wrong(ex1, "sends_texts")
class AnswersASecondTimeInBytes(Counting):
    """Encodes by itself what comes after the first message."""

    async def on_receive(self, websocket, data):
        self.count += 1
        answer = json.dumps({"count": self.count, "echo": data})
        await (websocket.send_text(answer) if self.count == 1 else websocket.send_bytes(answer.encode()))


turns = asyncio.Lock()


@wrong(ex1, "answers_everything")
class OneAtATime(Counting):
    """A lock of the module's around each answer: whose peer does not read keeps all others waiting."""

    async def on_receive(self, websocket, data):
        async with turns:
            await super().on_receive(websocket, data)


# ---- 1, wrong, but not in this check's sessions --------------------------------------------------------------------


@wrong(ex1, "answers_everything")
class ClassAttribute(WebSocketEndpoint):
    """Global state: a second connection sets the count of the first one back."""

    encoding = "json"
    count = 0

    async def on_connect(self, websocket):
        ClassAttribute.count = 0
        await websocket.accept()

    async def on_receive(self, websocket, data):
        ClassAttribute.count += 1
        await websocket.send_json({"count": ClassAttribute.count, "echo": data})


counts: dict[str, int] = defaultdict(int)


@wrong(ex1, "answers_everything")
class CountsByHost(WebSocketEndpoint):
    """Global state: a dict by the client's host, so two tabs share a count."""

    encoding = "json"

    async def on_receive(self, websocket, data):
        counts[websocket.client.host] += 1
        await websocket.send_json({"count": counts[websocket.client.host], "echo": data})

    async def on_disconnect(self, websocket, close_code):
        counts.pop(websocket.client.host, None)


@wrong(ex1, "ends_quietly")
class ReadsTheNextItself(WebSocketEndpoint):
    """Reads in two places, and counts to two."""

    encoding = "json"

    async def on_receive(self, websocket, data):
        await websocket.send_json({"count": 1, "echo": data})
        await websocket.send_json({"count": 2, "echo": await websocket.receive_json()})


@wrong(ex1, "leaves_no_task")
class SendsInTasks(WebSocketEndpoint):
    """Sends in tasks that nobody awaits: an end directly after a message finds one running."""

    encoding = "json"
    count = 0

    async def on_receive(self, websocket, data):
        self.count += 1
        asyncio.create_task(websocket.send_json({"count": self.count, "echo": data}))


@wrong(ex1, "heeds_cancellation")
class SwallowsCancellation(Counting):
    """Catches BaseException in dispatch, and swallows CancelledError as well."""

    async def dispatch(self):
        try:
            await super().dispatch()
        except BaseException:
            pass


# ---- 2, wrong ------------------------------------------------------------------------------------------------------


async def speak(websocket, words, questions):
    """Answer the questions of a queue, in order, for ever."""
    while True:
        async for word in words(await questions.get()):
            await websocket.send_text(word)


async def read(websocket, questions):
    """Put the questions into a queue until the peer leaves."""
    async for question in websocket.iter_text():
        questions.put_nowait(question)


@wrong(ex2, "answers_everything")
async def hides_the_starters_error(websocket, words):
    """Broad except around two readers: the error is gone, the lost questions are not found."""
    await websocket.accept()

    async def until_gone():
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
        group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(until_gone)
            while True:
                async for word in words(await websocket.receive_text()):
                    await websocket.send_text(word)
    except Exception:
        pass


@wrong(ex2, "ends")
async def one_loop(websocket, words):
    """One plain loop, which does not hear the end in the middle of an answer."""
    await websocket.accept()
    async for question in websocket.iter_text():
        async for word in words(question):
            await websocket.send_text(word)


@wrong(ex2, "answers_everything")
async def speaks_one_at_a_time(websocket, words):
    """A lock of the module's around each word: whose peer does not read keeps all others waiting."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def speak_in_turn():
        while True:
            async for word in words(await questions.get()):
                async with turns:
                    await websocket.send_text(word)

    async with anyio.create_task_group() as group:
        group.start_soon(speak_in_turn)
        await read(websocket, questions)
        group.cancel_scope.cancel()


@wrong(ex2, "answers_everything")
async def watches_meanwhile(websocket, words):
    """Reads in two places, one after the other: what the watcher gets, nobody answers."""
    await websocket.accept()

    async def until_gone(scope):
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
        scope.cancel()

    async for question in websocket.iter_text():
        async with anyio.create_task_group() as group:
            group.start_soon(until_gone, group.cancel_scope)
            async for word in words(question):
                await websocket.send_text(word)
            group.cancel_scope.cancel()


@wrong(ex2, "leaves_no_task")
async def gather_raises(websocket, words):
    """gather() raises with the reader and leaves the speaker running."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def read_until_it_raises():
        while True:
            questions.put_nowait(await websocket.receive_text())

    try:
        await asyncio.gather(read_until_it_raises(), speak(websocket, words, questions))
    except WebSocketDisconnect:
        pass


@wrong(ex2, "ends")
async def bounded_queue(websocket, words):
    """The reader waits for room in the queue and does not hear the goodbye behind it."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue(maxsize=1)

    async def read_when_there_is_room():
        async for question in websocket.iter_text():
            await questions.put(question)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(read_when_there_is_room)
        await speak(websocket, words, questions)


@wrong(ex2, "leaves_no_task")
async def cancels_without_waiting(websocket, words):
    """Cancel without await: the speaker still runs when the handler returns."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    speaker = asyncio.create_task(speak(websocket, words, questions))
    try:
        await read(websocket, questions)
    finally:
        speaker.cancel()


@wrong(ex2, "leaves_no_task")
async def speaker_outlives_the_socket(websocket, words):
    """Nobody cancels the speaker."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    asyncio.create_task(speak(websocket, words, questions))
    await read(websocket, questions)


@wrong(ex2, "leaves_no_task")
async def forgets_the_loser(websocket, words):
    """asyncio.wait(FIRST_COMPLETED), and the other one keeps running."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    reader = asyncio.create_task(read(websocket, questions))
    speaker = asyncio.create_task(speak(websocket, words, questions))
    await asyncio.wait([reader, speaker], return_when=asyncio.FIRST_COMPLETED)


@wrong(ex2, "answers_everything")
async def task_per_question(websocket, words):
    """A task for each question, so that answers mix."""
    await websocket.accept()

    async def reply(question):
        async for word in words(question):
            await websocket.send_text(word)

    async with anyio.create_task_group() as group:
        async for question in websocket.iter_text():
            group.start_soon(reply, question)
        group.cancel_scope.cancel()


@wrong(ex2, "answers_everything")
async def interrupts_itself(websocket, words):
    """A new question cancels the answer that is under way."""
    await websocket.accept()

    async def reply(question):
        async for word in words(question):
            await websocket.send_text(word)

    async with asyncio.TaskGroup() as group:
        replying = None
        async for question in websocket.iter_text():
            if replying:
                replying.cancel()
            replying = group.create_task(reply(question))
        if replying:
            replying.cancel()


@wrong(ex2, "answers_everything")
async def latest_only(websocket, words):
    """Keeps the latest question only."""
    await websocket.accept()
    latest, fresh = "", asyncio.Event()

    async def remember():
        nonlocal latest
        async for question in websocket.iter_text():
            latest = question
            fresh.set()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(remember)
        while True:
            await fresh.wait()
            fresh.clear()
            async for word in words(latest):
                await websocket.send_text(word)


shared: list[str] = []


@wrong(ex2, "answers_everything")
async def global_list(websocket, words):
    """Global state: the next connection finds the questions that this one left."""
    await websocket.accept()
    fresh = asyncio.Event()

    async def share():
        async for question in websocket.iter_text():
            shared.append(question)
            fresh.set()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(share)
        while True:
            while shared:
                async for word in words(shared.pop(0)):
                    await websocket.send_text(word)
            fresh.clear()
            await fresh.wait()


@wrong(ex2, "ends_quietly")
async def closes_again(websocket, words):
    """Double close: closes a connection that the peer has closed."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        speaker = group.create_task(speak(websocket, words, questions))
        await read(websocket, questions)
        speaker.cancel()
    await websocket.close()


@wrong(ex2, "ends_quietly")
async def except_without_star(websocket, words):
    """The disconnect comes in an ExceptionGroup, which this except does not match."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(speak(websocket, words, questions))
            while True:
                questions.put_nowait(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


@wrong(ex2, "answers_everything")
async def two_words(websocket, words):
    """Takes two words of each answer."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def read_and_cancel():
        await read(websocket, questions)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(read_and_cancel)
        while True:
            async with contextlib.aclosing(words(await questions.get())) as answer:
                for _ in range(2):
                    await websocket.send_text(await anext(answer))


# ---- 2, wrong for questions that are asked once in a thousand times --------------------------------------------------


def answering(ask, tell, room=0):
    """Return what is the solution but for one thing: how questions get into the queue, or answers out of it."""

    async def answer(websocket, words):
        await websocket.accept()
        questions: asyncio.Queue[str] = asyncio.Queue(room)

        async def ask_and_cancel():
            async for question in websocket.iter_text():
                await ask(questions, question)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(ask_and_cancel)
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await tell(websocket, words(await questions.get()))

    return answer


async def ask_all(questions, question):
    """Put a question into the queue, when there is room."""
    await questions.put(question)


async def tell_all(websocket, answer):
    """Send each word."""
    async for word in answer:
        await websocket.send_text(word)


@wrong(ex2, "answers_everything")
async def skips_an_empty_question(websocket, words):
    """An empty text is a question."""

    async def ask(questions, question):
        if question:
            await questions.put(question)

    await answering(ask, tell_all)(websocket, words)


@wrong(ex2, "answers_everything")
async def skips_an_empty_word(websocket, words):
    """An empty word is a word."""

    async def tell(websocket, answer):
        async for word in answer:
            if word:
                await websocket.send_text(word)

    await answering(ask_all, tell)(websocket, words)


@wrong(ex2, "answers_everything")
async def drops_the_hundredth(websocket, words):
    """A queue of a hundred, and no word to whoever asks once more."""

    async def ask(questions, question):
        with contextlib.suppress(asyncio.QueueFull):
            questions.put_nowait(question)

    await answering(ask, tell_all, 100)(websocket, words)


@wrong(ex2, "ends")
async def waits_for_room(websocket, words):
    """A queue of a hundred: behind the question that has no room comes the goodbye."""
    await answering(ask_all, tell_all, 100)(websocket, words)


@wrong(ex2, "answers_everything")
async def cuts_slow_answers(websocket, words):
    """Half a minute for an answer; the next word takes a whole one."""

    async def tell(websocket, answer):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await tell_all(websocket, answer)

    await answering(ask_all, tell)(websocket, words)


@wrong(ex2, "answers_everything")
async def collects_the_words(websocket, words):
    """Sends no word before the last one has come."""

    async def tell(websocket, answer):
        for word in [word async for word in answer]:
            await websocket.send_text(word)

    await answering(ask_all, tell)(websocket, words)


# ---- 2, right ------------------------------------------------------------------------------------------------------


@wrong(ex2, "leaves_no_task")
async def ten_seconds_to_stop(websocket, words):
    """Cancels the answer, and waits for it for ten seconds."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def reply():
        while True:
            async for word in words(await questions.get()):
                await websocket.send_text(word)

    task = asyncio.create_task(reply())
    try:
        async for question in websocket.iter_text():
            questions.put_nowait(question)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=10)


@right(ex2)
async def memory_stream(websocket, words):
    """An anyio task group, and an unbounded memory object stream."""
    await websocket.accept()
    inbox, outbox = anyio.create_memory_object_stream[str](math.inf)

    async def read_and_cancel(scope):
        async for question in websocket.iter_text():
            inbox.send_nowait(question)
        scope.cancel()

    with inbox, outbox:
        async with anyio.create_task_group() as group:
            group.start_soon(read_and_cancel, group.cancel_scope)
            with contextlib.suppress(WebSocketDisconnect):
                async for question in outbox:
                    async for word in words(question):
                        await websocket.send_text(word)


@right(ex2)
async def except_star(websocket, words):
    """asyncio.TaskGroup: the reader's WebSocketDisconnect ends the group, except* expects it."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(speak(websocket, words, questions))
            while True:
                questions.put_nowait(await websocket.receive_text())
    except* WebSocketDisconnect:
        pass


class Hangup(Exception):
    """The peer has left."""


async def speak_while_connected(websocket, words, questions):
    """A peer that leaves during a send is no error."""
    with contextlib.suppress(WebSocketDisconnect):
        await speak(websocket, words, questions)


@wrong(ex2, "goes_on_or_ends")
async def looks_at_the_end(websocket, words):
    """A task for the speaker, whose failure is looked at when the peer has left."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    speaker = asyncio.create_task(speak_while_connected(websocket, words, questions))
    try:
        await read(websocket, questions)
    finally:
        speaker.cancel()
        await asyncio.wait([speaker])
    if not speaker.cancelled():
        speaker.result()


@right(ex2)
async def exit_stack(websocket, words):
    """AsyncExitStack with a task group in it."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        speaker = group.create_task(speak_while_connected(websocket, words, questions))
        stack.callback(speaker.cancel)
        await read(websocket, questions)


@right(ex2)
async def waits_for_the_first(websocket, words):
    """asyncio.wait for the first of two tasks: until the speaker is cancelled it may speak, and hear of the end."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    tasks = [asyncio.create_task(read(websocket, questions)), asyncio.create_task(speak(websocket, words, questions))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@right(ex2)
async def one_after_the_other(websocket, words):
    """A task for each question, and a lock that serves them in their order."""
    await websocket.accept()
    lock = asyncio.Lock()

    async def reply(question):
        async with lock:
            with contextlib.suppress(WebSocketDisconnect):
                await tell_all(websocket, words(question))

    async with anyio.create_task_group() as group:
        async for question in websocket.iter_text():
            group.start_soon(reply, question)
        group.cancel_scope.cancel()


class Answering:
    """A callable object."""

    async def __call__(self, websocket, words):
        """Answer as `except_star` does."""
        await except_star(websocket, words)


right(ex2)(Answering())

# ---- 2, wrong, but not in this check's sessions --------------------------------------------------------------------


@wrong(ex2, "leaves_no_task")
async def cleans_up_on_the_happy_path(websocket, words):
    """Cleanup only on the happy path: when the handler is cancelled, the speaker speaks on."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    speaker = asyncio.create_task(speak(websocket, words, questions))
    await read(websocket, questions)
    speaker.cancel()
    await asyncio.wait([speaker])


@wrong(ex2, "heeds_cancellation")
async def swallows_cancellation(websocket, words):
    """Takes its own CancelledError for the end of the reader, and returns."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    tasks = [
        asyncio.create_task(read(websocket, questions)),
        asyncio.create_task(speak(websocket, words, questions)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        pass
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


queue: asyncio.Queue[str] = asyncio.Queue()


@wrong(ex2, "answers_everything")
async def global_queue(websocket, words):
    """Global state: a second connection takes the queue away from the first one's reader."""
    global queue
    await websocket.accept()
    queue = asyncio.Queue()

    async def read_and_cancel():
        async for question in websocket.iter_text():
            queue.put_nowait(question)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(read_and_cancel)
        await speak(websocket, words, queue)


# ---- 3, wrong ------------------------------------------------------------------------------------------------------


async def talk(websocket, hall, seat):
    """Accept, and answer each text until the peer leaves."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(await hall.answer(seat, text))


@wrong(ex3, "gives_it_back")
async def leaves_on_the_happy_path(websocket):
    """Cleanup only on the happy path: no try at all."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    await talk(websocket, hall, seat)
    await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_on_disconnect_only(websocket):
    """Cleanup only in except WebSocketDisconnect: not when the hall burns."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = await hall.enter()
    try:
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(await hall.answer(seat, text))
    except WebSocketDisconnect:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def hides_every_error(websocket):
    """Broad except around everything, the release included."""
    hall = websocket.app.state.hall
    try:
        seat = await hall.enter()
        await talk(websocket, hall, seat)
        await hall.leave(seat)
    except Exception:
        pass


@wrong(ex3, "ends_quietly")
class LoopsInOnConnect(WebSocketEndpoint):
    """Reads in two places: a loop in on_connect, then the endpoint's own."""

    async def on_connect(self, websocket):
        hall = websocket.app.state.hall
        seat = await hall.enter()
        try:
            await talk(websocket, hall, seat)
        finally:
            await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_twice(websocket):
    """Release twice: in except and in finally."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(await hall.answer(seat, text))
    except WebSocketDisconnect:
        await hall.leave(seat)
    finally:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_twice_quietly(websocket):
    """Release twice, the second error suppressed."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
        await hall.leave(seat)
    finally:
        with contextlib.suppress(ValueError):
            await hall.leave(seat)


@wrong(ex3, "takes_one_seat")
async def enters_twice(websocket):
    """Acquire twice: once to try, once to sit."""
    hall = websocket.app.state.hall
    await hall.enter()
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await hall.leave(seat)


@wrong(ex3, "takes_one_seat")
async def seat_per_message(websocket):
    """Acquire for each message, and a silent connection has no seat."""
    hall = websocket.app.state.hall
    await websocket.accept()
    async for text in websocket.iter_text():
        seat = await hall.enter()
        try:
            await websocket.send_text(await hall.answer(seat, text))
        finally:
            await hall.leave(seat)


@wrong(ex3, "answers_everything")
async def leaves_too_early(websocket):
    """Release too early: the loop slipped out of the try."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
    finally:
        await hall.leave(seat)
    async for text in websocket.iter_text():
        await websocket.send_text(await hall.answer(seat, text))


@wrong(ex3, "gives_it_back")
async def closes_before_it_leaves(websocket):
    """Double close in finally: close() raises, and the seat is lost."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await websocket.close()
        await hall.leave(seat)


@wrong(ex3, "ends_quietly")
async def closes_after_it_left(websocket):
    """Double close in finally, after the release."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await hall.leave(seat)
        await websocket.close()


@wrong(ex3, "gives_it_back")
async def says_bye(websocket):
    """Sends to a peer that has left, before the release."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await websocket.send_text(f"seat {seat} says bye")
        await hall.leave(seat)


@contextlib.asynccontextmanager
async def seated_carelessly(hall):
    """Hold a seat, without try and finally."""
    seat = await hall.enter()
    yield seat
    await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def careless_context(websocket):
    """A context manager without try and finally around its yield."""
    hall = websocket.app.state.hall
    async with seated_carelessly(hall) as seat:
        await talk(websocket, hall, seat)


@wrong(ex3, "yields")
async def busy_loop(websocket):
    """Busy loop: goes on after every error, the disconnect included."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        while True:
            try:
                text = await websocket.receive_text()
                await websocket.send_text(await hall.answer(seat, text))
            except Exception:
                continue
    finally:
        await hall.leave(seat)


# ---- 3, wrong for seat 0, a full hall, and a release that takes a moment ---------------------------------------------


@wrong(ex3, "gives_it_back")
async def forgets_seat_0(websocket):
    """Asks for the truth of a number."""
    hall = websocket.app.state.hall
    seat = None
    try:
        seat = await hall.enter()
        await talk(websocket, hall, seat)
    finally:
        if seat:
            await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_a_hall_it_never_entered(websocket):
    """What enter() raises leads to leave() as well."""
    hall = websocket.app.state.hall
    seat = 0
    try:
        seat = await hall.enter()
        await talk(websocket, hall, seat)
    finally:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_in_a_cancelled_scope(websocket):
    """The reader cancels the group in which leave() waits."""
    hall = websocket.app.state.hall
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def read_and_cancel():
        await read(websocket, texts)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        seat = await hall.enter()
        try:
            await websocket.accept()
            group.start_soon(read_and_cancel)
            while True:
                await websocket.send_text(await hall.answer(seat, await texts.get()))
        finally:
            await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def gives_leave_no_time(websocket):
    """A deadline for the release that is shorter than the release."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        with anyio.move_on_after(0.01):
            await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def leaves_in_a_task(websocket):
    """Nobody waits for the task that gives the seat back."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        asyncio.create_task(hall.leave(seat))


@wrong(ex3, "answers_everything")
async def says_nothing_to_nothing(websocket):
    """An empty answer is an answer."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            if said := await hall.answer(seat, text):
                await websocket.send_text(said)
    finally:
        await hall.leave(seat)


@wrong(ex3, "answers_everything")
async def gives_answers_no_time(websocket):
    """A deadline for an answer that takes a while."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(await asyncio.wait_for(hall.answer(seat, text), 10))
    finally:
        await hall.leave(seat)


# ---- 3, right ------------------------------------------------------------------------------------------------------


@wrong(ex3, "gives_it_back")
async def ten_seconds_to_leave(websocket):
    """A deadline for the release."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        with anyio.move_on_after(10):
            await hall.leave(seat)


@wrong(ex3, "answers_everything")
async def ten_seconds_to_enter(websocket):
    """A deadline for the seat: who has to wait for one is sent away."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = None
    with anyio.move_on_after(10):
        seat = await hall.enter()
    if seat is None:
        await websocket.close(1013)
        return
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(await hall.answer(seat, text))
    finally:
        await hall.leave(seat)


@wrong(ex3, "answers_everything")
async def sits_one_at_a_time(websocket):
    """A lock of the module's around each answer that goes out."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            said = await hall.answer(seat, text)
            async with turns:
                await websocket.send_text(said)
    finally:
        await hall.leave(seat)


@right(ex3)
async def shielded(websocket):
    """Try and finally, with a release that no cancellation interrupts."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        with anyio.CancelScope(shield=True):
            await hall.leave(seat)


@right(ex3)
async def shields_a_task(websocket):
    """Cancelled in the middle of the release, it ends at once, and the release goes on."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await asyncio.shield(hall.leave(seat))


@right(ex3)
async def turns_people_away(websocket):
    """Closes politely when the hall is full."""
    hall = websocket.app.state.hall
    try:
        seat = await hall.enter()
    except Exception:
        await websocket.close()
        return
    try:
        await talk(websocket, hall, seat)
    finally:
        await hall.leave(seat)


@contextlib.asynccontextmanager
async def seated(hall):
    """Hold a seat."""
    seat = await hall.enter()
    try:
        yield seat
    finally:
        await hall.leave(seat)


@right(ex3)
class SeatAroundDispatch(WebSocketEndpoint):
    """An async context manager around dispatch."""

    encoding = "text"

    async def dispatch(self):
        async with seated(self.scope["app"].state.hall) as self.seat:
            await super().dispatch()

    async def on_receive(self, websocket, text):
        await websocket.send_text(await websocket.app.state.hall.answer(self.seat, text))


@right(ex3)
class ExitStackAroundDispatch(WebSocketEndpoint):
    """AsyncExitStack around dispatch, which on_connect fills."""

    encoding = "text"

    async def dispatch(self):
        async with contextlib.AsyncExitStack() as self.stack:
            await super().dispatch()

    async def on_connect(self, websocket):
        self.seat = await self.stack.enter_async_context(seated(websocket.app.state.hall))
        await websocket.accept()

    async def on_receive(self, websocket, text):
        await websocket.send_text(await websocket.app.state.hall.answer(self.seat, text))


@right(ex3)
async def group_inside_the_seat(websocket):
    """asyncio.TaskGroup with except*, inside the seat."""
    hall = websocket.app.state.hall
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def write(seat):
        while True:
            await websocket.send_text(await hall.answer(seat, await texts.get()))

    async with seated(hall) as seat:
        await websocket.accept()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(seat))
                while True:
                    texts.put_nowait(await websocket.receive_text())
        except* WebSocketDisconnect:
            pass


@right(ex3)
async def raw_receive(websocket):
    """Raw receive loop, and AsyncExitStack."""
    hall = websocket.app.state.hall
    async with contextlib.AsyncExitStack() as stack:
        seat = await hall.enter()
        stack.push_async_callback(hall.leave, seat)
        await websocket.accept()
        while (message := await websocket.receive())["type"] == "websocket.receive":
            await websocket.send_text(await hall.answer(seat, message["text"]))


async def sit_with(manager, websocket):
    """Sit with a manager of seats."""
    hall = websocket.app.state.hall
    async with manager(hall) as seat:
        await talk(websocket, hall, seat)


right(ex3)(functools.partial(sit_with, seated))

# ---- 3, wrong, but not in this check's sessions --------------------------------------------------------------------


@wrong(ex3, "gives_it_back")
async def leaves_in_except_exception(websocket):
    """Cleanup in except Exception, which misses CancelledError and hides the rest."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(await hall.answer(seat, text))
    except Exception:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def gap_before_try(websocket):
    """accept() stands between the seat and try, and may raise."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    await websocket.accept()
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(await hall.answer(seat, text))
    finally:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
class SeatInCallbacks(WebSocketEndpoint):
    """Gives back in on_disconnect, which does not run when accept() in on_connect raises."""

    encoding = "text"

    async def on_connect(self, websocket):
        self.hall = websocket.app.state.hall
        self.seat = await self.hall.enter()
        await websocket.accept()

    async def on_receive(self, websocket, text):
        await websocket.send_text(await self.hall.answer(self.seat, text))

    async def on_disconnect(self, websocket, close_code):
        await self.hall.leave(self.seat)


seats: dict[str, int] = {}


@wrong(ex3, "gives_it_back")
async def seats_by_host(websocket):
    """Global state: a second connection from the same host takes the first one's entry."""
    hall = websocket.app.state.hall
    host = websocket.client.host
    seats[host] = await hall.enter()
    try:
        await talk(websocket, hall, seats[host])
    finally:
        await hall.leave(seats.pop(host))


@wrong(ex3, "heeds_cancellation")
async def returns_in_finally(websocket):
    """A return in finally swallows every exception, CancelledError included."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    finally:
        await hall.leave(seat)
        return


@wrong(ex3, "heeds_cancellation")
async def swallows_every_cancellation(websocket):
    """Catches BaseException, and swallows CancelledError as well."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await talk(websocket, hall, seat)
    except BaseException:
        pass
    await hall.leave(seat)


attempt(ex1, "count = 0", "count = 1")
attempt(ex2, "async for word in words(question):", "async for word in words('one'):")
attempt(ex3, "raise NotImplementedError", "await hall.enter()")


# ---- 1, wrong where a send is refused, or JSON is not Python -------------------------------------------------


@wrong(ex1, "tells_the_true_code")
class SaysGoodbyeWhereItSends(Counting):
    """Calls on_disconnect itself where a send fails, and the endpoint calls it again."""

    async def on_receive(self, websocket, data):
        self.count += 1
        try:
            await websocket.send_json({"count": self.count, "echo": data})
        except WebSocketDisconnect as gone:
            await self.on_disconnect(websocket, gone.code)
            raise


@wrong(ex1, "tells_the_true_code")
class SaysGoodbyeToReadersOnly(WebSocketEndpoint):
    """A dispatch of its own that knows the end from receive alone: not where a send is refused."""

    async def dispatch(self):
        websocket = WebSocket(self.scope, receive=self.receive, send=self.send)
        await websocket.accept()
        for count in itertools.count(1):
            try:
                data = await websocket.receive_json()
            except WebSocketDisconnect as gone:
                await self.on_disconnect(websocket, gone.code)
                return
            await websocket.send_json({"count": count, "echo": data})


@wrong(ex1, "answers_everything")
class CountsWithTrue(Counting):
    """false comes back as 0, which Python takes for the same."""

    async def on_receive(self, websocket, data):
        self.count += 1
        echo = int(data) if isinstance(data, bool) else data
        await websocket.send_json({"count": self.count, "echo": echo})


# ---- 2 and 3, wrong beside another, for a code, or for a text said again -----------------------------------------

ALL = functools.cache(lambda _loop: asyncio.Lock())


@wrong(ex2, "answers_everything")
async def answers_under_a_lock(websocket, words):
    """A lock for all, held while one gets its words."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def work():
        while True:
            question = await questions.get()
            async with ALL(asyncio.get_running_loop()):
                async for word in words(question):
                    await websocket.send_text(word)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        async for question in websocket.iter_text():
            questions.put_nowait(question)
        group.cancel_scope.cancel()


@wrong(ex3, "answers_everything")
async def remembers_answers(websocket):
    """Asks the hall once for each text, though it may answer otherwise the next time."""
    hall = websocket.app.state.hall
    seat, known = await hall.enter(), {}
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            if text not in known:
                known[text] = await hall.answer(seat, text)
            await websocket.send_text(known[text])
    finally:
        await hall.leave(seat)


@wrong(ex3, "gives_it_back")
async def knows_some_codes(websocket):
    """Gives back after a code that it knows, and after errors."""
    hall = websocket.app.state.hall
    seat = await hall.enter()
    try:
        await websocket.accept()
        while True:
            await websocket.send_text(await hall.answer(seat, await websocket.receive_text()))
    except WebSocketDisconnect as gone:
        if gone.code in (1000, 1001, 1005, 1006, 1012):
            await hall.leave(seat)
    except BaseException:
        await hall.leave(seat)
        raise


SEATS: list[int] = []


@wrong(ex3, "ends_quietly")
async def gives_back_the_first(websocket):
    """A list of all seats, from which the first is given back, though it is another's."""
    hall = websocket.app.state.hall
    SEATS.append(await hall.enter())
    seat = SEATS[-1]
    try:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(await hall.answer(seat, text))
    finally:
        await hall.leave(SEATS.pop(0))


@right(ex3)
async def reader_and_worker(websocket):
    """A task reads; another answers what has come, and is told by what its send raises."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = await hall.enter()
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def work():
        while (text := await texts.get()) is not None:
            await websocket.send_text(await hall.answer(seat, text))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            async for text in websocket.iter_text():
                texts.put_nowait(text)
            texts.put_nowait(None)
    finally:
        await hall.leave(seat)


# ---- 2 and 3, right with a wait of its own around a send or a leave ----------------------------------------------


@right(ex2)
async def an_hour_for_each_word(websocket, words):
    """wait_for() around each send: cancelled in the turn in which the send fails, it raises what that raised."""

    async def tell(websocket, answer):
        async for word in answer:
            await asyncio.wait_for(websocket.send_text(word), 3600)

    await answering(ask_all, tell)(websocket, words)


def leaving(leave):
    """Return what is a solution but for how it leaves."""

    async def sit(websocket):
        hall = websocket.app.state.hall
        await websocket.accept()
        seat = await hall.enter()
        try:
            while True:
                try:
                    text = await asyncio.wait_for(websocket.receive_text(), 300)
                except TimeoutError:
                    continue
                await asyncio.wait_for(websocket.send_text(await hall.answer(seat, text)), 3600)
        except WebSocketDisconnect:
            pass
        finally:
            await leave(hall.leave(seat))

    return sit


@right(ex3)
async def leaves_in_a_task_and_waits(websocket):
    """Who is cancelled while it waits for a task cancels that first: the seat is cut short before its handler is."""
    await leaving(asyncio.create_task)(websocket)


@right(ex3)
async def leaves_in_a_gather(websocket):
    """gather() of one."""
    await leaving(asyncio.gather)(websocket)


@right(ex3)
async def an_hour_to_leave(websocket):
    """A deadline that nobody meets."""
    await leaving(functools.partial(asyncio.wait_for, timeout=3600))(websocket)


@right(ex2)
async def polls_for_questions(websocket, words):
    """Looks a hundred times a second whether there is a question."""
    await websocket.accept()
    waiting: list[str] = []

    async def work():
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                while not waiting:
                    await asyncio.sleep(0.01)
                async for word in words(waiting.pop(0)):
                    await websocket.send_text(word)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        async for question in websocket.iter_text():
            waiting.append(question)
        group.cancel_scope.cancel()


@right(ex2)
async def ends_at_the_next_question(websocket, words):
    """A worker that has failed: the reader looks when the next question comes, and ends with what it raised."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def work():
        while True:
            await tell_all(websocket, words(await questions.get()))

    worker = asyncio.create_task(work())
    try:
        async for question in websocket.iter_text():
            questions.put_nowait(question)
            if worker.done():
                break
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker


# ---- 1 and 2, wrong for a slow peer, for what is long or late, for many at once -------------------------------------


@wrong(ex1, "answers_everything")
class CountsWhatArrives(Counting):
    """Five seconds for a peer to take its answer, which is dropped then, and not counted."""

    async def on_receive(self, websocket, data):
        try:
            async with asyncio.timeout(5):
                await websocket.send_json({"count": self.count + 1, "echo": data})
        except TimeoutError:
            return
        self.count += 1


@wrong(ex1, "answers_everything")
class RefusesLongMessages(Counting):
    """No number for a message of more than 32,768 characters."""

    async def on_receive(self, websocket, data):
        if len(json.dumps(data)) <= 32_768:
            await super().on_receive(websocket, data)


ten = asyncio.Semaphore(10)


@wrong(ex1, "answers_everything")
class HasRoomForTen(Counting):
    """The eleventh connection waits for another one's end."""

    async def dispatch(self):
        async with ten:
            await super().dispatch()


@wrong(ex1, "answers_everything")
class LosesPatienceOnceTheyHaveMet(Counting):
    """Takes ten minutes' silence for the goodbye, once there was a message."""

    def __init__(self, scope, receive, send):
        async def wait():
            waiting = asyncio.ensure_future(receive())
            try:
                done, _ = await asyncio.wait([waiting], timeout=600 if self.count else None)
            finally:
                waiting.cancel()
            return waiting.result() if done else {"type": "websocket.disconnect", "code": 1001}

        super().__init__(scope, wait, send)


@right(ex1)
class HasADeadlineForEach(Counting):
    """A deadline that nobody meets, in a callback: what wait_for loses of a cancellation is not this one's."""

    async def on_receive(self, websocket, data):
        await websocket.send_text(await asyncio.wait_for(self.told(data), 1e6))

    async def told(self, data):
        await asyncio.sleep(0)
        self.count += 1
        return json.dumps({"count": self.count, "echo": data})


heard: dict[str, list[str]] = {}


@wrong(ex2, "answers_everything")
async def remembers_what_it_heard(websocket, words):
    """A question that was asked before gets the words that have come until now: perhaps not all of them."""

    async def tell(websocket, question):
        if question in heard:
            for word in heard[question]:
                await websocket.send_text(word)
        else:
            heard[question] = []
            async for word in words(question):
                heard[question].append(word)
                await websocket.send_text(word)

    await answering(ask_all, tell)(websocket, lambda question: question)


@wrong(ex2, "answers_everything")
async def five_minutes_for_a_word(websocket, words):
    """A word that takes longer than five minutes is the last of its answer."""

    async def tell(websocket, answer):
        with contextlib.suppress(StopAsyncIteration, TimeoutError):
            while True:
                await websocket.send_text(await asyncio.wait_for(anext(answer), 300))

    await answering(ask_all, tell)(websocket, words)


@wrong(ex2, "answers_everything")
async def waits_ten_minutes_for_another_question(websocket, words):
    """Takes ten minutes without a question for the end, but waits for the first."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def listen():
        async for question in websocket.iter_text():
            questions.put_nowait(question)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        patience = None
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            while True:
                await tell_all(websocket, words(await asyncio.wait_for(questions.get(), patience)))
                patience = 600
        group.cancel_scope.cancel()


ten_answers = asyncio.Semaphore(10)


@wrong(ex2, "answers_everything")
async def ten_answers_at_a_time(websocket, words):
    """Ten whose peers do not read keep all others waiting."""

    async def tell(websocket, answer):
        async with ten_answers:
            await tell_all(websocket, answer)

    await answering(ask_all, tell)(websocket, words)


@wrong(ex2, "goes_on_or_ends")
async def expects_a_first_word(websocket, words):
    """Goes on where words fails after a word; where it fails before, the worker has failed and nobody looks."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()

    async def speak():
        while True:
            answer = words(await questions.get())
            word = await anext(answer, None)
            while word is not None:
                await websocket.send_text(word)
                try:
                    word = await anext(answer, None)
                except Exception:
                    break

    speaker = asyncio.create_task(speak())
    try:
        async for question in websocket.iter_text():
            questions.put_nowait(question)
    finally:
        speaker.cancel()
        await asyncio.gather(speaker, return_exceptions=True)


@wrong(ex2, "ends")
async def room_for_a_thousand_questions(websocket, words):
    """A queue of a thousand: behind the question that has no room comes the goodbye."""
    await answering(ask_all, tell_all, 1_000)(websocket, words)


@right(ex2)
async def a_chain_of_answers(websocket, words):
    """A task for each question, which waits for the one before."""
    await websocket.accept()
    tasks: list[asyncio.Task[None]] = []

    async def say(question, before):
        if before:
            await asyncio.wait([before])
        with contextlib.suppress(WebSocketDisconnect):
            await tell_all(websocket, words(question))

    try:
        async for question in websocket.iter_text():
            tasks.append(asyncio.create_task(say(question, tasks[-1] if tasks else None)))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ---- wrong for JSON that somebody tidies, a peer that is slow, or a source that has failed ------------------------


@wrong(ex1, "answers_everything")
class DropsNulls(Counting):
    """Leaves out what is null in an object."""

    async def on_receive(self, websocket, data):
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if value is not None}
        await super().on_receive(websocket, data)


@wrong(ex1, "answers_everything")
class CountsInFloats(Counting):
    """Whole numbers go through a float, which big ones do not survive."""

    async def decode(self, websocket, message):
        return json.loads(message["text"], parse_int=lambda digits: int(float(digits)))


@functools.lru_cache
def rendered(value):
    """Return a plain value as JSON, which 1.0 and True are the same key for."""
    return json.dumps(value)


@wrong(ex1, "answers_everything")
class RendersFromACache(Counting):
    """true comes back as 1.0, which has been rendered before it."""

    async def on_receive(self, websocket, data):
        self.count += 1
        echo = json.dumps(data) if isinstance(data, (dict, list)) else rendered(data)
        await websocket.send_text(f'{{"count": {self.count}, "echo": {echo}}}')


@wrong(ex1, "tells_the_true_code")
class SaysGoodbyeToErrorsOnly(Counting):
    """A dispatch of its own with except and without finally: a cancellation is no Exception."""

    async def dispatch(self):
        websocket = WebSocket(self.scope, receive=self.receive, send=self.send)
        await self.on_connect(websocket)
        code = 1000
        try:
            while (message := await websocket.receive())["type"] == "websocket.receive":
                await self.on_receive(websocket, await self.decode(websocket, message))
            code = int(message.get("code") or 1000)
        except Exception:
            code = 1011
        await self.on_disconnect(websocket, code)


@right(ex2)
async def cancels_in_finally(websocket, words):
    """A task for the speaker: cancelled and waited for in finally, and one that has failed cancels the reader."""
    await websocket.accept()
    questions: asyncio.Queue[str] = asyncio.Queue()
    with anyio.CancelScope() as reading:
        speaker = asyncio.create_task(speak_while_connected(websocket, words, questions))
        speaker.add_done_callback(lambda _: reading.cancel())
        try:
            await read(websocket, questions)
        finally:
            speaker.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([speaker])
    if not speaker.cancelled():
        speaker.result()


@wrong(ex2, "answers_everything")
async def a_hundred_words(websocket, words):
    """A bound on the words of one answer."""

    async def tell(websocket, answer):
        async for number, word in numbered(answer):
            await websocket.send_text(word)
            if number == 100:
                break

    await answering(ask_all, tell)(websocket, words)


async def numbered(words):
    """Yield each word with its number, from 1."""
    number = 0
    async for word in words:
        number += 1
        yield number, word


@wrong(ex2, "answers_everything")
async def drops_words_for_slow_peers(websocket, words):
    """Five seconds for a peer to take its word, which is dropped then."""

    async def tell(websocket, answer):
        async for word in answer:
            with contextlib.suppress(TimeoutError, WebSocketDisconnect):
                await asyncio.wait_for(websocket.send_text(word), 5)

    await answering(ask_all, tell)(websocket, words)


@wrong(ex3, "goes_on_or_ends")
async def is_deaf_when_the_hall_burns(websocket):
    """The worker has failed, and the reader goes on to hand it texts."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = await hall.enter()
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def work():
        while True:
            await websocket.send_text(await hall.answer(seat, await texts.get()))

    try:
        worker = asyncio.create_task(work())
        try:
            async for text in websocket.iter_text():
                texts.put_nowait(text)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    finally:
        await hall.leave(seat)


@wrong(ex3, "answers_everything")
async def drops_answers_for_slow_peers(websocket):
    """Five seconds for a peer to take its answer, which is dropped then."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = await hall.enter()
    try:
        async for text in websocket.iter_text():
            reply = await hall.answer(seat, text)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(websocket.send_text(reply), 5)
    finally:
        await hall.leave(seat)


# ---- what comes after a failure --------------------------------------------------------------------------------------


def going_on(after):
    """Return an answer that goes on where words fails: with what `after` makes of the questions, and of what failed."""

    async def answer(websocket, words):
        await websocket.accept()
        questions: asyncio.Queue[str] = asyncio.Queue()

        async def ask_and_cancel():
            async for question in websocket.iter_text():
                questions.put_nowait(question)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(ask_and_cancel)
            question = await questions.get()
            while True:
                try:
                    await tell_all(websocket, words(question))
                except WebSocketDisconnect:
                    break
                except Exception:
                    question = await after(questions, question)
                else:
                    question = await questions.get()

    return answer


@wrong(ex2, "goes_on_or_ends")
async def throws_waiting_questions_away(websocket, words):
    """Where words fails, it forgets the questions that have come meanwhile."""

    async def after(questions, _):
        while not questions.empty():
            questions.get_nowait()
        return await questions.get()

    await going_on(after)(websocket, words)


@wrong(ex2, "goes_on_or_ends")
async def asks_for_the_same_words_again(websocket, words):
    """Asks for words that have failed again and again, and never comes to the next question."""

    async def after(_, question):
        await asyncio.sleep(1)
        return question

    await going_on(after)(websocket, words)


@right(ex2)
async def asks_twice_then_goes_on(websocket, words):
    """Asks once more for words that have failed; then the next question gets its answer."""
    failed = []

    async def after(questions, question):
        failed.append(question)
        return question if failed.count(question) == 1 else await questions.get()

    await going_on(after)(websocket, words)


@wrong(ex3, "goes_on_or_ends")
async def asks_the_burning_hall_again(websocket):
    """Asks the hall for what it has not answered again and again; the next text waits for ever."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seat = await hall.enter()
    try:
        async with anyio.create_task_group() as group:
            texts: asyncio.Queue[str] = asyncio.Queue()

            async def work():
                text = await texts.get()
                while True:
                    try:
                        await websocket.send_text(await hall.answer(seat, text))
                    except WebSocketDisconnect:
                        break
                    except Exception:
                        await asyncio.sleep(1)
                    else:
                        text = await texts.get()

            group.start_soon(work)
            async for text in websocket.iter_text():
                texts.put_nowait(text)
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await hall.leave(seat)


def sitting_on(after):
    """Return an answer that goes on where hall.answer fails, when `after` has seen the texts that wait."""

    async def answer(websocket):
        hall = websocket.app.state.hall
        await websocket.accept()
        texts: asyncio.Queue[str] = asyncio.Queue()

        async def work(seat):
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    text = await texts.get()
                    try:
                        reply = await hall.answer(seat, text)
                    except Exception:
                        after(texts)
                    else:
                        await websocket.send_text(reply)

        async with seated(hall) as seat, anyio.create_task_group() as group:
            group.start_soon(work, seat)
            with contextlib.suppress(RuntimeError):
                async for text in websocket.iter_text():
                    texts.put_nowait(text)
            group.cancel_scope.cancel()

    return answer


@wrong(ex3, "goes_on_or_ends")
async def throws_waiting_texts_away(websocket):
    """Where hall.answer raises, it forgets the texts that have come meanwhile."""

    def after(texts):
        while not texts.empty():
            texts.get_nowait()

    await sitting_on(after)(websocket)


@right(ex3)
async def goes_on_when_the_hall_burns(websocket):
    """Where hall.answer raises, the next text gets its answer, and the one that has come meanwhile before it."""
    await sitting_on(lambda _: None)(websocket)


@wrong(ex3, "gives_it_back")
async def goes_on_without_a_seat(websocket):
    """Where hall.answer raises, it gives the seat back and goes on to ask the hall with it."""
    hall = websocket.app.state.hall
    await websocket.accept()
    seats = [await hall.enter()]
    mine = seats[0]
    try:
        async for text in websocket.iter_text():
            try:
                reply = await hall.answer(mine, text)
            except Exception:
                while seats:
                    await hall.leave(seats.pop())
            else:
                await websocket.send_text(reply)
    finally:
        while seats:
            await hall.leave(seats.pop())


@wrong(ex3, "gives_it_back")
async def stands_when_the_hall_is_full(websocket):
    """Where there is no seat, it asks the hall without one."""
    hall = websocket.app.state.hall
    await websocket.accept()
    try:
        seat = await hall.enter()
    except Exception:
        seat = None
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(await hall.answer(seat, text))
    finally:
        if seat is not None:
            await hall.leave(seat)


@right(ex3)
class ClosesWhenTheHallBurns(WebSocketEndpoint):
    """Closes where hall.answer raises, and the endpoint's loop hears of that; a text that came meanwhile fails."""

    encoding = "text"

    async def on_connect(self, websocket):
        await websocket.accept()
        self.hall = websocket.app.state.hall
        self.seat = await self.hall.enter()

    async def on_receive(self, websocket, data):
        try:
            reply = await self.hall.answer(self.seat, data)
        except Exception:
            await websocket.close(1011)
        else:
            await websocket.send_text(reply)

    async def on_disconnect(self, websocket, close_code):
        await self.hall.leave(self.seat)


@wrong(ex3, "gives_it_back")
async def gives_back_nothing(websocket):
    """Gives back a seat when the hall was full, and hides what `leave` says to that."""
    hall, seat = websocket.app.state.hall, None
    await websocket.accept()
    with contextlib.suppress(Exception):
        seat = await hall.enter()
    try:
        if seat is not None:
            async for text in websocket.iter_text():
                await websocket.send_text(await hall.answer(seat, text))
    finally:
        if seat is not None:
            await hall.leave(seat)
        else:
            with contextlib.suppress(ValueError):
                await hall.leave(seat)
