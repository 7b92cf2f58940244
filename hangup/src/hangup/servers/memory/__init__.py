"""A connection in memory, on a server that behaves as its Model says. Nothing here touches the network.

`connection` is what an app is given as receive and send. It puts together its two `sides` (the app's calls; the client
and how it leaves), an `inbox` (what the app has yet to receive), an `end` (what follows from how the connection ended)
and a `drawing` (what a picture shows of the client).
"""

from hangup.servers.memory.connection import MemoryConnection
from hangup.servers.memory.sides import Moment

__all__ = ["MemoryConnection", "Moment"]
