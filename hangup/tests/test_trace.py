"""Order, folding, text and Mermaid of a Trace."""

import random

import pytest

from hangup.trace.events import LONGEST_DETAIL, LONGEST_NOTE, Event, fold, one_line
from hangup.trace.trace import Trace


def conversation(order: list[int]) -> Trace:
    """Return a trace of one echo, whose six events were recorded in the given order (causes before effects)."""
    steps = [
        (Event("client a", "text", "'hi'", "server"), ("client a",), (), "a.up.1", (2, "a")),
        (Event("server", "websocket.receive", "text='hi'", "app a"), ("session a",), ("a.up.1",), "", (0, "a")),
        (Event("app a", "websocket.send", "text='hi'", "server"), ("session a",), (), "a.down.1", (0, "a")),
        (Event("server", "text", "'hi'", "client a"), ("client a",), ("a.down.1",), "", (-1, "a")),
        (Event("app a", "note", "still here"), ("session a",), (), "", (0, "a")),
        (Event("client b", "text", "'other'", "server"), ("client b",), (), "b.up.1", (2, "b")),
    ]
    trace = Trace()
    trace.peer(1), trace.peer(2)
    for number in order:
        event, chains, needs, gives, rank = steps[number]
        trace.record(event, chains=chains, needs=needs, gives=gives, rank=rank)
    return trace


def possible_orders() -> list[list[int]]:
    orders = []
    for seed in range(200):
        order = list(range(6))
        random.Random(seed).shuffle(order)
        place = order.index
        if place(0) < place(1) < place(2) < place(3) and place(2) < place(4):
            orders.append(order)
    return orders


def test_equal_runs_are_equal_traces_in_whatever_order_they_were_recorded():
    orders = possible_orders()
    assert len({tuple(order) for order in orders}) > 2
    first = conversation(orders[0])
    for order in orders[1:]:
        other = conversation(order)
        assert other == first
        assert str(other) == str(first)
        assert other._repr_mimebundle_() == first._repr_mimebundle_()


def test_a_cause_comes_before_its_effect_and_what_arrives_is_shown_at_once():
    trace = conversation(possible_orders()[0])
    assert [event.action for event in trace if "b" not in event.actor] == [
        "text",
        "websocket.receive",
        "websocket.send",
        "text",
        "note",
    ]


def test_traces_of_different_runs_differ():
    trace, other = Trace(), Trace()
    trace.note("client", "one")
    other.note("client", "two")
    assert trace != other
    assert trace != "a string"


def test_one_connection_needs_no_letter_and_two_do():
    alone, pair = Trace(), Trace()
    for trace, peers in ((alone, 1), (pair, 2)):
        for number in range(peers):
            letter = trace.peer(number)
            trace.record(Event(f"client {letter}", "close", "1000", "server"))
    assert alone.lifelines == ("client", "server")
    assert pair.lifelines == ("client a", "client b", "server")


def test_the_28th_connection_has_two_letters():
    trace = Trace()
    assert [trace.peer(number) for number in range(28)][-2:] == ["aa", "ab"]


def test_a_task_that_did_nothing_is_left_out():
    trace = Trace()
    for line in ("app a · #1", "app a · #2"):
        trace.record(Event("app a", "create_task", "", line))
    trace.rename("app a · #2", "app a · listener")
    trace.record(Event("app a · #1", "returns"))
    trace.record(Event("app a · #2", "raises", "ValueError: no"))
    assert trace.lifelines == ("app", "app · listener")
    assert [event.action for event in trace] == ["create_task", "raises"]


def test_two_tasks_of_one_name_are_numbered():
    trace = Trace()
    assert [trace.rename(f"app a · #{n}", "app a · reader") for n in (1, 2)] == ["app a · reader", "app a · reader 2"]


def repeated(times: int) -> list[Event]:
    block = [Event("client", "text", "'x'", "server"), Event("server", "websocket.receive", "text='x'", "app")]
    return [Event("client", "GET", "/", "server"), *block * times, Event("client", "close", "1000", "server")]


def test_a_long_run_keeps_the_first_and_the_last_block():
    folded = fold(repeated(1000))
    assert [e.action or e.folded for e in folded if not e.folded] == [
        "GET",
        "text",
        "websocket.receive",
        "text",
        "websocket.receive",
        "close",
    ]
    assert [str(e) for e in folded if e.folded] == ["… 998 more"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_short_run_is_not_folded(times):
    assert fold(repeated(times)) == repeated(times)


def test_text_is_aligned_and_marks_what_broke():
    trace = Trace(server="uvicorn")
    trace.peer(1)
    trace.record(Event("server", "websocket.disconnect", "code=1005", "app a"))
    trace.record(Event("app a", "raises", "RuntimeError: no"))
    assert str(trace) == "uvicorn → app   websocket.disconnect code=1005\napp           ✗ raises RuntimeError: no"


def test_an_empty_trace_says_so():
    assert str(Trace()) == "(nothing happened)"
    assert "nothing happened" in Trace()._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\r\x00", r"two\nlines\r\x00"),
        ("\ud800", r"\ud800"),
        ("bidi \u202e", r"bidi \u202e"),
        ("quotes \"'<>;#&", "quotes \"'<>;#&"),
        ("emoji 🧵", "emoji 🧵"),
    ],
)
def test_details_are_one_printable_line(text, shown):
    assert one_line(text) == shown


def test_details_are_cut():
    trace = Trace()
    trace.record(Event("client a", "text", "x" * 10_000, "server"))
    trace.record(Event("client a", "raises", "y\n" * 10_000))
    message, note = trace.events
    assert len(message.detail) == LONGEST_DETAIL
    assert len(note.detail) <= LONGEST_NOTE
    assert message.detail.endswith("…")
    assert note.detail.endswith("…")


def test_mermaid_escapes_its_own_syntax():
    trace = Trace(server="uvicorn")
    trace.peer(1)
    trace.record(Event("client a", "text", "'a;b#c<d>\"e'", "server"))
    trace.record(Event("client a", "TCP RST", "", "server"))
    trace.record(Event("app a", "raises", "RuntimeError: no; really"))
    assert trace.mermaid().splitlines() == [
        "sequenceDiagram",
        "    participant p0 as client",
        "    participant p1 as uvicorn",
        "    participant p2 as app",
        "    p0->>p1: text 'a#59;b#35;c#60;d#62;#34;e'",
        "    p0-xp1: TCP RST",
        "    Note over p2: ✗ raises RuntimeError#58; no#59; really",
    ]


def test_mermaid_folds_too():
    trace = Trace()
    for event in repeated(50):
        trace.record(event)
    assert "    Note over p0,p1: … 48 more" in trace.mermaid().splitlines()
