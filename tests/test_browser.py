"""The lessons in a real JupyterLab, as a learner meets them: opened, typed into, run, and looked at.

It wants Chromium (or Chrome) and playwright, which drives it. Where one of them is missing these tests are skipped, and
say why; with BROWSER=required in the environment they fail.

To start JupyterLab and to load its page takes as long as a lesson: one server and one window serve all lessons, and
while one lesson runs the next one begins. The last lessons take longest and come first.
"""

import os
from contextlib import suppress
from typing import Any

import pytest

from helpers.catalogue import catalogue
from tests import lab

with suppress(ModuleNotFoundError):
    from playwright.sync_api import expect

FIRST, *OTHERS = catalogue()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A JupyterLab of its own, whose root holds the learner's notebooks in work/; its address, with its token."""
    if why := lab.missing():
        (pytest.fail if os.environ.get("BROWSER") == "required" else pytest.skip)(why)
    with lab.serving(tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture(scope="module")
def windows(server):
    """The window that is open, if there is one, and a function that opens one."""
    found: list[lab.Window] = []
    with lab.chromium() as browser:
        yield found, lambda: found.append(lab.Window(browser, server))


@pytest.fixture
def window(request, windows):
    """A window of Lab, which stays open for the next test unless this one fails; then its kernels end as well."""
    found, open_ = windows
    if not found:
        open_()
    failed = request.session.testsfailed
    yield found[0]
    if request.session.testsfailed > failed:
        found.pop().end()


def test_lesson_00_is_taken_with_the_keyboard_and_its_list_leads_on(window):
    """Down to the starter, two lines typed in place of its last one, and the check says ✓; then on to lesson 01.

    What came out there is folded until somebody asks. That lesson stays open, for its own test.
    """
    lesson = window.open(FIRST)
    starter, check = lesson.place("starter", "ex1"), lesson.place("check", "ex1")
    lesson.cell(0).click()
    lesson.until_chosen(0)
    for number in range(starter):
        lesson.advance(number)
    keyboard = lesson.page.keyboard
    keyboard.press("Enter")  # into the cell
    lesson.cell(starter).locator(".cm-editor.cm-focused").wait_for()
    keyboard.press("ControlOrMeta+End")
    keyboard.press("Shift+Home")
    keyboard.type("async for text in websocket.iter_text():\n")  # Lab indents the next line
    keyboard.type("await websocket.send_text(text.upper())")
    lesson.advance(starter)
    lesson.run(check)
    lesson.until_judged()
    assert "✓ start-here 1" in lesson.cell(check).locator(".jp-OutputArea-output").inner_text()
    assert lesson.shown == lesson.expected | {"not attempted": 0}
    lesson.page.get_by_role("link", name=OTHERS[0].title, exact=True).click()
    a_fold_is_closed_and_opens_at_a_click(lab.Notebook(lesson.page, OTHERS[0]).show())
    assert window.outside == []
    window.close(FIRST)


def a_fold_is_closed_and_opens_at_a_click(notebook: lab.Notebook) -> None:
    """In Lab, as on GitHub; and what stands in it is rendered."""
    fold = notebook.page.locator(f"{lab.PANEL} .jp-MarkdownCell details").first
    expect(fold.locator("p").first).not_to_be_visible()
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    expect(fold.locator("p").first).to_be_visible()


@pytest.mark.parametrize("lesson", OTHERS[::-1], ids=lambda lesson: lesson.name)
def test_a_lesson_runs_from_its_first_cell_to_its_last_and_shows_what_solutions_have_stored(request, window, lesson):
    notebook = window.run(lesson, then=_after(request.node))
    notebook.until_drawn()
    assert len(red := notebook.page.locator(lab.RED).all_inner_texts()) == notebook.expected["in red"], red
    notebook.until_judged()
    assert notebook.shown == notebook.expected
    assert window.outside == []
    window.close(lesson)


def _after(item: Any) -> list[Any]:
    """Return the lessons of the tests that come after this one."""
    name = item.originalname  # a notebook's cell, which nbval collects, has none
    same = [each for each in item.session.items if getattr(each, "originalname", None) == name]
    return [each.callspec.params["lesson"] for each in same[same.index(item) + 1 :]]
