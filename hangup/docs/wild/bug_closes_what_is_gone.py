"""The answer fails because the peer has left; the handler of that error closes the connection, which fails, too.

Seen in ariadne 1.1.1 (GraphQLTransportWSHandler, `connection_init`), on uvicorn: its users find two tracebacks in their
log for each browser that is reloaded while it connects, one of ariadne's own and "Exception in ASGI application".
Not found reported (https://github.com/mirumee/ariadne/pull/205 is the same of another message).
"""

import logging

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from hangup import Expect, Send

log = logging.getLogger("graphql")


async def acknowledge(websocket):
    try:
        await websocket.send_json({"type": "connection_ack"})
    except Exception as error:
        log.error("", exc_info=error)
        await websocket.close()


async def graphql(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.receive_json()
            await acknowledge(websocket)
    except WebSocketDisconnect:
        pass


app = Starlette(routes=[WebSocketRoute("/", graphql)])
SCRIPT = [Send(json={"type": "connection_init"}), Expect(json={"type": "connection_ack"})]
RULE = "the handler ends quietly when the peer leaves"
SCHEDULE = "uvicorn/close@send#2"
