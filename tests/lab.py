"""JupyterLab with the lessons in it, in a window of Chromium: how a learner opens them, and what he sees.

Nothing here waits for time: each wait is for something that is seen, and ends with a failure after `PATIENCE`.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uv

from helpers import lessons
from helpers.catalogue import Lesson

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
AT_ONCE = 2  # lessons that run at the same time: each waits for servers, for seconds, and needs no processor then
OFTEN = 300.0  # milliseconds between two looks at what lasts seconds: a look costs what Lab needs to draw
AGAIN = 6  # times that checks may be asked again which ran out of time
HURRIED = re.compile("takes too long|too busy")
NUMBER = re.compile(r"\[\d+\]")
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
READY = """path => {
    const current = window.jupyterapp?.shell.currentWidget;
    const kernel = current?.sessionContext?.session?.kernel;
    return current?.context?.path === path && kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""
"""Whether Lab talks to the kernel; a cell that is run earlier is not run at all, and nobody is told."""
ENDED = """([path, red]) => {
    const panels = [...window.jupyterapp.shell.widgets("main")];
    const cells = panels.find(each => each.context?.path === path).content.widgets;
    const code = cells.map(cell => cell.model).filter(model => model.type === "code");
    const outputs = code.flatMap(model => Array.from({length: model.outputs.length}, (_, n) => model.outputs.get(n)));
    const isRed = each => each.type === "error" || (each.type === "stream" && each.toJSON().name === "stderr");
    const last = code.at(-1);
    return (last.executionCount !== null && last.executionState !== "running") || outputs.filter(isRed).length > red;
}"""
"""Whether the last cell of a notebook has its number, or a cell has failed that should not; it may be out of sight."""
SOME_ENDED = f"all => all.some({ENDED})"
CLOSE = """async path => {
    const panel = [...window.jupyterapp.shell.widgets("main")].find(each => each.context?.path === path);
    await panel.sessionContext.shutdown();
    panel.context.model.dirty = false;
    panel.close();
}"""
"""Closes a notebook with its kernel; Lab asks nobody whether to save it."""
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


@contextmanager
def serving(room: Path) -> Iterator[str]:
    """Run JupyterLab on a free port while the block runs, with nothing of this user's; yield its address."""
    shutil.copytree(lessons.NOTEBOOKS, room / "work")
    settings = {f"user_settings/@jupyterlab/{name}.jupyterlab-settings": values for name, values in SETTINGS.items()}
    for name, values in (settings | {"jupyter_config_dir/labconfig/page_config.json": PAGE}).items():
        (room / name).parent.mkdir(parents=True, exist_ok=True)
        (room / name).write_text(json.dumps(values), encoding="utf-8")
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    own = {name: str(room / name.lower()) for name in folders}
    ask = [uv.find_uv_bin(), "cache", "dir"]
    own["UV_CACHE_DIR"] = subprocess.check_output(ask, text=True).strip()  # lessons 03 and 06
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


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Run Chromium, without a window, while the block runs; whatever is not on this machine it cannot find."""
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", nowhere]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chrome(), args=options, timeout=PATIENCE * 1000)
        yield browser
        browser.close()


def _read(stream: Iterable[str], take: Callable[[str], object]) -> None:
    for line in stream:
        take(line)


class Notebook:
    """A lesson that is open in Lab, and what its cells are by the learner's file and by the stored solutions."""

    def __init__(self, page: "Page", lesson: Lesson) -> None:
        self.page = page
        self.path = f"work/{lesson.path.name}"
        self.cells = _cells(lessons.NOTEBOOKS / lesson.path.name)
        self.stored = [c for c in _cells(lessons.SOLUTIONS / lesson.path.name) if "solution" not in _tags(c)]

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

    def show(self) -> "Notebook":
        """Bring it to the front; return it when Lab has its cells and can run them."""
        tab = self.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=Path(self.path).name)
        tab.click()
        tab.and_(self.page.locator(".lm-mod-current")).wait_for()
        expect(self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell")).to_have_count(len(self.cells))
        self.page.wait_for_function(READY, arg=self.path, polling=OFTEN)
        return self

    def run_all(self) -> None:
        """Let all cells run, by the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    @property
    def watched(self) -> list[object]:
        """What `ENDED` is asked with."""
        return [self.path, self.expected["in red"]]

    def until_drawn(self) -> None:
        """Return when all that the cells have put out is in the page, and the browser has made of it what it can."""
        self.page.wait_for_function(DRAWN, arg=f"{PANEL} .jp-OutputArea-output")

    def until_judged(self) -> None:
        """Ask each check again, as a learner would, that ran out of time, as one may on a busy machine."""
        checks = [number for number, cell in enumerate(self.cells) if "check" in _tags(cell)]
        self.until_drawn()
        for number in checks * AGAIN:
            if HURRIED.search(self.cell(number).inner_text()):
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
        self.begun: dict[Lesson, Notebook] = {}
        """The open lessons whose cells have run, or do."""
        self.asked: list[str] = []
        """What the page asked for, wherever it is."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.goto(f"{self.server}/lab/tree/work?token={self.token}")

    def open(self, lesson: Lesson) -> Notebook:
        """Open a lesson by a double click on its name; return when its cells are there and its kernel answers."""
        self.page.locator(".jp-DirListing-item", has_text=lesson.path.name).dblclick()
        return Notebook(self.page, lesson).show()

    def run(self, lesson: Lesson, then: Sequence[Lesson] = ()) -> Notebook:
        """Return a lesson when its cells have run; meanwhile let others begin that come `then`."""
        while True:
            going = [each for each in self.begun.values() if not self.page.evaluate(ENDED, each.watched)]
            due = next((each for each in (lesson, *then) if each not in self.begun), None)
            if due is not None and len(going) < AT_ONCE:
                self.begun[due] = self.open(due)
                self.begun[due].run_all()
            elif self.begun[lesson] not in going:
                break
            else:
                self.page.wait_for_function(SOME_ENDED, arg=[each.watched for each in going], polling=OFTEN)
        return self.begun[lesson].show()

    def close(self, lesson: Lesson) -> None:
        """Close a lesson, without saving it, and end its kernel."""
        self.page.evaluate(CLOSE, f"work/{lesson.path.name}")
        self.begun.pop(lesson, None)
        expect(self.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=lesson.path.name)).to_have_count(0)

    def end(self) -> None:
        """Close the window, and end the kernel of each notebook."""
        headers = {"Authorization": f"token {self.token}"}
        sessions = f"{self.server}/api/sessions"
        for session in self.context.request.get(sessions, headers=headers).json():
            self.context.request.delete(f"{sessions}/{session['id']}", headers=headers)
        self.context.close()

    @property
    def outside(self) -> list[str]:
        """What the page asked for that is not on this machine."""
        here = ("data:", "blob:", self.server + "/", self.server.replace("http", "ws", 1) + "/")
        return [url for url in self.asked if not url.startswith(here)]
