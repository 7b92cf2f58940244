"""The life of a WebSocket connection as its app knows it: a table of states, and the picture that is drawn from it.

`TABLE` holds every step that the ASGI specification knows (www.rst, section WebSocket): state, event, next state.
An event is a message that the app receives or sends, or `send raises`. Only the places of the boxes are set by hand;
arrows and labels come from the table, as h11 draws its states. `states(session)` marks the way that a run took.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from html import escape

from hangup.record.recorder import Session
from hangup.trace.events import Event
from hangup.trace.picture import BLUE, CHARACTER, FONT, GREEN, INK, LINE, MUTED, PAPER, RED, RULE, columns, figure
from hangup.trace.trace import Trace


class State(StrEnum):
    """What an app knows of its connection. What the peer does meanwhile is another matter."""

    START = "START"
    CONNECTING = "CONNECTING"
    REFUSED = "REFUSED"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    DISCONNECTED = "DISCONNECTED"


TABLE: Mapping[State, Mapping[str, State]] = {
    State.START: {"websocket.connect": State.CONNECTING},
    State.CONNECTING: {
        "websocket.accept": State.OPEN,
        "websocket.close": State.REFUSED,  # "must close the connection with a HTTP 403 error code" (Close)
        "websocket.disconnect": State.DISCONNECTED,
    },
    State.REFUSED: {"websocket.disconnect": State.DISCONNECTED},
    State.OPEN: {
        "websocket.receive": State.OPEN,
        "websocket.send": State.OPEN,
        "websocket.close": State.CLOSING,
        "send raises": State.CLOSING,  # "erroring slightly before you receive this event" (Disconnect)
        "websocket.disconnect": State.DISCONNECTED,
    },
    State.CLOSING: {"send raises": State.CLOSING, "websocket.disconnect": State.DISCONNECTED},
    # "you should expect future calls to send() to raise an exception" (Disconnect); of receive() nothing is said
    State.DISCONNECTED: {"send raises": State.DISCONNECTED},
}
ENDS = frozenset({"returns", "raises", "is cancelled"})


@dataclass(frozen=True)
class Step:
    """One event in one state; `to` is None where the table has no such step. `detail` is a code, or an exception."""

    state: State
    event: str
    detail: str = ""
    to: State | None = None

    @property
    def label(self) -> str:
        """Event and detail on one line."""
        return f"{self.event} {self.detail}".rstrip()


def follow(events: Iterable[Event]) -> tuple[Step, ...]:
    """Return the steps of one session's app through the table; one that is not in it leaves the state as it is."""
    steps: list[Step] = []
    for event in _calls(events):
        state = (steps[-1].to or steps[-1].state) if steps else State.START
        step = Step(state, event.action, _detail(event))
        steps.append(replace(step, to=TABLE[state].get(step.event)))
    return tuple(steps)


def _calls(events: Iterable[Event]) -> list[Event]:
    """Return the messages between app and server; in the place of one that was refused stands its `send raises`."""
    calls: list[Event] = []
    for event in events:
        if event.action == "send raises":
            sent = next((n for n in reversed(range(len(calls))) if calls[n].actor == event.actor), len(calls))
            calls[sent : sent + 1] = [event]
        elif event.action.startswith("websocket."):
            calls.append(event)
    return calls


def _detail(event: Event) -> str:
    """Return the close code of a message, or what a send raised."""
    if event.action == "send raises":
        return event.detail.partition(":")[0]
    return next((word.removeprefix("code=") for word in event.detail.split() if word.startswith("code=")), "")


@dataclass(frozen=True)
class Path:
    """The way of one app through the states; `end` says what became of the app. Without steps, the whole map."""

    steps: tuple[Step, ...] = ()
    end: str = ""

    @property
    def state(self) -> State:
        """The state in which the app is at the end."""
        last = self.steps[-1] if self.steps else Step(State.START, "")
        return last.to or last.state

    @property
    def unknown(self) -> tuple[Step, ...]:
        """The steps that the table does not know."""
        return tuple(step for step in self.steps if step.to is None)

    def __str__(self) -> str:
        """Return the path, or the whole table, as aligned text; equal steps are counted."""
        every = [Step(state, event, "", to) for state, row in TABLE.items() for event, to in row.items()]
        counted = Counter(self.steps or every)
        labels = {step: step.label + (f" ×{n}" if n > 1 else "") for step, n in counted.items()}
        wide = max(len(label) for label in labels.values())
        lines = [
            f"{step.state:12}  {label:{wide}}  {f'→ {step.to}' if step.to else '✗ not in the table'}"
            for step, label in labels.items()
        ]
        return "\n".join([*lines, *([self.end] if self.end else [])])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        alt = f"States of a connection; this run ends in {self.state}." if self.steps else "States of a connection."
        return {"text/html": figure(svg(self), alt, str(self)), "text/plain": str(self)}


def states(run: Session | Trace | None = None) -> Path:
    """Return the map of states; with a Session, or a Trace of a single one, the way that its app took is marked.

    The last line of a cell shows it as a picture. Raises ValueError for a trace of several connections.
    """
    if run is None:
        return Path()
    trace = run.trace if isinstance(run, Session) else run
    apps = {name.partition(" · ")[0] for name in trace.lifelines if name.startswith("app")}
    if len(apps) > 1 and not isinstance(run, Session):
        raise ValueError(f"This trace has {len(apps)} connections: take one of them, such as url.sessions[0].")
    own = {run.app} if isinstance(run, Session) and len(apps) > 1 else apps
    mine = [e for e in trace.events if {name.partition(" · ")[0] for name in (e.actor, e.to)} & own]
    ends = [e for e in mine if e.action in ENDS and " · " not in e.actor]
    return Path(follow(mine), f"the app {ends[0].label}" if ends else "")


# ---- the picture -----------------------------------------------------------------------------------------------------

PLACES: Mapping[State, tuple[float, float]] = {
    State.START: (258, 24),
    State.CONNECTING: (258, 78),
    State.REFUSED: (562, 78),
    State.OPEN: (258, 168),
    State.CLOSING: (562, 168),
    State.DISCONNECTED: (258, 258),
}
"""The middle of each box, in px."""
WIDTH, HEIGHT = 772, 306
HALF, TALL = 56.0, 14.0
LANES = {PLACES[State.OPEN][0]: 18.0, PLACES[State.CLOSING][0]: 754.0}
"""For each column the x at which an arrow passes by the boxes in its way."""


def svg(path: Path) -> str:
    """Return the map as an SVG document: steps that were taken in colour, the others in grey."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, row in TABLE.items():
        for event, to in row.items():
            arrows.setdefault((state, to), []).append(event)
    drawn = sorted(arrows, key=lambda ends: any((step.state, step.to) == ends for step in path.steps))
    shapes = [shape for ends in drawn for shape in _arrow(path, *ends, arrows[ends])]
    shapes += [_box(path, state) for state in State]
    notes = _notes(path)
    shapes += [_text(text, 16, HEIGHT + LINE * n, colour) for n, (text, colour) in enumerate(notes)]
    height = f"{HEIGHT + LINE * len(notes) + 8 * bool(notes):.0f}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}">',
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{int(height) - 1}" rx="8" fill="{PAPER}" '
            f'stroke="{RULE}"/>',
            f'<g font-family="{FONT}" font-size="12" stroke-linecap="round">',
            *shapes,
            "</g></svg>",
        ]
    )


def _notes(path: Path) -> list[tuple[str, str]]:
    """Return what stands below the map, each line with its colour."""
    if not path.steps:
        return []
    unknown = Counter(path.unknown).items()
    lines = [(f"✗ {step.label}{_times(n)} in {step.state}: not in the table", RED) for step, n in unknown]
    return [*lines, (f"In the end: {path.state}" + (f", and {path.end}" if path.end else ""), INK)]


def _times(count: int) -> str:
    return f" ×{count}" if count > 1 else ""


def _arrow(path: Path, state: State, to: State, events: Sequence[str]) -> list[str]:
    """Draw the arrow between two states, and beside it the events that lead along it."""
    taken = Counter(step for step in path.steps if (step.state, step.to) == (state, to))
    labels = []
    for event in events:
        mine = {step: n for step, n in taken.items() if step.event == event}
        words = " ".join([event, *(step.detail for step in mine if step.detail)]) + _times(sum(mine.values()))
        labels.append((words, BLUE if mine else MUTED if path.steps else INK))
    line, tip, places = _route(state, to, [columns(words) * CHARACTER for words, _ in labels])
    colour = BLUE if taken else RULE if path.steps else INK
    return [
        f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="{2 if taken else 1.2}"/>',
        f'<path d="{tip}" fill="{colour}"/>',
        *(_text(words, x, y, shade, bold=shade == BLUE) for (words, shade), (x, y) in zip(labels, places, strict=True)),
    ]


Route = tuple[str, str, list[tuple[float, float]]]
"""A line, its tip, and the top left corner of each label."""


def _route(state: State, to: State, widths: Sequence[float]) -> Route:
    """Return the way of an arrow whose labels are so wide, in px."""
    (x, y), (u, v) = PLACES[state], PLACES[to]
    if state == to:
        return _loop(x, y, widths, left=state == State.OPEN)
    if y == v:
        line = f"M{x + HALF:.0f} {y:.0f}H{u - HALF - 6:.0f}"
        return line, _tip(u - HALF, v, -1), [(x + HALF + 12, y - 19 + 21 * n) for n in range(len(widths))]
    if v - y > 100:
        return _around(x, y, u, v, widths[0])
    top, right = y + (5 if state == State.START else TALL), x != u
    line = f"M{x:.0f} {top:.0f}V" + (f"{v - 6:.0f}H{u + HALF + 6:.0f}" if right else f"{v - TALL - 6:.0f}")
    tip = _tip(u + HALF, v - 6, 1) if right else f"M{x:.0f} {v - TALL:.0f}l-4 -7h8z"
    return line, tip, [(x + 8, (top + v - TALL) / 2 - LINE / 2 - 2)]


def _tip(x: float, y: float, side: int) -> str:
    """Return the tip of an arrow that ends at (x, y) and comes from the left (-1) or the right (1)."""
    return f"M{x:.0f} {y:.0f}l{7 * side} -4v8z"


def _loop(x: float, y: float, widths: Sequence[float], *, left: bool) -> Route:
    """Lead an arrow back to its box, on its left or its right; from the last state, below it."""
    if (x, y) == PLACES[State.DISCONNECTED]:
        line = f"M{x - 7:.0f} {y + TALL:.0f}v9a7 7 0 0 0 14 0v-3"
        return line, f"M{x + 7:.0f} {y + TALL:.0f}l-4 7h8z", [(x + 20, y + TALL + 4)]
    side = -1 if left else 1
    edge = x + HALF * side
    line = f"M{edge:.0f} {y - 7:.0f}h{12 * side}a7 7 0 0 {int(not left)} 0 14h{-6 * side}"
    places = [
        (edge - 28 - wide if left else edge + 28, y - LINE * (len(widths) / 2 - n)) for n, wide in enumerate(widths)
    ]
    return line, _tip(edge, y + 7, side), places


def _around(x: float, y: float, u: float, v: float, wide: float) -> Route:
    """Lead an arrow past the boxes that stand in its way."""
    lane, side = LANES[x], 1 if x > PLACES[State.OPEN][0] else -1
    end = v + 6 if side == 1 else v
    line = f"M{x + HALF * side:.0f} {y:.0f}H{lane:.0f}V{end:.0f}H{u + (HALF + 6) * side:.0f}"
    return line, _tip(u + HALF * side, end, side), [(lane - 8 - wide, y + 30) if side == 1 else (lane + 8, v - 30)]


def _box(path: Path, state: State) -> str:
    """Draw a state: where the path was in colour, where it ended filled."""
    x, y = PLACES[state]
    visited = {step.state for step in path.steps} | {step.to for step in path.steps}
    colour = GREEN if state in visited else MUTED if path.steps else INK
    if state == State.START:
        return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="5" fill="{colour}"/>'
    last = bool(path.steps) and state == path.state
    rect = f'x="{x - HALF:.0f}" y="{y - TALL:.0f}" width="{2 * HALF:.0f}" height="{2 * TALL:.0f}" rx="5"'
    return (
        f'<rect {rect} fill="{PAPER}"/><rect {rect} fill="{colour}" fill-opacity="{0.22 if last else 0.06}" '
        f'stroke="{colour}" stroke-width="{2 if last else 1}"/>'
        + _text(state.value, x - len(state) * CHARACTER / 2, y - LINE / 2, colour, bold=True, halo=False)
    )


def _text(text: str, x: float, y: float, colour: str, *, bold: bool = False, halo: bool = True) -> str:
    """Draw a line of text whose box begins at (x, y), in px; its halo of paper keeps lines away."""
    weight = ' font-weight="600"' * bold + f' stroke="{PAPER}" stroke-width="4" paint-order="stroke"' * halo
    return (
        f'<text x="{x:.1f}" y="{y + 12:.1f}" fill="{colour}"{weight} textLength="{columns(text) * CHARACTER:.1f}" '
        f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(text)}</text>'
    )
