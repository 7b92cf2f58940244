"""A run as a sequence diagram: SVG of our own, in an `<img>`, the one form that every notebook viewer shows.

First `layout` gives every label a box, with column widths computed from the labels; then `svg` draws the boxes.
Text is monospaced and every `<text>` carries its `textLength`, so a label keeps to its box in any font.
Colours are fixed on a light card: an image does not see the theme of the page around it.
"""

import base64
import textwrap
import unicodedata
from dataclasses import dataclass, field
from html import escape

from hangup.trace.events import Event, Run

CHARACTER = 7.2  # advance of a 12 px monospaced character, in px
LINE = 16.0
PAD = 16.0
NOTE_COLUMNS = 46
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
INK, MUTED, RULE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
BLUE, GREEN, VIOLET, RED, RED_PAPER = "#0969da", "#1a7f37", "#8250df", "#cf222e", "#fff0ee"
COLOURS = {"client": BLUE, "network": MUTED, "server": INK, "app": GREEN, "task": VIOLET}


@dataclass(frozen=True)
class Label:
    """One line of text and the box that it fills, in px; (x, y) is the top left corner."""

    text: str
    x: float
    y: float
    colour: str = INK
    bold: bool = False
    quiet_from: int | None = None
    """Where the part of the text starts that is shown in grey; a label with such a part sits on a halo of paper."""

    @property
    def width(self) -> float:
        """Width of the box; wide characters (emoji, CJK) take two columns."""
        return columns(self.text) * CHARACTER

    @property
    def height(self) -> float:
        """Height of the box."""
        return LINE


@dataclass
class Layout:
    """Where everything goes: size of the card, x of each lifeline, labels, and the shapes behind them."""

    width: float = 0.0
    height: float = 0.0
    x: dict[str, float] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)


def columns(text: str) -> int:
    """Return how many character cells a text takes in a monospaced font."""
    wide = (2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
    return sum(wide)


def html(run: Run, text: str) -> str:
    """Return the picture as one `<img>`, with `text`, the same run in words, folded below it."""
    broken = next((f" It breaks here: {e}." for e in run.rows if e.broken), "")
    alt = f"Sequence diagram with {len(run.titles)} lifelines and {len(run.rows)} rows.{broken}"
    return figure(svg(run), alt, text)


def figure(image: str, alt: str, text: str) -> str:
    """Return an SVG document as one `<img>`, with `text` folded below it.

    It keeps its size in a narrow window, where its box scrolls: at half its size nobody could read it.
    """
    data = base64.b64encode(image.encode()).decode("ascii")
    return (
        '<div style="overflow-x:auto">'
        f'<img alt="{escape(alt)}" style="max-width:none" src="data:image/svg+xml;base64,{data}"></div>'
        f"<details><summary>as text</summary><pre>{escape(text)}</pre></details>"
    )


def svg(run: Run) -> str:
    """Return the picture as an SVG document."""
    drawn = layout(run)
    w, h = f"{drawn.width:.0f}", f"{drawn.height:.0f}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}">',
            f'<rect x="0.5" y="0.5" width="{drawn.width - 1:.0f}" height="{drawn.height - 1:.0f}" rx="8" '
            f'fill="{PAPER}" stroke="{RULE}"/>',
            f'<g font-family="{FONT}" font-size="12" stroke-linecap="round">',
            *drawn.shapes,
            *map(_text, drawn.labels),
            "</g></svg>",
        ]
    )


def layout(run: Run) -> Layout:
    """Compute the picture: a header for each lifeline, then a row for each event, from top to bottom."""
    events = run.rows
    out = Layout(x=_columns(run))
    y = PAD
    for name, title in run.titles.items():
        _header(out, title, out.x[name], y, _colour(name))
    top = y + LINE + 10
    rows = _Rows(out, top)
    y = top + 6
    for event in events:
        y = rows.draw(event, y)
    out.height = y + PAD
    rows.put_lifelines_behind(y + 2)
    if not events:
        out.labels.append(Label("(nothing happened)", PAD, PAD, MUTED))
    right = max((label.x + label.width for label in out.labels), default=0.0)
    out.width = right + PAD + 8
    return out


def _colour(lifeline: str) -> str:
    return COLOURS["task"] if " · " in lifeline else COLOURS.get(lifeline.split(" ")[0], INK)


def _columns(run: Run) -> dict[str, float]:
    """Return the x of each lifeline, as far apart as the widest label between any two of them needs."""
    half = [max(columns(title) * CHARACTER / 2 + 10, 24.0) for title in run.titles.values()]
    gaps = [half[i] + half[i + 1] + 14 for i in range(len(half) - 1)]
    index = {name: number for number, name in enumerate(run.titles)}
    spans = []
    for event in run.rows:
        if event.to and not event.folded:
            low, high = sorted((index[event.actor], index[event.to]))
            room = 62 if event.cut else 34  # a cut has a cross behind its label
            spans.append((high - low, low, columns(event.label) * CHARACTER + room))
    for length, low, need in sorted(spans):
        missing = need - sum(gaps[low : low + length])
        if missing > 0:
            for gap in range(low, low + length):
                gaps[gap] += missing / length
    x = PAD + (half[0] if half else 0.0)
    places = {}
    for number, name in enumerate(run.titles):
        places[name] = round(x, 1)
        x += gaps[number] if number < len(gaps) else 0.0
    return places


def _header(out: Layout, title: str, x: float, y: float, colour: str) -> None:
    width = columns(title) * CHARACTER
    out.shapes.append(
        f'<rect x="{x - width / 2 - 9:.1f}" y="{y - 4:.1f}" width="{width + 18:.1f}" height="{LINE + 8:.1f}" rx="5" '
        f'fill="{colour}" fill-opacity="0.08" stroke="{colour}" stroke-opacity="0.45"/>'
    )
    out.labels.append(Label(title, round(x - width / 2, 1), y, colour, bold=True))


class _Rows:
    """The rows below the header, and for each lifeline how long it lives."""

    def __init__(self, out: Layout, top: float) -> None:
        self.out = out
        self.top = top
        self.ended: dict[str, float] = {}
        self.busy: dict[str, float] = {}
        self.front = len(out.shapes)

    def draw(self, event: Event, y: float) -> float:
        """Draw one event below y and return where the next one starts."""
        if event.folded:
            return self._fold(event, y)
        for name in (event.actor, event.to):
            if name and _colour(name) in (GREEN, VIOLET):
                self.busy.setdefault(name, y + LINE)
        return self._arrow(event, y) if event.to else self._note(event, y)

    def _arrow(self, event: Event, y: float) -> float:
        start, end = self.out.x[event.actor], self.out.x[event.to]
        colour = RED if event.cut or event.broken else INK
        width = columns(event.label) * CHARACTER
        self.out.labels.append(
            Label(event.label, round((start + end - width) / 2, 1), y, colour, quiet_from=len(event.action))
        )
        line, step = y + LINE + 3, 1 if end > start else -1
        tip = end - step * (5 if event.to in self.busy else 1)
        dash = ' stroke-dasharray="5 4"' if event.cut else ""
        self.out.shapes.append(
            f'<path d="M{start + step * 5:.1f} {line:.1f}H{tip - step * 6:.1f}" '
            f'stroke="{colour}" stroke-width="1.3"{dash}/>'
            f'<path d="M{tip:.1f} {line:.1f}l{-step * 7} -4v8z" fill="{colour}"/>'
        )
        if event.cut:
            self.out.shapes.append(
                _cross((start + end + step * width) / 2 + step * 14, line, 5) + _cross(start, line, 5)
            )
            self.ended[event.actor] = line
        return line + 9

    def _note(self, event: Event, y: float) -> float:
        x = self.out.x[event.actor]
        lines = textwrap.wrap(event.label, NOTE_COLUMNS, break_on_hyphens=False) or [""]
        colour = RED if event.broken else MUTED if event.action in {"note", "logs"} else _colour(event.actor)
        paper = RED_PAPER if event.broken else "#f6f8fa"
        height = LINE * len(lines) + 6
        width = max(columns(line) for line in lines) * CHARACTER + 16
        left = max(x - width / 2, PAD)
        self.out.shapes.append(
            f'<rect x="{left:.1f}" y="{y + 1:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" fill="{paper}" '
            f'stroke="{colour}" stroke-opacity="{1 if event.broken else 0.35}"/>'
        )
        for number, line in enumerate(lines):
            label = Label(line, round(left + 8, 1), y + 4 + LINE * number, colour, bold=event.broken and not number)
            self.out.labels.append(label)
        if event.action in {"raises", "returns", "is cancelled"}:
            self.ended[event.actor] = y
        return y + height + 7

    def _fold(self, event: Event, y: float) -> float:
        text = str(event)
        middle = (min(self.out.x.values()) + max(self.out.x.values())) / 2
        width = columns(text) * CHARACTER
        left = max(PAD, round(middle - width / 2, 1))
        self.out.shapes.append(
            f'<rect x="{left - 6:.1f}" y="{y + 1:.1f}" width="{width + 12:.1f}" '
            f'height="{LINE + 4:.1f}" fill="{PAPER}"/>'
        )
        self.out.labels.append(Label(text, left, y + 3, MUTED))
        return y + LINE + 10

    def put_lifelines_behind(self, bottom: float) -> None:
        """Put the lifelines behind the rows, as long as each one lived."""
        behind = []
        for name, x in self.out.x.items():
            end = self.ended.get(name, bottom)
            behind.append(
                f'<path d="M{x:.1f} {self.top:.1f}V{end:.1f}" '
                f'stroke="{RULE}" stroke-width="1.2" stroke-dasharray="3 3"/>'
            )
            if name in self.busy and end > self.busy[name]:
                colour = _colour(name)
                behind.append(
                    f'<rect x="{x - 4:.1f}" y="{self.busy[name]:.1f}" width="8" height="{end - self.busy[name]:.1f}" '
                    f'fill="{PAPER}"/><rect x="{x - 4:.1f}" y="{self.busy[name]:.1f}" width="8" '
                    f'height="{end - self.busy[name]:.1f}" fill="{colour}" fill-opacity="0.16" '
                    f'stroke="{colour}" stroke-opacity="0.5"/>'
                )
        self.out.shapes[self.front : self.front] = behind


def _cross(x: float, y: float, size: float) -> str:
    a, b = f"{x - size:.1f} {y - size:.1f}", f"l{2 * size:.0f} {2 * size:.0f}"
    c, d = f"{x - size:.1f} {y + size:.1f}", f"l{2 * size:.0f} {-2 * size:.0f}"
    return f'<path d="M{a}{b}M{c}{d}" stroke="{RED}" stroke-width="2"/>'


def _text(label: Label) -> str:
    if not label.text:
        return ""
    weight = ' font-weight="600"' if label.bold else ""
    text = escape(label.text)
    if label.quiet_from is not None:
        weight += f' stroke="{PAPER}" stroke-width="4" paint-order="stroke"'
        loud, quiet = label.text[: label.quiet_from], label.text[label.quiet_from :]
        text = f'{escape(loud)}<tspan fill="{MUTED}">{escape(quiet)}</tspan>' if quiet else escape(loud)
    return (
        f'<text x="{label.x:.1f}" y="{label.y + 12:.1f}" fill="{label.colour}"{weight} '
        f'textLength="{label.width:.1f}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">{text}</text>'
    )
