"""What a server has not handed on: a session in which a message was lost says nothing about the app.

granian does lose some (measured with 2.8.7): a message that a task of the app sends while another one's `accept` has
not returned, in 62 of 13,200 sessions of such an app. `send()` returns, and nothing is sent. Litestar's `websocket_stream` does that
where its listener for the disconnect is the first to accept, and lost one in 1 of 6,732 sessions, beside busy loops.
"""

from hangup.network.client import Connection
from hangup.record.session import Session


def lost(session: Session, client: Connection) -> str:
    """Say what the server between an app and a client that has not left has not handed on; nothing if that is nothing.

    Ask when somebody has waited in vain. Either the client has said more than `receive()` has returned, though a call
    of it waits, or has returned a disconnect instead. Or `send()` has taken more messages than have come, though the
    app was told of no end. What an app never asks for, or says after its own close, is not lost by its server.
    """
    if session.closes:
        return ""
    said, come = client.passed
    if said > session.received and (session.asking or session.codes):
        return f"client {session.letter} said {_messages(said)}; receive() has returned {session.received}"
    if session.taken > come and not session.codes:
        return f"send() has taken {_messages(session.taken)} for client {session.letter}; {come} came"
    return ""


def _messages(count: int) -> str:
    return f"{count} message{'s' * (count != 1)}"
