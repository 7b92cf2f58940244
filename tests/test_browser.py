"""The lessons in a real JupyterLab, as a learner meets them: opened, typed into, run, and looked at.

It wants Chromium (or Chrome) and playwright, which drives it. Where one of them is missing these tests are skipped, and
say why; with BROWSER=required in the environment they fail. Nothing here waits for time: each wait is for something
that is seen, and ends with a failure after `PATIENCE`.

To start JupyterLab and to load its page takes as long as a lesson: one server and one window serve a whole half of the
course, and in that window lesson after lesson is opened by its name in the list of files, run, looked at, and closed.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uv

from helpers import lessons
from helpers.catalogue import Lesson, catalogue

with suppress(ModuleNotFoundError):
    from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE = 300.0  # seconds; a busy machine takes ten for what a quiet one does in one
CHROMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},  # cells that are out of sight are in the page, too
}
PAGE = {"buildCheck": False}  # whether Lab should be built anew: npm is asked at each load of the page, in a second
OFTEN = 200.0  # milliseconds between two looks at a lesson that runs: a look costs what Lab needs to draw
AGAIN = 6  # times that checks may be asked again which ran out of time
NUMBER = re.compile(r"\[\d+\]")
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""
"""Whether Lab talks to the kernel; a cell that is run earlier is not run at all, and nobody is told."""
CLOSE = """async () => {
    for (const widget of [...window.jupyterapp.shell.widgets("main")].filter(each => each.sessionContext)) {
        await widget.sessionContext.shutdown();
        widget.context.model.dirty = false;
        widget.close();
    }
}"""
"""Closes all notebooks with their kernels; Lab asks nobody whether to save them."""
DRAWN = """(outputs) => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const drawn = [...document.querySelectorAll(outputs)];
    return cells.reduce((sum, cell) => sum + (cell.model.outputs?.length ?? 0), 0) === drawn.length
        && drawn.every(output => output.childElementCount > 0)
        && drawn.every(output => [...output.querySelectorAll("img")].every(image => image.complete));
}"""
LAB = "import tests.spared, jupyterlab.labapp as lab; lab.main()"
READABLE = "image => image.naturalWidth > 0"
RED = f'{PANEL} .jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]'
"""Tracebacks, and what is written to stderr, such as a group of exceptions."""


def missing() -> str:
    """Return what this machine lacks for these tests, in one sentence, or nothing."""
    if "sync_playwright" not in globals():
        return "playwright is not installed: pip install playwright"
    return "" if chrome() else "there is no Chromium or Chrome here: apt install chromium, or brew install chromium"


def chrome() -> str | None:
    """Return the browser's command."""
    return next((found for name in CHROMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own, whose root holds the learner's notebooks in work/; its address, with its token."""
    if why := missing():
        (pytest.fail if os.environ.get("BROWSER") == "required" else pytest.skip)(why)
    room = tmp_path_factory.mktemp("lab")
    shutil.copytree(lessons.NOTEBOOKS, room / "work")
    for name, values in SETTINGS.items():
        file = room / "user_settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    page = room / "jupyter_config_dir" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps(PAGE), encoding="utf-8")
    with serving(room) as address:
        yield address


@contextmanager
def serving(room: Path):
    """Run JupyterLab on a free port while the block runs, with nothing of this user's; yield its address."""
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    own = {name: str(room / name.lower()) for name in folders}
    own["UV_CACHE_DIR"] = subprocess.check_output(
        [uv.find_uv_bin(), "cache", "dir"], text=True
    ).strip()  # lessons 03 and 06
    own["AFTER_THE_DISCONNECT_WORK"] = str(room / "work")
    own["AFTER_THE_DISCONNECT_PROGRESS"] = str(room / "progress.json")
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={room}"]
    options += ["--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True"]
    options += ["--KernelManager.shutdown_wait_time=0"]  # one that is no longer wanted is killed
    options += [f"--LabApp.{name}_dir={room / name}" for name in ("user_settings", "workspaces")]
    command = [sys.executable, "-c", LAB, *options]
    with subprocess.Popen(command, cwd=room, env=os.environ | own, stderr=subprocess.PIPE, text=True) as process:
        said: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=[process.stderr, said.put])
        reader.start()
        try:
            line = ""
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line)):
                line = said.get(timeout=PATIENCE)
            yield found[0]
        finally:
            process.terminate()
            process.wait()
            reader.join()


def _read(stream: Iterable[str], take: Callable[[str], object]) -> None:
    for line in stream:
        take(line)


@pytest.fixture(scope="module")
def browser(lab):
    """Chromium, without a window; whatever is not on this machine it cannot find."""
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=chrome(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", nowhere]
        )
        yield chromium
        chromium.close()


class Notebook:
    """A lesson that is open in Lab, and what its cells are by the learner's file and by the stored solutions."""

    def __init__(self, page: "Page", lesson: Lesson, asked: list[str]) -> None:
        self.page = page
        self.cells = _cells(lessons.NOTEBOOKS / lesson.path.name)
        self.stored = [c for c in _cells(lessons.SOLUTIONS / lesson.path.name) if "solution" not in _tags(c)]
        self.asked = asked
        """What the page asked for, wherever it is."""

    @property
    def outside(self) -> list[str]:
        """What the page asked for that is not on this machine."""
        port = urlsplit(self.page.url).port
        here = ("data:", "blob:", f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/")
        return [url for url in self.asked if not url.startswith(here)]

    @property
    def expected(self) -> dict[str, int]:
        """What the page has to show once all cells have run: as much as solutions/ has stored."""
        outputs = [output for cell in self.stored for output in cell.get("outputs", ())]
        data = [output.get("data", {}) for output in outputs]
        return {
            "pictures": sum("".join(each.get("text/html", "")).count("<img") for each in data),
            "charts": sum(any("vegalite" in kind for kind in each) for each in data),
            "not attempted": sum("check" in _tags(cell) for cell in self.stored),
            "in red": sum(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs),
        }

    @property
    def shown(self) -> dict[str, int]:
        """What the page shows."""
        out = f"{PANEL} .jp-OutputArea-output"
        return {
            "pictures": self.page.locator(f"{out} img").evaluate_all(f"all => all.filter({READABLE}).length"),
            "charts": self.page.locator(f"{out} :is(canvas, svg).marks").count(),
            "not attempted": self.page.locator(f"{out} p", has_text="· not attempted").count(),
            "in red": self.page.locator(RED).count(),
        }

    def place(self, *tags: str) -> int:
        """Return the number of the first cell with these tags."""
        return next(n for n, cell in enumerate(self.cells) if set(tags) <= set(_tags(cell)))

    def cell(self, number: int):
        """Return a cell of the page."""
        return self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell").nth(number)

    def run_all(self) -> None:
        """Run all cells by the menu; return when the last one has its number, or a cell has failed that should not."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        done = """([panel, red, expected]) => {
            const prompts = [...document.querySelectorAll(`${panel} .jp-CodeCell .jp-InputArea-prompt`)];
            return /\\[\\d+\\]/.test(prompts.at(-1).textContent) || document.querySelectorAll(red).length > expected;
        }"""
        self.page.wait_for_function(done, arg=[PANEL, RED, self.expected["in red"]], polling=OFTEN)

    def until_drawn(self) -> None:
        """Return when all that the cells have put out is in the page, and the browser has made of it what it can."""
        self.page.wait_for_function(DRAWN, arg=f"{PANEL} .jp-OutputArea-output")

    def until_judged(self) -> None:
        """Ask each check again, as a learner would, that ran out of time, which one may on a busy machine."""
        checks = [number for number, cell in enumerate(self.cells) if "check" in _tags(cell)]
        self.until_drawn()
        for number in checks * AGAIN:
            if "takes too long" in self.cell(number).inner_text():
                self.run(number)
                self.until_drawn()

    def advance(self, number: int) -> None:
        """Press Shift+Enter on a cell; return when the next one has the keyboard."""
        self.page.keyboard.press("Shift+Enter")
        self.until_chosen(number + 1)

    def until_chosen(self, number: int) -> None:
        """Return when a cell has the keyboard: a key that is pressed earlier is lost."""
        self.cell(number).and_(self.page.locator(".jp-mod-active:focus-within")).wait_for()

    def run(self, number: int) -> None:
        """Run one cell with Shift+Enter; return when it has a new number."""
        prompt = self.cell(number).locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        prompt.click()
        self.until_chosen(number)
        self.page.keyboard.press("Shift+Enter")
        expect(prompt).not_to_have_text(before)
        expect(prompt).not_to_have_text("[*]:")
        assert NUMBER.search(prompt.inner_text()), "a cell above has failed"


def _cells(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def _tags(cell: dict[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", []))


class Window:
    """A window of Chromium with JupyterLab in it, whose list of files shows the lessons."""

    def __init__(self, browser: "Browser", lab: str) -> None:
        address = urlsplit(lab)
        self.server, self.token = f"http://{address.netloc}", parse_qs(address.query)["token"][0]
        self.context = browser.new_context(viewport={"width": 1300, "height": 1000})
        self.context.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.goto(f"{self.server}/lab/tree/work?token={self.token}")

    def open(self, lesson: Lesson) -> Notebook:
        """Open a lesson by a double click on its name; return when its cells are there and its kernel answers."""
        self.page.locator(".jp-DirListing-item", has_text=lesson.path.name).dblclick()
        notebook = Notebook(self.page, lesson, self.asked)
        expect(self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell")).to_have_count(len(notebook.cells))
        self.page.wait_for_function(READY)
        return notebook

    def tidy(self) -> None:
        """Close what is open, without saving it; forget what was asked for."""
        self.page.evaluate(CLOSE)
        expect(self.page.locator(".jp-NotebookPanel")).to_have_count(0)
        self.asked.clear()

    def end_kernels(self) -> None:
        """End the kernel of each notebook."""
        headers = {"Authorization": f"token {self.token}"}
        sessions = f"{self.server}/api/sessions"
        for session in self.context.request.get(sessions, headers=headers).json():
            self.context.request.delete(f"{sessions}/{session['id']}", headers=headers)


@pytest.fixture(scope="module")
def windows(lab, browser):
    """The window that is open, if there is one; whoever takes it away gets another one."""
    found: list[Window] = []
    yield found
    for window in found:
        window.context.close()


@pytest.fixture
def opened(request, lab, browser: "Browser", windows):
    """Opens a lesson; when the test is over, no notebook and no kernel is left, nor a window in which a test failed."""
    failed = request.session.testsfailed
    if not windows:
        windows.append(Window(browser, lab))
    (window,) = windows
    yield window.open
    if request.session.testsfailed == failed:
        window.tidy()
    window.end_kernels()
    if request.session.testsfailed > failed:
        window.context.close()
        windows.clear()


HALVES = catalogue()[1:5], catalogue()[5:]


class TestTheFirstHalf:
    """Two classes, for a worker of xdist takes a class whole."""

    def test_lesson_00_is_taken_with_the_keyboard_and_its_list_leads_on(self, opened):
        """Down to the starter, two lines typed in place of its last one, and the check says ✓; then on to lesson 01.

        What came out there is folded until somebody asks.
        """
        lesson = opened(catalogue()[0])
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
        assert lesson.outside == []
        after = catalogue()[1]
        lesson.page.get_by_role("link", name=after.title, exact=True).click()
        lesson.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=after.path.name).wait_for()
        lesson.page.wait_for_function(READY)
        a_fold_is_closed_and_opens_at_a_click(lesson.page)

    @pytest.mark.parametrize("lesson", HALVES[0], ids=lambda lesson: lesson.name)
    def test_a_lesson_runs_from_its_first_cell_to_its_last(self, opened, lesson):
        runs_and_shows_what_solutions_have_stored(opened(lesson))


class TestTheSecondHalf:
    """The longer ones."""

    @pytest.mark.parametrize("lesson", HALVES[1], ids=lambda lesson: lesson.name)
    def test_a_lesson_runs_from_its_first_cell_to_its_last(self, opened, lesson):
        runs_and_shows_what_solutions_have_stored(opened(lesson))


def a_fold_is_closed_and_opens_at_a_click(page: "Page") -> None:
    """In Lab, as on GitHub; and what stands in it is rendered."""
    fold = page.locator(f"{PANEL} .jp-MarkdownCell details").first
    expect(fold.locator("p").first).not_to_be_visible()
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    expect(fold.locator("p").first).to_be_visible()


def runs_and_shows_what_solutions_have_stored(notebook: Notebook) -> None:
    notebook.run_all()
    assert len(red := notebook.page.locator(RED).all_inner_texts()) == notebook.expected["in red"], red
    notebook.until_judged()
    assert notebook.shown == notebook.expected
    assert notebook.outside == []
