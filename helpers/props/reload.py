"""A page reload against releases of granian: today's in this process with a limit, older ones in their own environment.

`reload` and `watched` go there as text (`hangup.servers.releases`), so they import what they need themselves.
"""

import itertools
from typing import Any

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send
from hangup.servers.releases import Run
from helpers.props.isolated import isolated


class EnoughError(RuntimeError):
    """An app has called receive() more often than it may."""


def enough(app: ASGIApp, calls: int) -> ASGIApp:
    """Return `app` with a limit: on each connection, the receive() after the `calls`-th raises EnoughError."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        numbers = itertools.count(1)

        async def counted() -> Message:
            if next(numbers) > calls:
                raise EnoughError(f"{calls:,} calls of receive() are enough")
            return await receive()

        await app(scope, counted, send)

    return limited


def under_granian(release: str, app: ASGIApp) -> Run:
    """Serve `app`, a function, with an older granian: a page says hello and closes, another one's network resets.

    The run has two lines for each of the two sessions: which goodbyes receive() gave the app, and how the app ended.
    """
    return isolated(reload, app, watched, under=packages(release))


def packages(release: str) -> list[str]:
    """Return what the environment for a release of granian is made of."""
    return [f"granian=={release}", "websockets==15.0.1"]


def watched(app: Any) -> Any:
    """Return `app` with a log: it prints, as a line of JSON, the goodbyes that receive() gave and how the app ended.

    When the same goodbye comes for the third time, the app is stopped.
    """
    import json

    class Stop(BaseException):
        pass

    async def logged(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        seen: list[str] = []

        async def told() -> Any:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                seen.append(f"disconnect {message['code']}")
                if seen.count(seen[-1]) == 3:
                    raise Stop
            return message

        try:
            await app(scope, told, send)
            seen.append("returns")
        except Stop:
            seen.append("and so on")
        except Exception as error:
            seen.append(f"raises {type(error).__name__}: {error}")
        print(json.dumps(seen), flush=True)  # noqa: T201 - a probe prints

    return logged


async def reload(app: str, log: str) -> None:
    """Serve the app whose source is `app`, wrapped by the function whose source is `log`, with the granian at hand.

    Prints two lines for each of two sessions: hello, an answer, then a close with 1001; the same, then a TCP reset.
    The server and its worker are left to `isolated`, which ends whatever a probe has started.
    """
    import asyncio
    import contextlib
    import json
    import socket
    import struct
    import sys

    import websockets
    from websockets.asyncio.client import connect

    name = app.partition("(")[0].split()[-1]
    with open("page.py", "w", encoding="utf-8") as page:  # noqa: ASYNC230, PTH123 - nothing else runs here
        page.write(f"from typing import Any\n{log}\n{app}\npage = watched({name})\n")
    held = socket.socket()  # until the end: else the port may be somebody else's before granian has it
    if sys.platform == "linux":
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as granian does: both may have it
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]
    if sys.platform != "linux":
        held.close()
    options = ("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "page:page")
    server = await asyncio.create_subprocess_exec(sys.executable, *options, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    stdout = server.stdout

    async def said(mark: str) -> str:
        while (line := await stdout.readline()) and mark not in line.decode():
            pass
        assert line, "granian has ended"
        return line.decode()

    await said("Started worker-1")
    for ending in ("close", "reset"):
        client = None
        while client is None:
            with contextlib.suppress(ConnectionRefusedError):
                client = await connect(f"ws://127.0.0.1:{port}", proxy=None)
        await client.send("hello")
        await client.recv()
        if ending == "close":
            await client.close(1001)
        else:
            sock = client.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.transport.abort()
            with contextlib.suppress(websockets.ConnectionClosed):
                await client.wait_closed()
        *goodbyes, end = json.loads(await said('["'))
        print(f"{ending}: {' · '.join(goodbyes) or 'no disconnect'}\n       {end}")  # noqa: T201 - a probe prints
    held.close()
