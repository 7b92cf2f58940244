"""The table of states, the way of a run through it, and the picture that is drawn from it."""

import asyncio
import re
from xml.etree import ElementTree

import pytest

from hangup import Trace, connect, replay, run, serve
from hangup.trace.events import Event
from hangup.trace.picture import BLUE, CHARACTER, LINE, RED
from helpers.props.states import HALF, PLACES, TABLE, TALL, WIDTH, Path, State, Step, follow, states, svg


async def reads_on(scope, receive, send):
    """Echoes, and after the disconnect receives and sends once more."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    await receive()
    await send({"type": "websocket.send", "text": "late"})


async def only_sends(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "text": "tick"})
        await asyncio.sleep(1)


async def closes(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4000})
    await receive()


async def refuses(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})
    await receive()


def test_every_state_can_be_reached_and_left_for_disconnected():
    """No state but START has no way in, and from everywhere a way leads to DISCONNECTED."""
    arrived = {to for row in TABLE.values() for to in row.values()}
    assert arrived == set(State) - {State.START}
    reach = {State.DISCONNECTED}
    for _ in State:
        reach |= {state for state, row in TABLE.items() if set(row.values()) & reach}
    assert reach == set(State) == set(TABLE) == set(PLACES)


def test_a_run_takes_its_way_through_the_table():
    session = asyncio.run(run(reads_on, server="granian"))
    path = states(session)
    assert [(step.state, step.label) for step in path.steps] == [
        (State.START, "websocket.connect"),
        (State.CONNECTING, "websocket.accept"),
        (State.OPEN, "websocket.receive"),
        (State.OPEN, "websocket.send"),
        (State.OPEN, "websocket.disconnect 1001"),
        (State.DISCONNECTED, "websocket.disconnect 1005"),
        (State.DISCONNECTED, "websocket.send"),
    ]
    assert [step.to for step in path.steps[-2:]] == [None, None] == [step.to for step in path.unknown]
    assert (path.state, path.end) == (State.DISCONNECTED, "the app returns")
    assert str(path).splitlines()[-2:] == [
        "DISCONNECTED  websocket.send             ✗ not in the table",
        "the app returns",
    ]
    assert str(path) == str(states(session.trace))


@pytest.mark.parametrize(
    ("app", "schedule", "way"),
    [
        (closes, "uvicorn/close@end", [State.CONNECTING, State.OPEN, State.CLOSING, State.DISCONNECTED]),
        (refuses, "hypercorn/close@end", [State.CONNECTING, State.REFUSED, State.DISCONNECTED]),
        (only_sends, "uvicorn/reset@send#3", [State.CONNECTING, State.OPEN, State.OPEN, State.CLOSING]),
        (only_sends, "granian/reset@send#2", [State.CONNECTING, State.OPEN, State.OPEN, State.OPEN]),
    ],
)
def test_ways_that_end_elsewhere(app, schedule, way):
    """The app's own close, a refusal, a send that raises (and counts once), and one that says nothing."""
    path = states(replay(app, schedule, []))
    assert [step.to for step in path.steps][: len(way)] == way
    assert not path.unknown


def test_a_send_that_raises_takes_the_place_of_its_own_message():
    """While one task's send is on its way, another task may send; each refusal goes to its own."""
    app, task = "app", "app · ticker"
    events = [
        Event("server", "websocket.connect", "", app),
        Event(app, "websocket.accept", "", "server"),
        Event(task, "websocket.send", "text='tick'", "server"),
        Event(app, "websocket.close", "code=1000", "server"),
        Event(task, "send raises", "ClientDisconnected: the words"),
    ]
    assert follow(events)[2:] == (
        Step(State.OPEN, "send raises", "ClientDisconnected", State.CLOSING),
        Step(State.CLOSING, "websocket.close", "1000", None),
    )


def test_one_of_two_connections():
    """Each session of a server has its own way; the trace of both has none."""

    async def work() -> tuple[list[Path], Trace]:
        async with serve(reads_on) as url:
            async with connect(url) as first, connect(url) as second:
                await first.send("hello")
                await first.recv()
                await second.close(1001)
        return [states(session) for session in url.sessions], url.trace

    paths, trace = asyncio.run(work())
    assert [len(path.steps) for path in paths] == [7, 5]
    with pytest.raises(ValueError, match="This trace has 2 connections"):
        states(trace)


def test_the_map_shows_every_row_of_the_table_and_a_path_only_marks_some():
    """An event is on the map as often as the table has it, one that was taken is blue, an unknown one is red."""
    count = sum(len(row) for row in TABLE.values())
    texts = [e for e in ElementTree.fromstring(svg(states())).iter() if e.tag.endswith("text")]
    assert sum(bool(re.match(r"websocket\.|send raises", e.text or "")) for e in texts) == count
    assert len(str(states()).splitlines()) == count
    path = states(asyncio.run(run(reads_on, server="hypercorn")))
    drawn = list(ElementTree.fromstring(svg(Path((*path.steps, Step(State.DISCONNECTED, "websocket.send"))))).iter())
    coloured = {e.text for e in drawn if e.get("fill") == BLUE and e.tag.endswith("text")}
    assert coloured == {
        "websocket.connect",
        "websocket.accept",
        "websocket.receive",
        "websocket.send",
        "websocket.disconnect 1006",
    }
    assert [e.text for e in drawn if e.get("fill") == RED] == ["✗ websocket.send in DISCONNECTED: not in the table"]


def test_no_two_labels_and_no_label_and_box_overlap():
    """With a code and a count on every arrow, nothing covers anything and all is on the card."""
    full = [Step(state, event, "1006", to) for state, row in TABLE.items() for event, to in row.items()]
    drawn = ElementTree.fromstring(svg(Path(tuple(full))))
    texts = [e for e in drawn.iter() if e.tag.endswith("text")]
    names = {state.value for state in State}
    boxes = [
        (float(e.get("x", 0)), float(e.get("y", 0)) - 12, float(e.get("textLength", 0)), LINE)
        for e in texts
        if e.text not in names
    ]
    boxes += [(x - HALF, y - TALL, 2 * HALF, 2 * TALL) for s, (x, y) in PLACES.items() if s != State.START]
    assert all(x >= 0 and x + wide <= WIDTH for x, _, wide, _ in boxes)
    for number, (x, y, wide, tall) in enumerate(boxes):
        for u, v, width, height in boxes[:number]:
            apart = x >= u + width or u >= x + wide or y + 4 >= v + height or v + 4 >= y + tall
            assert apart, (x, y, u, v)


def test_a_notebook_shows_an_image_and_the_text():
    bundle = states()._repr_mimebundle_()
    assert '<img alt="States of a connection." style="max-width:none"' in bundle["text/html"]
    assert bundle["text/plain"] == str(states())
    assert CHARACTER * 12 < 2 * HALF  # the longest name fits its box
