"""Rules: what a Session must show, each one small function that returns what happened instead, or nothing.

A rule's docstring is its sentence in plain words; a verdict shows it. Rules know sessions only, not their origin.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from hangup.record.errors import describe, leaves
from hangup.record.evidence.grades import let_out, taken_in_silence
from hangup.record.internals import peek_exception
from hangup.record.session import Session

EACH = "each session leaves one more"
"""How what is said of a session begins where several sessions were needed to say it."""


@dataclass(frozen=True)
class Rule:
    """A sentence that must hold, and the test that says how a session breaks it (`None` when it does not)."""

    name: str
    sentence: str
    test: Callable[[Session], str | None]


def rule(test: Callable[[Session], str | None]) -> Rule:
    """Make a Rule of a function whose docstring is the sentence."""
    sentence = (test.__doc__ or "").strip().removesuffix(".")
    return Rule(test.__name__, sentence[:1].lower() + sentence[1:], test)


@rule
def answers_everything(session: Session) -> str | None:
    """While the peer is there, every message gets its answer."""
    missed: list[str] = session.facts.get("unanswered", [])
    if missed and session.error is not None and session.ended == "raised":
        return f"{missed[0]}; the handler raised {describe(session.error)}"
    return missed[0] if missed else None


@rule
def ends_quietly(session: Session) -> str | None:
    """The handler ends quietly when the peer leaves."""
    if session.ended == "cancelled" and not session.cancelled_by:
        return "CancelledError left the handler, which nobody had cancelled"
    return describe(session.error) if let_out(session) and session.error is not None else None


@rule
def ends(session: Session) -> str | None:
    """The handler ends when the peer leaves."""
    if session.ended == "running" or (session.ended == "cancelled" and session.cancelled_by == "server"):
        return "the handler was still running when the server had stopped; it had to be cancelled"
    return None


@rule
def heeds_cancellation(session: Session) -> str | None:
    """A handler that is cancelled while it works ends, and lets CancelledError through."""
    return _swallowed(session) if session.facts.get("interrupted") == "while it worked" else None


@rule
def heeds_every_cancellation(session: Session) -> str | None:
    """A handler that is cancelled lets CancelledError through, also while it cleans up."""
    return _swallowed(session) if session.facts.get("interrupted") else None


def _swallowed(session: Session) -> str | None:
    if session.cancelled_by == "schedule" and session.ended == "returned" and not _lost_in_a_group(session):
        return "it was cancelled and returned as if nothing had happened"
    return None


def _lost_in_a_group(session: Session) -> bool:
    """Return whether a task failed while the block of its group let go: until Python 3.12 a group raises that alone."""
    failed = (isinstance(peek_exception(task), Exception) for task in session.tasks if task.done())
    return bool(session.facts.get("in a group")) and any(failed)


@rule
def does_not_spin(session: Session) -> str | None:
    """The handler does not ask for messages again and again when there are none left."""
    return "receive() was called hundreds of times after the disconnect" if session.facts.get("spun") else None


@rule
def hears_goodbye_once(session: Session) -> str | None:
    """After websocket.disconnect nothing calls receive() again."""
    if len(session.codes) > 1:
        return f"receive() was called again and the server said websocket.disconnect {len(session.codes)} times"
    return None


@rule
def leaves_no_task(session: Session) -> str | None:
    """No task of the handler runs on when the handler has ended."""
    return f"still running: {', '.join(session.left)}" if session.left else None


@rule
def leaves_no_task_behind(session: Session) -> str | None:
    """No task runs on when the app has shut down."""
    return f"still running: {', '.join(session.left_at_shutdown)}" if session.left_at_shutdown else None


@rule
def leaves_no_thread(session: Session) -> str | None:
    """No thread of the handler runs on when the handler has ended."""
    threads: list[str] = session.facts.get("threads", [])
    if threads:
        return f"still running: {', '.join(threads)}"
    if held := session.facts.get("jobs_left"):  # several sessions are needed to say so
        return f"{EACH} thread of a pool that waits for ever: {', '.join(held)}"
    if rings := session.facts.get("rings_left"):
        return rings_for_ever(rings)
    pools: list[str] = session.facts.get("pools_left", [])  # and many for that
    return f"{EACH} pool of threads: {', '.join(pools)}" if pools else None


@rule
def hides_no_error(session: Session) -> str | None:
    """No task of the handler fails without anybody looking."""
    if session.never_retrieved:
        return f"nobody looked at the exception of: {', '.join(session.never_retrieved)}"
    return session.outside[0] if session.outside else None


@rule
def keeps_no_connection(session: Session) -> str | None:
    """A connection that is gone is not kept."""
    kept: str | None = session.facts.get("kept")  # many sessions are needed to say so
    return kept


@rule
def logs_no_error(session: Session) -> str | None:
    """The app logs no error about a peer that has left."""
    return session.logged[0].words if session.logged else None


@rule
def runs_what_it_adds(session: Session) -> str | None:
    """What is added to BackgroundTasks is run."""
    if session.unrun:
        return f"nothing runs what a WebSocket endpoint adds: {', '.join(dict.fromkeys(session.unrun))}"
    return None


@rule
def leaves_the_loop_free(session: Session) -> str | None:
    """The handler does not hold the event loop."""
    held: str | None = session.facts.get("held_for")  # several sessions are needed to say so
    return held


# ---- clients -----------------------------------------------------------------------------------------------------


@rule
def client_ends(session: Session) -> str | None:
    """The client ends, or is connected again, whatever happens to the connection."""
    if session.cancelled_by == "server":
        if (times := session.facts.get("refused", 0)) > 2:
            return f"it sends the same again and again, which the server refuses each time, {_many(times)}"
        return "it asks again and again" if session.facts.get("spun") else "it was still waiting an hour later"
    return None


def _many(times: int) -> str:
    """Say how often, so that equal clients are told the same."""
    return f"{times} times" if times < 20 else "more than 20 times"


@rule
def raises_what_is_known(session: Session) -> str | None:
    """A client that gives up says so with an exception of the connection's."""
    if session.ended == "cancelled" and not session.cancelled_by:
        return "CancelledError left the client, which nobody had cancelled"
    if session.ended == "raised" and session.error is not None:
        from websockets.exceptions import WebSocketException  # whoever judges a client has it

        known = (WebSocketException, OSError, *session.facts.get("allowed", ()))
        if not all(isinstance(error, known) for error in leaves(session.error)):
            return describe(session.error)
    return None


_SHARED = (heeds_cancellation, leaves_no_task, hides_no_error)
_OF_CLIENTS = (replace(each, sentence=each.sentence.replace("handler", "client")) for each in _SHARED)
CLIENT = (client_ends, raises_what_is_known, *_OF_CLIENTS)
"""What holds for every client, whatever it is for."""
STRICT = (
    answers_everything,
    does_not_spin,
    ends,
    ends_quietly,
    heeds_cancellation,
    leaves_no_task,
    leaves_no_thread,
    hides_no_error,
)
"""What holds for every handler, without grades: a task that ends a second after its handler breaks a rule, too."""


def _ends_quietly(session: Session) -> str | None:
    if session.error is None:
        return None
    errors = let_out(session)
    if session.ended == "cancelled":
        errors = [session.error]
    return None if all(taken_in_silence(session, error) for error in errors) else ends_quietly.test(session)


def _left_for_good(session: Session) -> str | None:
    if session.left_for_good:
        when = " when the app has shut down" if session.left_at_shutdown else ""
        return f"still running{when}: {', '.join(session.left_for_good)}"
    if files := session.facts.get("files_left"):
        return watches_for_ever(files)
    timers: list[str] = session.facts.get("timers_left", [])  # several sessions are needed to say so
    return f"{EACH} timer that is set anew for ever: {', '.join(timers)}" if timers else None


def watches_for_ever(files: Iterable[str]) -> str:
    """Say for what the files are watched of which each session leaves one more."""
    return f"{EACH} file that is watched for ever: {', '.join(files)} (add_reader)"


def rings_for_ever(names: Iterable[str]) -> str:
    """Say what the threads call of which each session leaves one more that sets the next one."""
    return f"{EACH} threading.Timer that is set anew for ever: {', '.join(names)}"


ends_quietly_graded = replace(ends_quietly, test=_ends_quietly)
"""The same, but what the server takes in silence is a remark."""
leaves_no_task_for_good = replace(
    leaves_no_task, sentence="no task of the handler runs on for ever", test=_left_for_good
)
"""The same, but a task that ends by itself, some time later, is a remark."""
_GRADED = {each.name: each for each in (ends_quietly_graded, leaves_no_task_for_good)}
GENERAL = (
    *(_GRADED.get(each.name, each) for each in STRICT),
    keeps_no_connection,
    logs_no_error,
    runs_what_it_adds,
    leaves_the_loop_free,
)
"""What holds for every handler, whatever it is for."""


ABOUT_ITS_END = frozenset({ends_quietly_graded.test, ends.test})
"""The tests of those that have nothing to say of a session that has returned."""
ABOUT_MORE = frozenset(rule.test for rule in GENERAL if rule not in (ends_quietly_graded, ends))
"""The tests of those that ask for more than how the handler ended: of most sessions there is no more to say."""


def shows_more(session: Session) -> bool:
    """Return whether one of ABOUT_MORE may have something to say of a session; if not, none has."""
    facts = session.facts
    if session.left_for_good or session.never_retrieved or session.outside or session.logged or session.unrun:
        return True
    if facts.get("unanswered") or facts.get("spun") or facts.get("threads"):
        return True
    return "interrupted" in facts or "kept" in facts or "held_for" in facts
