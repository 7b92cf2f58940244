"""An HTTP request to an app, and its response, in memory."""

import asyncio
from collections.abc import Callable

from hangup.record.errors import describe
from hangup.record.recorder import ASGIApp, Message, Scope
from hangup.servers.clients.handshake import Asked
from hangup.servers.clients.response import Response
from hangup.trace.events import Event
from hangup.trace.trace import Trace


class Exchange:
    """The server's side of one request; `response` is there when all of it is, and `on_done` is called then."""

    def __init__(self, asked: Asked, letter: str, trace: Trace | None, on_done: Callable[[], None]) -> None:
        self.response: Response | None = None
        self._asked = asked
        self._client = f"client {letter}"
        self._trace = trace
        self._on_done = on_done
        self._start: Message = {}
        self._body: list[bytes] = []
        self._asked_for = False
        self._gone = asyncio.Event()
        self._draw(Event(self._client, asked.method, asked.path, "server"))

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Call the app."""
        problem = "the app returned without a whole response"
        try:
            await app(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt):
            raise
        except asyncio.CancelledError:
            problem = "the app was cancelled"
        except BaseException as error:
            problem = f"the app raised {describe(error)}"
        self._done(Response(problem=problem))

    async def _receive(self) -> Message:
        if not self._asked_for:
            self._asked_for = True
            return {"type": "http.request", "body": self._asked.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                pairs = self._start.get("headers", ())
                headers = tuple((bytes(k).decode("latin-1"), bytes(v).decode("latin-1")) for k, v in pairs)
                self._done(Response(self._start["status"], headers, b"".join(self._body)))

    def _done(self, response: Response) -> None:
        if self.response is None:
            self.response = response
            shown = ("TCP FIN", response.problem) if response.problem else (str(response.status), response.words)
            self._draw(Event("server", *shown, self._client))
            self._gone.set()
            self._on_done()

    def _draw(self, event: Event) -> None:
        if self._trace is not None:
            self._trace.record(event, chains=(self._client,), rank=(2, self._client[-1:]))
