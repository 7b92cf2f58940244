"""BlackSheep 2.6.4: a chat with a list of members, shaped like the one among its published examples.

    hangup explore blacksheep_chat.py:app --script blacksheep_chat.py

What comes out: who speaks while another one leaves is thrown out, and who left stays in the list (uvicorn).
"""

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
