"""A hub that lives as long as a block, and what the processes of its learners take. Linux only: they are in /proc."""

import asyncio
import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

CONFIGURATION = Path(__file__).with_name("jupyterhub_config.py")


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
    command = [sys.executable, "-m", "jupyterhub", "-f", str(CONFIGURATION)]
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
