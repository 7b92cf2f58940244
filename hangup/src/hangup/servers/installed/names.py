"""What a name such as `installed:uvicorn` stands for: which code, of which release, and what is missing for it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from hangup.servers.memory import Moment
from hangup.servers.models import MODELS
from hangup.servers.models.doubts import installed
from hangup.servers.models.model import Model
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    from hangup.servers.installed.connection import InstalledConnection, Start

PREFIX = "installed:"


@dataclass(frozen=True)
class Code:
    """A server's code: the model that is its row, the packages and the extras that it needs, and where it starts."""

    model: str
    needs: tuple[str, ...]
    extra: str
    module: str
    arguments: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """Return a sentence on what must be installed, or nothing."""
        wanted = dict.fromkeys((*self.needs, "websockets"))
        absent = [package for package in wanted if installed(package) is None]
        if not absent:
            return ""
        what = " and ".join(absent)
        return f"{PREFIX}{self.model} runs the code of {what}, which is not installed: pip install {self.extra}"

    @property
    def title(self) -> str:
        """Return the release that runs, such as `uvicorn 0.54.0, installed, in memory`."""
        package = self.needs[0]
        _, _, ws = self.model.partition("-")
        return f"{package} {installed(package)}{ws and f' with {ws}'}, installed, in memory"

    def start(self) -> "Start":
        """Import the server and return what starts it."""
        start: Callable[..., Callable[[], None]] = import_module(
            f"hangup.servers.installed.starting.{self.module}"
        ).start
        return functools.partial(start, *self.arguments)


CODE = {
    f"{PREFIX}{code.model}": code
    for code in (
        Code("uvicorn", ("uvicorn",), "'hangup[uvicorn]'", "uvicorn", ("websockets-sansio",)),
        Code("uvicorn-websockets", ("uvicorn",), "'hangup[uvicorn]'", "uvicorn", ("websockets",)),
        Code("uvicorn-wsproto", ("uvicorn", "wsproto"), "'hangup[uvicorn]'", "uvicorn", ("wsproto",)),
        Code("hypercorn", ("hypercorn",), "'hangup[client,hypercorn]'", "hypercorn"),
        Code("gunicorn", ("gunicorn",), "'hangup[client]' 'gunicorn>=24'", "gunicorn"),
        Code("anycorn", ("anycorn",), "'hangup[client]' anycorn", "anycorn"),
    )
}
"""Every server whose code can run in memory, by its name."""


def row_of(name: str) -> Model:
    """Return the row of the model that is known for an installed server."""
    return MODELS[CODE[name].model]


def connect(
    name: str, ending: str, moment: Moment | None = None, trace: Trace | None = None, letter: str = "a"
) -> "InstalledConnection":
    """Return a connection to this installed server, on the running loop."""
    from hangup.servers.installed.connection import InstalledConnection

    return InstalledConnection(row_of(name), _start(name), ending, moment, trace, letter)


@functools.cache
def _start(name: str) -> "Start":
    if missing := CODE[name].missing:
        raise ValueError(missing)
    return CODE[name].start()
