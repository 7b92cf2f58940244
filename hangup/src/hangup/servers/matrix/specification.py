"""What the specification says to each question of the matrix, in short and in our words, with the section to read.

www.rst is the "HTTP & WebSocket ASGI Message Format" of asgiref, version 2.5; most of this it leaves open.
"""

_DISCONNECT = 'www.rst, "Disconnect - receive event"'
_SEND = 'www.rst, "Disconnected Client - send exception"'
_CLOSE = 'www.rst, "Close - send event"'
_ERRORS = 'asgi.rst, "Error Handling"'
_SCOPE = 'www.rst, "Websocket Connection Scope"'
_OPEN = "left open"

_TOLD = f"a disconnect with the close code ({_DISCONNECT})"
_LOST = f"a disconnect, also for the loss of the socket ({_DISCONNECT}); without a close frame 1006 (RFC 6455 7.1.5)"
_RAISES = (
    f"should raise a subclass of OSError, which is not guaranteed ({_SEND}); before 2.4, should do nothing ({_ERRORS})"
)
_CLOSED = (
    f'no error unless a protocol says so ({_ERRORS}); whether it is meant by "a closed connection" ({_SEND}) is {_OPEN}'
)
_ENDS = f"the socket should be closed ({_SCOPE})"

SAYS = {
    "the client closes without a code: receive()": f"1005 ({_DISCONNECT}; RFC 6455 7.1.5)",
    "the client closes: receive()": f"{_TOLD}; a further receive() is {_OPEN}",
    "the client dies (FIN): receive()": _LOST,
    "the network resets: receive()": _LOST,
    "the server shuts down: receive()": f"a disconnect, for the server closes ({_DISCONNECT}); the code is {_OPEN}",
    "the app has closed: receive()": f"a disconnect, for the server closes ({_DISCONNECT})",
    "the peer has left: send()": _RAISES,
    "the peer has left: close()": _RAISES,
    "the disconnect was received: send()": _RAISES,
    "the disconnect was received: close()": _RAISES,
    "in the same breath: close()": f"{_RAISES}; of breaths it knows nothing",
    "the app has closed: send()": _CLOSED,
    "the app has closed: close()": _CLOSED,
    "left before accept: receive()": f"a disconnect ({_DISCONNECT})",
    "left before accept: accept": f"an accept is a send(), too: {_RAISES}",
    "left before accept: close()": _RAISES,
    "left before accept: accept, send()": _RAISES,
    "left before accept: accept, close()": _RAISES,
    "the app has refused: receive()": f"a disconnect, for the server closes ({_DISCONNECT}); the code is {_OPEN}",
    "the app has refused: send()": _CLOSED,
    "the app has refused: close()": _CLOSED,
    "the app ends (returned): the client sees": f"{_ENDS}; how is {_OPEN}, 403 is for a close ({_CLOSE})",
    "the app ends (raised): the client sees": (
        f"the server must end the connection ({_ERRORS}); how is {_OPEN}, 1011 is for what fails (RFC 6455 7.4.1)"
    ),
    "the app ends (cancelled): the client sees": f"{_ENDS}; how is {_OPEN}",
    "the server shuts down: the client sees": f"{_OPEN}; 1001 is going away (RFC 6455 7.4.1), 1012 a restart (IANA)",
    "the server shuts down: the app is cancelled": _OPEN,
}
"""For each question, what the specification says, and where."""

_CODES = {
    "the client closes without a code: receive()": ("1005",),
    "the client closes: receive()": ("its code",),
}
_ASKS_OSERROR = tuple(question for question, says in SAYS.items() if says == _RAISES)


def departs(question: str, answer: str, oserrors: "frozenset[str] | set[str]", version: str = "2.4") -> bool:
    """Whether an answer is other than what the specification asks for, or says that a server should do.

    `oserrors` names the exceptions that are subclasses of OSError, `version` is the one of the specification that the
    server names: before 2.4 a send to nobody should do nothing (asgi.rst, "Error Handling"). Of what is left open
    nobody departs.
    """
    if answer == "?":
        return False
    if question in _CODES:
        return not answer.startswith(_CODES[question])
    if question in _ASKS_OSERROR:
        each = {part.rpartition(": ")[2] for part in answer.split("; ")}
        return not each <= ({"returns"} if _before_2_4(version) else oserrors)
    if question.endswith("receive()"):
        return answer.split(",")[0].startswith("waits") or answer.startswith("raises")
    return False


def _before_2_4(version: str) -> bool:
    major, _, minor = version.partition(".")
    return major == "2" and minor.isdecimal() and int(minor) < 4
