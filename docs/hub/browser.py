"""What a learner's browser does: it logs in, starts his server, opens a notebook, and runs cells over a WebSocket."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import connect

FOLDER = "after-the-disconnect"


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
        async with connect(
            address, additional_headers=headers, max_size=None, open_timeout=300, ping_timeout=None
        ) as socket:
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
