"""What the notebooks import.

`serve` an app, `connect` to it, look at the `Trace`; `note` writes into it from inside an app.
`run` plays one scripted session (`Send`, `Expect`) and returns its Session; `compare` does so on every server.
`explore` ends it at every moment, in memory, and `replay` shows one of these schedules. A script may have several
clients: `Send("hi", by="b")`; client a leaves at `Leave()`, or at its end.
`explore_client` and `replay_client` do the same to a client of yours; `proxy` breaks connections with what is in
`helpers.toxics`.
"""

from helpers.client import connect
from helpers.explore import explore, replay
from helpers.explore_client import explore_client, replay_client
from helpers.faults import proxy
from helpers.recorder import note
from helpers.servers import SERVERS, serve
from helpers.sessions import ENDINGS, Expect, Leave, Send, compare, run
from helpers.trace import Trace

__all__ = [
    "ENDINGS",
    "SERVERS",
    "Expect",
    "Leave",
    "Send",
    "Trace",
    "compare",
    "connect",
    "explore",
    "explore_client",
    "note",
    "proxy",
    "replay",
    "replay_client",
    "run",
    "serve",
]
