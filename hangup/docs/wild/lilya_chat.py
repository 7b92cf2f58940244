"""lilya 0.29.0: a chat with a list of members, one handler for all.

    hangup explore lilya_chat.py:app --script lilya_chat.py

What comes out: who speaks while another one leaves is thrown out, and who left stays in the list (uvicorn).
"""

from lilya.apps import Lilya
from lilya.routing import WebSocketPath
from lilya.websockets import WebSocket, WebSocketDisconnect

from hangup import Expect, Leave, Send

members: list[WebSocket] = []


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    members.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for member in members:
                await member.send_text(text)
    except WebSocketDisconnect:
        members.remove(websocket)


app = Lilya(routes=[WebSocketPath("/ws", chat)])
path = "/ws"
script = [
    *(Send("hi"), Expect("hi"), Expect("hi", by="b"), Leave()),
    *(Send("ho", by="b"), Expect("ho", by="b")),
]
