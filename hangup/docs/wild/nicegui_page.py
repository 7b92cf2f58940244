"""NiceGUI 3.18.0: a page with a timer, in a FastAPI app; a browser's first requests, then its socket.

hangup explore nicegui_page.py:app --script nicegui_page.py
As python-socketio, on which it is built; and the task of that which watches its clients is not stopped at shutdown.
"""

import re

from fastapi import FastAPI
from nicegui import Client, ui

from hangup import Client as As
from hangup import Expect, Leave, Request, Send

app = FastAPI()


@app.get("/newest")
def newest():
    return {"id": list(Client.instances)[-1]}


@ui.page("/")
def page():
    shown = ui.label("nothing")
    ui.timer(1, lambda: shown.set_text(shown.text + "."))


ui.run_with(app, show_welcome_message=False)
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket&implicit_handshake=true&next_message_id=0"
SOCKET += "&tab_id={0}&document_id={0}&client_id={{id}}"


def join(by="a"):
    yield from (Request("GET", "/", by), Request("GET", "/newest", by, bind="id", at="/id"))


def talk(by="a"):
    yield from (Expect(re.compile(r"^0\{"), by), Send("40", by), Expect(re.compile("^4[02]"), by))


lifespan = "on"
script = [
    *(As("a", SOCKET.format("a")), As("b", SOCKET.format("b"))),
    *(*join(), *join("b"), *talk(), *talk("b"), Leave(), Expect(re.compile("^42"), "b")),
]
