"""The picture of a trace: every label in its own place on the card, whatever it says."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from hangup.trace.events import Event
from hangup.trace.picture import Label, figure, layout, svg
from hangup.trace.trace import Trace

SAY = [
    "hello",
    "\"quotes\" and 'quotes'",
    "<script>alert(1)</script>",
    "a;b#c&d]]>",
    "two\nlines\x00\x1b",
    "emoji 🧵🏽 and 漢字 and é",
    "x" * 10_000,
    "",
]


def busy(said: str) -> Trace:
    """Return a trace with two connections, a task, a cut, notes on every lifeline and one text everywhere."""
    trace = Trace(server="uvicorn-websockets")
    trace.peer(1), trace.peer(2)
    for event in (
        Event("client a", "GET", said, "server"),
        Event("client b", "GET", "/", "server"),
        Event("server", "websocket.connect", said, "app a"),
        Event("server", "websocket.connect", "", "app b"),
        Event("app a", "create_task", "", "app a · #1"),
        Event("app a · #1", "websocket.send", said, "server"),
        Event("client a", "note", said),
        Event("server", "logs", said),
        Event("app b", "raises", said),
        Event("app a · #1", "still running", said),
        Event("client b", "TCP RST", "", "server"),
        Event("server", "TCP FIN", "", "client a"),
    ):
        trace.record(event)
    for _ in range(20):
        trace.record(Event("client a", "text", said, "server"))
    return trace


def overlap(one: Label, other: Label) -> bool:
    apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not apart_x and not apart_y


@pytest.mark.parametrize("said", SAY, ids=range(len(SAY)))
def test_no_label_overlaps_another_or_leaves_the_card(said):
    drawn = layout(busy(said).run)
    labels = [label for label in drawn.labels if label.text]
    assert len(labels) >= 20
    assert [(a.text, b.text) for a, b in itertools.combinations(labels, 2) if overlap(a, b)] == []
    outside = [
        label.text
        for label in labels
        if label.x < 0 or label.y < 0 or label.x + label.width > drawn.width or label.y + label.height > drawn.height
    ]
    assert outside == []


@pytest.mark.parametrize("said", SAY, ids=range(len(SAY)))
def test_the_picture_is_well_formed_and_every_text_keeps_to_its_box(said):
    root = ET.fromstring(svg(busy(said).run))
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert len(texts) >= 20
    assert all(float(text.attrib["textLength"]) > 0 for text in texts)


def test_headers_that_are_wider_than_their_messages_do_not_touch():
    trace = Trace(server="a-server-with-a-very-long-name-indeed")
    trace.peer(1)
    trace.record(Event("client a", "GET", "/", "server"))
    trace.record(Event("server", "text", "", "app a"))
    labels = layout(trace.run).labels
    assert [(a.text, b.text) for a, b in itertools.combinations(labels, 2) if overlap(a, b)] == []


def test_the_alternative_text_names_what_broke():
    page = busy("no")._repr_mimebundle_()["text/html"]
    assert 'alt="Sequence diagram with 6 lifelines and 15 rows. It breaks here: app b: ✗ raises no."' in page


def test_html_in_a_message_is_text():
    page = busy("<script>alert(1)</script>")._repr_mimebundle_()["text/html"]
    assert "<script>" not in page


def test_a_picture_keeps_its_size_in_a_narrow_window():
    shown = figure("<svg/>", 'two "lifelines"', "a < b")
    assert shown == (
        '<div style="overflow-x:auto"><img alt="two &quot;lifelines&quot;" style="max-width:none" '
        'src="data:image/svg+xml;base64,PHN2Zy8+"></div>'
        "<details><summary>as text</summary><pre>a &lt; b</pre></details>"
    )
