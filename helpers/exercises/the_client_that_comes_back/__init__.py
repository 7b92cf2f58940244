"""The exercises of lesson 08: a receiver that comes back, a sender whose messages are applied once, one with an outbox.

Each is a list of cases: the explorer breaks the connection everywhere in the first; the others are servers that refuse
a dozen times, throw out, close for good, acknowledge late or forget.
"""

from collections.abc import Callable
from functools import partial

from helpers.exercises.the_client_that_comes_back.archive import Archive, CrowdOfMeters
from helpers.exercises.the_client_that_comes_back.exercise import Case, ReturningExercise
from helpers.exercises.the_client_that_comes_back.full import FullBook
from helpers.exercises.the_client_that_comes_back.rules import (
    ONCE,
    REFUSED,
    UNDISTURBED,
    begins_anew,
    books,
    comes_at_its_own_time,
    does_not_wait_for_each,
    eases_off,
    is_back_soon,
    keeps_the_order,
    keeps_what_is_not_acknowledged,
    none_is_lost,
    none_is_twice,
    resumes,
    returns_when_acknowledged,
    returns_when_done,
    stays_away,
    stops,
)
from helpers.exercises.the_client_that_comes_back.servers import (
    CLIENTS,
    REFUSALS,
    STRANGE,
    Book,
    Crowd,
    CrowdOfPayers,
    Feed,
    Scripted,
)
from helpers.props.station import for_good
from helpers.props.storm import full_jitter

__all__ = ["ONCE", "books", "ex1", "ex2", "ex3", "for_good", "full_jitter"]

LESSON = "08-the-client-that-comes-back"
DARK = "upstream/reset@frame#0x9999"
SILENT = "downstream/silence@frame#3"
UNANSWERED = "downstream/silence@frame#0"
UNGREETED = "downstream/silence@frame#1"
MANY = 4_000  # in the time that the exercise gives ten thousand, so many have their part
MORE_NEWS = tuple(f"news {number + 1}" for number in range(12))


def _undisturbed(words: str, make: Callable[..., Scripted], *given: object, **script: object) -> Case:
    return Case(words, partial(make, *given, **script), (UNDISTURBED,))


def _thrown_out(make: Callable[..., Scripted], quiet: int = 1000) -> list[Case]:
    return [
        _undisturbed(f"the server throws it out with {code}", make, thrown_out=REFUSALS, code=code)
        for code in (1011, quiet, 3000)
    ]


def _hard_times(make: Callable[..., Scripted], *given: object) -> Case:
    words = "the server throws it out, then loses it after each `ack`"
    return _undisturbed(words, make, *given, thrown_out=REFUSALS, closes=1012)


def _absent(make: Callable[..., Scripted]) -> Case:
    return _undisturbed("nobody listens at the server's port for twenty seconds", make, absent=20)


def _for_good(make: Callable[..., Scripted], *codes: int) -> list[Case]:
    return [_undisturbed(f"the server closes with {code}", make, for_good=code) for code in codes]


ex1 = ReturningExercise(
    lesson=LESSON,
    number=1,
    title="Come back",
    kind="handler",
    parameters=("url", "inbox"),
    cases=(
        Case("four pieces of news", Feed),
        Case("the server refuses", Feed, (REFUSED,)),
        *_thrown_out(Feed, 1001),
        _absent(Feed),
        _undisturbed("all kinds of news", Feed, STRANGE),
        _undisturbed("all kinds of news, and the server closes with 1012 after each", Feed, STRANGE[:12], closes=1012),
        _undisturbed(
            "the server throws it out, then loses it after each piece of news",
            Feed,
            MORE_NEWS,
            thrown_out=REFUSALS,
            closes=1012,
        ),
        *_for_good(Feed, 1003, 1008, 1009, 4001, 4999),
        *(
            _undisturbed(f"the server closes with {code} after each piece of news", Feed, closes=code)
            for code in (1001, 1005, 1011, 1012, 1013)
        ),
        _undisturbed(f"{CLIENTS} clients, one server", Crowd),
    ),
    rules=(
        none_is_lost,
        none_is_twice,
        keeps_the_order,
        stays_away,
        is_back_soon,
        eases_off,
        begins_anew,
        comes_at_its_own_time,
    ),
    hints=(
        "`len(inbox)` is how many you have: say it on each connection. And who goes silent is found by a ping: "
        "`connect(url, ping_interval=10, ping_timeout=10, close_timeout=1)`.",
        "`async for news in websocket` ends without an exception for 1000, and for 1001 and 1005 too. Look at "
        "`websocket.close_code`: only 1000 is the end.",
        "Keep `pauses = full_jitter()` outside the loop, and take the next one before you go round; after good news "
        "begin anew. `reconnect_delays=full_jitter` is for attempts that get no connection.",
    ),
    why="The close code decides whether it comes back, and the pauses grow until there is news.",
    helps={
        none_is_twice: 1,
        is_back_soon: 1,
        none_is_lost: 2,
        stays_away: 2,
        eases_off: 3,
        begins_anew: 3,
        comes_at_its_own_time: 3,
    },
)

ex2 = ReturningExercise(
    lesson=LESSON,
    number=2,
    title="Pay once",
    kind="handler",
    parameters=("url", "messages"),
    cases=(
        Case("four payments", Book),
        _undisturbed("no payment at all", Book, 0),
        *_thrown_out(Book),
        _absent(Book),
        _hard_times(Book, 2 * REFUSALS),
        Case("all kinds of payments", partial(Book, 0, texts=STRANGE), (UNDISTURBED, "upstream/reset@frame#9")),
        Case(f"{CLIENTS} clients, one server", CrowdOfPayers, (UNDISTURBED,)),
        *_for_good(Book, 1008, 1009, 4001),
        _undisturbed("the server reads nothing, and your client is cancelled while the wire is full", FullBook),
        _undisturbed("a hundred payments", Book, 100),
        *(
            Case(f"{MANY:,} payments", partial(Book, MANY), (schedule,), long=True)
            for schedule in (UNDISTURBED, "upstream/reset@frame#1500.insidex2")
        ),
    ),
    rules=(
        none_is_lost,
        none_is_twice,
        keeps_the_order,
        returns_when_acknowledged,
        resumes,
        does_not_wait_for_each,
        stays_away,
        is_back_soon,
        eases_off,
        begins_anew,
        comes_at_its_own_time,
    ),
    hints=(
        "Writing does not wait for reading. Easiest: a task writes, and your loop reads `have` and `ack`.",
        "`have` says where the writer begins. It is done when it has sent all; you are done when the last one is "
        "acknowledged, and that may be on a later connection.",
        "Cancel the writer in a `finally`, and wait for it: `await asyncio.gather(writing, return_exceptions=True)`. "
        "An `ack` is good news, after which the pauses begin anew; a `have` is none.",
    ),
    why="What the server says that it has is true: the client sends what comes after that, and "
    "is done when that is all.",
    helps={
        does_not_wait_for_each: 1,
        none_is_lost: 2,
        none_is_twice: 2,
        resumes: 2,
        returns_when_acknowledged: 2,
        eases_off: 3,
    },
)

ex3 = ReturningExercise(
    lesson=LESSON,
    number=3,
    title="Survive the restart",
    kind="handler",
    parameters=("url", "outbox", "stop"),
    cases=(
        Case("four readings", Archive),
        Case("the server is away", partial(Archive, 60), (REFUSED,)),
        *_thrown_out(Archive),
        _absent(Archive),
        _hard_times(Archive, REFUSALS),
        _undisturbed(f"{CLIENTS} clients, one server", CrowdOfMeters),
        Case("told to stop, and the wire is silent", partial(Archive, stop_at=5.5), (SILENT,)),
        Case("all kinds of readings", partial(Archive, 0, texts=STRANGE), (UNDISTURBED, "upstream/reset@frame#9")),
        _undisturbed("no reading at all", Archive, 0),
        Case("told to stop, and nobody answers the handshake", partial(Archive, stop_at=5.5), (UNANSWERED,)),
        Case("told to stop, and nobody says `have`", partial(Archive, stop_at=5.5), (UNGREETED,)),
        Case("told to stop, and the server is away", partial(Archive, stop_at=100.5), (DARK,)),
        _undisturbed("told to stop, and thrown out again and again", Archive, stop_at=100.5, thrown_out=REFUSALS * 2),
        _undisturbed("told to stop on a connection on which all is well", Archive, stop_at=100.5),
        *_for_good(Archive, 1008, 1009, 4001),
        Case(
            "the outbox is closed ten seconds after the last reading",
            partial(Archive, later=10),
            (UNDISTURBED, "downstream/close@frame#4", "upstream/reset@frame#4"),
        ),
        _undisturbed("the outbox is closed five minutes after the last reading", Archive, later=300),
    ),
    rules=(
        none_is_lost,
        none_is_twice,
        keeps_the_order,
        returns_when_acknowledged,
        resumes,
        keeps_what_is_not_acknowledged,
        stops,
        stays_away,
        is_back_soon,
        eases_off,
        begins_anew,
        comes_at_its_own_time,
        returns_when_done,
    ),
    hints=(
        "Exercise 2's shape fits: `outbox.after(known)` in place of the list. The writer waits in it for more.",
        "`outbox.acknowledge(n)` forgets. Call it only with what an `ack` or a `have` says.",
        "Run the whole loop as a task beside `stop.wait()`. Whichever is first, cancel the other, wait for both, and "
        "then ask the loop's task for its `result()`.",
        "Nobody says a word when the outbox is closed long after the last `ack`. But `outbox.after(…)` ends then, and "
        "so does the writer's loop: if the outbox is done there, close the connection.",
    ),
    why="The outbox forgets only what the server has acknowledged, and the wish to stop reaches "
    "the client wherever it waits.",
    helps={none_is_lost: 1, none_is_twice: 1, keeps_what_is_not_acknowledged: 2, stops: 3, returns_when_done: 4},
)
