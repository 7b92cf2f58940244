"""The real ASGI servers: how each starts and stops on the running loop, a module per server.

`RUNNERS` names them; `hangup.servers.serve` adds what all of them share. `listening` waits until a server listens,
`stopping` ends what a server's own stop leaves behind, `interrupt` is the notebook's interrupt button.
"""

from hangup.servers.running import granian, hypercorn, uvicorn
from hangup.servers.running.listening import Runner

RUNNERS: dict[str, Runner] = {
    "uvicorn": Runner("uvicorn", ("uvicorn", "websockets"), uvicorn.runs("websockets-sansio")),
    "uvicorn-websockets": Runner("uvicorn", ("uvicorn", "websockets"), uvicorn.runs("websockets")),
    "uvicorn-wsproto": Runner("uvicorn", ("uvicorn", "wsproto"), uvicorn.runs("wsproto")),
    "granian": Runner("granian", ("granian",), granian.run),
    "hypercorn": Runner("hypercorn", ("hypercorn",), hypercorn.run),
}
"""The servers by their names: uvicorn with each of its three WebSocket implementations (its default first), and others.
"""
