"""The end of a connection in memory: what the app is told of it, and what its calls do that come too late."""

from hangup.record.recorder import Message
from hangup.servers.models.model import SAME, Call, Early, Model
from hangup.time.virtual import turn

Told = tuple[list[Message], int | None]
"""The disconnects that receive() gives, in order, and the code that it repeats then; None: it waits for ever."""


_LAST = {"close": 1, "shutdown": 1, "too-big": 1, "closing": 0}
"""The last turn of the closing handshake; and of a transport that closes, the one in which FIN was read."""


class End:
    """One end of a connection, and what follows from it on the server that `model` describes.

    `how` is an ending, "own" if the app has closed; `code` and `reason` are what the closing side gave; `accepted` says
    whether the app had accepted by then.
    """

    __slots__ = ("_accepted", "_answered", "_closing_until", "_code", "_early", "_model", "_reason", "how")

    def __init__(self, model: Model, how: str, code: int | None, reason: str, *, accepted: bool) -> None:
        self.how = how
        self._model = model
        self._code = code
        self._reason = reason
        self._accepted = accepted
        self._answered = accepted or how == "own"  # whether the app has accepted, or closed in place of accept
        self._early = None if accepted else model.early.get(how)
        last = _LAST.get(how)
        self._closing_until = -1 if last is None else turn() + last

    def told(self) -> Told | None:
        """Return what the app is told, None if it learns nothing before it has answered."""
        return self._told(self.how, self._early) if self._accepted or self._early is not None else None

    def answered(self, kind: str) -> Told | None:
        """Return what the app is told now that it sends `kind`; None if that tells it nothing new.

        Of an end that its model leaves out of `early`, an app learns by its answer to the handshake.
        """
        if self._answered or kind not in {"websocket.accept", "websocket.close"}:
            return None
        self._answered = True
        if self._early is not None:
            return None
        return self._told(self.how, None) if kind == "websocket.accept" else self._told("own", self._model.early["own"])

    def _told(self, how: str, early: Early | None) -> Told:
        model = self._model
        if early is not None:
            codes, forever, reason = early.told, early.forever, False
        else:
            codes, forever = model.told.get(how, ()), model.forever if how in model.told else None
            reason = how in model.reason
        same = model.no_code if self._code is None else self._code
        messages: list[Message] = [
            {"type": "websocket.disconnect", "code": same if code == SAME else code} for code in codes
        ]
        if reason and messages:
            messages[0]["reason"] = model.big_reason if how == "too-big" else self._reason
        return messages, forever

    def late(self, kind: str, *, read: bool) -> Call:
        """Return what a send of `kind` does; `read` says whether the app has been given a disconnect."""
        word = kind.removeprefix("websocket.")
        call: Call
        if self.how == "closing" and turn() <= self._closing_until:
            call = self._model.early_closing if word == "send" and not self._accepted else None
        elif self.how == "too-big" and read and turn() <= self._closing_until:
            call = self._model.big_at_once
        elif self._early is not None:
            call = getattr(self._early, "reject" if word == "close" and not self._answered else word, None)
        elif self.how == "own":
            call = getattr(self._model, f"{word}_closed", None)
        else:
            closing = read and word == "close" and turn() <= self._closing_until
            moment = "closing" if closing else "read" if read else "gone"
            call = getattr(self._model, f"{word}_{moment}", None)
            call = self._model.by_ending.get(self.how, {}).get(f"{word}_{moment}", call)
        return call
