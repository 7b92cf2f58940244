"""A second Python process that serves an app on 127.0.0.1 while a block runs.

`python -m helpers.props.elsewhere module:function argument ...` serves the app that the function returns. It
prints its port when it listens, and ends when its standard input does: whoever started it cannot end without ending it.
"""

import asyncio
import contextlib
import importlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HOST = "127.0.0.1"
LISTENS_WITHIN = 30.0  # seconds; a process that imports a framework takes about one
ENDS_WITHIN = 5.0  # seconds until a process is killed


@asynccontextmanager
async def serve_elsewhere(app: str, *arguments: str) -> AsyncIterator[str]:
    """Serve an app with uvicorn in a process of its own; yield its URL.

    `app` is `module:function`, and the function, called with the arguments, returns the app. Raises RuntimeError when
    the process ends without a port.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, app, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LISTENS_WITHIN):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that was to serve {app} ended before it listened")
        yield f"ws://{HOST}:{int(line)}"
    finally:
        process.stdin.close()
        await wait_for_end(process)


async def wait_for_end(process: asyncio.subprocess.Process, within: float = ENDS_WITHIN) -> None:
    """Wait until a process ends that has been told to, and kill it if it takes too long, or nobody wants to wait."""
    try:
        async with asyncio.timeout(within):
            await process.wait()
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if not isinstance(error, TimeoutError):
            raise


async def _serve(app: str, *arguments: str) -> None:
    """Serve until standard input ends."""
    import uvicorn

    module, _, function = app.partition(":")
    made = getattr(importlib.import_module(module), function)(*arguments)
    config = uvicorn.Config(made, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        sock.listen()
        serving = asyncio.ensure_future(server.serve(sockets=[sock]))
        print(sock.getsockname()[1], flush=True)  # noqa: T201 - it listens: a client that comes now is served soon
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
