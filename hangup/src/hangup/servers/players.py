"""What a server's name means in an exploration: a model's row, or installed code, and the connection in memory.

`granian` is a model, `granian==2.7.1` the model of that release, `installed:uvicorn` the code that is installed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hangup.servers.installed import names
from hangup.servers.memory import MemoryConnection, Moment
from hangup.servers.models import MODELS, model_for
from hangup.servers.models.doubts import Installed, installed, order
from hangup.servers.models.model import Model
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    from hangup.servers.installed.connection import InstalledConnection

    Connection = MemoryConnection | InstalledConnection
else:
    Connection = MemoryConnection  # the other is imported where it is asked for: it needs websockets


def check(name: str) -> str:
    """Return this name; raise ValueError with a sentence if nobody plays it, or something must be installed."""
    if name in names.CODE:
        if missing := names.CODE[name].missing:
            raise ValueError(missing)
    elif name.startswith(names.PREFIX):
        raise ValueError(f"No code runs in memory as {name!r}: choose among {', '.join(names.CODE)}.")
    elif "==" in name:
        model_for(name)
    elif name not in MODELS:
        raise ValueError(f"There is no model {name!r}: choose among {', '.join(MODELS)}.")
    return name


def is_known(name: str) -> bool:
    """Return whether somebody plays the server of this name."""
    try:
        check(name)
    except ValueError:
        return False
    return True


def is_model(name: str) -> bool:
    """Return whether a model plays the server of this name, if anybody does: its newest one, or a release's."""
    return not name.startswith(names.PREFIX)


def titles(models: Sequence[str]) -> list[str]:
    """Return, for each installed server among these names, the release that runs."""
    return [f"{name}: {names.CODE[name].title}" for name in models if name in names.CODE]


def of_older_releases(models: Sequence[str], installed: Installed = installed) -> list[str]:
    """Return the names that play, for each of these models that is newer than the release installed here, its row."""
    found = [(row, installed(row.package)) for row in map(MODELS.get, models) if row is not None]
    older = [f"{row.name}=={release}" for row, release in found if release and order(release) < order(row.since)]
    return [name for name in older if is_known(name)]


def row_of(name: str) -> Model:
    """Return the model of this name; of an installed server, the one that is known for it."""
    if (row := MODELS.get(name)) is not None:
        return row
    return names.row_of(name) if name in names.CODE else model_for(name)


def model_of(name: str) -> str:
    """Return the name of the model that stands for this server where its own code cannot be held back."""
    return names.row_of(name).name if name in names.CODE else name


def connection_for(
    name: str, ending: str, moment: Moment | None = None, trace: Trace | None = None, letter: str = "a"
) -> "Connection":
    """Return a connection, on the running loop, to whoever plays the server of this name."""
    if (row := MODELS.get(name)) is not None:
        return MemoryConnection(row, ending, moment, trace, letter)
    if name not in names.CODE:
        return MemoryConnection(row_of(name), ending, moment, trace, letter)
    return names.connect(name, ending, moment, trace, letter)
