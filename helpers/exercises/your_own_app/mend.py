"""Exercise 2 of lesson "Your own app": the chat service, mended, under three scripts and on the real servers."""

import functools
import inspect
from typing import Any

from hangup.record import rules
from hangup.record.recorder import Session
from hangup.record.rules import rule
from hangup.servers.script import Expect, Leave, Script, Send, StopReading
from helpers.exercises.your_own_app.around import LESSON, Observed, observe
from helpers.judging.answers import Kind
from helpers.judging.app_exercise import AppExercise, Case
from helpers.props.chat import LOGIN, PATH, SLOW, TABS, TALK, left_behind, login, say
from helpers.props.chat_service import Service

SLOWLY: Script = (*LOGIN, *say("a", "ann", "hi", to="ba"), *say("b", "bob", "hello", to="ba"))
"""Ann reads, and takes her time."""
WHILE_SHE_SLEEPS: Script = (
    *LOGIN,
    StopReading(),
    *say("b", "bob", "anybody?", to="b"),
    *say("b", "bob", "no?", to="b"),
    Leave(),
    *say("b", "bob", "and now?", to="b"),
)
"""Ann does not read, and Bob says more than one thing meanwhile."""
WHILE_IT_WAITS: Script = (
    *LOGIN,
    login("c", "cleo"),
    login("d", "dan"),
    *say("b", "bob", "hello", to="abcd"),
    *say("a", "ann", "hi", to="abc"),
    Leave(),
    *say("b", "bob", "one", to="bc"),
    *say("c", "cleo", "two", to="bc"),
)
"""Ann speaks, and is gone while her handler waits for the slow Dan; two others speak to her meanwhile.

Starlette says so in another way to who is second: a RuntimeError.
"""


WHATEVER: Script = (
    *LOGIN,
    *say("b", "bob", "hello", to="ab"),
    *(Send(each, by="b") for each in ("no JSON", "", "[1]", "0", "null")),
    *say("b", "bob", "it is me", to="ab"),
    *(Send(json={"do": "say", "text": "at once"}, by=letter) for letter in "ab"),
    *(Expect(by=letter) for letter in "aabb"),
)
"""Bob sends what cannot be read, a few times in a row; then both speak at once."""


def _facts(app: Any, session: Session) -> None:
    observe(app, session)
    family = (session, *session.others)
    session.facts["cut"] = any(each.cancelled_by for each in family)
    if session.letter == "a" and all(each.ended != "running" for each in family):
        hangs = None if app.service.over else "the app was told to shut down, and its lifespan did not come to its end"
        session.facts["behind"] = hangs or left_behind(app)


@rule
def leaves_nothing_behind(session: Session) -> str | None:
    """When everybody has left and the app has shut down, nobody is listed and no job runs."""
    behind: str | None = session.facts.get("behind")
    return behind


@rule
def keeps_its_job(session: Session) -> str | None:
    """Until the app shuts down, its job runs."""
    service = session.facts.get("service")
    return None if service is None or service.ran else "the job did not run when the app was told to shut down"


@rule
def closes_its_transactions(session: Session) -> str | None:
    """A transaction is committed or rolled back, whatever happens in it."""
    service = session.facts.get("service")
    return "when everybody had left, a transaction was still open" if service is not None and service.open else None


@rule
def writes_it_down(session: Session) -> str | None:
    """What anybody was told has been written down, and counted once."""
    service = session.facts.get("service")
    if service is None or not hasattr(service, "said"):
        return None
    missing = sorted(session.facts["told"] - {*service.said})
    if missing:
        return f"what {missing[0][0]} said, {missing[0][1]!r}, was told and not written down"
    for name, (count, _) in sorted(service.people.items()):
        rows = sum(each == name for each, _ in service.said)
        if rows != count:
            return f"{name} said {rows} of what is written down, and is counted with {count}"
    return None


@rule
def writes_when(session: Session) -> str | None:
    """When everybody has left and nobody was cancelled, it is written down when each was last seen."""
    service = session.facts.get("service")
    if service is None or not hasattr(service, "people") or session.facts["cut"]:
        return None
    unseen = [name for name, (count, seen) in sorted(service.people.items()) if count and not seen]
    return f"nothing says when {unseen[0]} was last seen" if unseen else None


def _no_service(answer: Any) -> str:
    if not inspect.isclass(answer):
        what = f"an object of type {type(answer).__name__}" if isinstance(answer, Service) else type(answer).__name__
        return f"This is {what}; this exercise wants a class that inherits from chat_service.Service."
    if not issubclass(answer, Service):
        return f"{answer.__name__} does not inherit from chat_service.Service; this exercise wants a class that does."
    try:
        inspect.signature(answer).bind()
    except TypeError:
        return f"{answer.__name__}{inspect.signature(answer)} must be made without arguments: {answer.__name__}()."
    for name in ("hear", "save", "say", "tell", "leave", "chat"):
        if not inspect.iscoroutinefunction(getattr(answer, name)):
            return f"{answer.__name__}.{name} is not async: write async def {name}(self, …)."
    return ""


ex2 = AppExercise(
    lesson=LESSON,
    number=2,
    title="Mend",
    kind=Kind("a class that inherits from chat_service.Service", _no_service),
    parameters=(),
    mount=Observed,
    facts=_facts,
    lifespan=True,
    scripts=(TALK,),
    path=PATH,
    one_by_one=True,
    also=(
        Case(TABS, PATH, 30),
        Case(SLOW, PATH, 30),
        Case(WHILE_SHE_SLEEPS, PATH, 0),
        Case(WHATEVER, PATH, 0),
        Case(SLOWLY, PATH, 0, functools.partial(Observed, slow="a")),
        Case(WHILE_IT_WAITS, PATH, 0, functools.partial(Observed, slow="d")),
    ),
    rules=(
        rules.answers_everything,
        rules.ends_quietly,
        leaves_nothing_behind,
        closes_its_transactions,
        writes_it_down,
        writes_when,
        keeps_its_job,
        rules.ends,
        rules.leaves_no_task_behind,
        rules.hides_no_error,
    ),
    without=(rules.leaves_no_task,),
    hints=(
        "Begin with what breaks most often: `hear`. Name what you catch: what is no JSON raises `ValueError`, "
        "`KeyError` or `TypeError`. And when somebody's send to a member has failed, Starlette refuses to read from "
        "it: a `RuntimeError`, which means that it is gone.",
        "Whose connection is it that broke? In `say`, no exception about one member may end the loop over the others. "
        "And in `tell`, a member who does not read may keep you waiting: `asyncio.timeout(chat_service.SLOW)`, and no "
        "lock meanwhile.",
        "In `chat`, `leave` is for everybody who goes, whatever the code. In `leave`, a cancellation may strike at "
        "each `await`: what must not be lost comes before it. In `forget`, two members may have the same name.",
        "In `save`, what comes after BEGIN may be cancelled as well: `except BaseException`, roll back, `raise`. "
        "In `lifespan`, what has been started is cancelled *and waited for* after the `yield`, before the database "
        "is closed.",
    ),
    why="Each is let go whatever ends it, nobody waits for somebody else for ever, and what was begun is ended.",
    helps={
        rules.ends_quietly: 1,
        rules.answers_everything: 2,
        leaves_nothing_behind: 3,
        closes_its_transactions: 4,
        keeps_its_job: 4,
        rules.ends: 2,
    },
)
