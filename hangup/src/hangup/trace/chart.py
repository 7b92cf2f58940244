"""Numbers of your own run as lines: JupyterLab draws them itself, everybody else shows them as a table.

The drawing is a Vega-Lite document, which JupyterLab renders with what it brings: nothing is installed, nothing is
asked for off the machine. Beside it stand a Markdown table and an aligned text. (Not HTML: JupyterLab would prefer it
to the drawing.) Colours are fixed on a light card, as in the sequence diagrams, and read well in both themes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hangup.trace.picture import BLUE, GREEN, INK, MUTED, PAPER, RED, RULE, VIOLET
from hangup.trace.table import Table

VEGA_LITE = "application/vnd.vegalite.v5+json"
Number = int | float
COLOURS = [BLUE, RED, GREEN, VIOLET]


@dataclass(frozen=True)
class Chart:
    """Rows of numbers, drawn as a panel for each name in `y` over the common axis `x`.

    With `line`, rows that have the same value there make a line of their own colour. A value of None is left out of
    the drawing; the tables say "–" for it.
    """

    rows: Sequence[Mapping[str, Number | str | None]]
    x: str
    y: Sequence[str]
    line: str = ""

    @property
    def table(self) -> Table:
        """The numbers, as they were given."""
        names = tuple(self.rows[0]) if self.rows else (self.x, *self.y)
        return Table(names, tuple(tuple(_field(row.get(name)) for name in names) for row in self.rows))

    @property
    def vega_lite(self) -> dict[str, Any]:
        """The drawing, as a Vega-Lite 5 document."""
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",  # a name; nobody fetches it
            "data": {"values": [dict(row) for row in self.rows]},
            "hconcat": [self._panel(name) for name in self.y],
            "background": PAPER,
            "padding": 14,
            "config": {
                "view": {"stroke": RULE},
                "axis": {"gridColor": RULE, "labelColor": MUTED, "titleColor": INK, "domainColor": MUTED},
                "legend": {"labelColor": INK, "titleColor": INK},
            },
        }

    def __str__(self) -> str:
        """Return the numbers as aligned text."""
        return str(self.table)

    def _panel(self, name: str) -> dict[str, Any]:
        encoding: dict[str, Any] = {
            "x": {"field": self.x, "type": "quantitative", "axis": {"tickCount": 6}},
            "y": {"field": name, "type": "quantitative"},
            "color": {"value": BLUE},
            "tooltip": [{"field": column} for column in (self.rows[0] if self.rows else ())],
        }
        if self.line:
            names = list(dict.fromkeys(row.get(self.line) for row in self.rows))
            scale = {"domain": names, "range": COLOURS[: len(names)]}
            encoding["color"] = {"field": self.line, "type": "nominal", "scale": scale, "legend": {"orient": "top"}}
        return {
            "width": 250,
            "height": 190,
            "mark": {"type": "line", "point": True},
            "transform": [{"filter": f"isValid(datum[{name!r}])"}],
            "encoding": encoding,
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {VEGA_LITE: self.vega_lite, "text/markdown": self._markdown, "text/plain": str(self)}

    @property
    def _markdown(self) -> str:
        table = self.table
        lines = [table.header, ("---",) * len(table.header), *table.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _field(value: Number | str | None) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
