"""BlackSheep: a chat with a set of members, shaped like the one among its published examples."""

from blacksheep import Application, WebSocket, WebSocketDisconnectError

from hangup import Client, Expect, Leave, Send

app = Application()
members: list[WebSocket] = []


async def tell(words: str) -> None:
    for member in members:
        await member.send_json({"text": words})


@app.router.ws("/ws/{name}")
async def chat(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            await tell((await websocket.receive_json())["text"])
    except WebSocketDisconnectError:
        members.remove(websocket)
        await tell(f"{name} goes")


script = [
    *(Client("a", "/ws/ann"), Client("b", "/ws/bob")),
    *(Send(json={"text": "hi"}), Expect(json={"text": "hi"}), Expect(json={"text": "hi"}, by="b"), Leave()),
    *(Send(json={"text": "ho"}, by="b"), Expect(json={"text": "ho"}, by="b")),
]
