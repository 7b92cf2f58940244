"""marimo 0.25.2: a notebook of one cell, as an app.

hangup explore marimo_notebook.py:app --script marimo_notebook.py
Cancelled, the handler returns as if nothing had happened; who leaves while it is connected again leaves a traceback.
"""

import tempfile
from pathlib import Path

import marimo

from hangup import Client, Expect, Leave

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    answer = 6 * 7
    answer
    return
"""
folder = Path(tempfile.mkdtemp())
(folder / "notebook.py").write_text(NOTEBOOK, encoding="utf-8")
app = marimo.create_asgi_app(quiet=True).with_app(path="/", root=str(folder / "notebook.py")).build()


def is_ready(text):
    return '"kernel-ready"' in text


script = [
    *(Client("a", "/ws?session_id=s_aaaaaa"), Client("b", "/ws?session_id=s_bbbbbb")),
    *(Expect(is_ready), Expect(is_ready, "b"), Leave()),
]
