"""A page reload under releases of granian: limited, run for real, and recorded as lesson 03 runs it."""

import asyncio
import importlib.util
import json

import nbformat
import pytest

from helpers import lessons
from helpers.props import isolated
from helpers.props.reload import EnoughError, enough, packages, under_granian

LESSON = "03-flow-error"
RUNS = [("2.2.6", "echo"), ("2.3.1", "echo"), ("2.6.1", "echo"), ("2.7.1", "echo"), ("2.2.6", "fixed")]


async def silent(scope, receive, send):
    """Accept, say hello, and read three messages."""
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(2):
        await receive()
        await send({"type": "websocket.send", "text": "hi"})


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and a cache that holds nothing."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The functions that the lesson's cells define, as a module of source text."""
    file = tmp_path_factory.mktemp("lesson") / "cells.py"
    cells = [source for c in lessons.cells(LESSON) if (source := lessons.source_of(c)).startswith("async def")]
    file.write_text("\n\n".join(cell.partition("\n\n")[0] for cell in cells) + "\n", "utf-8")
    spec = importlib.util.spec_from_file_location("cells", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs() -> str:
    """Return what the stored lesson shows as text."""
    notebook = nbformat.read(lessons.source(LESSON), as_version=4)
    shown = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.output_type == "stream"]
    return "".join(out.text for out in shown)


def test_the_call_after_the_last_one_raises():
    async def receive():
        return {"type": "websocket.disconnect"}

    async def send(message):
        pass

    async def app(scope, receive, send):
        while True:
            calls.append(await receive())

    calls: list[object] = []
    for _ in range(2):  # each connection has a limit of its own
        with pytest.raises(EnoughError, match="1,000 calls"):
            asyncio.run(enough(app, 1_000)({}, receive, send))  # type: ignore[arg-type]
    assert len(calls) == 2_000


def test_an_app_that_ends_early_says_so():
    lines = under_granian("2.6.1", silent).lines
    assert lines == ("close: disconnect 1001", "       returns", "reset: disconnect 1005", "       returns")


@pytest.mark.parametrize(("release", "name"), RUNS)
def test_what_the_lesson_runs_is_recorded_and_shown(offline, lesson, release, name):
    run = under_granian(release, getattr(lesson, name))
    assert run.recorded
    assert "\n".join(run.lines) in outputs()


@pytest.mark.parametrize(("release", "name"), RUNS)
def test_what_is_recorded_is_what_runs(lesson, release, name, monkeypatch):
    run = under_granian(release, getattr(lesson, name))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", "/nowhere")
    assert run.lines == under_granian(release, getattr(lesson, name)).lines


def test_nothing_else_is_recorded():
    kept = json.loads((isolated.RECORDED / "reload.json").read_text("utf-8"))
    assert [entry["under"] for entry in kept] == [packages(release) for release, _ in RUNS]
