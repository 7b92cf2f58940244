"""What can be said of a server once the peer is gone: the columns of the table whose rows are the Models.

An ending is one of `ENDINGS`, and "own" where the app itself has closed; a code is a close code of RFC 6455.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ENDINGS = ("close", "fin", "reset", "shutdown")
"""How a connection ends: the client closes with 1001, its process dies, the network resets, the server shuts down."""

FURTHER = {
    "silence": "nothing arrives any more, and nothing is acknowledged",
    "too-big": "the client sends a message above the server's limit",
    "idle": "nobody says a word, behind a proxy that ends such a connection",
    "unread": "the client stops reading, and is reset a minute later",
    "closing": "the server has read the client's FIN, and has not got round to it",
    "early": "the network resets before the app is called",
}
"""More ways, which an exploration tries if it is asked to; "closing" and "early" are states of some servers only."""

ENDED = ("returned", "raised", "cancelled")
"""How an app ends."""

SAME = 0
"""In `Model.told`: the code that the closing side gave."""


@dataclass(frozen=True)
class Raises:
    """A call raises this exception with these words, in which `{type}` is the message's type."""

    error: type[Exception]
    words: str = ""

    def __call__(self, kind: str) -> Exception:
        """Return the exception for a message of type `kind`."""
        return self.error(self.words.format(type=kind)) if self.words else self.error()


Call = Raises | None
"""What a call does: raise, or (None) return as if nothing had happened."""


@dataclass(frozen=True)
class Seen:
    """What the client sees: `handshake` where the app has not accepted, an HTTP status; `open` else, a close code.

    1006 is the end of the TCP connection without a close frame, 1005 a close frame without a code, None is nothing.
    """

    handshake: int | None
    open: int | None


@dataclass(frozen=True)
class Early:
    """What an app meets on a connection that ends before it has accepted.

    told: the codes of websocket.disconnect, in order. forever: the code that every later receive() gives, or what it
    raises, or None: it waits for ever. The others say what a call does: `reject` is a close in place of accept, `close`
    one after it.
    """

    told: tuple[int, ...] = ()
    forever: "int | Call" = None
    accept: Call = None
    reject: Call = None
    send: Call = None
    close: Call = None


@dataclass(frozen=True)
class Model:
    """What one server does once a connection has ended. `hangup models` prints all models side by side, in words."""

    name: str

    # ---- of which releases it is true --------------------------------------------------------------------------------

    package: str
    """The distribution that the releases are of, as in `pip install`."""
    since: str
    """The oldest release of it for which this row is true, as far as that was measured."""
    measured: str
    """The newest release of it on which the probes found this row true."""

    # ---- what receive() gives --------------------------------------------------------------------------------------

    told: Mapping[str, tuple[int, ...]]
    """For each ending, and "own" for the app's own close, the codes of websocket.disconnect in order; an ending that is
    missing is one that the app is never told of."""
    forever: "int | Call" = None
    """The code that every later receive() gives, or what it raises, or None: it waits for ever."""
    no_code: int | None = 1005
    """What the app is told of a close frame without a code."""
    connects_again: bool = False
    """Whether until the app has accepted receive() gives websocket.connect again and again, and tells of no end."""
    turns: int = 0
    """How many turns of the loop pass before receive() gives the first disconnect: other tasks come first."""
    reason: tuple[str, ...] = ()
    """The endings whose first disconnect has a reason: what the closing side gave, or ""."""

    both_keys: bool = False
    """Whether a message has both "text" and "bytes", the other one None; else it has the one that there is."""

    # ---- what send() does: the message, then the moment --------------------------------------------------------------

    send_gone: Call = None
    """A send when the peer has left."""
    send_next: Call = None
    """A send when the peer has left, and one has returned since: by then the server knows."""
    close_gone: Call = None
    """A close when the peer has left."""
    send_read: Call = None
    """A send when the app has received the disconnect."""
    close_read: Call = None
    """A close when the app has received the disconnect."""
    close_closing: Call = None
    """A close when the app has received the disconnect and the loop has not run since."""
    further: bool = True
    """Whether it was measured what it does after the further endings."""
    by_ending: Mapping[str, Mapping[str, Call]] = field(default_factory=dict)
    """For an ending, those of the calls above that do something else after it, by their names; "early fin" is the
    ending before an accept that came too late and yet returned."""
    late_close: Literal["", "breath", "too", "instead"] = ""
    """Whether a close when the peer has left is the app's own close all the same, after which its calls do what they do
    then. Of "breath", only one in the same breath in which the app was told; the app is told of its own close before
    what it is still told of the other one. Of "too" it is told of both; of "instead" of its own alone, and if the close
    raises, of the other one."""
    send_closed: Call = None
    """A send when the app itself has closed."""
    close_closed: Call = None
    """A close when the app itself has closed."""
    accept_again: Call = None
    """A second accept while the peer is there."""
    receive_again: Call = None
    """A receive() while another one waits."""

    # ---- before the app has accepted ---------------------------------------------------------------------------------

    early: Mapping[str, Early] = field(default_factory=dict)
    """The endings that the app is told of before it accepts; "own" is its own close in place of accept. Of an ending
    that is missing here it learns when it has accepted: then all is as above."""

    early_closing: Call = None
    """A send right after an accept that came while the connection was closing, of which that accept told nothing; None:
    this server has no such state."""
    loses_client: bool = False
    """Whether the app is called for a client that was reset before, with None as the the client in its scope."""

    # ---- a peer that does not answer, does not read, or sends too much --------------------------------------------

    pings_every: float | None = None
    """The seconds between two pings, by default; None: it sends none."""
    after: Mapping[str, float] = field(default_factory=dict)
    """The seconds that pass, by default, until the app is told of "silence" or "too-big"; of others it is at once."""
    takes: float = 2.7
    """About how many MiB the server, and the systems between, take for a peer that does not read before send() waits.
    Nearly all of it is what Linux keeps for a socket, on loopback; no server notices such a peer."""
    big_reason: str = ""
    """What the app is told for a reason when a message was too big."""
    big_at_once: Call = None
    """A send or close when the app has received that disconnect and the loop has not run since."""
    big_seen: Seen = Seen(None, None)
    """What the client of a message that was too big sees, when it has sent all of it."""
    full: Literal["waits", "waits for ever", "takes all"] = "waits"
    """What a send does when the peer does not read: wait until it is gone, or even then, or return."""

    # ---- what the client sees ----------------------------------------------------------------------------------------

    ends: Mapping[str, Seen] = field(default_factory=dict)
    """For each way in which the app can end (`ENDED`), what the client sees if it has not closed."""
    shuts_down: Seen | None = None
    """What the client sees when the server shuts down; None: nothing, for as long as the app runs."""
    denies: bool = True
    """Whether an app may refuse with an HTTP response of its own (asgi extensions.rst, websocket denial response)."""
    drops_reason: bool = False
    """Whether the reason of the app's close does not reach the client."""
    cancels: Literal["", "lifespan", "always"] = ""
    """Whether the server, some time after its shutdown began, cancels an app that runs on: never, always, or only if it
    has a lifespan; else the process ends before the app's task runs again."""

    @property
    def releases(self) -> str:
        """The releases of which it is known to be true, such as `2.8.4 to 2.8.9`."""
        return self.since if self.since == self.measured else f"{self.since} to {self.measured}"
