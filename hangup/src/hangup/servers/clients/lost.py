"""What a server has not handed on: a session in which a message was lost says nothing about the app.

granian does lose some (measured with 2.8.7): a message that a task of the app sends while another one's `accept` has
not returned, in 62 of 13,200 sessions of such an app. `send()` returns, and nothing is sent. Litestar's
`websocket_stream` does that where its listener for the disconnect is the first to accept: one of 6,732 sessions.
"""

from hangup.network.client import Connection
from hangup.record.session import Session


def lost(session: Session, client: Connection) -> str:
    """Say what the server between an app and a client that has not left has not handed on; nothing if that is nothing.

    Ask when somebody has waited in vain. Either the client has said more than `receive()` has returned, though a call
    of it waits, or has returned a disconnect instead. Or what has come is not what `send()` was given at first, or is
    less than it has taken, though the app was told of no end. What an app never asks for, or says after its own close,
    is not lost by its server. What is on its way at that moment counts as lost: to play once more does no harm.
    """
    if session.closes:
        return ""
    who, come = f"client {session.letter}", client.came
    if client.said > session.received and (session.asking or session.codes):
        return f"{who} said {_messages(client.said)}; receive() has returned {session.received}"
    said = session.said or []
    if come != said[: len(come)]:
        return f"{who} missed one of {_messages(len(said))} that send() was given"
    if session.taken > len(come) and not session.codes:
        return f"send() has taken {_messages(session.taken)} for {who}; {len(come)} came"
    return ""


def _messages(count: int) -> str:
    return f"{count} message{'s' * (count != 1)}"
