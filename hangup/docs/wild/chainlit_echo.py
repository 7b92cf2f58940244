"""Chainlit 2.12.0: an echo, mounted in a FastAPI app.

hangup explore chainlit_echo.py:app --script chainlit_echo.py
As python-socketio, on which it is built; and the task of that which watches its clients is not stopped at shutdown.
`chainlit.server:app` itself ends its process when it shuts down: hangup gives up, and `--lifespan off` explores it.
"""

import json
import re

import chainlit
from chainlit.utils import mount_chainlit
from fastapi import FastAPI

from hangup import Expect, Leave, Send


@chainlit.on_message
async def echo(message):
    await chainlit.Message(content=message.content).send()


app = FastAPI()
if not chainlit.config.config.run.module_name:  # mounting imports this file once more
    mount_chainlit(app, target=__file__)


def join(by="a"):
    auth = f'{{"sessionId":"{by}","clientType":"webapp"}}'
    yield from (Expect(re.compile(r"^0\{"), by), Send(f"40{auth}", by), Expect(re.compile(r"^40\{"), by))


ID = "6a1c1a52-0a64-4c0e-9f5e-3d2b7a9c1e01"


def say(text, by="a"):
    step = {"id": ID, "type": "user_message", "output": text, "name": by, "createdAt": "2026-01-01T00:00:00Z"}
    said = f"42{json.dumps(['client_message', {'message': step}])}"
    yield from (Send(said, by), Expect(re.compile(f'"output": ?"{text}"'), by))


path = "/chainlit/ws/socket.io/?EIO=4&transport=websocket"
script = [*join(), *join("b"), Leave(), *say("ho", "b")]
