"""What the notebooks import.

`serve` an app, `connect` to it, look at the `Trace`; `note` writes into it from inside an app.
`run` plays one scripted session (`Send`, `Expect`) and returns its Session; `compare` does so on every server.
`explore` ends it at every moment, in memory, and `replay` shows one of these schedules.
"""

from helpers.client import connect
from helpers.explore import explore, replay
from helpers.recorder import note
from helpers.servers import SERVERS, serve
from helpers.sessions import ENDINGS, Expect, Send, compare, run
from helpers.trace import Trace

__all__ = [
    "ENDINGS",
    "SERVERS",
    "Expect",
    "Send",
    "Trace",
    "compare",
    "connect",
    "explore",
    "note",
    "replay",
    "run",
    "serve",
]
