"""What each server does once the peer is gone, as data: a module per server, a row per server, which is a Model.

`hangup.servers.memory` plays a connection by a row. The tests run the same probes on the real servers and on the rows
and compare what they log, line by line. The specification leaves most of this open: see www.rst,
"Disconnect - receive event" and "Disconnected Client - send exception" (new in 2.4, "not guaranteed").
"""

from hangup.servers.models import daphne, granian, hypercorn, uvicorn, words
from hangup.servers.models.doubts import Installed, installed, order
from hangup.servers.models.model import ENDED, ENDINGS, FURTHER, SAME, Call, Early, Model, Raises, Seen
from hangup.servers.models.more import anycorn, gunicorn, older
from hangup.servers.models.uvicorn import ClientDisconnected
from hangup.trace.table import Table

__all__ = [
    "ENDED",
    "ENDINGS",
    "EXPLORED",
    "FURTHER",
    "MODELS",
    "SAME",
    "Call",
    "ClientDisconnected",
    "Early",
    "Model",
    "Raises",
    "Seen",
    "explored",
    "in_words",
    "model_for",
    "older_in_words",
]

_ROWS = (
    uvicorn.SANSIO,
    uvicorn.WEBSOCKETS,
    uvicorn.WSPROTO,
    granian.GRANIAN,
    hypercorn.HYPERCORN,
    daphne.DAPHNE,
    gunicorn.GUNICORN,
    anycorn.ANYCORN,
)

MODELS: dict[str, Model] = {model.name: model for model in _ROWS}
"""Every model by its name."""

_ELSEWHERE = ("daphne", "gunicorn", "anycorn")
"""The servers that `serve` does not run."""


def explored(installed: Installed = installed) -> tuple[str, ...]:
    """Return which models an exploration goes through here; `installed` says which release of a package there is."""

    def is_here(model: Model) -> bool:
        release = installed(model.package)
        return release is not None and order(release) >= order(model.since)

    return tuple(name for name, row in MODELS.items() if name not in _ELSEWHERE or is_here(row))


EXPLORED = explored()
"""The models that an exploration goes through unless it is told others: of the servers that `serve` runs, and of those
that are installed here in a release that was measured, or a newer one."""


def model_for(release: str) -> Model:
    """Return the row that is true of one release, such as `granian==2.7.1`; raise ValueError if none is known."""
    return older.row_for(release, MODELS.values())


def older_in_words() -> str:
    """Return of which older releases there are rows, in one line."""
    return older.in_words()


def in_words() -> Table:
    """Return the table in words: a column for each model, a row for each question, the releases first."""
    return words.table(MODELS.values())
