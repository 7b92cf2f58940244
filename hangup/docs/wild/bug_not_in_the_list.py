"""The peer is gone before it is accepted; the cleanup takes it off a list that it was never put on.

Seen in fastapi-websocket-rpc 0.1.29 (WebsocketRPCEndpoint.main_loop), on uvicorn, behind whatever is awaited before
accept: its users find two tracebacks a time in their log, of a client that has gone away: the last, and the one they
look for, is "ValueError: list.remove(x): x not in list".
Reported: https://github.com/Open-Pectus/Open-Pectus/issues/810, with a user of it.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
active: list[WebSocket] = []


async def connect(websocket: WebSocket) -> None:
    await websocket.accept()
    active.append(websocket)


@app.websocket("/")
async def calls(websocket: WebSocket) -> None:
    try:
        await connect(websocket)
        while True:
            await websocket.send_text(await websocket.receive_text())
    except (WebSocketDisconnect, OSError):
        active.remove(websocket)


SCRIPT = ["hi"]
RULE = "the handler ends quietly when the peer leaves"
SCHEDULE = "uvicorn/fin@send#1"
