"""serve_elsewhere(): an app in a second process, which ends with the block, or with whoever started it."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import websockets

from hangup import connect
from helpers.props.elsewhere import serve_elsewhere


def whoami(answer: str):
    """Return an app that tells every client the process that it runs in, and the argument."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"{answer} {os.getpid()}"})
        await receive()

    return app


APP = f"{__name__}:whoami"


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_another_process_and_ends_with_the_block():
    async def work() -> int:
        async with serve_elsewhere(APP, "hi") as url, connect(url) as client:
            word, _, process = str(await client.recv()).partition(" ")
            assert word == "hi"
            assert int(process) != os.getpid()
        with pytest.raises(ConnectionRefusedError):
            await websockets.connect(url, proxy=None)
        return int(process)

    assert not alive(asyncio.run(work()))


def test_it_ends_when_the_block_fails():
    seen = []

    async def work() -> None:
        async with serve_elsewhere(APP, "hi") as url, connect(url) as client:
            seen.append(int(str(await client.recv()).split()[1]))
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        asyncio.run(work())
    assert not alive(seen[0])


def test_it_ends_when_its_parent_is_killed():
    """Nobody is left to end it: its standard input is at its end."""
    code = f"""
        import asyncio, os, sys
        from hangup import connect
        from helpers.props.elsewhere import serve_elsewhere

        async def work():
            async with serve_elsewhere({APP!r}, "hi") as url, connect(url) as client:
                print(str(await client.recv()).split()[1], flush=True)
                os.kill(os.getpid(), 9)

        asyncio.run(work())
    """
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", textwrap.dedent(code)]
    # both processes write to the pipe of stderr: run() returns when both have ended
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -9, done.stderr
    assert int(done.stdout)


def test_an_app_that_is_not_there_is_an_error(capfd):
    async def work() -> None:
        async with serve_elsewhere("helpers.nowhere:app"):
            pass

    with pytest.raises(RuntimeError, match=r"helpers\.nowhere:app ended before it listened"):
        asyncio.run(work())
    assert "No module named 'helpers.nowhere'" in capfd.readouterr().err


def test_it_leaves_no_task_thread_or_file(leaves_nothing):
    async def work() -> None:
        async with serve_elsewhere(APP, "hi"):
            pass

    leaves_nothing(work)
