"""What the clients of a conversation know: the values that they have been told, and each one's cookies."""

import functools
from collections import deque

from hangup.explorer.apps.talk.script import ParsedScript
from hangup.servers.clients.answers import Values, as_expected
from hangup.servers.clients.handshake import Asked, Jar, handshake, request
from hangup.servers.clients.response import Response
from hangup.servers.script import Expect, Request, Send

_asked = functools.lru_cache(maxsize=64)(Asked)
_NOTHING = Values(frozenset())
"""What those know whose script binds nothing."""


_last: "tuple[ParsedScript, str, Known] | None" = None
"""What the clients of the last conversation knew: it serves the next one of this script, if they were told nothing."""


def known_at_first(script: ParsedScript, path: str) -> "Known":
    """Return what the clients of a script know when their conversation begins."""
    global _last
    if (last := _last) is None or last[0] is not script or last[1] != path or last[2].is_told:
        last = _last = script, path, Known(script, path)
    return last[2]


class Known:
    """Fills in what a client says from what was heard, and keeps what it hears."""

    def __init__(self, script: ParsedScript, path: str) -> None:
        self.is_told = bool(script.names or script.clients)
        """Whether it may have been told something that another conversation does not know."""
        self._clients, self._asked = script.clients, _asked(path)
        self._values = Values(script.names) if script.names else _NOTHING
        self._jars: dict[str, Jar] = {}

    def opening(self, letter: str) -> Asked:
        """Return what a client asks for when it connects."""
        if not (self._clients or self._jars):
            return self._asked
        return handshake(self._clients.get(letter), self._asked.path, self._jar(letter), self._values)

    def request(self, step: Request) -> Asked | None:
        """Return what a client asks for, or None if it needs a value that nobody has been told."""
        return request(step, self._jar(step.by), self._values)

    def response(self, step: Request, response: Response) -> str:
        """Keep what a response tells; return what is wrong with it, in words."""
        self._jar(step.by).keep(response.headers)
        return response.wrong(step) or self._values.keep(step, response.text)

    def said(self, step: Send) -> str | bytes | None:
        """Return what a client says, or None if it needs a value that nobody has been told."""
        text = step.text
        return self._values.filled(step.by, text) if self._values.names and isinstance(text, str) else text

    def problem(self, step: Expect, got: str | bytes) -> str:
        """Keep what a message tells; return why it is not the one that is expected, in words."""
        return as_expected(step, got) or self._values.keep(step, got)

    def among(self, step: Expect, heard: deque[str | bytes]) -> str | bytes | None:
        """Return the first message that is the expected one, if there is one."""
        return next((got for got in heard if not self.problem(step, got)), None)

    def _jar(self, letter: str) -> Jar:
        self.is_told = True
        return self._jars.setdefault(letter, Jar())
