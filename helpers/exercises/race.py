"""Excuses what a task raises because another one is told of the end meanwhile: it cannot know yet.

To cancel a task takes some turns of the loop. What a send raises within them is a race that nobody loses by a mistake
of his own: on uvicorn-websockets it is a RuntimeError, which would invite to catch every RuntimeError. Another one
Starlette raises in a task that begins to read, or to send, when a send of another task has been refused.
"""

import asyncio
import math
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from hangup.record import rules
from hangup.record.errors import leaves
from hangup.record.evidence.grades import let_out, made_of
from hangup.record.internals import peek_exception
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, Session, current

TURNS = 3  # of the loop: one until who waits for the reader is woken, one to cancel the sender, one for a group between
AT_ONCE = 1  # turn for a handler whose tasks are over: it takes two until it goes on after it has waited for them
MOMENT = 0.004  # seconds for a turn, on a loop that counts none


class _Told(NamedTuple):
    """Which task was told of the end, and what says whether that was just now."""

    task: asyncio.Task[object] | None
    in_turns: Callable[[], bool]
    at_once: Callable[[], bool]


def racing(app: ASGIApp, *, turns: float = TURNS) -> ASGIApp:
    """Return an app that takes note of what its sends raise while it is being told of the end: for so many turns.

    They have no end (`math.inf`) where nobody asks that the task which reads stops the one that sends. A handler that
    has no other task any more knows what they were told: its goodbye, or its close, is no race but AT_ONCE.
    """
    at_once = turns if turns == math.inf else AT_ONCE

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        session = current()
        if session is None:
            await app(scope, receive, send)
            return
        told: list[_Told] = []

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                told.append(_Told(asyncio.current_task(), _in_turns(turns), _in_turns(at_once)))
            return message

        async def say(message: Message) -> None:
            try:
                await send(message)
            except Exception as error:
                me = asyncio.current_task()
                session.facts.setdefault("refused in", set()).add(me)
                knows = me is session.main and bool(session.tasks) and all(task.done() for task in session.tasks)
                if told and told[0].task is not me and (told[0].at_once() if knows else told[0].in_turns()):
                    session.facts.setdefault("raced", []).append(error)
                raise

        await app(scope, hear, say)

    return noting


def _in_turns(turns: float) -> Callable[[], bool]:
    """Return what says whether the loop has turned no more often since.

    On a loop that counts none they have some time as well, for what a server does in other threads; on a busy machine
    that alone would be over too soon.
    """
    loop = asyncio.get_running_loop()
    if hasattr(loop, "turn"):
        until = loop.turn + turns
        return lambda: loop.turn <= until
    if turns == math.inf:
        return lambda: True
    left, until = turns, loop.time() + MOMENT * turns

    def turned() -> None:
        nonlocal left
        left -= 1
        if left > 0:
            loop.call_soon(turned)

    loop.call_soon(turned)
    return lambda: left > 0 or loop.time() <= until


def _ends_quietly(session: Session) -> str | None:
    if "refused in" not in session.facts or session.ended != "raised":
        return rules.ends_quietly.test(session)
    raced = session.facts.get("raced", [])
    blamed = [error for error in let_out(session) if not (_is_one_of(error, raced) or _was_overtaken(session, error))]
    return rules.ends_quietly.test(session) if blamed else None


def _is_one_of(error: BaseException, raced: list[BaseException]) -> bool:
    return made_of(error, raced) or any(error is each or error.__context__ is each for each in raced)


def _was_overtaken(session: Session, error: BaseException) -> bool:
    """Return whether Starlette raised this since a send had been refused, in another task than this error's.

    Where the exercise lets out whatever a send raises, a send may be that task's own.
    """
    if type(error).__name__ != "WebSocketDisconnected":
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [frame.f_code.co_name for frame in frames if frame.f_globals.get("__name__") == "starlette.websockets"]
    if not names or names[-1] == "receive":  # that is for a message which it has received
        return False
    if session.facts.get("sends may raise") and names[0].startswith("send_"):
        return True
    raised = ((task, peek_exception(task)) for task in session.tasks)
    own = [task for task, found in raised if found and any(leaf is error for leaf in leaves(found))]
    return (own[-1] if own else session.main) not in session.facts["refused in"]


def _leaves_no_task(session: Session) -> str | None:
    if session.facts.get("interrupted") == "while it cleaned up":
        return None
    return rules.leaves_no_task.test(session)


leaves_no_task = replace(rules.leaves_no_task, test=_leaves_no_task)
"""The rule of this name, but for a handler that is cancelled while it waits for tasks that it has cancelled itself."""
ends_quietly = replace(rules.ends_quietly, test=_ends_quietly)
"""The rule of this name, but for what a send raises that comes with the goodbye, and a reader that it overtakes."""
