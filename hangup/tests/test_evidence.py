"""What an exploration sees beside its sessions: what is left, logged and never run, and what fails elsewhere."""

import asyncio
import contextlib
import logging
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup.explorer.apps.explore import explore, replay
from hangup.record.evidence.grades import made_of
from hangup.record.rules import logs_no_error
from hangup.servers.script import Send
from support.apps import app
from support.reports import found

LEFT = "no task of the handler runs on for ever"
HIDDEN = "no task of the handler fails without anybody looking"
LOGGED = "the app logs no error about a peer that has left"


async def answer(websocket):
    """Say everything back until the peer has left, however one hears of that."""
    with contextlib.suppress(Exception):
        while True:
            await websocket.send_text(await websocket.receive_text())


# ---- tasks -------------------------------------------------------------------------------------------------------


def leaving(*tasks, name=None):
    """Return an app whose handler leaves tasks behind, one of each coroutine function."""
    kept: list[asyncio.Task[None]] = []

    async def handler(websocket):
        await websocket.accept()
        kept[:] = [asyncio.create_task(task(), name=name) for task in tasks]
        await answer(websocket)

    return app(handler)


async def nap():
    await asyncio.sleep(25)


async def beat():
    while True:
        await asyncio.sleep(0.5)


async def stays():
    await asyncio.Event().wait()


async def breathes():
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_a_task_that_ends_some_time_after_its_handler_is_a_remark():
    report = explore(leaving(nap))
    assert report.ok
    assert {remark.got for remark in report.remarks} == {"a task of the handler (nap) ends 25 s after it"}
    assert "· remark: a task of the handler (nap) ends 25 s after it\n    first at uvicorn/close@send#2" in str(report)


async def sleeps_for_an_hour():
    await asyncio.sleep(3_600)


def test_a_timer_that_ends_after_an_hour_is_a_remark():
    report = explore(leaving(sleeps_for_an_hour))
    assert report.ok
    assert report.remarks[0].got == "a task of the handler (sleeps_for_an_hour) ends 3600 s after it"


@pytest.mark.parametrize("task", [stays, beat])
def test_a_task_that_never_ends_breaks_a_rule(task):
    report = explore(leaving(task))
    assert found(report) == {LEFT: {f"still running: {task.__name__}"}}
    assert report.remarks == ()


def test_a_task_that_is_gone_within_a_turn_or_two_is_nothing():
    report = explore(leaving(breathes))
    assert report.ok
    assert report.remarks == ()


@pytest.mark.parametrize("excuse", ["stays", "pings"])
def test_a_task_is_excused_by_its_name_or_by_that_of_its_coroutine(excuse):
    assert explore(leaving(stays, name="pings"), excuse=[excuse]).ok
    assert not explore(leaving(stays, name="pings"), excuse=["nap"]).ok


def shared(*, ends: bool):
    """Return an app whose task group, which its lifespan owns, runs a task for whoever comes first."""
    rooms: list[asyncio.Task[None]] = []
    groups: list[asyncio.AbstractEventLoop] = []

    async def run():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if not ends:
            await asyncio.Event().wait()

    async def raw(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            groups[:] = [asyncio.get_running_loop()]
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for room in rooms:
                room.cancel()
            rooms.clear()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        if not rooms:
            rooms.append(groups[0].create_task(run()))
        with contextlib.suppress(OSError):
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})

    return raw


@pytest.mark.parametrize(
    ("ends", "broken"), [(True, {}), (False, {LEFT: {"still running when the app has shut down: run"}})]
)
def test_a_task_of_the_lifespan_is_judged_when_that_has_ended(ends, broken):
    report = explore(shared(ends=ends), lifespan=True)
    assert found(report) == broken
    assert report.remarks == ()


def test_the_first_session_is_judged_too():
    started: list[asyncio.Task[None]] = []

    async def handler(websocket):
        await websocket.accept()
        if not started:
            started.append(asyncio.create_task(stays()))
        await answer(websocket)

    report = explore(app(handler))
    assert [(each.rule, each.schedule) for each in report.broken] == [(LEFT, "uvicorn/close@end")]
    assert explore(app(handler)).ok


# ---- what is logged ----------------------------------------------------------------------------------------------


def logging_app(words="failed", *, always=False, propagate=True):
    """Return an app whose framework catches and logs whatever a handler raises."""
    logger = logging.getLogger(f"framework.{propagate}")
    logger.propagate = propagate

    async def raw(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
        except Exception:
            logger.exception(words)
        if always:
            logger.error("a session is over")

    return raw


@pytest.mark.parametrize("propagate", [True, False])
def test_an_error_that_is_logged_about_a_peer_that_left_is_found(propagate):
    report = explore(logging_app(propagate=propagate))
    assert found(report) == {LOGGED: {f"ERROR framework.{propagate}: failed: ClientDisconnected"}}
    assert {each.schedule.partition("@")[2] for each in report.broken} == {"send#2"}


def test_what_an_undisturbed_app_logs_is_not_about_a_peer_that_left():
    report = explore(logging_app(always=True), models=["granian"])
    assert report.ok


def told_of_the_end(log):
    """Return an app that logs something whenever its peer leaves, while it handles that."""

    async def handler(websocket):
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect as gone:
            log(logging.getLogger("shop"), gone)

    return app(handler)


@pytest.mark.parametrize(
    "log",
    [
        lambda logger, _: logger.exception("oops"),
        lambda logger, gone: logger.error("oops: %r", gone),
        lambda logger, gone: logger.error(f"oops: {gone!r}"),
    ],
)
def test_an_error_that_shows_that_a_peer_has_left_is_found_though_it_is_logged_of_everybody(log):
    report = explore(told_of_the_end(log), models=["granian"])
    assert set(found(report)) == {LOGGED}
    assert "granian/close@end" in {each.schedule for each in report.broken}
    session = replay(told_of_the_end(log), "granian/close@end", closer=True)
    assert session.logged


def test_an_error_of_the_apps_own_that_is_logged_of_everybody_who_leaves_is_not_about_that():
    assert explore(told_of_the_end(lambda logger, _: logger.error("not paid"))).ok


FRAMEWORK = """
async def framework(handler, logger, receive, send):
    try:
        await handler(receive, send)
    except Exception:
        logger.exception("unhandled")
"""


@pytest.mark.parametrize("where", ["of a library", "of the app"])
def test_what_the_app_lets_out_when_a_peer_leaves_is_found_where_a_library_logs_it(where):
    """It need not be about the peer: a framework that raised it would break a rule, too."""
    house = Path(sysconfig.get_path("purelib")) if where == "of a library" else Path(__file__).parent
    names: dict[str, Any] = {}
    exec(compile(FRAMEWORK, str(house / "framework.py"), "exec"), names)  # a file of that name is not needed

    async def handler(receive, send):
        answers: list[str] = []
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            answers.append(message["text"])
            with contextlib.suppress(OSError, RuntimeError):
                await send({"type": "websocket.send", "text": answers.pop()})
        answers.pop()

    def raw(scope, receive, send):
        return names["framework"](handler, logging.getLogger("framework"), receive, send)

    words = "ERROR framework: unhandled: IndexError: pop from empty list"
    assert found(explore(raw, models=["granian"])) == ({LOGGED: {words}} if where == "of a library" else {})


def in_a_library(handler):
    """Return an app whose framework, a library, logs what its handler lets out."""
    names: dict[str, Any] = {}
    exec(compile(FRAMEWORK, str(Path(sysconfig.get_path("purelib")) / "framework.py"), "exec"), names)

    def raw(scope, receive, send):
        return names["framework"](handler, logging.getLogger("framework"), receive, send)

    return raw


def test_what_the_app_lets_out_of_a_peer_that_is_there_is_not_about_one_that_has_left():
    """A task reads ahead, so that the end may be known before a line is looked at that is no number."""
    of_whom_leaves = False

    async def handler(receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        lines: asyncio.Queue[str | None] = asyncio.Queue()

        async def read():
            while (message := await receive())["type"] == "websocket.receive":
                lines.put_nowait(message["text"])
            lines.put_nowait(None)

        reader = asyncio.create_task(read())
        try:
            while (line := await lines.get()) is not None:
                await asyncio.sleep(0)
                int(line)
            int("" if of_whom_leaves else "0")
        finally:
            reader.cancel()

    app, script, rules = in_a_library(handler), [Send("1"), Send("x")], [logs_no_error]
    assert found(explore(app, script, models=["granian"], rules=rules)) == {}
    assert not replay(app, "granian/close@receive#4", script, closer=True).logged
    of_whom_leaves = True
    words = "ERROR framework: unhandled: ValueError: invalid literal for int() with base 10: ''"
    assert found(explore(app, script, models=["granian"], rules=rules)) == {LOGGED: {words}}


def test_the_error_of_a_task_that_a_callback_logs_is_found():
    """A callback handles no exception: it has that of its task, and gives it to the logger."""

    def done(task):
        if task.exception() is not None:
            logging.getLogger("sender").error("cannot send: %r", task.exception())

    async def raw(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            task = asyncio.create_task(send({"type": "websocket.send", "text": message["text"]}))
            task.add_done_callback(done)
            await asyncio.wait([task])
            if task.exception() is not None:
                return

    words = "ERROR sender: cannot send: ClientDisconnected()"
    logged = found(explore(raw, models=["uvicorn"], endings=["fin"]))
    assert list(logged) == [LOGGED]
    assert all(each.startswith(words) for each in logged[LOGGED])


def test_logging_is_as_it_was_and_nothing_is_printed(capfd):
    before = logging.getLogRecordFactory(), list(logging.getLogger().handlers)
    explore(logging_app())
    assert (logging.getLogRecordFactory(), logging.getLogger().handlers) == before
    assert capfd.readouterr() == ("", "")


# ---- what fails elsewhere ----------------------------------------------------------------------------------------


def test_a_task_that_fails_unseen_is_told_with_its_words():
    async def fails():
        raise LookupError("no such room")

    assert found(explore(leaving(fails))) == {
        HIDDEN: {"nobody looked at the exception of: fails (LookupError: no such room)"}
    }


def test_a_callback_that_fails_is_found():
    def fails():
        raise LookupError("no such room")

    async def handler(websocket):
        await websocket.accept()
        await answer(websocket)
        asyncio.get_running_loop().call_soon(fails)

    assert found(explore(app(handler))) == {HIDDEN: {"a callback fails: LookupError: no such room"}}


def test_an_async_generator_that_fails_when_the_loop_closes_it_is_found():
    async def numbers():
        try:
            yield 1
        finally:
            raise LookupError("no such room")

    async def handler(websocket):
        await websocket.accept()
        async for _ in numbers():
            break
        await answer(websocket)

    (got,) = found(explore(app(handler)))[HIDDEN]
    assert got.endswith("fails when the event loop closes it: LookupError: no such room")


# ---- background tasks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("make", [lambda: BackgroundTasks([BackgroundTask(nap)]), lambda: BackgroundTask(nap)])
def test_what_is_added_to_background_tasks_must_be_run(make, runs):
    async def handler(websocket):
        await websocket.accept()
        tasks = make()
        await answer(websocket)
        if runs:
            await tasks()

    got = {"what is added to BackgroundTasks is run": {"nothing runs what a WebSocket endpoint adds: nap"}}
    assert found(explore(app(handler))) == ({} if runs else got)


# ---- what a send has raised --------------------------------------------------------------------------------------


async def _refused_in_the_turn_of_a_cancellation(refused):
    """Return what comes out of a wait_for() around a send that fails in the turn in which it is cancelled."""

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        if message["type"] == "websocket.send":
            asyncio.get_running_loop().call_soon(task.cancel)
            raise refused

    websocket = WebSocket({"type": "websocket", "path": "/", "headers": []}, receive, send)
    await websocket.accept()
    task = asyncio.ensure_future(asyncio.wait_for(websocket.send_text("late"), 3600))
    with pytest.raises(WebSocketDisconnect) as raised:
        await task
    return raised.value


def test_what_a_send_raises_is_known_though_wait_for_is_cancelled_in_that_turn():
    refused = OSError("gone")
    error = asyncio.run(_refused_in_the_turn_of_a_cancellation(refused))
    assert made_of(error, [refused])
    assert not made_of(error, [])
