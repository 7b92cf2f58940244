"""The private names of asyncio and threading that hangup leans on: what is lost when a release takes one away."""

import ast
import asyncio
import contextlib
import contextvars
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hangup
from hangup.record.internals import (
    drop_executor,
    drop_from_all_tasks,
    entered,
    forget_callbacks,
    forget_files,
    has_no_job,
    has_timers,
    job_in,
    know_threads,
    name_of_pool,
    never_retrieved,
    peek_exception,
    pool_of,
    quick_call_soon,
    ready,
    run_ready,
    running_task,
    step_of,
    takes_jobs,
    threads_now,
    timers_of,
    turn_once,
    watched_by,
    watches_files,
    will_be_cancelled,
)
from hangup.time.virtual import VirtualLoop

PRIVATE = {"_unregister_task", "_register_task", "_log_traceback", "_exception", "_ready", "_scheduled", "_run_once"}
PRIVATE |= {"_callback", "_args", "_context", "_target", "_shutdown", "_thread_name_prefix"}
PRIVATE |= {"_callback", "_cancelled", "_source_traceback"}
PRIVATE |= {
    "_enter_task",
    "_leave_task",
    "_current_tasks",
    "_fut_waiter",
    "_must_cancel",
    "_wakeup",
    "_run",
    "_callback",
    "_active",
    "_limbo",
}


async def fails() -> None:
    raise ZeroDivisionError


async def failed() -> "asyncio.Task[None]":
    """Return a task that has failed, and for whose exception nobody has asked."""
    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    return task


def test_without_log_traceback_no_rule_could_tell_that_nobody_looked_at_a_task():
    async def work() -> None:
        task = await failed()
        assert never_retrieved(task)
        assert isinstance(task.exception(), ZeroDivisionError)
        assert not never_retrieved(task)

    asyncio.run(work())


def test_a_task_that_returned_or_was_cancelled_hides_nothing():
    async def work() -> None:
        tasks = [asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(asyncio.sleep(0))]
        tasks[0].cancel()
        await asyncio.wait(tasks)
        assert [never_retrieved(task) for task in tasks] == [False, False]

    asyncio.run(work())


def test_without_exception_a_picture_could_not_say_how_a_task_failed_and_leave_it_unretrieved():
    async def work() -> None:
        task = await failed()
        assert isinstance(peek_exception(task), ZeroDivisionError)
        assert never_retrieved(task)
        assert task.exception() is peek_exception(task)

    asyncio.run(work())


def test_without_unregister_task_a_task_that_never_heeds_its_cancellation_would_hold_the_loop_for_ever():
    async def stubborn(until: "asyncio.Event") -> None:
        while not until.is_set():
            try:
                await until.wait()
            except asyncio.CancelledError:
                continue

    async def work() -> None:
        until = asyncio.Event()
        task = asyncio.create_task(stubborn(until))
        assert task in asyncio.all_tasks()
        drop_from_all_tasks(task)
        assert task not in asyncio.all_tasks()
        until.set()
        await task  # it runs on, and can be waited for by whoever still knows it

    asyncio.run(work())


def test_without_ready_and_scheduled_timers_of_one_exploration_would_ring_in_the_next():
    rung: list[str] = []
    loop = asyncio.new_event_loop()
    try:
        loop.call_soon(rung.append, "soon")
        loop.call_later(0, rung.append, "later")
        first = loop.run_in_executor(None, str)
        loop.run_until_complete(first)
        loop.call_soon(rung.append, "soon")
        loop.call_later(0, rung.append, "later")
        rung.clear()
        forget_callbacks(loop)
        assert loop.run_until_complete(loop.run_in_executor(None, str)) == ""
        assert rung == []
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_without_ready_and_callback_no_other_order_of_tasks_could_be_played():
    async def asks(times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asks(2))
        assert [step_of(handle) for handle in ready(loop)] == [None]  # it has not begun
        await asyncio.sleep(0)
        assert [step_of(handle) for handle in ready(loop)] == [task]
        woken = asyncio.create_task(asyncio.Event().wait())
        await task
        woken.cancel()
        loop.call_soon(print)
        assert [step_of(handle) for handle in ready(loop)] == [None, None]
        ready(loop).pop()

    asyncio.run(work())


def test_without_what_the_garbage_collector_sees_nobody_could_say_who_holds_a_lock():
    async def work() -> None:
        outer, inner, third = asyncio.Lock(), asyncio.Semaphore(), asyncio.Lock()

        async def holds() -> None:
            async with outer, inner:
                async with third:
                    pass
                await asyncio.Event().wait()

        task = asyncio.create_task(holds())
        await asyncio.sleep(0)
        assert entered(task.get_coro()) == [outer, inner]
        assert not third.locked()
        task.cancel()

    asyncio.run(work())


def test_without_scheduled_callback_args_and_context_a_timer_that_sets_itself_anew_could_not_be_found():
    async def work() -> None:
        loop, context = asyncio.get_running_loop(), contextvars.Context()
        assert not has_timers(loop)
        loop.call_later(60, print, "dropped").cancel()
        handle = loop.call_later(60, print, "kept", context=context)
        assert list(timers_of(loop)) == [(handle, print, ("kept",), context)]
        assert has_timers(loop)

    asyncio.run(work())


def test_without_target_and_args_nobody_could_say_of_which_pool_a_thread_is():
    go_on = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        job = pool.submit(go_on.wait)
        thread = next(each for each in threads_now() if each.name.startswith("mine"))
        found = pool_of(thread)
        assert found is not None
        assert found() is pool
        assert (name_of_pool(pool), takes_jobs(pool), has_no_job(thread)) == ("mine", True, False)
        go_on.set()
        job.result()
        while not has_no_job(thread):  # it is about to ask for another one
            pass
    assert not takes_jobs(pool)
    assert pool_of(threading.main_thread()) is None


def test_without_the_names_of_a_pools_job_nobody_could_say_what_holds_a_thread():
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(go_on.wait)
        thread = next(iter(threads_now() & set(pool._threads)))
        while (found := job_in(sys._current_frames()[thread.ident or 0], anyio=False)) is None:
            pass  # it is about to begin
        assert found == go_on.wait
        go_on.set()
        job.result()
        while job_in(sys._current_frames()[thread.ident or 0], anyio=False) is not None:
            pass
    assert job_in(sys._getframe(), anyio=True) is None


def test_without_default_executor_held_threads_would_take_their_pool_from_other_sessions():
    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        first = await loop.run_in_executor(None, threading.current_thread)
        drop_executor(loop)
        assert await loop.run_in_executor(None, threading.current_thread) is not first

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(work())


def test_without_selector_nobody_could_say_which_files_a_loop_watches_or_forget_them():
    loop, context = VirtualLoop(), contextvars.copy_context()
    ours, theirs = socket.socketpair()
    assert not watches_files(loop)
    context.run(loop.add_reader, ours, print, "something")
    assert watches_files(loop)
    [(fd, reads, *called, _)] = watched_by(loop)
    assert (fd, reads, *called) == (ours.fileno(), True, print, ("something",))
    forget_files(loop)
    assert not watches_files(loop)
    assert loop.run_until_complete(asyncio.sleep(0, "it goes on")) == "it goes on"
    for each in (loop, ours, theirs):
        each.close()


def private_names(path: Path) -> list[str]:
    """Return the private names in a module that are an attribute of anything but self, or a text, as getattr wants."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    names = [node.attr for node in attributes if not (isinstance(node.value, ast.Name) and node.value.id == "self")]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [name for name in (*names, *texts) if name in PRIVATE]


def test_no_other_module_leans_on_private_names_of_asyncio():
    used = {path.stem: names for path in Path(hangup.__file__).parent.rglob("*.py") if (names := private_names(path))}
    assert {stem: sorted(names) for stem, names in used.items()} == {
        "internals": [
            *["_active"] * 2,
            *["_args"] * 4,
            *["_callback"] * 4,
            *["_cancelled"] * 2,
            *["_context"] * 3,
            "_current_tasks",
            "_exception",
            *["_limbo"] * 2,
            "_log_traceback",
            "_must_cancel",
            *["_ready"] * 3,
            *["_run"] * 3,
            "_run_once",
            *["_scheduled"] * 4,
            "_shutdown",
            "_source_traceback",
            "_target",
            "_thread_name_prefix",
            "_unregister_task",
        ]
    }


def test_without_the_names_in_a_handle_each_would_have_to_be_made_by_asyncio_which_takes_twice_the_time():
    loop, context = asyncio.new_event_loop(), contextvars.copy_context()
    call_soon, queue = quick_call_soon(loop), ready(loop)
    ours, theirs = call_soon(print, "a", context=context), asyncio.Handle(print, ("a",), loop, context)
    names = [name for name in asyncio.Handle.__slots__ if name != "__weakref__"]
    assert isinstance(ours, asyncio.Handle)
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
    another = call_soon(print)
    assert isinstance(getattr(another, "_context", None), contextvars.Context)
    assert [each is ours for each in queue] == [True, False]
    ours.cancel()
    theirs.cancel()
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
    assert (ours.cancelled(), another.cancelled()) == (True, False)
    queue.clear()
    loop.close()


def test_without_the_names_in_a_handle_a_turn_that_only_runs_what_is_ready_would_ask_for_timers_too():
    loop = asyncio.new_event_loop()
    ran: list[str] = []

    def run(name: str) -> None:
        ran.append(name)
        loop.call_soon(ran.append, f"after the {name}")

    for name in ("first", "cancelled", "last"):
        handle = loop.call_soon(run, name)
        if name == "cancelled":
            handle.cancel()
    run_ready(ready(loop))
    assert ran == ["first", "last"]
    turn_once(loop)
    assert ran == ["first", "last", "after the first", "after the last"]
    loop.close()


def test_without_the_registries_of_threading_each_session_would_take_its_lock_to_see_that_no_thread_is_new():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    assert thread not in threads_now()
    thread.start()
    assert threads_now() == set(threading.enumerate()) >= {thread}
    over.set()
    thread.join()
    assert thread not in threads_now()


def test_a_thread_that_is_about_to_start_is_not_missed(monkeypatch):
    thread = threading.Thread()
    monkeypatch.setitem(threading._limbo, thread, thread)  # type: ignore[attr-defined]
    assert thread in threads_now()
    assert thread in threading.enumerate()
    know_threads(known := {thread})
    assert known == threads_now()


def test_the_task_that_runs_is_asyncios_own_answer():
    async def work():
        loop = asyncio.get_running_loop()
        assert running_task(loop) is asyncio.current_task()
        seen = asyncio.create_task(inner(loop))
        assert await seen is seen

    async def inner(loop):
        loop.call_soon(lambda: outside.append(running_task(loop)))
        await asyncio.sleep(0)
        return running_task(loop)

    outside: list[object] = []
    asyncio.run(work())
    assert outside == [None]


def test_without_what_a_task_is_about_to_be_told_a_cleanup_is_blamed_for_a_cancellation_that_came_from_outside():
    async def work():
        task = asyncio.current_task()
        assert task is not None
        before = will_be_cancelled(task)
        task.cancel()
        asked = will_be_cancelled(task)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return before, asked, will_be_cancelled(task)

    assert asyncio.run(work()) == (False, True, False)
