"""python-fasthtml 0.14.14: who connects is kept and hears what anybody says, as in its documentation.

    hangup explore fasthtml_users.py:app --script fasthtml_users.py

What comes out: who speaks while another one leaves is thrown out (uvicorn).
"""

import re

from fasthtml.common import Div, FastHTML

from hangup import Expect, Leave, Send

app = FastHTML(exts="ws")
users = {}


async def come(ws, send) -> None:
    users[id(ws)] = send


async def go(ws) -> None:
    users.pop(id(ws), None)


@app.ws("/ws", conn=come, disconn=go)
async def hear(msg: str) -> None:
    for send in list(users.values()):
        await send(Div(msg, id="heard"))


path = "/ws"
script = [
    *(Send(json={"msg": "hi"}), Expect(re.compile("hi")), Expect(re.compile("hi"), by="b"), Leave()),
    *(Send(json={"msg": "ho"}, by="b"), Expect(re.compile("ho"), by="b")),
]
