"""How a client of a script asks: for its connection or for a page, with its headers and the cookies that it has."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlencode

from hangup.servers.clients.answers import Values
from hangup.servers.script import ABSENT, Client, Request

Headers = tuple[tuple[str, str], ...]
"""Names in small letters, and values."""


@dataclass(frozen=True)
class Asked:
    """What a client asks for, and how."""

    path: str
    headers: Headers = ()
    subprotocols: tuple[str, ...] = ()
    method: str = "GET"
    body: bytes = b""


@dataclass
class Jar:
    """The cookies of one client, which it sends with all that it asks (RFC 6265, with no regard to paths)."""

    cookies: dict[str, str] = field(default_factory=dict)

    def keep(self, headers: Iterable[tuple[str, str]]) -> None:
        """Take the cookies that a response sets, and drop those that it takes back."""
        for name, value in headers:
            if name.lower() != "set-cookie":
                continue
            try:
                found = SimpleCookie(value)
            except CookieError:
                continue
            for key, morsel in found.items():
                if morsel["max-age"] == "0" or "1970" in morsel["expires"]:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.coded_value


def handshake(client: Client | None, path: str, jar: Jar, values: Values) -> Asked:
    """Return how a client asks for its connection; a value that nobody knows stays as it is written."""
    if client is None:
        return Asked(path, _cookies({}, jar))

    def filled(text: str) -> str:
        known = values.filled(client.by, text)
        return text if known is None else known

    own = {name.lower(): filled(value) for name, value in client.headers.items()}
    mine = {name: filled(value) for name, value in client.cookies.items()}
    headers = (*own.items(), *_cookies(mine, jar))
    return Asked(filled(client.path or path), headers, tuple(client.subprotocols))


def request(step: Request, jar: Jar, values: Values) -> Asked | None:
    """Return how a client makes a request, None if that needs a value that nobody knows."""
    headers = {"accept": "*/*"}
    body = step.data
    if step.json is not ABSENT:
        body, headers["content-type"] = json.dumps(step.json), "application/json"
    elif isinstance(body, Mapping):
        form = {name: values.filled(step.by, value) for name, value in body.items()}
        if None in form.values():
            return None
        body, headers["content-type"] = urlencode(form), "application/x-www-form-urlencoded"
    texts = [step.path, *step.headers.values(), *([body] if isinstance(body, str) else [])]
    known = [values.filled(step.by, text) for text in texts]
    if None in known:
        return None
    path, *rest = (str(each) for each in known)
    data = body if isinstance(body, bytes) else rest.pop().encode()
    headers |= dict(zip((name.lower() for name in step.headers), rest, strict=True))
    if data:
        headers["content-length"] = str(len(data))
    return Asked(path, (*headers.items(), *_cookies({}, jar)), method=step.method.upper(), body=data)


def _cookies(own: Mapping[str, str], jar: Jar) -> Headers:
    both = {**jar.cookies, **{name: quote(value, safe="!#$&'()*+/:<=>?@[]^`{|}~%") for name, value in own.items()}}
    return (("cookie", "; ".join(f"{name}={value}" for name, value in both.items())),) if both else ()
