"""What a client is told in bytes where it expects a text: in a browser that is a Blob, however right its characters."""

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, Session, current
from hangup.record.rules import rule


def note_bytes(session: Session | None, message: Message) -> None:
    """Take note of the first message that a session's app sends as bytes."""
    if session is not None and message.get("bytes") is not None:
        session.facts.setdefault("bytes", message["bytes"])


def noting_bytes(app: ASGIApp) -> ASGIApp:
    """Return an app that takes note of what another one, `app`, sends as bytes."""

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        session = current()

        async def say(message: Message) -> None:
            note_bytes(session, message)
            await send(message)

        await app(scope, receive, say)

    return noting


@rule
def sends_texts(session: Session) -> str | None:
    """What goes out is a text message."""
    sent: bytes | None = session.facts.get("bytes")
    return None if sent is None else f"a message went out as bytes: {sent!r}"
