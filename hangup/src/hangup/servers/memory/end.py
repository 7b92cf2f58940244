"""The end of a connection in memory: what the app is told of it, and what its calls do that come too late."""

from hangup.record.recorder import Message
from hangup.servers.memory.inbox import Inbox
from hangup.servers.models.model import SAME, Call, Early, Model
from hangup.time.virtual import turn

Told = tuple[list[Message], int | Call]
"""The disconnects that receive() gives, in order, and the code that it repeats then, or what it raises; None: it waits.
"""


_LAST = {"close": 1, "shutdown": 1, "too-big": 1, "closing": 0}
"""The last turn of the closing handshake; and of a transport that closes, the one in which FIN was read."""


_ANSWERS = ("websocket.accept", "websocket.close", "websocket.http.response.body")
"""By which messages an app answers the handshake; the last one ends an HTTP response of its own."""
_CLOSED = ("own", "too-big", "silence")
"""The ends at which the server has sent a close frame of its own, or will never send one."""


class End:
    """One end of a connection, and what follows from it on the server that `model` describes.

    `how` is an ending, "own" if the app has closed; `code` and `reason` are what the closing side gave; `accepted` says
    whether the app had accepted by then.
    """

    __slots__ = ("_accepted", "_answered", "_closing_until", "_code", "_early", "_model", "_reason", "_sent", "how")

    def __init__(self, model: Model, how: str, code: int | None, reason: str, accepted: bool) -> None:
        self.how = how
        self._model = model
        self._code = code
        self._reason = reason
        self._accepted = accepted
        self._answered = accepted or how == "own"  # whether the app has accepted, or closed in place of accept
        self._sent = False  # whether a send has returned since
        self._early = None if accepted else model.early.get(how)
        last = _LAST.get(how)
        self._closing_until = -1 if last is None else turn() + last

    def told(self) -> Told | None:
        """Return what the app is told, None if it learns nothing before it has answered."""
        return self._told(self.how, self._early) if self._accepted or self._early is not None else None

    def after(self, message: Message, call: Call, inbox: Inbox, *, read: bool) -> "End":
        """Return the end that counts when the app has sent this late, which did `call`; tell the app what is new to it.

        Of an end that its model leaves out of `early`, an app learns by its answer to the handshake. By some models its
        late close is one of its own.
        """
        kind = message["type"]
        self._sent = self._sent or (kind == "websocket.send" and call is None)
        if kind == "websocket.close" and self._is_own(call, read=read):
            accepted = self._accepted or (self._answered and self._early is None)
            own = End(self._model, "own", message.get("code") or 1000, message.get("reason") or "", accepted)
            if self._model.late_close == "instead":
                inbox.clear()
                inbox.tell(*own._told("own", own._early))
            else:
                codes, forever = own._told("own", None)
                inbox.tell(codes[:1], forever, before_last=self._is_closing())
            return own
        if not self._answered and kind in _ANSWERS:
            self._answered = True
            if self._early is None:
                accepts = kind == "websocket.accept"
                inbox.tell(*self._told(self.how if accepts else "own", None if accepts else self._model.early["own"]))
        return self

    def _is_own(self, call: Call, *, read: bool) -> bool:
        """Whether a late close, which did `call`, counts as the app's own all the same."""
        how = self._model.late_close
        if not how or self.how in _CLOSED or (self.how == "closing" and self._is_closing()):
            return False
        return read and self._is_closing() if how == "breath" else call is None or how == "too"

    def _is_closing(self) -> bool:
        """Whether this is the breath in which it ended: the loop has not run since."""
        return turn() <= self._closing_until

    def _told(self, how: str, early: Early | None) -> Told:
        model = self._model
        if early is not None:
            codes, forever, reason = early.told, early.forever, False
        else:
            codes, forever = model.told.get(how, ()), model.forever if how in model.told else None
            reason = how in model.reason
        same = model.no_code if self._code is None else self._code
        messages: list[Message] = []
        for code in codes:  # of a comprehension Python 3.11 makes a function each time
            messages.append({"type": "websocket.disconnect", "code": same if code == SAME else code})
        if reason and messages:
            messages[0]["reason"] = model.big_reason if how == "too-big" else self._reason
        return messages, forever

    def _in_answer(self, early: Early, word: str) -> Call:
        """Return what a call does on a connection that has ended before it was accepted.

        The start of an HTTP response is refused as an accept is; its body only by a server that refuses all alike.
        """
        if word == "http.response.body":
            return early.accept if early.accept == early.reject else None
        word = "accept" if word == "http.response.start" else word
        call: Call = getattr(early, "reject" if word == "close" and not self._answered else word, None)
        return call

    def late(self, kind: str, *, read: bool) -> Call:
        """Return what a send of `kind` does; `read` says whether the app has been given a disconnect."""
        word = kind.removeprefix("websocket.")
        call: Call
        if self.how == "closing" and self._is_closing():
            call = self._model.early_closing if word == "send" and not self._accepted else None
        elif self.how == "too-big" and read and self._is_closing():
            call = self._model.big_at_once
        elif self._early is not None:
            call = self._in_answer(self._early, word)
        elif self.how == "own":
            call = getattr(self._model, f"{word}_closed", None)
        else:
            gone = "next" if self._sent and word == "send" else "gone"
            moment = "closing" if read and word == "close" and self._is_closing() else "read" if read else gone
            call = getattr(self._model, f"{word}_{moment}", None)
            how = self.how if self._accepted else f"early {self.how}"
            call = self._model.by_ending.get(how, {}).get(f"{word}_{moment}", call)
        return call
