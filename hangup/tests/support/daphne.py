"""The probes on daphne, in an environment of its own: tests/test_models.py has this module run there.

daphne brings Twisted, whose reactor is one for a process and for one event loop: so all runs on one loop.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from hangup.servers.models import MODELS
from hangup.servers.running import RUNNERS
from hangup.servers.running.listening import Runner
from support.commands import shutdown
from support.playing import logs, picture
from support.probes import ENDS, ends

RELEASE = f"daphne=={MODELS['daphne'].measured}"
PATIENCE = 3.0  # seconds; once a second daphne looks whether an app has ended


@asynccontextmanager
async def daphne(recorder: Any, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
    """Serve on a socket, on the running loop, as daphne.server.Server.run does; let the caller end the apps."""
    module: Any = import_module("daphne.server")
    server = module.Server(recorder, endpoints=["none: it gets a socket"])
    server.connections = {}
    server.http_factory = module.HTTPFactory(server)
    server.ws_factory = module.WebSocketFactory(server, server=server.server_name)
    # daphne's own five seconds for a handshake are soon over on a machine that stands still, and no probe needs them
    server.ws_factory.setProtocolOptions(allowNullOrigin=True, openHandshakeTimeout=60)
    sock.listen()
    sock.setblocking(False)
    port = module.reactor.adoptStreamPort(sock.fileno(), socket.AF_INET, server.http_factory)
    server.application_checker()
    try:
        yield
    finally:
        port.stopListening()
        for protocol in list(server.connections):
            if protocol.transport is not None:
                protocol.transport.abortConnection()


async def everything() -> dict[str, Any]:
    """Return the logs, the pictures and what a stop does, in values that JSON can hold."""
    import_module("twisted.internet.asyncioreactor").install(asyncio.get_running_loop())
    import_module("twisted.internet.reactor").startRunning(installSignalHandlers=False)
    RUNNERS["daphne"] = Runner("", ("daphne",), daphne)
    cases = [(how, accept) for how in ENDS for accept in (False, True)]
    pictures = [picture("daphne", ends(how, accept=accept), seconds=PATIENCE) for how, accept in cases]
    found, stopped, drawn = await asyncio.gather(
        logs("daphne", shutdown=False), shutdown("daphne", lifespan=False), asyncio.gather(*pictures)
    )
    return {
        "logs": [[*case, lines] for case, lines in found.items()],
        "shutdown": stopped,
        "pictures": [[how.__name__, accept, each] for (how, accept), each in zip(cases, drawn, strict=True)],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(everything())))
