"""FastAPI 0.165.0 (Starlette 1.10.0): a chat shaped like the one of its documentation, with a list of connections.

hangup explore fastapi_chat.py:app --script fastapi_chat.py
Who speaks while another one leaves is thrown out, on uvicorn; on granian, hypercorn and daphne all rules hold.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hangup import Client, Expect, Leave, Send

app = FastAPI()


class Manager:
    def __init__(self) -> None:
        self.members: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.members.append(websocket)

    async def broadcast(self, text: str) -> None:
        for member in self.members:
            await member.send_text(text)


manager = Manager()


@app.websocket("/ws/{name}")
async def chat(websocket: WebSocket, name: str) -> None:
    await manager.connect(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(f"You wrote: {text}")
            await manager.broadcast(f"{name} says: {text}")
    except WebSocketDisconnect:
        manager.members.remove(websocket)
        await manager.broadcast(f"{name} left the chat")


script = [
    *(Client("a", "/ws/ann"), Client("b", "/ws/bob")),
    *(Send("hi"), Expect("You wrote: hi"), Expect("ann says: hi"), Expect("ann says: hi", by="b")),
    *(Leave(), Send("ho", by="b"), Expect("bob says: ho", by="b")),
]
