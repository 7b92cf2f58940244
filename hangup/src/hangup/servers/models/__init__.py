"""What each server does once the peer is gone, as data: a module per server, a row per server, which is a Model.

`hangup.servers.memory` plays a connection by a row. The tests run the same probes on the real servers and on the rows
and compare what they log, line by line. The specification leaves most of this open: see www.rst,
"Disconnect - receive event" and "Disconnected Client - send exception" (new in 2.4, "not guaranteed").
"""

from hangup.servers.models import daphne, granian, hypercorn, uvicorn, words
from hangup.servers.models.model import ENDED, ENDINGS, FURTHER, SAME, Call, Early, Model, Raises, Seen
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
    "in_words",
]

_ROWS = (uvicorn.SANSIO, uvicorn.WEBSOCKETS, uvicorn.WSPROTO, granian.GRANIAN, hypercorn.HYPERCORN, daphne.DAPHNE)

MODELS: dict[str, Model] = {model.name: model for model in _ROWS}
"""Every model by its name."""

EXPLORED = tuple(name for name in MODELS if name != "daphne")
"""The models that an exploration goes through unless it is told others: of the servers that `serve` runs."""


def in_words() -> Table:
    """Return the table in words: a column for each model, a row for each question, the releases first."""
    return words.table(MODELS.values())
