"""Somebody speaks while another one leaves, and is thrown out of the chat.

The send to whoever has left raises in the handler of the one who speaks, and ends it. In the goodbye, too.

Seen in an app written after FastAPI's documentation (ConnectionManager; FastAPI 0.165.0, Starlette 1.10.0), on uvicorn:
its users lose the connection, with a traceback in the log, because a stranger has closed a tab.
Reported: https://github.com/fastapi/fastapi/issues/3961
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hangup import Expect, Leave, Send

app = FastAPI()
members: list[WebSocket] = []


async def broadcast(text: str) -> None:
    for member in members:
        await member.send_text(text)


@app.websocket("/")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            await broadcast(await websocket.receive_text())
    except WebSocketDisconnect:
        members.remove(websocket)
        await broadcast("somebody has left")


SCRIPT = [Send("hi"), Expect("hi"), Expect("hi", "b"), Leave(), Send("ho", "b"), Expect("ho", "b")]
RULE = "while the peer is there, every message gets its answer"
SCHEDULE = "uvicorn/close@send#2"
