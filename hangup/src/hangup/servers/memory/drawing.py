"""What a picture shows of a client in memory: what it says, and what it sees."""

from http import HTTPStatus

from hangup.servers.models.model import Seen
from hangup.trace.events import Event
from hangup.trace.trace import Trace


class Drawing:
    """Draws a client's lifeline into a trace, or (None) nothing; the app's side is drawn by the recorder.

    The recorder gives the tokens that an event here may have to wait for, and waits for those that are given here.
    """

    __slots__ = ("_chains", "_client", "_downs", "_letter", "_trace", "_ups")

    def __init__(self, trace: Trace | None, letter: str) -> None:
        self._trace = trace
        self._letter = letter
        self._client = f"client {letter}"
        self._chains = (self._client,)
        self._ups = self._downs = 0

    # ---- what the client does ----------------------------------------------------------------------------------

    def says(self, said: str | bytes) -> None:
        """Draw a message of the client."""
        if self._trace is None:
            return
        self._ups += 1
        self._from_client(_kind(said), repr(said), f"up.{self._ups}")

    def closes(self, code: int | None, reason: str) -> None:
        """Draw a close frame of the client; None is a frame without a code."""
        if self._trace is None:
            return
        self._from_client("close", _frame(code, reason), "end")

    def cuts(self, flag: str) -> None:
        """Draw the end of the TCP connection, "FIN" or "RST", from the client's side."""
        if self._trace is not None:
            self._from_client(f"TCP {flag}", "", "end")

    def thinks(self, text: str) -> None:
        """Draw a note on the client's lifeline."""
        if self._trace is not None:
            self._trace.record(Event(self._client, "note", text), chains=self._chains)

    # ---- what the client sees ----------------------------------------------------------------------------------

    def accepted(self) -> None:
        """Draw the end of a handshake that the app has accepted."""
        if self._trace is not None:
            self._from_server("101", "Switching Protocols", f"{self._letter}.accept")

    def hears(self, said: str | bytes) -> None:
        """Draw a message of the app."""
        if self._trace is None:
            return
        self._downs += 1
        self._from_server(_kind(said), repr(said), f"{self._letter}.down.{self._downs}")

    def shuts_down(self) -> None:
        """Draw a note that the server shuts down."""
        if self._trace is not None:
            self._trace.record(Event("server", "note", "shuts down"), chains=self._chains, gives="stop")

    def sees(self, seen: Seen, cause: str, reason: str = "", *, accepted: bool) -> None:
        """Draw what the client sees of an end that is not its own, and how it answers."""
        code = seen.open if accepted else seen.handshake
        if code is None or self._trace is None:
            return
        needs = cause if cause == "stop" else f"{self._letter}.{cause}"
        if code == 1006:
            self._from_server("TCP FIN", "", needs)
        elif accepted:
            code = None if code == 1005 else code
            self._from_server("close", _frame(code, reason), needs)
            self.closes(code, reason)
        else:
            self._from_server(str(code), _phrase(code), needs)

    # ---- both ways ---------------------------------------------------------------------------------------------

    def _from_client(self, action: str, detail: str, gives: str) -> None:
        if self._trace is not None:
            event, gives = Event(self._client, action, detail, "server"), f"{self._letter}.{gives}"
            self._trace.record(event, chains=self._chains, gives=gives, rank=(2, self._letter))

    def _from_server(self, action: str, detail: str, needs: str) -> None:
        if self._trace is not None:
            event = Event("server", action, detail, self._client)
            self._trace.record(event, chains=self._chains, needs=[needs], rank=(-1, self._letter))


NOTHING_DRAWN = Drawing(None, "")
"""For all connections that have no picture."""


def _kind(said: str | bytes) -> str:
    return "text" if isinstance(said, str) else "binary"


def _phrase(status: int) -> str:
    """Return the words of an HTTP status; nothing for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _frame(code: int | None, reason: str = "") -> str:
    """Return what a picture says of a close frame."""
    return "without a code" if code is None else f"{code} {reason}".rstrip()
