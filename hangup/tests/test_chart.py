"""A chart is a Vega-Lite document for JupyterLab, and a table for everybody else."""

import json
from importlib.util import find_spec
from pathlib import Path

from hangup.trace.chart import VEGA_LITE, Chart

ROWS: list[dict[str, float | str | None]] = [
    {"ping": 1, "close": 10, "lost": 2, "seconds": 11.5},
    {"ping": 20, "close": 10, "lost": 39, "seconds": None},
    {"ping": 1, "close": 1, "lost": 2, "seconds": 2.5},
]
CHART = Chart(ROWS, x="ping", y=["seconds", "lost"], line="close")


def test_the_document_has_a_panel_for_each_quantity():
    """Panels share the axis and the colour; the numbers are those of the rows."""
    drawn = CHART.vega_lite
    assert drawn["data"] == {"values": ROWS}
    assert [panel["encoding"]["y"]["field"] for panel in drawn["hconcat"]] == ["seconds", "lost"]
    assert {panel["encoding"]["x"]["field"] for panel in drawn["hconcat"]} == {"ping"}
    assert drawn["hconcat"][0]["encoding"]["color"]["scale"]["domain"] == [10, 1]
    assert json.loads(json.dumps(drawn)) == drawn


def test_nothing_in_it_is_to_be_fetched():
    """The only address is the name of the schema."""
    text = json.dumps(CHART.vega_lite)
    assert text.count("://") == 1
    assert '"url"' not in text


def test_everybody_else_sees_a_table():
    """Markdown and text say the same; a missing number is a dash. No HTML, which JupyterLab would prefer."""
    bundle = CHART._repr_mimebundle_()
    assert list(bundle) == [VEGA_LITE, "text/markdown", "text/plain"]
    assert bundle["text/plain"].splitlines()[3] == "20    10     39    –"
    assert bundle["text/markdown"].splitlines()[:3] == [
        "| ping | close | lost | seconds |",
        "| --- | --- | --- | --- |",
        "| 1 | 10 | 2 | 11.5 |",
    ]


def test_equal_rows_make_equal_charts():
    """What nbval compares does not change from run to run."""
    again = Chart([dict(row) for row in ROWS], x="ping", y=["seconds", "lost"], line="close")
    assert CHART._repr_mimebundle_() == again._repr_mimebundle_()


def test_no_rows_are_no_error():
    """A chart of nothing shows its axes."""
    assert str(Chart([], x="ping", y=["lost"])) == "ping  lost\n────  ────"


def test_a_bar_in_a_field_does_not_break_the_table():
    """Markdown's own character is escaped."""
    assert r"a\|b" in Chart([{"ping": 1, "name": "a|b"}], x="ping", y=[])._repr_mimebundle_()["text/markdown"]


def test_this_jupyterlab_draws_it():
    """The installed JupyterLab brings the renderer for this type."""
    spec = find_spec("jupyterlab")
    assert spec is not None
    assert spec.origin is not None
    package = json.loads((Path(spec.origin).parent / "staging" / "package.json").read_text("utf-8"))
    assert "@jupyterlab/vega5-extension" in package["jupyterlab"]["mimeExtensions"]
