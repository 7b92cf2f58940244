"""N learners work through the half day's lessons on a real JupyterHub on this machine; what they see is compared.

`python -m docs.hub.learners --learners 12` starts the hub of jupyterhub_config.py on 127.0.0.1, logs each learner in,
starts his server, and runs his notebooks as JupyterLab does: a session through the REST API, cell after cell over the
kernel's WebSocket. After each check of a starter he runs the solution in its place and checks that. A cell should show
what solutions/ has stored for it; every other outcome is told.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx

from docs.hub.browser import Learner
from docs.hub.room import Processes, hub

ROOT = Path(__file__).resolve().parents[2]
HALF_DAY = ("00", "01", "02", "05")
SETTLED = [(re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"), (re.compile(r"\x1b\[[0-9;]*m"), "")]
TROUBLE = re.compile(r"^\[[WEC] |Error\b|KernelRestarter")
"""Lines of the hub's log, and its servers', that may tell why a learner was lost."""


@dataclass
class Lesson:
    """What one learner saw of one lesson: seconds from the first cell to the last, what was not as stored."""

    learner: str
    name: str
    seconds: float = 0.0
    cpu: float = 0.0
    cells: int = 0
    checks: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cell:
    """Code to run, the text that is stored for it, and whether it is a check, or must raise."""

    place: str
    code: str
    stored: str
    check: bool
    raises: bool


def lesson(number: str) -> tuple[str, list[Cell]]:
    """Return the name of a lesson's notebook, and its code cells: the learner's, each followed by its solution's."""
    path = next((ROOT / "solutions").glob(f"{number}-*.ipynb"))
    cells = []
    for place, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code":
            code, stored = "".join(cell["source"]), text(cell["outputs"])
            cells.append(Cell(f"cell {place}", code, stored, "check" in tags, "raises-exception" in tags))
    return path.name, cells


def text(outputs: Sequence[dict[str, Any]]) -> str:
    """Return what outputs say as text, without what differs from run to run."""
    parts = []
    for output in outputs:
        data = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        parts.append("".join(data).rstrip("\n"))
    told = "\n".join(parts)
    for pattern, instead in SETTLED:
        told = pattern.sub(instead, told)
    return told


async def work_through(learner: Learner, number: str, pause: float, patience: float) -> Lesson:
    """Run every cell of a lesson, and note what is not as stored."""
    notebook, cells = lesson(number)
    seen = Lesson(learner.name, notebook)
    began = time.monotonic()
    async with learner.kernel(notebook) as kernel:
        for cell in cells:
            await asyncio.sleep(random.uniform(0, 2 * pause))
            start = time.monotonic()
            try:
                async with asyncio.timeout(patience):
                    outputs, status = await kernel.execute(cell.code)
            except TimeoutError:
                seen.failures.append(f"{cell.place}: no reply within {patience:g} s")
                break
            seen.cells += 1
            if cell.check:
                seen.checks.append(round(time.monotonic() - start, 2))
            if (status == "error") != cell.raises:
                seen.failures.append(f"{cell.place}: status {status}: {text(outputs)[-300:]}")
            elif (told := text(outputs)) != cell.stored:
                seen.failures.append(f"{cell.place}: {difference(cell.stored, told)}")
    seen.seconds = round(time.monotonic() - began, 1)
    return seen


def difference(stored: str, told: str) -> str:
    """Return the first line that differs, of both."""
    for one, other in zip_longest(stored.splitlines(), told.splitlines(), fillvalue="(end)"):
        if one != other:
            return f"stored {one!r}, got {other!r}"
    return "only spaces differ"


# ---- all of them ---------------------------------------------------------------------------------------------------


async def person(
    name: str, url: str, password: str, processes: Processes, options: argparse.Namespace, result: dict[str, Any]
) -> None:
    """Log in, work, and leave; every outcome goes into `result`."""
    if options.spread:
        await asyncio.sleep(random.uniform(0, options.spread))
    async with httpx.AsyncClient(timeout=300, follow_redirects=True) as client:
        learner = Learner(name, url, client)
        began = time.monotonic()
        await learner.log_in(password)
        await learner.start()
        result["starts"].append(round(time.monotonic() - began, 1))
        result["boots"].append(round(processes.cpu(name), 1))
        for number in options.lessons:
            before = processes.cpu(name)
            seen = await work_through(learner, number, options.pause, options.patience)
            seen.cpu = round(processes.cpu(name) - before, 1)
            result["lessons"].append(asdict(seen))
            rss, pss = processes.memory(name)
            result["memory"].append({"learner": name, "after": seen.name, "rss": rss, "pss": pss})
            print(f"{name} {seen.name}: {seen.seconds} s, {len(seen.failures)} not as stored", flush=True)
            for failure in seen.failures:
                print(f"    {failure}", flush=True)
        await learner.stop()


async def watch(result: dict[str, Any]) -> None:
    """Note the machine's load every ten seconds."""
    while True:
        result["load"].append(round(os.getloadavg()[0], 1))
        await asyncio.sleep(10)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the hub and all learners; return what was seen."""
    result: dict[str, Any] = {"starts": [], "boots": [], "lessons": [], "memory": [], "load": [], "lost": []}
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        async with hub(Path(folder)) as (url, password):
            watcher = asyncio.create_task(watch(result))
            names = [f"learner{n:02}" for n in range(1, options.learners + 1)]
            done = await asyncio.gather(
                *(person(name, url, password, Processes(Path(folder)), options, result) for name in names),
                return_exceptions=True,
            )
            watcher.cancel()
        result["lost"] = [f"{n}: {e!r}" for n, e in zip(names, done, strict=True) if isinstance(e, BaseException)]
        if result["lost"]:
            log = (Path(folder) / "hub.log").read_text().splitlines()
            print("\n".join(line for line in log if TROUBLE.search(line)))
    return result


def report(result: dict[str, Any]) -> None:
    """Print a table of what was seen."""
    print(f"login to a server that answers: {spread(result['starts'])} s; processor {spread(result['boots'])} s")
    print(f"load of the machine: {spread(result['load'])}")
    for name in dict.fromkeys(each["name"] for each in result["lessons"]):
        own = [each for each in result["lessons"] if each["name"] == name]
        checks = [seconds for each in own for seconds in each["checks"]]
        memory = [each for each in result["memory"] if each["after"] == name]
        wrong = sum(len(each["failures"]) for each in own)
        print(f"{name}: {len(own)} learners, {sum(each['cells'] for each in own)} cells, {wrong} not as stored")
        print(f"    seconds {spread([each['seconds'] for each in own])}; processor {spread([e['cpu'] for e in own])}")
        print(
            f"    a check {spread(checks)} s; memory MB rss {megabytes(memory, 'rss')}, pss {megabytes(memory, 'pss')}"
        )
    for line in result["lost"]:
        print("lost:", line)


def spread(numbers: Sequence[float]) -> str:
    """Return least, median and most of some numbers."""
    if not numbers:
        return "–"
    return f"{min(numbers):g} / {statistics.median(numbers):g} / {max(numbers):g}"


def megabytes(memory: Sequence[dict[str, Any]], kind: str) -> str:
    """Return least, median and most, in MB."""
    return spread([round(each[kind] / 1e6) for each in memory])


def main() -> int:
    """Read the arguments, measure, and report; the exit status is 1 if anything was not as stored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--learners", type=int, default=12)
    parser.add_argument("--lessons", nargs="+", default=HALF_DAY, metavar="NN")
    parser.add_argument("--spread", type=float, default=0.0, metavar="S", help="they come within so many seconds: 0")
    parser.add_argument("--pause", type=float, default=0.0, metavar="S", help="before each cell, on average: 0")
    parser.add_argument("--patience", type=float, default=300.0, metavar="S", help="for one cell: 300")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was seen")
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    report(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 1 if result["lost"] or any(each["failures"] for each in result["lessons"]) else 0


if __name__ == "__main__":
    sys.exit(main())
