"""N learners work through the half day's lessons on a real JupyterHub on this machine; what they see is compared.

`python docs/hub/learners.py --learners 12` starts the hub of jupyterhub_config.py on 127.0.0.1, logs each learner in,
starts his server, and runs his notebooks as JupyterLab does: a session through the REST API, cell after cell over the
kernel's WebSocket. After each check of a starter he runs the solution in its place and checks that. A cell should show
what solutions/ has stored for it; every other outcome is told. Linux only: processes are looked up in /proc.
"""

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import socket
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[2]
HALF_DAY = ("00", "01", "02", "05")
FOLDER = "after-the-disconnect"
SETTLED = [(re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"), (re.compile(r"\x1b\[[0-9;]*m"), "")]


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


# ---- the hub -------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Run a hub on 127.0.0.1 whose learners live in `folder`; give its address and password; nothing of it stays."""
    url, password = f"http://127.0.0.1:{free_port()}", secrets.token_urlsafe(12)
    given = {"HUB_URL": url, "HUB_PORT": str(free_port()), "HUB_PROXY_API": f"http://127.0.0.1:{free_port()}"}
    given |= {"HUB_LEARNERS": str(folder), "HUB_PASSWORD": password}
    command = [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "docs" / "hub" / "jupyterhub_config.py")]
    with (folder / "hub.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | given, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        async with asyncio.timeout(120), httpx.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(f"{url}/hub/api")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.5)
        yield url, password
    finally:
        process.terminate()  # it stops its proxy and its servers, and they their kernels
        await process.wait()


class Processes:
    """What the processes of learners take, who are told apart by the homes that they have in a folder."""

    def __init__(self, homes: Path) -> None:
        self.homes = homes

    def of(self, learner: str) -> Iterator[Path]:
        """Yield the folder in /proc of each process of a learner: his server, his kernels, what these have started."""
        home = f"HOME={self.homes / learner}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if home in (folder / "environ").read_bytes().split(b"\0"):
                    yield folder
            except OSError:
                continue

    def memory(self, learner: str) -> tuple[int, int]:
        """Return the bytes that a learner's processes have resident, and their share of them."""
        rss = pss = 0
        for folder in self.of(learner):
            try:
                found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", (folder / "smaps_rollup").read_text(), re.MULTILINE))
            except OSError:
                continue
            rss += int(found.get("Rss", 0)) * 1024
            pss += int(found.get("Pss", 0)) * 1024
        return rss, pss

    def cpu(self, learner: str) -> float:
        """Return the processor seconds that a learner's processes have taken, with children that have ended."""
        ticks = 0
        for folder in self.of(learner):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")


# ---- a learner -----------------------------------------------------------------------------------------------------


class Learner:
    """One person: a login, a server, and one notebook after the other."""

    def __init__(self, name: str, url: str, client: httpx.AsyncClient) -> None:
        self.name, self.url, self.client = name, url, client

    async def log_in(self, password: str) -> None:
        """Log in with the hub's form, and ask for a token, which stands for the browser's cookies from then on."""
        await self.client.get(f"{self.url}/hub/login")
        form = {"username": self.name, "password": password, "_xsrf": self._xsrf}
        await self.client.post(f"{self.url}/hub/login", data=form, follow_redirects=False)
        headers = {"X-XSRFToken": self._xsrf, "Referer": f"{self.url}/hub/token"}
        answer = await self.client.post(f"{self.url}/hub/api/users/{self.name}/tokens", headers=headers, json={})
        answer.raise_for_status()
        self.client.headers["Authorization"] = f"token {answer.json()['token']}"

    @property
    def _xsrf(self) -> str:
        return next(cookie.value or "" for cookie in self.client.cookies.jar if cookie.name == "_xsrf")

    async def start(self) -> None:
        """Start the server, and wait until it answers."""
        (await self.client.post(f"{self.url}/hub/api/users/{self.name}/server")).raise_for_status()
        async with asyncio.timeout(300):
            while True:
                user = (await self.client.get(f"{self.url}/hub/api/users/{self.name}")).json()
                if user["servers"].get("", {}).get("ready"):
                    return
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """Stop the server."""
        await self.client.delete(f"{self.url}/hub/api/users/{self.name}/server")

    @asynccontextmanager
    async def kernel(self, notebook: str) -> AsyncIterator["Kernel"]:
        """Open a notebook, as JupyterLab does: its content, a session, a WebSocket to its kernel."""
        own = f"{self.url}/user/{self.name}/api"
        (await self.client.get(f"{own}/contents/{FOLDER}/{notebook}")).raise_for_status()
        asked = {"path": f"{FOLDER}/{notebook}", "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
        session = await self.client.post(f"{own}/sessions", json=asked)
        session.raise_for_status()
        number = session.json()["kernel"]["id"]
        address = f"{own.replace('http', 'ws', 1)}/kernels/{number}/channels?session_id={uuid.uuid4().hex}"
        headers = {"Authorization": self.client.headers["Authorization"]}
        async with connect(address, additional_headers=headers, max_size=None, ping_timeout=None) as socket:
            yield Kernel(socket)


class Kernel:
    """A kernel's channels on one WebSocket."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.session = socket, uuid.uuid4().hex

    async def execute(self, code: str) -> tuple[list[dict[str, Any]], str]:
        """Run one cell; return its outputs, and the reply's status."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": self.session}
        header |= {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        empty: dict[str, Any] = {"parent_header": {}, "metadata": {}, "buffers": []}
        await self.socket.send(json.dumps({"header": header, "channel": "shell", "content": content, **empty}))
        outputs: list[dict[str, Any]] = []
        status = idle = ""
        while not (status and idle):
            message = json.loads(await self.socket.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "execute_reply":
                status = content["status"]
            elif kind == "status" and content["execution_state"] == "idle":
                idle = "idle"
            elif kind in {"stream", "display_data", "execute_result", "error"}:
                last = outputs[-1] if outputs else {}
                if kind == "stream" and last.get("name") == content["name"]:
                    last["text"] += content["text"]
                else:
                    outputs.append(content)
        return outputs, status


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
    result: dict[str, Any] = {"starts": [], "lessons": [], "memory": [], "load": [], "lost": []}
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
            print((Path(folder) / "hub.log").read_text()[-20000:])
    return result


def report(result: dict[str, Any]) -> None:
    """Print a table of what was seen."""
    print(f"starts (login to a server that answers): {spread(result['starts'])} s; load {spread(result['load'])}")
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
