"""The picture in the README: `python -m tests.pictures` draws it anew, a test runs it again and compares."""

import asyncio
from pathlib import Path

from starlette.endpoints import WebSocketEndpoint
from starlette.websockets import WebSocket

from hangup import run
from hangup.trace.picture import svg
from support.apps import app


class Chat(WebSocketEndpoint):
    """Reads in on_connect, so that two loops compete for the disconnect."""

    encoding = "json"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for message in websocket.iter_json():
            await websocket.send_json(message)


def double_receive() -> str:
    """Return the SVG of one session of `Chat` on uvicorn, closed with 1001."""
    return svg(asyncio.run(run(app(Chat))).trace.run) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent.parent / ".github" / "double-receive.svg").write_text(double_receive(), encoding="utf-8")
