"""What comes of a request of a client: a response, and what is wrong with it."""

import asyncio
import http.client
from dataclasses import dataclass
from http import HTTPStatus

from hangup.servers.clients.handshake import Asked
from hangup.servers.script import Request


@dataclass(frozen=True)
class Response:
    """A response, or in `problem` why there is none."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    problem: str = ""

    @property
    def text(self) -> str | bytes:
        """The body, as a text if it is one."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            return self.body

    @property
    def words(self) -> str:
        """The reason phrase of its status."""
        return HTTPStatus(self.status).phrase if self.status in {*HTTPStatus} else ""

    def wrong(self, step: Request) -> str:
        """Return what is wrong with it, or nothing."""
        said = f"{step.method.upper()} {step.path}"
        if self.problem:
            return f"{said}: {self.problem}"
        if step.expect is None:
            return f"{said}: got {self.status}" if self.status >= 400 else ""
        return f"{said}: expected {step.expect}, got {self.status}" if self.status != step.expect else ""


async def fetched(host: str, port: int, asked: Asked, patience: float) -> Response:
    """Make a request to a real server, in a thread, and wait for the response for so many seconds."""
    return await asyncio.to_thread(_fetch, host, port, asked, patience)


def _fetch(host: str, port: int, asked: Asked, patience: float) -> Response:
    connection = http.client.HTTPConnection(host, port, timeout=patience)
    try:
        connection.putrequest(asked.method, asked.path, skip_accept_encoding=True)
        for name, value in asked.headers:
            connection.putheader(name, value)
        connection.putheader("connection", "close")
        connection.endheaders(asked.body or None)
        got = connection.getresponse()
        return Response(got.status, tuple(got.getheaders()), got.read())
    except TimeoutError:
        return Response(problem="no response came")
    except (OSError, http.client.HTTPException) as error:
        return Response(problem=f"{type(error).__name__}: {error}")
    finally:
        connection.close()
