"""A small table that a cell shows: HTML for a notebook, aligned text for a terminal and a diff."""

from dataclasses import dataclass
from html import escape

GOOD, BAD, QUIET = "#238a40", "#dd3b43", "#757d86"  # for text on the page itself: they show on white and on black


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column names the row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """Return the table as aligned text."""
        widths = [max(len(cell) for cell in column) for column in zip(self.header, *self.rows, strict=True)]
        lines = (self.header, tuple("─" * width for width in widths), *self.rows)
        return "\n".join("  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        head = "".join(f'<th style="text-align:left">{escape(cell)}</th>' for cell in self.header)
        rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in self.rows)
        return {
            "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
            "text/plain": str(self),
        }


def _cell(text: str) -> str:
    colour = {"✗": f";color:{BAD}", "✓": f";color:{GOOD}"}.get(text[:1], "")
    return f'<td style="text-align:left;white-space:nowrap{colour}">{escape(text)}</td>'
