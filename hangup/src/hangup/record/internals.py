"""Every private name of asyncio that hangup leans on, each in a function that says what it is for.

asyncio promises none of them. A test stands beside each: when a Python release takes one away, that test says what is
lost, and here is the place to look for another way.
"""

import asyncio
from typing import Any


def never_retrieved(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task that is done has an exception for which nobody has asked, so that asyncio would log it.

    asyncio says "Task exception was never retrieved" only when the task is collected; a session is judged before that.
    """
    return bool(getattr(task, "_log_traceback", False))


def peek_exception(task: "asyncio.Task[Any]") -> BaseException | None:
    """Return the exception of a task that is done, which stays "never retrieved": `task.exception()` would change that.

    So what a recorder writes down hides no error from the rules, nor from asyncio's own log.
    """
    error: BaseException | None = getattr(task, "_exception", None)
    return error


def drop_from_all_tasks(task: "asyncio.Task[Any]") -> None:
    """Take a task that does not heed its cancellation out of `asyncio.all_tasks()`: `asyncio.run` would wait for it."""
    asyncio._unregister_task(task)


def forget_callbacks(loop: asyncio.AbstractEventLoop) -> None:
    """Drop every callback and timer of a loop that does not run, so that nothing of one run is left for the next.

    Its default executor is dropped as well, without waiting for its threads; the next job gets a new one.
    """
    state: Any = loop
    for handle in (*state._ready, *state._scheduled):
        handle.cancel()
    state._ready.clear()
    state._scheduled.clear()
    state._timer_cancelled_count = 0
    state._asyncgens_shutdown_called = False
    executor, state._default_executor = state._default_executor, None
    if executor is not None:
        executor.shutdown(wait=False, cancel_futures=True)
