"""The server's side of a connection in memory, which an app is given as its receive and send."""

import asyncio

from hangup.record.recorder import Message
from hangup.servers.memory.end import End
from hangup.servers.memory.inbox import Inbox
from hangup.servers.memory.lasting import LASTING, Lasting
from hangup.servers.memory.sides import Calls, Client, Departure, Moment
from hangup.servers.models.model import Model, Seen
from hangup.trace.trace import Trace


class MemoryConnection:
    """The server's side of one connection; `receive` and `send` are what the app gets.

    `leave` ends it in the way of `ending`, and does so before the call that `moment` names; some endings only begin
    there, and `lasting` is what goes on until another one follows. `trace` gets the picture of the client `letter`.
    """

    __slots__ = (
        "_end",
        "_inbox",
        "_status",
        "accepted",
        "calls",
        "client",
        "departure",
        "done",
        "gone",
        "lasting",
        "model",
    )

    def __init__(
        self, model: Model, ending: str, moment: Moment | None = None, trace: Trace | None = None, letter: str = "a"
    ) -> None:
        self.model = model
        self.calls = Calls()
        self.client = Client(letter, trace)
        self.departure = Departure(ending, moment)
        self.accepted = False
        """Whether the app has accepted it, and in time."""
        self.gone = ""
        """The ending that has happened, "own" when the app closed first, or nothing yet."""
        self.done = False
        """Whether the app has ended the session."""
        self.lasting: Lasting | None = None
        """The end that has begun and takes its time, if it is such a one."""
        self._end: End | None = None
        self._status = 0  # of the HTTP response by which the app refuses, once that has begun
        self._inbox = Inbox(self.calls.spin, model.connects_again)

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    @property
    def unnoticed(self) -> bool:
        """Whether its client is gone, or is as good as gone, and no server can have noticed so far."""
        return self.lasting is not None and self._end is None

    @property
    def waiting_sends(self) -> int:
        """How many calls of send() wait for the client to read."""
        return 0 if self.lasting is None else self.lasting.waiting

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next message, as the model says once the peer is gone."""
        calls, moment = self.calls, self.departure.moment
        calls.receives = number = calls.receives + 1
        if number == 1:
            if calls.yields:
                await asyncio.sleep(0)
            return {"type": "websocket.connect"}
        if moment is not None and moment.number == number:
            self._leave_at("receive")
        if calls.yields:  # where a server might let others run (a full buffer, a lock); uvicorn does only if it must
            await asyncio.sleep(0)
        model, inbox = self.model, self._inbox
        if model.receive_again is not None and inbox.awaited and self.accepted:
            raise model.receive_again("")
        if model.turns and inbox.ends:
            for _ in range(model.turns):
                await asyncio.sleep(0)
        if (message := inbox.take()) is None:
            message = await inbox.get()
        return message

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        calls, moment = self.calls, self.departure.moment
        calls.sends = number = calls.sends + 1
        leaves = moment is not None and moment.number == number and self._leave_at("send")
        kind: str = message["type"]
        if self._end is None and self.lasting is None and self.client.reads:
            self._take(kind, message)
            if calls.yields:
                await asyncio.sleep(0)
            return
        read = self._inbox.read  # a server looks whether it has told the app when it is called, and waits after that
        if self.lasting is not None and kind != "websocket.accept":
            self.lasting.busy()
            await self.lasting.until_read()
            leaves = False
        if not self.client.reads and kind == "websocket.send" and self.model.full != "takes all":
            while not self.gone:
                await self.client.room()
        if self._end is not None and not self._is_served():
            late = self._end.late(kind, read=read)
            closing = self._end.how == "closing"
            self._end = self._end.after(message, late, self._inbox, read=read)
            if leaves and not closing:
                await asyncio.sleep(0)
            if late is not None:
                raise late(kind)
            return
        self._take(kind, message)
        if calls.yields:
            await asyncio.sleep(0)

    def _take(self, kind: str, message: Message) -> None:
        """Take a message while the peer is there."""
        if kind == "websocket.accept":
            if self.accepted and self.model.accept_again is not None:
                raise self.model.accept_again(kind)
            self.accepted = True
            self._inbox.connects = False
            if self.client.drawn:
                self.client.drawing.accepted()
        elif kind == "websocket.send":
            text, client = message.get("text"), self.client
            said = text if text is not None else message.get("bytes") or b""
            client.outbox.append(said)
            if client.drawn:
                client.drawing.hears(said)
        elif kind == "websocket.close":
            code, reason = message.get("code") or 1000, message.get("reason") or ""
            if self.gone != "silence":
                self._see(Seen(403, code), "closing", "" if self.model.drops_reason else reason)
            self._ends("own", code, reason)
        elif kind.startswith("websocket.http.response."):
            self._denies(kind, message)
        self.client.on_change()

    def _denies(self, kind: str, message: Message) -> None:
        """Take a part of the HTTP response by which the app refuses: its start, or its body, which ends it."""
        if self.accepted:
            if self.model.accept_again is not None:
                raise self.model.accept_again(kind)
        elif kind == "websocket.http.response.start" and self.model.denies:
            self._status = int(message["status"])
        elif self._status and not message.get("more_body"):
            self._see(Seen(self._status, None), "closing")
            self._ends("own", None, "")

    def ended(self, how: str) -> None:
        """Let the client see that the app has "returned", "raised" or been "cancelled", if it has not closed.

        Where the server closes the connection for that, a task that the app has left behind hears of it: as of a client
        whose process dies.
        """
        if self._end is None or self._is_served():
            seen = self.model.ends[how]
            self._see(seen, "ended")
            if self.accepted and seen.open is not None:
                self._ended_by_its_server()

    def _ended_by_its_server(self) -> None:
        if (told := End(self.model, "fin", None, "", accepted=True).told()) is not None:
            self._inbox.tell(*told)

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, said: str | bytes) -> None:
        """Let the client send a text or binary message."""
        if self.client.drawn:
            self.client.drawing.says(said)
        message: Message = {"type": "websocket.receive"}
        if self.model.both_keys:
            message["bytes"] = message["text"] = None
        message["text" if isinstance(said, str) else "bytes"] = said
        self._inbox.put(message)

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        self.client.drawing.thinks(text)

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone or self.lasting is not None:
            return
        how = "reset" if self.departure.ending == "early" else self.departure.ending
        if not self.accepted and how in {"close", "too-big", "idle", "unread"}:
            how = "fin"
        if how in LASTING:
            self._begin(how)
            return
        if how == "too-big":
            self._too_big()
            return
        if how == "close":
            self.client.drawing.closes(code, reason)
        elif how in {"fin", "reset", "closing"}:
            self.client.drawing.cuts("RST" if how == "reset" else "FIN")
        else:
            if self.client.letter == "a":
                self.client.drawing.shuts_down()
            if self.model.shuts_down is not None:
                self._see(self.model.shuts_down, "stop")
        self._ends(how, code, reason)
        self.client.on_change()

    def stop_reading(self) -> None:
        """Let the client read no more: what is sent to it waits for room, until the connection ends."""
        self.client.reads = False

    def unlink(self) -> None:
        """Let go of the connection at the session's end: what is still to come does not come."""
        if self.lasting is not None:
            self.lasting.unlink()

    # ---- ends that take their time ------------------------------------------------------------------------------

    def _begin(self, how: str) -> None:
        """Let an end begin; but for a proxy that waits, nobody hears from the client any more."""
        words = {"silence": "falls silent", "idle": "has nothing to say", "unread": "stops reading"}
        self.client.drawing.thinks(words[how])
        self.lasting = Lasting(self.model, how, self._follows)
        if how != "idle":
            self.gone = how
            self.client.on_change()

    def _follows(self, how: str) -> None:
        """Let the end follow in which another one results."""
        if how == "close":
            self.client.drawing.closes(1001, "")
        elif how in {"fin", "reset"}:
            self.client.drawing.cuts("FIN" if how == "fin" else "RST")
        self._ends(how, 1001, "")
        self.client.on_change()

    def _too_big(self) -> None:
        """Let the client send a message above the limit; the server answers, and tells the app."""
        self.client.drawing.thinks("sends a message above the server's limit")
        self.gone = "too-big"
        if self.model.after.get("too-big"):
            self.lasting = Lasting(self.model, "too-big", self._refuses)
        else:
            self._refuses("too-big")
        self.client.on_change()

    def _refuses(self, how: str) -> None:
        self._see(self.model.big_seen, "closing")
        self._ends(how, 1009, "")

    # ---- how it ends -------------------------------------------------------------------------------------------

    def _is_served(self) -> bool:
        """Whether the server shuts down and lets this connection be for as long as the app runs."""
        if self._end is None or self._end.how != "shutdown":
            return False
        return "shutdown" not in self.model.told and "shutdown" not in self.model.early

    def _leave_at(self, call: str) -> bool:
        """Let the client leave, with what it has said unheard, if the moment is one of this call; return whether.

        If the connection has ended before, nothing happens: what the app is told of that end stays to be heard.
        """
        moment = self.departure.moment
        if moment is None or moment.call != call or self.gone or self.lasting is not None:
            return False
        self._inbox.clear()
        self.leave(self.departure.code)
        return True

    def _ends(self, how: str, code: int | None, reason: str) -> None:
        """Take note of an end; of two, a server that shuts down and the app's own close after it, the later counts."""
        self.gone = self.gone or how
        if not self.client.reads and self.model.full == "waits":
            self.client.is_gone()
        self._end = End(self.model, how, code, reason, self.accepted)
        if (told := self._end.told()) is not None:
            self._inbox.tell(*told)

    def _see(self, seen: Seen, cause: str, reason: str = "") -> None:
        self.client.drawing.sees(seen, cause, reason, accepted=self.accepted)
