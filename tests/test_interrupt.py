"""The interrupt button of a notebook, pressed in a real kernel at moments when it is hard to hear."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from support import apps

SETUP = """
import asyncio, os, threading
from hangup import connect, serve
from helpers.exercises.start_here import ex1
from support.apps import app, deaf, echo

async def spin(websocket):
    await websocket.accept()
    print("ready")
    while True:
        pass
"""
WAIT = """
async with serve(app(echo), server={server!r}) as url, connect(url) as client:
    print("ready")
    await asyncio.Event().wait()
"""
SPIN = """
async with serve(app(spin), server={server!r}) as url, connect(url) as client:
    await asyncio.Event().wait()
"""
CHECK = """
async def never(websocket):
    print("ready")
    while True:
        pass

ex1.check(never)
"""
LEFT = """
for _ in range(100):  # what is ending may end
    await asyncio.sleep(0)
print(sorted(task.get_coro().__name__ for task in asyncio.all_tasks() if task is not asyncio.current_task()))
"""
ECHO = """
async with serve(app(echo)) as url, connect(url) as client:
    await client.send("still here")
    print(await client.recv())
"""

tracebacks: list[str] = []
Kernel = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    path = os.pathsep.join([str(Path(apps.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    manager, client = start_new_kernel(kernel_name="python3", env=os.environ | {"PYTHONPATH": path})
    try:
        assert execute((manager, client), SETUP) == []
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def execute(kernel: Kernel, code: str, *, interrupt: bool = False) -> list[str]:
    """Run a cell and return what it printed and the name of what it raised; press the button when it prints `ready`."""
    manager, client = kernel
    asked = client.execute(code)
    printed, raised = "", []  # what is printed may come in pieces
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != asked:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            printed += content["text"]
            if interrupt and "ready" in printed:
                interrupt = False
                manager.interrupt_kernel()
        elif message["msg_type"] == "error":
            raised.append(content["ename"])
            tracebacks.append("\n".join(content["traceback"]))
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return printed.splitlines() + raised


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGURG; the button needs a busy loop there")
@pytest.mark.parametrize("cell", [WAIT, SPIN], ids=["idle", "spinning"])
@pytest.mark.parametrize("server", ["uvicorn", "granian", "hypercorn"])
def test_the_button_ends_a_cell_and_leaves_the_kernel_usable(kernel, server, cell):
    assert hasattr(signal, "SIGURG")
    before = execute(kernel, LEFT)
    assert execute(kernel, cell.format(server=server), interrupt=True) == ["ready", "KeyboardInterrupt"]
    assert execute(kernel, LEFT) == before
    assert execute(kernel, ECHO) == ["still here"]


def test_the_button_ends_a_check(kernel):
    tracebacks.clear()
    assert execute(kernel, CHECK, interrupt=True) == ["ready", "KeyboardInterrupt"]
    assert execute(kernel, "print([t.name for t in threading.enumerate() if t.name == 'check'])") == ["[]"]
    assert execute(kernel, ECHO) == ["still here"]
    assert tracebacks == ["KeyboardInterrupt: the check was interrupted; it says nothing about your answer"]
